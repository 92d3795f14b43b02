"""Which outcomes are suspicious, and what is held for them: a gateway's destination, or a caller id. Pure.

A route that is broken, a list of dead numbers and a number that carriers have marked as spam look alike: most calls
end at once, as nobody would end them. At least 50 % of at least 20 calls within 120 s. Called by `outcome_breaker`
with what all dialers counted. Decision 0049.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from campaigns.dispositions import Disposition, Evidence, dispose
from campaigns.routing import TIMER_STATUS
from dialer.capacity.far_end import rang, responded
from dialer.live_calls import LiveCall
from dialer.record.call_end import NO_CODEC
from dialer.record.outcome_rows import Ended
from freeswitch.action_proofs import JOINED

WINDOW = timedelta(seconds=120)
FEWEST_CALLS = 20
SHARE = 0.5
BESIDE = 5
"""So many other calls tell whether it is the destination or the caller id that explains the outcomes."""
SHORT_SECONDS = 2

COUNTED = frozenset(
    {
        Disposition.ANSWERED,
        Disposition.ABANDONED,
        Disposition.BUSY,
        Disposition.NO_ANSWER,
        Disposition.UNREACHABLE,
        Disposition.REJECTED,
        Disposition.NETWORK_BLOCKED,
        Disposition.INVALID,
        Disposition.REDIRECTED,
    }
)
"""Outcomes that somebody outside made. The platform's faults and a gateway's refusals have breakers of their own."""
_SUSPICIOUS = frozenset({Disposition.INVALID, Disposition.REJECTED, Disposition.NETWORK_BLOCKED})
_WITHOUT_A_RING = frozenset({404, 480, 484, 488})


class Sign(StrEnum):
    """What the end of a call says."""

    FINE = "fine"
    SUSPICIOUS = "suspicious"


def sign(call: LiveCall, ended: Ended) -> Sign | None:
    """What the end of a call says; None for one that says nothing: it never left, failed by the platform's fault, or
    was ended by a timer, or by us, before anybody had shown life.

    An answer of at most 2 s is suspicious where the far end hung up: whom our own agent has told all that it had to
    tell in a second was reached. So is a codec that no node has, with which a phone picks up, or a carrier for all.
    """
    if ended.disposition == Disposition.NODE_FAULT and ended.cause == NO_CODEC:
        return Sign.SUSPICIOUS
    if ended.sent_age is None or ended.disposition not in COUNTED:
        return None
    if ended.disposition in _SUSPICIOUS:
        return Sign.SUSPICIOUS
    if ended.disposition == Disposition.ANSWERED:
        return Sign.SUSPICIOUS if _was_short(ended) and ended.hung_up_by != "us" else Sign.FINE
    if rang(call, ended):
        return Sign.FINE
    if ended.sip_status in _WITHOUT_A_RING:
        return Sign.SUSPICIOUS
    return Sign.FINE if responded(ended) else None


def sign_of_second_leg(became: str | None, status: int | None) -> Sign | None:
    """What the leg to an agent says of its gateway's destination, by what became of it and its final response. None
    for nothing: no response of the far end's own came, or its gateway refused the leg."""
    if became == JOINED:
        return Sign.FINE
    if became is None or status is None or status in TIMER_STATUS:
        return None
    disposition = dispose(Evidence(cause=became, sip_status=status))
    if disposition not in COUNTED:
        return None
    return Sign.SUSPICIOUS if disposition in _SUSPICIOUS or status in _WITHOUT_A_RING else Sign.FINE


def _was_short(ended: Ended) -> bool:
    """Whether an answered call surely took no longer than 2 s. Whole seconds are rounded down."""
    if ended.billmsec is not None:
        return ended.billmsec <= SHORT_SECONDS * 1000
    return ended.billsec is not None and ended.billsec < SHORT_SECONDS


@dataclass(frozen=True, slots=True)
class Suspect:
    """What may be held: all calls by a gateway to one destination, or all of a caller id, whose other fields are
    empty."""

    gateway_id: str = ""
    prefix: str = ""
    caller_id: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """Calls of one caller id by one gateway to one destination that ended about `at`: how many say something, and how
    many of them are suspicious."""

    at: datetime
    gateway_id: str
    prefix: str
    caller_id: str
    calls: int
    suspicious: int

    @property
    def route(self) -> Suspect:
        return Suspect(gateway_id=self.gateway_id, prefix=self.prefix)

    @property
    def caller(self) -> Suspect:
        return Suspect(caller_id=self.caller_id)

    def is_of(self, suspect: Suspect) -> bool:
        return suspect in (self.route, self.caller)


def suspects(tallies: Iterable[Tally], now: datetime) -> list[Suspect]:
    """What is to be held: as little as explains what was counted within the last 120 s.

    A destination of a gateway, where it is bad for more than one caller id, or for one that does well elsewhere; else
    the caller id, which is one tenant's; and the destination where no caller id of it has calls enough. What is left
    without those trips nothing.
    """
    left = [one for one in tallies if now - one.at <= WINDOW]
    found: list[Suspect] = []
    explained_first = True
    while True:
        before = len(found)
        for suspect in _tripping(left, lambda one: one.route):
            if not explained_first or _route_explains(suspect, left):
                found.append(suspect)
                left = [one for one in left if not one.is_of(suspect)]
        for suspect in _tripping(left, lambda one: one.caller):
            found.append(suspect)
            left = [one for one in left if not one.is_of(suspect)]
        if len(found) == before and not explained_first:
            return found
        explained_first = False


def may_trip(calls: int, suspicious: int) -> bool:
    """Whether a part of the calls, as one dialer counts them, can make all of them trip: of those that do, some part
    can."""
    return suspicious > 0 and suspicious >= SHARE * calls


def trips(tallies: Sequence[Tally]) -> bool:
    """Whether these calls are too many and too suspicious."""
    calls = sum(one.calls for one in tallies)
    return calls >= FEWEST_CALLS and sum(one.suspicious for one in tallies) >= SHARE * calls


def _tripping(tallies: Sequence[Tally], key: Callable[[Tally], Suspect]) -> list[Suspect]:
    groups: dict[Suspect, list[Tally]] = defaultdict(list)
    for one in tallies:
        groups[key(one)].append(one)
    return [suspect for suspect, group in groups.items() if trips(group)]


def _route_explains(route: Suspect, tallies: Sequence[Tally]) -> bool:
    """Whether the destination is bad whoever calls, beyond the caller id that fares worst there."""
    here = [one for one in tallies if one.is_of(route)]
    worst = max({one.caller_id for one in here}, key=lambda name: (_suspicious(here, name), name))
    others = [one for one in here if one.caller_id != worst]
    if _bad(others) is not None:
        return bool(_bad(others))
    elsewhere = [one for one in tallies if one.caller_id == worst and not one.is_of(route)]
    return _bad(elsewhere) is False


def _suspicious(tallies: Sequence[Tally], caller_id: str) -> int:
    return sum(one.suspicious for one in tallies if one.caller_id == caller_id)


def _bad(tallies: Sequence[Tally]) -> bool | None:
    """Whether most of these calls are suspicious; None where they are too few to say."""
    calls = sum(one.calls for one in tallies)
    if calls < BESIDE:
        return None
    return sum(one.suspicious for one in tallies) >= SHARE * calls
