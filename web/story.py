"""One contact's story: every call to him, what happened in it, and what was decided then and between them, in words.
Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from markupsafe import Markup

from campaigns.retry_rules import PLAIN, retry_rules
from web.local_clocks import there
from web.sentences import counted, figure, joined, sentence, tenths
from web.showing import lasting, moment, timed
from web.words import Chip, call_chip, meaning

DISTURBED: Final = ("agent_failed", "node_fault")
"""Somebody was rung, or had picked up, for nothing."""
NO_MORE: Final[Mapping[str, str]] = {
    "suppressed": "the number is on a do-not-call list.",
    "expired": "it was too late by then, as the list says until when.",
    "never_open": "neither the campaign’s hours nor the law leave a time for it.",
}
"""Why somebody is called no more, where nobody asked for it."""
NUMBER_WAITS: Final = (
    "The number was called as often, or as lately, as it may be, or is being called just now."
)
ENDS: Final[Mapping[str, str]] = {
    "stopped": "the campaign was stopped.",
    "deadline": "the campaign’s time had come.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened at a time, with its day where that is another than the step's before."""

    at: str
    words: str
    kind: str


@dataclass(frozen=True, slots=True)
class Told:
    """One call: what clocks showed where the contact is, what happened, in order, how it ended, whether it counted,
    and what was to follow."""

    at: str
    there: Markup
    number: int
    chip: Chip
    steps: Sequence[Step]
    meaning: str
    counted: str
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Decided:
    """Something that was decided of the contact beside his calls."""

    at: str
    decided: Markup


def story(
    contact: Mapping[str, Any],
    calls: Sequence[Mapping[str, Any]],
    decisions: Sequence[Mapping[str, Any]],
    campaign: Mapping[str, Any],
    gateways: Mapping[str, str],
) -> list[Told | Decided]:
    """Of all of it as the API tells it, in the order of its times; `gateways` has names by id."""
    parts: list[Told | Decided] = [told(call, gateways, contact["time_zones"]) for call in calls]
    parts += [Decided(one["at"], _decided(one, campaign)) for one in decisions]
    return sorted(parts, key=lambda part: moment(part.at))


def told(call: Mapping[str, Any], gateways: Mapping[str, str], zones: Sequence[str] = ()) -> Told:
    """Of a call as the API tells it; `zones` are those of its contact."""
    return Told(
        call["created_at"],
        there(call["created_at"], zones),
        call["seq"],
        call_chip(call),
        _steps(call),
        meaning(call["disposition"]),
        joined(_counted(call), _followed(call)),
        _facts(call, gateways),
    )


def _steps(call: Mapping[str, Any]) -> list[Step]:
    happened = [(call["created_at"], f"The call was decided on, to leave by node {call['node']}.")]
    if call["sent_at"]:
        happened.append((call["sent_at"], f"The order went out, showing {call['caller_id']}."))
    if call["ring_at"]:
        happened.append((call["ring_at"], sentence("It rang{}.", _after(call["pdd_ms"]))))
    elif call["progress_at"]:
        happened.append(
            (call["progress_at"], "The network played something (early media); no ring was told.")
        )
    if call["answered_at"]:
        happened.append((call["answered_at"], sentence("Somebody picked up{}.", _after(call["ring_ms"]))))
    if call["ended_at"]:
        happened.append((call["ended_at"], _end(call)))
    found: list[Step] = []
    for at, words in happened:
        same = found and moment(found[-1].at).date() == moment(at).date()
        found.append(Step(at, words, "clock" if same else "dated"))
    return found


def _end(call: Mapping[str, Any]) -> str:
    who = {"remote": "the other side hung up", "us": "we hung up"}.get(
        call["hung_up_by"] or "", "it was over"
    )
    if not call["answered_at"]:
        return f"Nobody was reached: {who}."
    talked = f" after {lasting(call['billsec'])}" if call["billsec"] is not None else ""
    doubt = ", perhaps sooner: its node died meanwhile" if call["recovered"] else ""
    return f"{who[0].upper()}{who[1:]}{talked}{doubt}."


def _counted(call: Mapping[str, Any]) -> str:
    if call["ended_at"] is None:
        return ""
    if call["failover"]:
        return "It used up no attempt: nobody was reached, and another gateway was tried."
    if call["attempt"] is None:
        return "It used up no attempt: the fault was not his."
    return sentence("It counted as attempt {}.", figure(call["attempt"]))


def _followed(call: Mapping[str, Any]) -> str:
    """When the next call was to be, and why then."""
    if call["retry_seconds"] is None or call["ended_at"] is None:
        return ""
    at = moment(call["ended_at"]) + timedelta(seconds=call["retry_seconds"])
    if call["attempt"] is not None:
        why = "by the rules for further tries"
    elif call["disposition"] in DISTURBED:
        why = "after the usual delay, as somebody was disturbed for nothing"
    else:
        why = "soon, as it used up no attempt"
    return sentence("The next was set for {}, within the hours: {}.", timed(at, "dated"), why)


