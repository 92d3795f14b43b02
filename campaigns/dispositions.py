"""Hangup cause, SIP status and progress of a call to its disposition.

The carrier controls the cause name (a Reason header overrides the status), so the key is whether an INVITE
was sent, any 18x, the SIP status, the phrase and only then the cause. Total: every input gives a disposition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Disposition(StrEnum):
    """How one call ended."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    """Answered, and no agent joined within the connect deadline."""
    AGENT_FAILED = "agent_failed"
    """Answered, and what its agent was to do could not run: the platform's fault."""
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    NETWORK_BLOCKED = "network_blocked"
    INVALID = "invalid"
    REDIRECTED = "redirected"
    GATEWAY_FAULT = "gateway_fault"
    CONGESTION = "congestion"
    NODE_FAULT = "node_fault"
    """The node could not carry it on, whatever the person did: no media port, or its timers ran late."""
    SWITCH_LOST = "switch_lost"
    OUTCOME_UNKNOWN = "outcome_unknown"
    NOT_SENT = "not_sent"
    """Never placed: what its contact's columns or its agent hold cannot be said to a switch, or no gateway carries
    its number. Says nothing of the number."""


MEANINGS: Mapping[str, str] = {
    Disposition.ANSWERED: "Somebody picked up, and the agent ran.",
    Disposition.ABANDONED: "Somebody picked up, and no agent was there in time.",
    Disposition.AGENT_FAILED: "Somebody picked up, and the agent could not run; uses no attempt.",
    Disposition.BUSY: "The line was busy.",
    Disposition.NO_ANSWER: "It rang, and nobody picked up.",
    Disposition.UNREACHABLE: "The network could not reach the phone: switched off, or no way there.",
    Disposition.REJECTED: "The person, or who decides for him, refused the call.",
    Disposition.NETWORK_BLOCKED: "The network blocked the call (603+).",
    Disposition.INVALID: "The number does not exist, or cannot be called as it is.",
    Disposition.REDIRECTED: "The number answered that another one is to be called.",
    Disposition.GATEWAY_FAULT: "The carrier would not have us, or its gateway was down; uses no attempt.",
    Disposition.CONGESTION: "The carrier or the network had no room for the call.",
    Disposition.NODE_FAULT: "The node could not carry the call on; uses no attempt.",
    Disposition.SWITCH_LOST: "The node was lost during the call.",
    Disposition.OUTCOME_UNKNOWN: "The call may have been placed, and nobody can say how it ended.",
    Disposition.NOT_SENT: "Never placed: a switch cannot be told its contact or agent, or no gateway carries it.",
}
"""What each means to who reads it."""
EXPIRED, SUPPRESSED = "expired", "suppressed"
"""In the place of a disposition, of a contact that is not called, or not again."""
CONTACT_MEANINGS: Mapping[str, str] = {
    **MEANINGS,
    EXPIRED: "Its expires_at came first: it was not called, or not called again.",
    SUPPRESSED: "Not called, or not again: the number is on a do-not-call list.",
}
"""The same of a contact, which may have had no call."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a call that is over.

    `channel` is False where the switch refused before it made one; `progress` is any 18x; `sip_status` is the
    far end's final response, None where there was none (our own timers, a refusal by the switch). `sip_reason` is the
    Reason header of that response; with one that names a Q.850 cause, `q850` is what the far end said, and without
    it what the switch makes of the status. `abandoned` says of an answered call that no agent joined it in time,
    `agent_failed` that its action could not run, `late_timer` of one that our own timer ended that it ran late.
    `invited` is False where the node ended its channel before an INVITE left.
    """

    cause: str
    answered: bool = False
    channel: bool = True
    progress: bool = False
    sip_status: int | None = None
    sip_phrase: str | None = None
    sip_603plus: bool = False
    q850: int | None = None
    sip_reason: str | None = None
    abandoned: bool = False
    agent_failed: bool = False
    late_timer: bool = False
    invited: bool = True


_BY_STATUS: Mapping[int, Disposition] = {
    486: Disposition.BUSY,
    600: Disposition.BUSY,
    404: Disposition.INVALID,
    410: Disposition.INVALID,
    484: Disposition.INVALID,
    604: Disposition.INVALID,
    603: Disposition.REJECTED,
    607: Disposition.NETWORK_BLOCKED,
    608: Disposition.NETWORK_BLOCKED,
    401: Disposition.GATEWAY_FAULT,
    402: Disposition.GATEWAY_FAULT,
    403: Disposition.GATEWAY_FAULT,
    407: Disposition.GATEWAY_FAULT,
} | dict.fromkeys(range(428, 439), Disposition.GATEWAY_FAULT)

