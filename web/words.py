"""The board's words for states, outcomes, reasons and fields, and the colour and shape of each. Pure.

`good`, to be tried again (`wait`), failed (`bad`) and not counted (`plat`), each with a shape of its own; `run` is
something that goes on, `rest` what nothing became of yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.dispositions import CONTACT_MEANINGS


@dataclass(frozen=True, slots=True)
class Chip:
    """A word with its meaning's colour and shape."""

    kind: str
    words: str


STATES: Final[Mapping[str, Chip]] = {
    "draft": Chip("rest", "draft"),
    "scheduled": Chip("wait", "scheduled"),
    "running": Chip("run", "running"),
    "paused": Chip("wait", "paused"),
    "completed": Chip("good", "completed"),
    "failed": Chip("bad", "failed"),
}
ENDED: Final[Mapping[str, Chip]] = {
    "stopped": Chip("rest", "stopped"),
    "exhausted": Chip("good", "completed"),
    "deadline": Chip("rest", "ended by its deadline"),
    "error": Chip("bad", "failed"),
}
OUTCOMES: Final[Mapping[str, Chip]] = {
    "answered": Chip("good", "answered"),
    "abandoned": Chip("bad", "answered, nobody there"),
    "agent_failed": Chip("plat", "answered, agent failed"),
    "busy": Chip("wait", "busy"),
    "no_answer": Chip("wait", "no answer"),
    "unreachable": Chip("wait", "unreachable"),
    "rejected": Chip("wait", "rejected"),
    "network_blocked": Chip("bad", "blocked by the network"),
    "invalid": Chip("bad", "invalid number"),
    "redirected": Chip("bad", "number has changed"),
    "gateway_fault": Chip("plat", "gateway fault"),
    "congestion": Chip("plat", "no room at the carrier"),
    "node_fault": Chip("plat", "node fault"),
    "switch_lost": Chip("wait", "node lost"),
    "outcome_unknown": Chip("bad", "nobody can say"),
    "not_sent": Chip("bad", "never placed"),
    "expired": Chip("rest", "too late to be called"),
    "suppressed": Chip("rest", "not to be called"),
}
CONTACT_STATES: Final[Mapping[str, Chip]] = {
    "pending": Chip("rest", "not called yet"),
    "originated": Chip("run", "being called"),
    "connected": Chip("run", "talking"),
    "completed": Chip("good", "reached"),
    "failed": Chip("bad", "not reached"),
    "cancelled": Chip("rest", "cancelled"),
}


CAPS: Final[Mapping[str, str]] = {
    "node_cps": "the nodes’ pace",
    "gateway_cps": "the gateways’ pace",
    "slow_start": "slow beginning",
    "tenant_minute": "calls of this minute used up",
    "campaign_concurrency": "its calls at once",
    "tenant_concurrency": "the tenant’s calls at once",
    "node_channels": "nodes full",
    "gateway_channels": "gateways full",
    "number_cap": "numbers called already",
    "gateway_paused": "gateways paused",
    "breaker": "breaker",
    "window": "outside the hours",
    "retry_wait": "waiting for retries",
    "no_node": "no node",
    "draining": "nodes drained",
    "node_stalled": "nodes do not answer",
    "node_refuses": "nodes refuse",
    "agent": "agent held",
    "halted": "halted",
}
"""What held a campaign back, in the two or three words that a plot has room for; a sentence stands elsewhere."""
RATES: Final[Mapping[str, str]] = {
    "node_cps": "the nodes’ pace",
    "gateway_cps": "the gateways’ pace",
    "tenant_minute": "the tenant’s pace",
    "slow_start": "the slow beginning",
}
"""A rate that calls are held to, as a plot names its line."""
FIELDS: Final[Mapping[str, str]] = {
    "name": "Name",
    "max_concurrent_calls": "Calls at once",
    "weight": "Share",
    "scheduled_at": "The start",
    "end_at": "The end",
    "time_zone": "Time zone",
    "default_time_zone": "Time zone",
    "windows": "The hours",
    "default_windows": "The hours",
    "holidays.country": "Country of holidays",
    "holidays.region": "Region of holidays",
    "next_attempt_at": "The time of the call",
    "expires_at": "The time until when",
    "number": "Number",
    "prefix": "Number",
    "e164": "Number",
    "campaign_id": "Campaign",
    "gateway_id": "Gateway",
    "retention_days": "Days kept",
    "contacts": "The list",
    "policy_packs": "Rules of law",
    "purpose": "What the calls are for",
    "phone_number": "The number",
    "phone_number_id": "Number to call from",
    "agent_id": "Agent",
    "action.say.voice": "Voice",
    "safe_harbour.say.voice": "Voice of the text for whom nobody joins",
    "variables": "What travels with the call",
    "concurrent_max": "Calls at once",
    "allowed_countries": "Country",
    "test_numbers": "Test number",
    "to_number": "The number",
}
"""What a field is called where the API names it first in what it refuses."""
_FIELD: Final = re.compile(
    r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*(?:\[\d+\])?(?= (?:is|must|has|may|needs|cannot) )"
)
_ONE_OF: Final = re.compile(r"([a-z_]+)(?:\.|\[)(\d+)\]?")
_SPAN: Final = re.compile(r"(?:default_)?windows\.(\d+)\.(from|to|days)")


