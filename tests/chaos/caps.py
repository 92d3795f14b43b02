"""What nobody may exceed, and whether anybody did, by the ledgers alone. Pure.

A cap counts live calls or calls within a window, of one node, gateway, tenant, campaign, or number of a tenant. Which
call is whose is what the ledger took off the wire: its originate's own variables and its dial string.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from simulator.ledger import LedgerView, Originate
from tests.chaos.wire import Order

LATE_SECONDS = 0.05
"""A permit is good for so long: an order leaves at most so much after the moment for which it was counted. So the
calls of one second may take 1.05 s, and two that are counted a second apart may leave 0.95 s apart. What is left of N
a second is N in any 0.95 s, 10 N in any 9.95 s, and so on: the 50 ms are lost once, however long the time. N in any
1.05 s would be too strict: at exactly N a second, evenly spread, some 1.05 s have one more."""
CPS_WINDOWS = tuple((count - LATE_SECONDS, count) for count in (1, 2, 10, 60))
"""Seconds, and how many times the cap may leave within any so many."""
MINUTE_WINDOWS = ((60.0, 1),)
"""The calls a minute are promised for any 60 s at the node: they are counted over so much more."""
EDGE = 1e-9
RELEASED_SECONDS = 0.2
"""So soon after it was continued, what a dialer was about to write leaves."""
CLOCKS_SECONDS = 0.005
"""So much earlier may a node, which counts on from its start, think that it was than the kernel does."""
Counted = TypeVar("Counted")


class Scope(StrEnum):
    """Whose calls a cap counts."""

    NODE = "node"
    GATEWAY = "gateway"
    TENANT = "tenant"
    CAMPAIGN = "campaign"
    NUMBER = "number"


BELONGS: Mapping[Scope, Callable[[Originate], str]] = {
    Scope.NODE: lambda line: line.node,
    Scope.GATEWAY: lambda line: line.gateway,
    Scope.TENANT: lambda line: line.tenant,
    Scope.CAMPAIGN: lambda line: line.campaign,
    Scope.NUMBER: lambda line: f"{line.number} of {line.tenant}",
}

CAPPED = (
    (Scope.NODE, True),
    (Scope.NODE, False),
    (Scope.GATEWAY, True),
    (Scope.GATEWAY, False),
    (Scope.TENANT, True),
    (Scope.TENANT, False),
    (Scope.CAMPAIGN, False),
    (Scope.NUMBER, False),
)
"""What every call is under: whose cap, and whether on a rate or on live calls."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A cap's value over a run: its first, and each later one with the wall second from which it was in force."""

    first: int
    changes: tuple[tuple[float, int], ...] = ()

    def most(self, begin: float, end: float) -> int:
        """The largest that was in force at any moment from `begin` to `end`."""
        before, found = self.first, []
        for since, value in self.changes:
            if since <= begin:
                before = value
            elif since <= end:
                found.append(value)
        return max(before, *found) if found else before


@dataclass(frozen=True, slots=True)
class Cap:
    """`limit` live calls, or, with `windows`, so many times `limit` calls within so many seconds. Without a `name` it
    holds for each of its scope alone."""

    scope: Scope
    limit: Limit
    name: str | None = None
    windows: Sequence[tuple[float, int]] = ()

    @property
    def kind(self) -> str:
        """What is counted, of what."""
        if not self.windows:
            return f"live calls of a {self.scope}"
        return f"calls a {'second' if self.windows is CPS_WINDOWS else 'minute'} of a {self.scope}"


