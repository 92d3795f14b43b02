"""What a campaign is doing and why not more, in the words of a manager, with the time when that changes. Pure.

The first thing on its page. What holds it back is the dialers' own word, said in full, with what would help.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from web.local_clocks import earliest
from web.sentences import counted, joined, sentence
from web.showing import timed
from web.words import blocked_sentence

HELP: Final[Mapping[str, str]] = {
    "paused": "Resume it when it may go on.",
    "abandon_rate": "It can be resumed once it is within the limit again, or with its rules of law off.",
    "restored": "Look at what was called since the backup, then resume it.",
    "halted": "The halt has to be lifted before anybody is called.",
    "agent": "Give it another agent or mend this one; resuming it lets a held agent go.",
    "budget": "Pause another campaign, or ask the operator for a higher limit of calls at once.",
    "caller_id": "Switch the number on again under Numbers.",
    "not_here": "The operator has to set a dialer up for it.",
    "no_dialer": "The operator has to start one; nothing is lost meanwhile.",
    "no_redis": "The operator has to bring it back; calls in progress go on.",
    "no_node": "The operator has to look at the nodes.",
    "draining": "The operator can undrain a node, or add one.",
    "node_stalled": "The operator has to look at the nodes.",
    "node_refuses": "The operator has to look at the nodes.",
    "node_channels": "It goes on as calls end. More nodes would help.",
    "node_cps": "It goes on at that pace. More nodes would help.",
    "gateway_paused": "A call tries a paused gateway again by itself; the operator can resume it sooner, or switch"
    " on one that is off.",
    "breaker": "Look at the list and at the caller id: numbers that do not exist, or calls that are taken for spam.",
    "gateway_channels": "It goes on as calls end. The carrier may allow more.",
    "gateway_cps": "It goes on at that pace. The carrier may allow more.",
    "number_cap": "It goes on when those calls are over.",
    "campaign_concurrency": "It goes on as calls end. The campaign may be allowed more calls at once.",
    "tenant_concurrency": "It goes on as calls end. Pause another campaign, or ask the operator for a higher limit.",
    "tenant_minute": "It goes on with the next minute. The operator can raise the limit.",
    "tenant_day_calls": "It goes on tomorrow (UTC). The operator can raise the limit.",
    "tenant_day_minutes": "It goes on tomorrow (UTC). The operator can raise the limit.",
    "contact_not_claimable": "The operator has to look at the dialers' logs.",
}
"""What would help, by `blocked_reason`; nothing of one that is over by itself."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A page where something can be done about it, and whom it is shown to."""

    role: str
    endpoint: str
    words: str


CLUSTER: Final = Lead("platform", "board.cluster", "Look at the cluster")
LIMITS: Final = Lead("platform", "board.limits", "Change its limits")
LEADS: Final[Mapping[str, Lead]] = {
    "halted": Lead("operate", "board.halt", "Look, or lift it"),
    "agent": Lead("admin", "board.agents", "Look at the agents"),
    "caller_id": Lead("platform", "board.numbers", "Look at the numbers"),
    "budget": LIMITS,
    "number_cap": LIMITS,
    "tenant_concurrency": LIMITS,
    "tenant_minute": LIMITS,
    "tenant_day_calls": LIMITS,
    "tenant_day_minutes": LIMITS,
    "no_dialer": CLUSTER,
    "no_redis": CLUSTER,
    "not_here": CLUSTER,
    "no_node": CLUSTER,
    "draining": CLUSTER,
    "node_stalled": CLUSTER,
    "node_refuses": CLUSTER,
    "node_channels": CLUSTER,
    "node_cps": CLUSTER,
    "gateway_paused": CLUSTER,
    "gateway_channels": CLUSTER,
    "gateway_cps": CLUSTER,
    "contact_not_claimable": CLUSTER,
}
"""By `blocked_reason`: whoever may do something about it is one step from there."""
FULL: Final = frozenset(
    {"node_channels", "node_cps", "gateway_channels", "gateway_cps", "campaign_concurrency", "tenant_concurrency",
     "slow_start", "number_cap"}
)  # fmt: skip
"""With these calls go on, as many as there may be."""


MOST_TOLD: Final = 3
"""Openings that one sentence has room for."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said of a campaign, as text or markup; `at` is the time that `at_words` lead to, told as
    `at_kind`. `kind` is run, held or over."""

    kind: str
    headline: str
    text: str = ""
    at: str | None = None
    at_words: str = ""
    help: str = ""
    at_kind: str = "moment"
    lead: Lead | None = None


@dataclass(slots=True)
class _Opening:
    """An opening, in words, and how many people wait for it; `more`: or more."""

    words: Markup
    people: int = 0
    more: bool = False


