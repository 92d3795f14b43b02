"""Retry policy: attempt counted or not, and when the next is due. Pure.

A new attempt under an id of its own; the same call sent once more is `dialer/recovery/resend_or_close.py`, another
gateway within an attempt `campaigns/routing.py`. Source of the table: the product's outcome defaults. "Counts" means
that the call uses up one of the contact's attempts; a fault of the platform never does, within a bound, so that a
broken gateway cannot dial for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from campaigns.dispositions import Disposition
from campaigns.retry_rules import PLAIN, RetryRule, RetryRules
from models import ContactStatus

MAX_SWITCH_REFUSALS = 20
"""Sends that the switch refused before any INVITE left, for one contact."""
MAX_REFUSALS = 3
"""Sends that gateways refused, for want of capacity or otherwise, for one contact while others got through."""
MAX_DISTURBED = 2
"""Calls that disturbed a person, or may have, and failed by the platform's fault, after each of which he is called
once more."""
FIRST_BACKOFF_SECONDS = 5.0
LAST_BACKOFF_SECONDS = 60.0
JITTER = 0.10
"""A delay is lengthened by up to this share, never shortened."""


class UncountedReason(StrEnum):
    """Why a send used up no attempt; a contact has so many of each, `carrier` and `gateway` together."""

    REFUSAL = "refusal"
    """The switch refused before any INVITE left, or was lost before anything rang."""
    CARRIER = "carrier"
    """The carrier had no capacity."""
    GATEWAY = "gateway"
    """The gateway is at fault."""
    DISTURBED = "disturbed"
    """A phone rang or was picked up, and the agent or the node failed."""


REFUSED_BY_GATEWAY = frozenset({UncountedReason.CARRIER, UncountedReason.GATEWAY})

UNCOUNTED_BOUND: Mapping[UncountedReason, int] = {
    UncountedReason.REFUSAL: MAX_SWITCH_REFUSALS,
    UncountedReason.CARRIER: MAX_REFUSALS,
    UncountedReason.GATEWAY: MAX_REFUSALS,
    UncountedReason.DISTURBED: MAX_DISTURBED,
}


class Retry(StrEnum):
    """Whether a disposition may be followed by another call; `once`: after the first that the contact met with."""

    YES = "yes"
    ONCE = "once"
    NEVER = "never"


RETRY: Mapping[Disposition, Retry] = {
    Disposition.ANSWERED: Retry.NEVER,
    Disposition.ABANDONED: Retry.NEVER,
    Disposition.AGENT_FAILED: Retry.NEVER,
    Disposition.BUSY: Retry.YES,
    Disposition.NO_ANSWER: Retry.YES,
    Disposition.UNREACHABLE: Retry.YES,
    Disposition.REJECTED: Retry.ONCE,
    Disposition.NETWORK_BLOCKED: Retry.NEVER,
    Disposition.INVALID: Retry.NEVER,
    Disposition.REDIRECTED: Retry.NEVER,
    Disposition.GATEWAY_FAULT: Retry.YES,
    Disposition.CONGESTION: Retry.YES,
    Disposition.NODE_FAULT: Retry.NEVER,
    Disposition.SWITCH_LOST: Retry.YES,
    Disposition.OUTCOME_UNKNOWN: Retry.NEVER,
    Disposition.NOT_SENT: Retry.NEVER,
}


NO_GOOD = frozenset({Disposition.INVALID, Disposition.REDIRECTED})
"""The number itself is no good: it is called no more, and a contact that has another goes on with that."""
DISTURBED = frozenset({Disposition.AGENT_FAILED, Disposition.NODE_FAULT})
"""Nobody's attempt, and all the same a phone rang or was picked up: not repeated before the campaign's own delay."""
REACHED = frozenset({Disposition.ANSWERED, Disposition.ABANDONED})
"""A person was on the line, so the contact is completed: to be called again by a machine that had nobody for him is
what a regulator forbids first (72 hours in the United Kingdom), and no campaign can allow it yet."""


@dataclass(frozen=True, slots=True)
class History:
    """What a contact has been through, this call included in `attempts` but not in those that count sends which
    used up none: `free_sends` (the switch's refusals), `carrier_refusals`, `gateway_faults` and `disturbed`.

    `rejected`: an earlier attempt was rejected. `rules`: the campaign's own, by disposition.
    `probe`: this call left by a paused gateway, to learn whether it
    works again. `other_gateway`: its end proves that nobody was reached (`routing.may_fail_over`), and there is a
    gateway that was not tried yet. `other_number`: the contact has one that it can go on with.
    """

    attempts: int
    free_sends: int
    rejected: bool
    retries_per_contact: int
    retry_delay_seconds: int
    carrier_refusals: int = 0
    gateway_faults: int = 0
    disturbed: int = 0
    probe: bool = False
    other_gateway: bool = False
    other_number: bool = False
    rules: RetryRules = field(default_factory=dict)

    def rule(self, disposition: Disposition) -> RetryRule:
        """The campaign's rule for what ended so."""
        return self.rules.get(disposition, PLAIN)


@dataclass(frozen=True, slots=True)
class Next:
    """Where the contact goes: `delay_seconds` is from now, set only with `pending`; without it, at once.

    `uncounted` says against which bound a call that does not count is counted; None with a probe. `failover`: the
    contact
    is sent again by the next gateway. `next_number`: by its next number; `no_good`: and never again by this one.
    """

    status: ContactStatus
    disposition: Disposition
    counts: bool
    delay_seconds: float | None = None
    uncounted: UncountedReason | None = None
    failover: bool = False
    next_number: bool = False
    no_good: bool = False


def after_call(disposition: Disposition, history: History, *, refused: bool, jitter: float) -> Next:
    """Decide what follows a call that ended with `disposition`.

    `refused` is True where the switch refused before an INVITE left; `jitter` is uniform in [0, 1).
    """
    if disposition in REACHED:
        return Next(ContactStatus.COMPLETED, disposition, counts=True)
    if disposition in DISTURBED:
        return _after_disturbing(disposition, history, jitter)
    reason = _uncounted_reason(disposition, refused)
    if reason in REFUSED_BY_GATEWAY and history.probe:
        if history.other_gateway:
            return Next(ContactStatus.PENDING, disposition, counts=False, failover=True)
        delay = _with_jitter(LAST_BACKOFF_SECONDS, jitter)
        return Next(ContactStatus.PENDING, disposition, counts=False, delay_seconds=delay)
    if reason is not None and (used := _times_before(reason, history)) < UNCOUNTED_BOUND[reason]:
        if history.other_gateway:
            return Next(ContactStatus.PENDING, disposition, counts=False, uncounted=reason, failover=True)
        backoff = _with_jitter(min(FIRST_BACKOFF_SECONDS * 2.0**used, LAST_BACKOFF_SECONDS), jitter)
        return Next(ContactStatus.PENDING, disposition, counts=False, delay_seconds=backoff, uncounted=reason)
    if reason in REFUSED_BY_GATEWAY:
        return Next(ContactStatus.FAILED, Disposition.CONGESTION, counts=True)
    if _may_retry(disposition, history):
        rule = history.rule(disposition)
        delay = _with_jitter(rule.delay(history.attempts, history.retry_delay_seconds), jitter)
        return Next(
            ContactStatus.PENDING,
            disposition,
            counts=True,
            delay_seconds=delay,
            next_number=history.other_number,
            no_good=disposition in NO_GOOD,
        )
    return Next(ContactStatus.FAILED, disposition, counts=True)


def _after_disturbing(disposition: Disposition, history: History, jitter: float) -> Next:
    """Somebody was disturbed for nothing: not charged, not before the campaign's delay, and twice more at most."""
    reason = UncountedReason.DISTURBED
    if history.disturbed >= UNCOUNTED_BOUND[reason]:
        return Next(ContactStatus.FAILED, disposition, counts=False, uncounted=reason)
    delay = _with_jitter(float(history.retry_delay_seconds), jitter)
    return Next(ContactStatus.PENDING, disposition, counts=False, delay_seconds=delay, uncounted=reason)


def _uncounted_reason(disposition: Disposition, refused: bool) -> UncountedReason | None:
    if disposition is Disposition.CONGESTION:
        return UncountedReason.REFUSAL if refused else UncountedReason.CARRIER
    if disposition is Disposition.GATEWAY_FAULT:
        return UncountedReason.GATEWAY
    return UncountedReason.REFUSAL if disposition is Disposition.SWITCH_LOST else None


def _times_before(reason: UncountedReason, history: History) -> int:
    if reason in REFUSED_BY_GATEWAY:
        return history.carrier_refusals + history.gateway_faults
    return history.disturbed if reason is UncountedReason.DISTURBED else history.free_sends


def _may_retry(disposition: Disposition, history: History) -> bool:
    policy = RETRY[disposition]
    if disposition in NO_GOOD and history.other_number:
        policy = Retry.YES
    if policy is Retry.ONCE and history.rejected:
        return False
    tries = history.rule(disposition).tries(history.retries_per_contact)
    return policy is not Retry.NEVER and history.attempts < tries


def _with_jitter(seconds: float, jitter: float) -> float:
    return seconds * (1.0 + JITTER * jitter)