@dataclass(frozen=True, slots=True)
class Peak:
    """The worst that one ledger shows of one cap, for one of its scope: `most` calls where `allowed` are, at `t`."""

    cap: Cap
    name: str
    most: int
    allowed: int
    t: float
    seconds: float = 0.0
    calls: tuple[tuple[float, Originate], ...] = ()
    """Of a rate: when each of those calls left, and what its node carried out."""

    @property
    def exceeded(self) -> bool:
        """Whether there were more than may be."""
        return self.most > self.allowed

    def __str__(self) -> str:
        window = f" within {self.seconds:g} s" if self.seconds else ""
        calls = "".join(
            f"; {line.uuid} of {line.dialer} left {left:.3f}, carried out {line.t:.3f}"
            for left, line in self.calls
            if self.exceeded
        )
        found = f"{self.most}{window} at {self.t:.3f}, {self.allowed} are allowed{calls}"
        return f"{self.cap.kind} ({self.name}): {found}"


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a call was up; for ever where nothing says that it ended."""

    line: Originate
    begin: float
    end: float


def spans(view: LedgerView, lines: Iterable[Originate], deaths: Iterable[tuple[str, float]]) -> list[Span]:
    """When each of these calls was up: from its channel to its end in the ledger.

    A node that dies writes nothing, and its calls are gone with it. It died at the latest where its ledger begins
    anew, and earlier where somebody saw it (`deaths`, by its name). An answered call that it brought back afterwards
    has an end of its own, and was up at the carrier all the while.
    """
    ends = view.ends() | view.leg_ends
    gone: dict[str, list[float]] = defaultdict(list)
    for node, at in [*deaths, *((start.node, start.t) for start in view.starts)]:
        gone[node].append(at)
    found = []
    for line in lines:
        end = ends.get(line.uuid)
        lost = min((at for at in gone[line.node] if at >= line.t), default=float("inf"))
        # What a node that stood still had to end meanwhile, it has ended when it wrote so.
        found.append(Span(line, line.t, lost if end is None else max(end.t, end.written)))
    return found


class Departures:
    """When what a node carried out had left for it: the last time, where its order was given more than once; between
    two moments, where the kernel does not tell. Where none was seen to leave, when it was carried out.

    `withheld` are the times in which a dialer was stopped between its guard and its write: of what leaves as it goes
    on, one order is as old as that. Nobody can look at a clock and write at once. `held_up` are, by a call's id, for
    how many seconds the machine took the processor from a dialer there (`tests.chaos.held_up`).
    """

    def __init__(
        self,
        orders: Iterable[Order],
        withheld: Iterable[tuple[float, float]] = (),
        held_up: Mapping[str, float] | None = None,
    ) -> None:
        held_up = held_up or {}
        self._left: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        stood = sorted(withheld, key=lambda span: span[1])
        for order in sorted(orders, key=lambda order: order.t):
            earliest, latest = order.earliest - held_up.get(order.uuid, 0.0), order.t
            released = next(
                (s for s in stood if s[1] - CLOCKS_SECONDS <= order.t <= s[1] + RELEASED_SECONDS), None
            )
            if released is not None:
                stood.remove(released)
                earliest = latest = released[0]
            self._left[order.node, order.uuid].append((earliest, latest))

    def earliest(self, line: Originate) -> float:
        """It left no earlier than that."""
        return self._of(line)[0]

    def latest(self, line: Originate) -> float:
        """It had left by then."""
        return self._of(line)[1]

    def _of(self, line: Originate) -> tuple[float, float]:
        found = [one for one in self._left[line.node, line.uuid] if one[1] <= line.t + CLOCKS_SECONDS]
        return max(found, key=lambda one: one[1], default=(line.t, line.t))


def judge(
    caps: Iterable[Cap],
    calls: Sequence[Span],
    orders: Sequence[Originate],
    left: Departures,
    legs: Sequence[Span] = (),
) -> Iterator[Peak]:
    """The peak of each cap for each that it holds for. `calls` are those that became one; `orders` are all that a
    node was to carry out: each makes it a session, whatever comes of it, so a node's calls a second count them.
    `legs` are the calls' second legs, which a gateway's caps count beside them; each left when its node called."""
    for cap in caps:
        of = BELONGS[cap.scope]
        second = legs if cap.scope is Scope.GATEWAY else ()
        if not cap.windows:
            for name, up in _grouped(cap, ((of(call.line), call) for call in [*calls, *second])).items():
                yield _live(cap, name, up)
        else:
            counted = orders if cap.scope is Scope.NODE else [call.line for call in calls]
            times = [(left.earliest(line), left.latest(line), line) for line in counted]
            times += [(leg.begin, leg.begin, leg.line) for leg in second]
            for name, found in _grouped(cap, ((of(call[2]), call) for call in times)).items():
                yield _rate(cap, name, sorted(found, key=lambda call: call[1]))


def unjudged(caps: Iterable[Cap], lines: Iterable[Originate]) -> list[str]:
    """The caps that are judged for nobody although calls are under them: a proof may not leave out what it does not
    know."""
    known = {(cap.scope, bool(cap.windows), cap.name) for cap in caps}
    wanted = {(scope, rate, BELONGS[scope](line)) for line in lines for scope, rate in CAPPED}
    return [
        f"{'a rate' if rate else 'live calls'} of a {scope} ({name}): there were calls, and nobody judged them"
        for scope, rate, name in sorted(wanted)
        if not {(scope, rate, name), (scope, rate, None)} & known
    ]


def _grouped(cap: Cap, items: Iterable[tuple[str, Counted]]) -> dict[str, list[Counted]]:
    found: dict[str, list[Counted]] = defaultdict(list)
    for name, item in items:
        if cap.name is None or name == cap.name:
            found[name].append(item)
    return found


def _live(cap: Cap, name: str, up: Iterable[Span]) -> Peak:
    """Where a call began beside the most others. A cap that was lowered ends no call: it says who may begin."""
    # At one and the same moment ends come first: the switch had freed the channel.
    changes = sorted(change for call in up for change in ((call.begin, 1), (call.end, -1)))
    live, worst = 0, Peak(cap, name, 0, cap.limit.first, 0.0)
    for t, change in changes:
        live += change
        if change > 0:
            worst = _worse(worst, Peak(cap, name, live, cap.limit.most(t, t), t))
    return worst


def _rate(cap: Cap, name: str, calls: Sequence[tuple[float, float, Originate]]) -> Peak:
    """The fullest window; each begins with a call, at the earliest that it can have left. The others are in it that
    had surely left by its end. `calls`: the earliest and the latest, by that."""
    times = [latest for _, latest, _ in calls]
    worst, first = Peak(cap, name, 0, cap.limit.first, 0.0), 0
    for seconds, multiple in cap.windows:
        for index, (t, _, _) in enumerate(calls):
            count = max(1, bisect_left(times, t + seconds - EDGE) - index)
            allowed = multiple * cap.limit.most(t, t + seconds)
            found = _worse(worst, Peak(cap, name, count, allowed, t, seconds))
            if found is not worst:
                worst, first = found, index
    shown = calls[first : first + worst.most]
    return replace(worst, calls=tuple((latest, line) for _, latest, line in shown))


def _worse(one: Peak, other: Peak) -> Peak:
    return other if (other.most - other.allowed, other.most) > (one.most - one.allowed, one.most) else one