def refusal(sentence: str) -> str:
    """What the API refuses, with its field named as the form does; of another one as it is."""
    found = _FIELD.match(sentence)
    if found is None:
        return sentence
    if span := _SPAN.fullmatch(found[0]):
        words = f"Hours {int(span[1]) + 1}, {span[2]}"
    elif (one := _ONE_OF.fullmatch(found[0])) and one[1] in FIELDS:
        words = f"{FIELDS[one[1]]} {int(one[2]) + 1}"
    else:
        words = FIELDS.get(found[0], found[0])
    return words + sentence[found.end() :]


def state_chip(campaign: Mapping[str, Any]) -> Chip:
    """What state a campaign is in; of one that has ended, how it did."""
    ended = ENDED.get(campaign["end_reason"] or "")
    return ended or STATES.get(campaign["status"], Chip("rest", campaign["status"]))


def outcome_chip(disposition: str | None) -> Chip:
    """How a call ended; one that has not is in progress."""
    if disposition is None:
        return Chip("run", "in progress")
    return OUTCOMES.get(disposition, Chip("rest", disposition.replace("_", " ")))


def call_chip(call: Mapping[str, Any]) -> Chip:
    """How a call ended; one that never left for its node has no disposition."""
    if call["ended_at"] is not None and call["disposition"] is None:
        return Chip("rest", "taken back, not placed")
    return outcome_chip(call["disposition"])


def contact_chip(contact: Mapping[str, Any]) -> Chip:
    """Where a contact stands: one that waits for another call is not one that was never called."""
    if contact["status"] == "pending" and (contact["next_attempt_at"] or contact["disposition"]):
        words = outcome_chip(contact["disposition"]).words if contact["disposition"] else "to be called"
        return Chip("wait", f"{words}, to be tried again")
    if contact["status"] in ("failed", "completed") and contact["disposition"]:
        return outcome_chip(contact["disposition"])
    return CONTACT_STATES.get(contact["status"], Chip("rest", contact["status"]))


def meaning(disposition: str | None) -> str:
    """What a disposition means; empty for one of a newer release."""
    return CONTACT_MEANINGS.get(disposition or "", "")


def cause_words(cause: str) -> str:
    """A hangup cause as it is read: `USER_BUSY` is `user busy`."""
    return cause.replace("_", " ").lower()


def blocked_sentence(reason: str) -> str:
    """What holds a campaign back; also of a reason that only a newer dialer knows."""
    return BLOCKED_WORDS.get(reason, f"Something holds it back that this page does not know ({reason}).")