_UNANSWERED_STATUS = frozenset({408, 480, 487, 504})
CARRIER_BUSY_STATUS = frozenset({500, 502, 503})
"""With these a carrier without capacity refuses, and some switches what they make nothing of."""
_CARRIER_BUSY_Q850 = frozenset({34, 38, 41, 42})
_UNANSWERED_Q850 = frozenset({18, 19, 102})
_BY_Q850: Mapping[int, Disposition] = {
    17: Disposition.BUSY,
    21: Disposition.REJECTED,
    1: Disposition.INVALID,
    22: Disposition.INVALID,
    28: Disposition.INVALID,
}
_UNANSWERED_CAUSES = frozenset(
    {
        "NO_ANSWER",
        "NO_PICKUP",
        "NO_USER_RESPONSE",
        "PROGRESS_TIMEOUT",
        "RECOVERY_ON_TIMER_EXPIRE",
        "ORIGINATOR_CANCEL",
    }
)
_BY_CAUSE: Mapping[str, Disposition] = {
    "USER_BUSY": Disposition.BUSY,
    "UNALLOCATED_NUMBER": Disposition.INVALID,
    "INVALID_NUMBER_FORMAT": Disposition.INVALID,
    "NUMBER_CHANGED": Disposition.INVALID,
    "CALL_REJECTED": Disposition.REJECTED,
    "GATEWAY_DOWN": Disposition.GATEWAY_FAULT,
    "INVALID_GATEWAY": Disposition.GATEWAY_FAULT,
    "INVALID_PROFILE": Disposition.GATEWAY_FAULT,
    "INVALID_URL": Disposition.GATEWAY_FAULT,
    "UNKNOWN": Disposition.OUTCOME_UNKNOWN,
}


def dispose(evidence: Evidence) -> Disposition:
    """The disposition of a call that is over."""
    if evidence.answered:
        return _of_an_answer(evidence)
    if without_port(evidence):
        return Disposition.CONGESTION
    if evidence.late_timer or without_media(evidence):
        return Disposition.NODE_FAULT
    if evidence.sip_603plus or (evidence.sip_status == 603 and evidence.sip_phrase == "Network Blocked"):
        return Disposition.NETWORK_BLOCKED
    if evidence.sip_status is not None and evidence.sip_status >= 300:
        return _from_status(evidence, evidence.sip_status)
    return _from_cause(evidence)


def _of_an_answer(evidence: Evidence) -> Disposition:
    if evidence.agent_failed:
        return Disposition.AGENT_FAILED
    return Disposition.ABANDONED if evidence.abandoned else Disposition.ANSWERED


def without_port(evidence: Evidence) -> bool:
    """Whether the node had no port left to offer in an INVITE, so that none left: it refused the call."""
    return evidence.cause == "DESTINATION_OUT_OF_ORDER" and evidence.channel and not evidence.invited


def without_media(evidence: Evidence) -> bool:
    """Whether the node had no media for a call that was picked up, or rang: no port free, or no codec in common.

    A carrier that refuses with the same cause gives a status with it. 487 is the node's own CANCEL, behind a 183,
    unless its Reason is the far end's.
    """
    own = evidence.sip_status is None or (evidence.sip_status == 487 and not evidence.sip_reason)
    return evidence.cause == "INCOMPATIBLE_DESTINATION" and evidence.channel and own


def named_q850(evidence: Evidence) -> int | None:
    """The Q.850 cause that the far end's Reason header names; None where it names none."""
    reason = (evidence.sip_reason or "").lower()
    return evidence.q850 if reason.startswith("q.850") and "cause=" in reason else None


def _from_status(evidence: Evidence, status: int) -> Disposition:
    if status < 400:
        return Disposition.REDIRECTED
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status in _UNANSWERED_STATUS:
        return _unanswered(evidence)
    if status in CARRIER_BUSY_STATUS:
        return _carrier_busy(evidence)
    return _from_reason(evidence)


def _from_reason(evidence: Evidence) -> Disposition:
    """For a status that says nothing by itself: what its Reason header adds."""
    cause = named_q850(evidence)
    if cause in _CARRIER_BUSY_Q850:
        return _carrier_busy(evidence)
    if cause in _UNANSWERED_Q850:
        return _unanswered(evidence)
    return _BY_Q850.get(cause, Disposition.UNREACHABLE) if cause is not None else Disposition.UNREACHABLE


def _unanswered(evidence: Evidence) -> Disposition:
    return Disposition.NO_ANSWER if evidence.progress else Disposition.UNREACHABLE


def _carrier_busy(evidence: Evidence) -> Disposition:
    return Disposition.NO_ANSWER if evidence.progress else Disposition.CONGESTION


def _from_cause(evidence: Evidence) -> Disposition:
    if evidence.cause in _BY_CAUSE:
        return _BY_CAUSE[evidence.cause]
    if evidence.cause == "DESTINATION_OUT_OF_ORDER" or not evidence.channel:
        return Disposition.UNREACHABLE if evidence.channel else Disposition.CONGESTION
    if evidence.cause in _UNANSWERED_CAUSES:
        return _unanswered(evidence)
    if evidence.cause == "SYSTEM_SHUTDOWN":
        return Disposition.NO_ANSWER if evidence.progress else Disposition.SWITCH_LOST
    if evidence.q850 in _CARRIER_BUSY_Q850:
        return _carrier_busy(evidence)
    return Disposition.UNREACHABLE
