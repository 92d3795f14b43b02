"""What a halt of a tenant and a stop with `hangup=true` promise, and whether it was kept, by the ledgers alone. Pure.

From the answer on nothing of it leaves: a halt's until it is lifted, a stop's for good. What was up, or on its way,
is over once its node could be reached for a while. Whom it hung up before an answer was not called at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from simulator.ledger import LedgerView, Originate
from tests.chaos.caps import Departures, Span

CAUSE = "MANAGER_REQUEST"
"""Why a call ended that had to, as its ledger says it."""
REFUSED = 503
"""What a carrier says that refuses everything."""
END_SECONDS = 15.0
"""For so long at the most may a call be up that has to end, of the time in which its node could be reached and calls
could be started: two dialers may stand still meanwhile, and their leases have to lapse first."""
FOR_EVER = float("inf")


@dataclass(frozen=True, slots=True)
class Stop:
    """A tenant's halt, or a campaign's stop, in wall seconds: when it was first asked for, when the API said that it
    stands, and when somebody first asked for its end, which a stop has none."""

    asked: float
    answered: float
    lifted: float = FOR_EVER
    tenant: str = ""
    campaign: str = ""

    def holds(self, line: Originate) -> bool:
        """Whether this call is one of those that it is about."""
        return line.campaign == self.campaign if self.campaign else line.tenant == self.tenant

    def __str__(self) -> str:
        of = f"the stop of campaign {self.campaign}" if self.campaign else f"the halt of {self.tenant}"
        return f"{of}, answered at {self.answered:.3f}"


@dataclass(frozen=True, slots=True)
class Away:
    """From when to when a node could not be reached; without a name, nobody could start a call."""

    begin: float
    end: float
    node: str = ""


def hung_up(view: LedgerView, stops: Sequence[Stop]) -> frozenset[str]:
    """The calls that a stop ended before an answer: they are nobody's attempt."""
    answered = {step.uuid for step in view.steps if step.event == "answer"}
    ends = view.ends()
    return frozenset(
        line.uuid
        for line in view.accepted
        if line.uuid not in answered
        and (end := ends.get(line.uuid)) is not None
        and end.cause == CAUSE
        and any(stop.holds(line) and end.t >= stop.asked for stop in stops)
    )


def refused(view: LedgerView) -> frozenset[str]:
    """The calls that the carrier refused before anything rang: they have reached nobody."""
    reached = {step.uuid for step in view.steps if step.event in ("ring", "answer")}
    return frozenset(
        step.uuid for step in view.ends().values() if step.sip == REFUSED and step.uuid not in reached
    )


def judge_stops(
    stops: Iterable[Stop],
    orders: Sequence[Originate],
    calls: Sequence[Span],
    left: Departures,
    away: Sequence[Away],
) -> Iterator[str]:
    """What left although it may not, and what was up for too long. `left` is when orders left for their nodes."""
    for stop in stops:
        for line in orders:
            if stop.holds(line) and stop.answered < left.earliest(line) < stop.lifted:
                yield f"call {line.uuid} left at {left.latest(line):.3f} in spite of {stop}"
        for call in calls:
            if (
                not stop.holds(call.line)
                or left.earliest(call.line) > stop.answered
                or call.end <= stop.answered
            ):
                continue
            since = max(stop.answered, call.begin)
            seconds = reachable(call.line.node, since, call.end, away)
            if seconds > END_SECONDS:
                yield (
                    f"call {call.line.uuid} at {call.line.node} was up from {since:.3f} to {call.end:.3f}"
                    f" ({seconds:.1f} s in which it could have been ended) in spite of {stop}"
                )


def reachable(node: str, since: float, until: float, away: Iterable[Away]) -> float:
    """For how many of these seconds a node could be told to end a call."""
    gone = sorted((max(a.begin, since), min(a.end, until)) for a in away if a.node in ("", node))
    seconds, told = until - since, since
    for begin, end in gone:
        seconds -= max(0.0, end - max(begin, told))
        told = max(told, end)
    return seconds
