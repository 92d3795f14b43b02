"""One contact's story: every call to him, what happened in it and what was decided then, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from campaigns.retry_rules import PLAIN, retry_rules
from web.sentences import counted, figure, sentence, tenths
from web.showing import lasting
from web.words import Chip, call_chip, meaning


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened at a time."""

    at: str
    words: str


@dataclass(frozen=True, slots=True)
class Told:
    """One call: what happened, in order, how it ended, and whether it counted."""

    number: int
    chip: Chip
    steps: Sequence[Step]
    meaning: str
    counted: str
    facts: Sequence[tuple[str, str]]


def told(call: Mapping[str, Any]) -> Told:
    """Of a call as the API tells it."""
    return Told(
        call["seq"],
        call_chip(call),
        _steps(call),
        meaning(call["disposition"]),
        _counted(call),
        _facts(call),
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
    return [Step(at, words) for at, words in happened]


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


def _facts(call: Mapping[str, Any]) -> list[tuple[str, str]]:
    status = f"{call['sip_status']} {call['sip_phrase'] or ''}".strip() if call["sip_status"] else ""
    cause = f"{call['cause']} ({call['q850']})" if call["cause"] and call["q850"] else call["cause"] or ""
    found = [
        ("Cause", cause),
        ("SIP status", status),
        ("Blocked since", call["sip_603plus_reason"] or ""),
        ("Node", call["node"]),
        ("Call", call["id"]),
    ]
    return [(name, value) for name, value in found if value]


def _after(milliseconds: int | None) -> str:
    return sentence(" after {} s", tenths(milliseconds / 1000)) if milliseconds is not None else ""


def decision(contact: Mapping[str, Any], campaign: Mapping[str, Any]) -> tuple[str, str | None]:
    """Where it stands with a contact, and the time that the sentence ends with, where it does."""
    status, attempts, tries = contact["status"], contact["attempts"], _tries(contact, campaign)
    used = _used(attempts, tries)
    if status == "pending" and contact["next_attempt_at"]:
        return sentence("To be called again: {}. Not before", used), contact["next_attempt_at"]
    if status == "pending":
        return sentence("Waits for a call: {}.", used), None
    if status == "originated":
        return "Is being called now.", None
    if status == "connected":
        return "Is talking now.", None
    if status == "completed":
        return "Reached: not called again.", None
    if status == "cancelled":
        return "Not called any more: the campaign was stopped, or its time had come.", None
    if attempts >= tries:
        return sentence("Not called again: {}.", used), None
    return f"Not called again after such an end: {meaning(contact['disposition'])}", None


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