def why(campaign: Mapping[str, Any], *, brief: bool = False) -> Sentence:
    """Of a campaign as the API tells it; `brief` where the numbers of people stand beside it, and move."""
    status, counts = campaign["status"], campaign["counts"]
    if status == "draft":
        return Sentence(
            "held",
            "Not started.",
            sentence("{} on the list.", _people(counts["pending"])),
            help="Start it when it may call.",
        )
    if status == "scheduled":
        return _scheduled(campaign)
    if status in ("completed", "failed"):
        return _over(campaign)
    return _going_on(campaign, brief=brief)


def _scheduled(campaign: Mapping[str, Any]) -> Sentence:
    reason = campaign["blocked_reason"]
    if reason is None:
        return Sentence("held", "Waits for its start.", at=campaign["scheduled_at"], at_words="It starts")
    said, at = blocked_sentence(reason), campaign["next_action_at"]
    return Sentence(
        "held",
        "Could not be started.",
        said,
        at,
        "It is tried again",
        HELP.get(reason, ""),
        lead=LEADS.get(reason),
    )


def _over(campaign: Mapping[str, Any]) -> Sentence:
    reason, counts = campaign["end_reason"], campaign["counts"]
    headline = {
        "stopped": "Stopped.",
        "exhausted": "Done: everybody on the list was called, or cannot be.",
        "deadline": "Over: its time had come.",
        "error": "Failed: it could not go on, and its log says why.",
    }.get(reason or "", "Over.")
    up = counts["originated"] + counts["connected"]
    left = sentence("{} not called.", _people(counts["cancelled"])) if counts["cancelled"] else ""
    talking = sentence("{} still up.", _calls(up)) if up else ""
    return Sentence("over", headline, joined(left, talking), campaign["completed_at"], "It ended")


def _going_on(campaign: Mapping[str, Any], *, brief: bool) -> Sentence:
    reason, counts, at = campaign["blocked_reason"], campaign["counts"], campaign["next_action_at"]
    up = counts["originated"] + counts["connected"]
    text = _numbers(up, counts["pending"]) if not brief else ""
    if campaign["status"] == "paused":
        somebody = "" if reason in (None, "paused") else blocked_sentence(reason)
        helps = HELP.get(reason or "paused", "")
        return Sentence("held", "Paused.", joined(somebody, text), help=helps, lead=LEADS.get(reason or ""))
    if reason is None:
        return Sentence("run", "Dialling.", text)
    if reason == "retry_wait":
        if brief:
            return Sentence("held", "Waiting.", blocked_sentence(reason), at, "The next is called")
        headline = sentence("Waiting: {} to be tried again.", _people(counts["pending"]))
        calls = sentence("{} up.", _calls(up)) if up else ""
        return Sentence("held", headline, calls, at, "The next is called")
    if reason in FULL:
        return Sentence(
            "run",
            "Dialling as fast as it may.",
            joined(blocked_sentence(reason), text),
            help=HELP.get(reason, ""),
            lead=LEADS.get(reason),
        )
    if waits := campaign.get("waits"):
        calls = sentence("{} up.", _calls(up)) if up and not brief else ""
        said = joined(calls, sentence("{};", _outside(waits, counts["pending"])))
        return Sentence("held", "Not dialling.", said, at, "next call", at_kind="second")
    said, words = joined(blocked_sentence(reason), text), "It can go on"
    return Sentence("held", "Not dialling.", said, at, words, HELP.get(reason, ""), lead=LEADS.get(reason))


def _outside(waits: Sequence[Mapping[str, Any]], pending: int) -> Markup:
    """Of a campaign outside its hours: who waits for which, the first MOST_TOLD, and how many for later ones."""
    openings: dict[tuple[str, str], _Opening] = {}
    for wait in waits:
        zone, words = earliest(wait["opens_at"], wait["time_zones"])
        # Whoever may be in several zones waits for the last of them, with those who are in that alone.
        opening = openings.setdefault(
            (wait["opens_at"], zone), _Opening(words or timed(wait["opens_at"], "second"))
        )
        opening.people += wait["contacts"]
        opening.more |= wait["more"]
    if len(waits) == 1:
        # All who are left wait for it.
        opening.people, opening.more = max(opening.people, pending), False
    told = list(openings.values())[:MOST_TOLD]
    parts = [_waiting(one) for one in told]
    left = pending - sum(one.people for one in told)
    if any(one.more for one in told):
        parts += [Markup("others later")] if len(openings) > MOST_TOLD else []
    elif left > 0:
        parts.append(sentence("{} later", _people(left)))
    return Markup("; ").join(parts)


def _waiting(opening: _Opening) -> Markup:
    wait = "waits" if opening.people == 1 and not opening.more else "wait"
    people = joined(_people(opening.people), "or more" if opening.more else "")
    return sentence("{} {} for {}", people, wait, opening.words)


def _numbers(up: int, left: int) -> Markup:
    people = sentence("{} left to call.", _people(left))
    return sentence("{} up, {}", _calls(up), people) if up else people


def _people(number: int) -> Markup:
    return counted(number, "person", "people")


def _calls(number: int) -> Markup:
    return counted(number, "call", "calls")
