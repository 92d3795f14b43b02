"""When somebody may be called, and who may not be any more: what windows, schedules and do-not-call entries promise,
and whether it was kept, by the ledgers and the kernel's stamps alone. Pure.

Nothing leaves before a window opens or a campaign starts, nor a second after either is over; and nothing to whom a
suppression was answered. What had left by then, and was kept on its way by a node that stood still, a link that was
cut, or a dialer that was stopped with it, is counted apart: it may be placed once that is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from simulator.ledger import Originate
from tests.chaos.caps import CLOCKS_SECONDS, Departures
from tests.chaos.stops import Away

CLOSED_SECONDS = 1.0
"""So long after a window has closed may an order still leave."""
ON_ITS_WAY_SECONDS = 3.0
"""So long may an order be on its way where nothing is known to have kept it: a machine that is busy, half a write."""
FOR_EVER = float("inf")


class Promise(Protocol):
    """When some of the calls may leave."""

    def of(self, line: Originate) -> bool:
        """Whether this call is one of them."""

    def allows(self, t: float) -> bool:
        """Whether an order may leave at this moment."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When the contacts of a campaign may be called, or those with these numbers: half-open, in wall seconds."""

    campaign: str
    spans: tuple[tuple[float, float], ...]
    numbers: frozenset[str] | None = None

    def of(self, line: Originate) -> bool:
        """Whether this call is one of theirs."""
        return line.campaign == self.campaign and (self.numbers is None or line.number in self.numbers)

    def allows(self, t: float) -> bool:
        """Whether an order may leave at this moment."""
        return any(begin - CLOCKS_SECONDS <= t <= end + CLOSED_SECONDS for begin, end in self.spans)

    def __str__(self) -> str:
        return "open " + ", ".join(f"{begin:.0f} to {end:.0f}" for begin, end in self.spans)


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A number that a tenant, or one of its campaigns, is to call no more: when it was first asked for and when the
    API said that it stands."""

    number: str
    tenant: str
    asked: float
    answered: float = FOR_EVER
    campaign: str = ""

    def of(self, line: Originate) -> bool:
        """Whether this call is to whom it is about."""
        where = line.campaign == self.campaign if self.campaign else line.tenant == self.tenant
        return where and line.number == self.number

    def allows(self, t: float) -> bool:
        """Whether an order may leave at this moment."""
        return t <= self.answered

    def __str__(self) -> str:
        return f"the suppression of {self.number}, answered at {self.answered:.3f}"


@dataclass(slots=True)
class Found:
    """What may not be, and the calls that were under way when they might still leave."""

    breaches: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)


def judge_promises(
    promises: Sequence[Promise],
    orders: Iterable[Originate],
    left: Departures,
    kept: Sequence[Away],
) -> Found:
    """What left although it may not, and what had left while it might. `left` is when orders left for their nodes;
    `kept` when orders to a node were kept on their way, without a name those to any."""
    found = Found()
    for line in orders:
        for promise in promises:
            departed = left.latest(line)
            may_have_left = promise.allows(departed) or promise.allows(left.earliest(line))
            if not promise.of(line) or (may_have_left and promise.allows(line.t)):
                continue
            said = f"call {line.uuid} to {line.number} of {line.campaign} left at {departed:.3f}"
            if not may_have_left:
                found.breaches.append(f"{said} in spite of {promise}")
            elif _was_kept(line, departed, kept):
                found.held.append(f"{said} and was carried out at {line.t:.3f}")
            else:
                found.breaches.append(
                    f"{said} and was kept by nobody till {line.t:.3f}, in spite of {promise}"
                )
    return found


def _was_kept(line: Originate, departed: float, kept: Iterable[Away]) -> bool:
    return line.t - departed <= ON_ITS_WAY_SECONDS or any(
        away.node in ("", line.node) and away.begin <= line.t and departed <= away.end for away in kept
    )
