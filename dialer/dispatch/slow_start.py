"""How fast this dialer may dial campaigns with a slow start: at a tenth of what they could get first, twice as fast
every 10 s while nothing refuses. Pure; `now` is monotonic.

How often the rate of a campaign was doubled (its level) is all dialers' and stands in its ramp (`ramps.py`), so a
dialer that starts goes on where the others are. Each gives itself its part of the rate: the whole by the number of
dialers. A level is raised by the database's clock, 10 s after it was reached or after the last unhealthy moment that
any dialer told; who asks for it has watched for so long itself, saw no refusal, and has placed a call at that level:
one at which nothing was placed has shown nothing. Decision 0034.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from campaigns.dispositions import Disposition
from campaigns.slow_start import DOUBLES_AFTER, LAST_LEVEL, share
from dialer.capacity.backpressure import REFUSED_SHARE, refused_by
from dialer.dispatch.plans import Plan
from dialer.record.commit import Commit
from limits.caps import NodeCaps
from limits.rate_cuts import Kind

WORD = "slow_start"
BURST_SECONDS = 0.25
"""What was not used is kept for so long, beside one call: a look comes a little late, and there are no half calls."""
LOOK_SECONDS = 0.1
"""A campaign is looked at for some calls at a time, where its rate has several for so long."""


def full_rate(plan: Plan, nodes: Sequence[NodeCaps]) -> float:
    """Calls a second that a campaign could get had it all to itself: by its open gateways, the nodes and its tenant's
    calls a minute, as far as they are limited; where none is, as many as it may have at a time."""
    found = [] if plan.calls_per_minute is None else [plan.calls_per_minute / 60]
    for rates in ([one.cps for one in plan.gateways if not one.shut], [node.cps for node in nodes]):
        known = [rate for rate in rates if rate is not None]
        if known and len(known) == len(rates):
            found.append(sum(known))
    return min(found, default=float(plan.max_concurrent_calls))


def in_slow_start(plan: Plan) -> bool:
    """Whether a campaign is still to become faster."""
    return plan.slow_start and plan.ramp_level < LAST_LEVEL


@dataclass(slots=True)
class _Watch:
    """One campaign as this dialer has watched it: its run, since when, since when at this level."""

    generation: int
    level: int
    since: float
    level_since: float
    filled_at: float
    budget: float = 1.0
    """Calls that it may place now."""
    placed: bool = False
    """Whether a call was placed at this level."""


@dataclass(frozen=True, slots=True)
class RampSteps:
    """What is to be written of ramps, each as (campaign, generation, level): those that begin, those that were not
    healthy, and those that are to be doubled."""

    begun: tuple[tuple[str, int, int], ...] = ()
    unhealthy: tuple[tuple[str, int, int], ...] = ()
    doubled: tuple[tuple[str, int, int], ...] = ()


@dataclass(slots=True)
class SlowStarts:
    """The slow starts of one dialer. `nodes` are those that take calls now, `dialers` how many share each
    campaign."""

    nodes: Sequence[NodeCaps] = ()
    dialers: int = 1
    _watches: dict[str, _Watch] = field(default_factory=dict)
    _gated_at: float | None = None
    _refused_at: dict[str, float] = field(default_factory=dict)
    """When a gateway refused last."""
    _ends: dict[str, deque[tuple[float, bool]]] = field(default_factory=dict)
    """How calls by a gateway ended lately: when, and whether it refused."""
    _told_at: float = 0.0

    # What the scheduler asks.

    def within(self, plan: Plan, wish: int, now: float) -> int:
        """For how many of `wish` calls a campaign may ask now."""
        if not in_slow_start(plan):
            return wish
        rate = self._rate(plan)
        if rate <= 0.0:
            # It is blocked, by a cap that is to say so.
            return wish
        watch = self._watch(plan, now)
        most = 1.0 + rate * BURST_SECONDS
        watch.budget = min(most, watch.budget + rate * (now - watch.filled_at))
        watch.filled_at = now
        return min(wish, int(watch.budget))

    def wait(self, plan: Plan, now: float) -> float:
        """The seconds until it may ask for more, after `within` gave it nothing."""
        watch, rate = self._watch(plan, now), self._rate(plan)
        return max(LOOK_SECONDS, (1.0 - watch.budget) / rate)

    def placed(self, plan: Plan, calls: int, now: float) -> None:
        """So many of its calls were claimed."""
        if calls and in_slow_start(plan):
            watch = self._watch(plan, now)
            watch.budget -= calls
            watch.placed = True

    def word(self, plan: Plan, now: float) -> str | None:
        """What a campaign shows that is dialled: that its slow start holds it back, or nothing."""
        return WORD if in_slow_start(plan) and self._watch(plan, now).budget < 1.0 else None

    # What is healthy.

    def gated(self, now: float) -> None:
        """No call was claimed that could have been, or a node left an order unanswered."""
        self._gated_at = now

    def after_commit(self, commit: Commit, now: float) -> None:
        """Judge how calls ended. A node that refuses is at its limit; a gateway is where it refuses more than single
        numbers: those it refuses whatever its load."""
        for call in commit.over:
            ended = commit.ended.get(call.call_id)
            if ended is None:
                continue
            target = refused_by(call, ended)
            if target is not None and target[0] is Kind.NODE:
                self.gated(now)
            elif self._watches and ended.sent_age is not None:
                refused = target is not None or ended.disposition == Disposition.GATEWAY_FAULT
                self._end(call.gateway_id, now, refused=refused)

    def steps(self, plans: Mapping[str, Plan], now: float) -> RampSteps:
        """What is to be written now of the ramps of these campaigns; to be called every second."""
        ramping = {campaign_id: plan for campaign_id, plan in plans.items() if in_slow_start(plan)}
        self._watches = {name: watch for name, watch in self._watches.items() if name in ramping}
        begun, unhealthy, doubled = [], [], []
        for campaign_id, plan in ramping.items():
            step = (campaign_id, plan.generation, plan.ramp_level)
            watch = self._watch(plan, now)
            if not plan.has_ramp:
                begun.append(step)
            elif (last := self._unhealthy_at(plan)) is not None and last >= self._told_at:
                unhealthy.append(step)
            elif self._proven(watch, last, now):
                doubled.append(step)
        self._told_at = now
        return RampSteps(tuple(begun), tuple(unhealthy), tuple(doubled))

    def _proven(self, watch: _Watch, unhealthy_at: float | None, now: float) -> bool:
        # The database says to the second when the level was reached: it is asked from a moment before on.
        well_since = watch.since if unhealthy_at is None else max(watch.since, unhealthy_at)
        long_ago = now - well_since >= DOUBLES_AFTER and now - watch.level_since >= DOUBLES_AFTER - 2.0
        return watch.placed and long_ago

    def _unhealthy_at(self, plan: Plan) -> float | None:
        found = [self._gated_at, *(self._refused_at.get(gateway.gateway_id) for gateway in plan.gateways)]
        return max((at for at in found if at is not None), default=None)

    def _end(self, gateway_id: str, now: float, *, refused: bool) -> None:
        ends = self._ends.setdefault(gateway_id, deque())
        ends.append((now, refused))
        while now - ends[0][0] > DOUBLES_AFTER:
            ends.popleft()
        if refused and sum(one for _, one in ends) >= REFUSED_SHARE * len(ends):
            self._refused_at[gateway_id] = now

    def _rate(self, plan: Plan) -> float:
        """This dialer's part of what the campaign may use."""
        return full_rate(plan, self.nodes) * share(plan.ramp_level) / max(1, self.dialers)

    def _watch(self, plan: Plan, now: float) -> _Watch:
        watch = self._watches.get(plan.campaign_id)
        if watch is None or watch.generation != plan.generation:
            watch = _Watch(plan.generation, plan.ramp_level, now, now, now)
            self._watches[plan.campaign_id] = watch
        elif watch.level != plan.ramp_level:
            watch.level, watch.level_since, watch.placed = plan.ramp_level, now, False
        return watch