def _facts(call: Mapping[str, Any], gateways: Mapping[str, str]) -> list[tuple[str, str]]:
    status = f"{call['sip_status']} {call['sip_phrase'] or ''}".strip() if call["sip_status"] else ""
    cause = f"{call['cause']} ({call['q850']})" if call["cause"] and call["q850"] else call["cause"] or ""
    found = [
        ("Cause", cause),
        ("SIP status", status),
        ("Blocked since", call["sip_603plus_reason"] or ""),
        ("Node", call["node"]),
        ("Gateway", gateways.get(call["gateway_id"], call["gateway_id"])),
        ("Call", call["id"]),
    ]
    return [(name, value) for name, value in found if value]


def _after(milliseconds: int | None) -> Markup:
    return Markup("") if milliseconds is None else sentence(" after {} s", tenths(milliseconds / 1000))


def _decided(one: Mapping[str, Any], campaign: Mapping[str, Any]) -> Markup:
    if one["status"] == "cancelled":
        return sentence("Not called any more: {}", _no_more(one, campaign))
    who = one["by"] or "somebody"
    if one["next_attempt_at"]:
        return sentence("To be called back at {}: {} wants it.", timed(one["next_attempt_at"], "dated"), who)
    return sentence("To be called as soon as the turn comes: {} wants it.", who)


def _no_more(one: Mapping[str, Any], campaign: Mapping[str, Any]) -> str:
    """Why somebody is called no more, by what was decided then."""
    by, reason = one["by"], one["reason"]
    if reason == "asked":
        return sentence("{} took this person out.", by)
    if reason == "campaign_ended":
        if by is not None:
            return sentence("{} stopped the campaign.", by)
        return ENDS.get(campaign["end_reason"] or "", "the campaign was over.")
    return NO_MORE.get(reason or "", "somebody took this person out.")


def decision(
    contact: Mapping[str, Any],
    campaign: Mapping[str, Any],
    decisions: Sequence[Mapping[str, Any]],
    now: datetime,
) -> tuple[str, str | None]:
    """Where it stands with a contact, and the time that the sentence ends with, where it does."""
    status, attempts, tries = contact["status"], contact["attempts"], _tries(contact, campaign)
    used = _used(attempts, tries)
    if status == "pending" and contact["next_attempt_at"]:
        return _waits(contact, decisions, used, now), contact["next_attempt_at"]
    if status == "pending":
        return sentence("Waits for a call: {}.", used), None
    if status == "originated":
        return "Is being called now.", None
    if status == "connected":
        return "Is talking now.", None
    if status == "completed":
        return "Reached: not called again.", None
    if status == "cancelled":
        return sentence("Not called any more: {}", _cancelled(contact, campaign, decisions)), None
    if attempts >= tries:
        return sentence("Not called again: {}.", used), None
    return f"Not called again after such an end: {meaning(contact['disposition'])}", None


def _waits(
    contact: Mapping[str, Any], decisions: Sequence[Mapping[str, Any]], used: Markup, now: datetime
) -> Markup:
    """Of somebody whose next call has a time: why then; the time ends it."""
    at = contact["next_attempt_at"]
    before = "Due since" if moment(at) <= now else "Not before"
    last = decisions[-1] if decisions else None
    if last is not None and last["next_attempt_at"] == at:
        return sentence("To be called back, as {} wants: {}. {}", last["by"] or "somebody", used, before)
    if contact["wait_reason"]:
        return sentence("To be called: {}. {} {}", used, NUMBER_WAITS, before)
    return sentence("To be called again: {}. {}", used, before)


def _cancelled(
    contact: Mapping[str, Any], campaign: Mapping[str, Any], decisions: Sequence[Mapping[str, Any]]
) -> str:
    """Why somebody is called no more: as it was decided last, and, where that is not known, by what is left."""
    if decisions and decisions[-1]["status"] == "cancelled":
        return _no_more(decisions[-1], campaign)
    if campaign["end_reason"] is not None:
        return _no_more({"reason": "campaign_ended", "by": None}, campaign)
    disposition = contact["disposition"] or ""
    return NO_MORE.get(disposition, "nobody knows by whom or why any more.")


def _tries(contact: Mapping[str, Any], campaign: Mapping[str, Any]) -> int:
    """As many attempts as the rule allows him whose last call ended so."""
    rule = retry_rules(campaign["retry_rules"]).get(contact["disposition"] or "", PLAIN)
    return rule.tries(campaign["retries_per_contact"])


def _used(attempts: int, tries: int) -> Markup:
    if attempts > tries:
        # Of somebody who was brought back: he was called once more, whatever the rule says.
        used = counted(attempts, "attempt", "attempts")
        return sentence("{} used up where the rule has {}", used, figure(tries))
    return sentence("{} of {} attempts used up", figure(attempts), figure(tries))
