"""What happened to a campaign, a sentence for each entry of its log. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from web.nested_forms import window_sentence
from web.sentences import counted, figure, sentence
from web.showing import timed
from web.words import blocked_sentence

ACTIONS: Final[Mapping[str, str]] = {
    "created": "made the campaign",
    "scheduled": "set when it starts",
    "unscheduled": "took its start back",
    "started": "started it",
    "resumed": "resumed it",
    "paused": "paused it",
    "stopped": "stopped it for good",
    "contacts_added": "added people",
    "contact_changed": "changed when one person is called",
    "called_again": "had people called again",
    "taken_away": "changed something that it uses",
    "hung_up": "ended its calls",
    "exempted": "let it call in spite of the breaker",
    "deleted": "deleted it",
}
"""What somebody did, behind his name."""
BY_ITSELF: Final[Mapping[str, str]] = {
    "scheduled": "Its start was set",
    "started": "It started by itself",
    "resumed": "It went on",
    "paused": "It was paused",
    "stopped": "It was stopped",
    "completed": "It was over",
    "failed": "It could not go on",
    "contacts_cancelled": "People were taken off its list",
    "held": "It was held",
    "taken_away": "Something that it uses was changed or taken away",
    "hung_up": "Its calls were ended",
    "purged": "Its people and calls were deleted, as the tenant keeps them no longer",
    "thinned": "The oldest of very many entries were deleted",
}
REASONS: Final[Mapping[str, str]] = {
    "schedule": "at its time",
    "exhausted": "nobody was left to call",
    "deadline": "its time had come",
    "never_open": "neither its calling hours nor the law leaves an hour for them",
    "suppressed": "they are not to be called",
    "expired": "the time until which they were to be called is over",
}
COUNTED: Final[Mapping[str, tuple[str, str]]] = {
    "contacts_added": ("added", "added {}"),
    "called_again": ("contacts", "had {} called again"),
    "contacts_cancelled": ("cancelled", "Off its list for good: {}"),
}
"""Which of an entry's details says how many people it was, and the sentence for that."""
SHORT: Final = 40
"""Characters of what a setting was, and is, that one sentence has room for."""
SETTINGS: Final[Mapping[str, str]] = {
    "name": "its name",
    "max_concurrent_calls": "calls at once",
    "weight": "its share beside other campaigns",
    "slow_start": "the slow beginning",
    "keep_open": "whether it waits for more people",
    "scheduled_at": "its start",
    "end_at": "its end",
    "time_zone": "its time zone",
    "retry_rules": "the rules of retries",
    "dial_order": "who is called first",
    "windows": "the calling hours",
    "holidays": "the days without calls",
    "purpose": "what its calls are for",
    "policy_packs": "the rules of law",
    "retries_per_contact": "further tries",
    "retry_delay_seconds": "the seconds until another try",
    "next_attempt_at": "the next call",
    "status": "what became of the person",
    "external_id": "its outside id",
    "metadata": "its notes",
}


@dataclass(frozen=True, slots=True)
class Told:
    """An entry: when, who, and what, as text or markup; `changes` are settings, with what each was and is."""

    at: str
    by: str | None
    words: str
    changes: list[tuple[str, str, str]]


def told(entry: Mapping[str, Any]) -> Told:
    """Of an entry as the API tells it, or one of a newer release."""
    details, by, action = entry["details"], entry["by"], entry["action"]
    changes = [
        (SETTINGS.get(name, name.replace("_", " ")), _shown(name, before), _shown(name, now))
        for name, (before, now) in details.get("changes", {}).items()
    ]
    if action == "let_go":
        return Told(entry["at"], by, _let_go(entry["reason"]), changes)
    words: str
    if action == "changed" and len(changes) == 1 and max(map(_length, changes[0])) <= SHORT:
        name, before, now = changes.pop()
        words = sentence("changed {} from {} to {}", name, before, now)
    elif action == "changed":
        words = sentence("changed {}", _listed([name for name, _, _ in changes]))
    elif by is None:
        words = BY_ITSELF.get(action, action.replace("_", " ").capitalize())
    else:
        words = ACTIONS.get(action, action.replace("_", " "))
    if action in COUNTED and COUNTED[action][0] in details:
        name, frame = COUNTED[action]
        words = sentence(frame, counted(details[name], "person", "people"))
    return Told(entry["at"], by, sentence("{}{}", words, _reason(entry["reason"])), changes)


def _let_go(reason: str | None) -> str:
    return f"It went on. What had held it: {blocked_sentence(reason)}" if reason else "It went on."


def _reason(reason: str | None) -> str:
    if reason is None:
        return "."
    words = REASONS.get(reason)
    return f": {words}." if words else f". {blocked_sentence(reason)}"


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names) or "its settings"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _length(shown: str) -> int:
    """The characters that are read of it."""
    return len(Markup(shown).striptags() if isinstance(shown, Markup) else shown)


def _shown(name: str, value: object) -> str:
    if name in ("scheduled_at", "end_at", "next_attempt_at") and isinstance(value, str):
        return timed(value)
    if name == "windows" and (value is None or isinstance(value, list)):
        return window_sentence(value, None)
    if value is None or value in ({}, ""):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return figure(value)
    if isinstance(value, Mapping):
        parts = [sentence("{}: {}", key.replace("_", " "), _shown("", one)) for key, one in value.items()]
        return Markup("; ").join(parts)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    return str(value)
