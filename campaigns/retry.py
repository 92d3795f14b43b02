"""What happens to a contact after a call: over, or tried again, and when. Pure policy.

Source of the table: the product's outcome defaults. "Counts" means that the call uses up one of the contact's
attempts; a fault of the platform never does, within a bound, so that a broken trunk cannot dial for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from campaigns.dispositions import Disposition
from models import ContactStatus

MAX_FREE_REFUSALS = 20
"""Sends that the switch refused before any INVITE left, for one contact."""
MAX_FREE_CARRIER_REFUSALS = 2
"""Sends that the carrier refused for want of capacity, for one contact."""
MAX_FREE_GATEWAY_FAULTS = 3
FIRST_BACKOFF_SECONDS = 5.0
LAST_BACKOFF_SECONDS = 60.0
JITTER = 0.10
"""A delay is lengthened by up to this share, never shortened."""


class Retry(StrEnum):
    """Whether a disposition may be followed by another call."""

    YES = "yes"
    ONCE = "once"
    NEVER = "never"


RETRY: Mapping[Disposition, Retry] = {
    Disposition.ANSWERED: Retry.NEVER,
    Disposition.BUSY: Retry.YES,
    Disposition.NO_ANSWER: Retry.YES,
    Disposition.UNREACHABLE: Retry.YES,
    Disposition.REJECTED: Retry.ONCE,
    Disposition.NETWORK_BLOCKED: Retry.NEVER,
    Disposition.INVALID: Retry.NEVER,
    Disposition.REDIRECTED: Retry.NEVER,
    Disposition.GATEWAY_FAULT: Retry.YES,
    Disposition.CONGESTION: Retry.YES,
    Disposition.SWITCH_LOST: Retry.YES,
    Disposition.OUTCOME_UNKNOWN: Retry.NEVER,
}


@dataclass(frozen=True, slots=True)
class History:
    """What a contact has been through, this call included in `attempts` but not in `free_sends`."""

    attempts: int
    free_sends: int
    last_disposition: str | None
    retries_per_contact: int
    retry_delay_seconds: int


@dataclass(frozen=True, slots=True)
class Next:
    """Where the contact goes: `delay_seconds` is from now, set only with `pending`."""

    status: ContactStatus
    disposition: Disposition
    counts: bool
    delay_seconds: float | None = None


def after_call(disposition: Disposition, history: History, *, refused: bool, jitter: float) -> Next:
    """Decide what follows a call that ended with `disposition`.

    `refused` is True where the switch refused before an INVITE left; `jitter` is uniform in [0, 1).
    """
    if disposition is Disposition.ANSWERED:
        return Next(ContactStatus.COMPLETED, disposition, counts=True)
    if history.free_sends < _free_bound(disposition, refused):
        backoff = min(FIRST_BACKOFF_SECONDS * 2.0**history.free_sends, LAST_BACKOFF_SECONDS)
        return Next(ContactStatus.PENDING, disposition, counts=False, delay_seconds=_late(backoff, jitter))
    if disposition is Disposition.GATEWAY_FAULT:
        disposition = Disposition.REJECTED
    if _may_retry(disposition, history):
        delay = _late(float(history.retry_delay_seconds), jitter)
        return Next(ContactStatus.PENDING, disposition, counts=True, delay_seconds=delay)
    return Next(ContactStatus.FAILED, disposition, counts=True)


def _free_bound(disposition: Disposition, refused: bool) -> int:
    if disposition is Disposition.CONGESTION:
        return MAX_FREE_REFUSALS if refused else MAX_FREE_CARRIER_REFUSALS
    if disposition is Disposition.GATEWAY_FAULT:
        return MAX_FREE_GATEWAY_FAULTS
    return MAX_FREE_REFUSALS if disposition is Disposition.SWITCH_LOST else 0


def _may_retry(disposition: Disposition, history: History) -> bool:
    policy = RETRY[disposition]
    if policy is Retry.ONCE and history.last_disposition == disposition:
        return False
    return policy is not Retry.NEVER and history.attempts <= history.retries_per_contact


def _late(seconds: float, jitter: float) -> float:
    return seconds * (1.0 + JITTER * jitter)
