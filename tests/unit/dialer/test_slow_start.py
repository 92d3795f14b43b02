"""A slow start: a tenth of the rate, doubled every 10 s while nothing refuses, whoever else dials the campaign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.dispositions import Disposition
from campaigns.slow_start import DOUBLES_AFTER, LAST_LEVEL, share
from dialer.dispatch.plans import Plan
from dialer.dispatch.slow_start import (
    BURST_SECONDS,
    RampSteps,
    SlowStarts,
    full_rate,
)
from dialer.record.commit import Commit
from dialer.record.outcome_rows import Ended, Written
from limits.caps import NodeCaps
from tests.unit.dialer.dispatch_rig import World
from tests.unit.dialer.factories import CAMPAIGN, make_call, make_gateway, make_plan

NODE = NodeCaps("fs1", 100, None)


def ramping(level: int = 0, **changes: Any) -> Plan:
    values = {"slow_start": True, "has_ramp": True, "ramp_level": level, "max_concurrent_calls": 10_000}
    return make_plan(**(values | changes))


class Ramp:
    """The row that all dialers share, by the rules of `ramps.py`; one clock for all."""

    def __init__(self, dialers: int = 1) -> None:
        self.now, self.level, self.since = 1000.0, 0, 1000.0
        self.dialers = [self.dialer(dialers) for _ in range(dialers)]

    @staticmethod
    def dialer(dialers: int) -> SlowStarts:
        return SlowStarts([NODE], dialers)

    @property
    def plan(self) -> Plan:
        return ramping(self.level)

    def write(self, steps: RampSteps) -> None:
        if steps.unhealthy:
            self.since = self.now
        elif (
            any(level == self.level for _, _, level in steps.doubled)
            and self.now - self.since >= DOUBLES_AFTER
        ):
            self.level += 1
            self.since = max(self.since + DOUBLES_AFTER, self.now - 2.0)

    def second(self, then: Callable[[], object] = lambda: None) -> int:
        """A second in which all are dialled as much as they may be; how many calls that were."""
        calls = 0
        for _ in range(10):
            self.now += 0.1
            for one in self.dialers:
                allowed = one.within(self.plan, 1000, self.now)
                one.placed(self.plan, allowed, self.now)
                calls += allowed
        then()
        for one in self.dialers:
            self.write(one.steps({CAMPAIGN: self.plan}, self.now))
        return calls


def ended(disposition: Disposition, **changes: Any) -> Commit:
    """The end of a call by GATEWAY."""
    call = make_call(**({"sent_at": 1.0} | changes))
    end = cast(Ended, SimpleNamespace(sent_age=1.0, cause="X", disposition=disposition))
    return Commit(Written([], frozenset()), [call], {call.call_id: end})


def refusal() -> Commit:
    call_refused_by_its_node = ended(Disposition.CONGESTION)
    assert not call_refused_by_its_node.over[0].seen
    return call_refused_by_its_node


@pytest.mark.parametrize("dialers", [1, 2, 5])
def test_it_begins_at_a_tenth_and_doubles_however_many_dialers_share_it(
    dialers: int,
) -> None:
    ramp = Ramp(dialers)
    seconds = [ramp.second() for _ in range(60)]
    tens = [sum(seconds[start : start + 10]) / 10 for start in range(0, 60, 10)]
    for found, wanted in zip(tens, (10.0, 20.0, 40.0, 80.0), strict=False):
        # Each dialer begins with one call, and the rounds that double it come once a second.
        assert wanted * 0.9 - 1.0 <= found <= wanted * 1.1 + dialers / 10
    assert ramp.level == LAST_LEVEL
    # From then on nothing is held back.
    assert seconds[-1] == 10_000 * dialers


def test_the_share_is_a_tenth_then_twice_that_and_whole_at_last() -> None:
    assert [share(level) for level in range(LAST_LEVEL + 1)] == [0.1, 0.2, 0.4, 0.8, 1.0]


@pytest.mark.parametrize(
    ("plan", "nodes", "rate"),
    [
        (ramping(gateways=(make_gateway(cps=30),)), [NODE], 30.0),
        (ramping(gateways=(make_gateway(cps=30), make_gateway(cps=10))), [NODE], 40.0),
        (ramping(gateways=(make_gateway(cps=30), make_gateway(cps=None))), [NODE], 100.0),
        (ramping(gateways=(make_gateway(cps=30), make_gateway(cps=10, paused=True))), [NODE], 30.0),
        (ramping(calls_per_minute=60), [NODE], 1.0),
        (ramping(max_concurrent_calls=7), [NodeCaps("fs1", None, None)], 7.0),
        (ramping(max_concurrent_calls=7), [NODE, NodeCaps("fs2", 20, None)], 120.0),
    ],
)
def test_the_rate_is_what_its_gateways_nodes_and_tenant_allow(
    plan: Plan, nodes: list[NodeCaps], rate: float
) -> None:
    assert full_rate(plan, nodes) == rate


@given(
    st.integers(0, LAST_LEVEL - 1),
    st.integers(1, 500),
    st.lists(st.tuples(st.floats(0.001, 3.0), st.integers(0, 50)), max_size=30),
)
def test_no_stretch_of_time_has_more_calls_than_its_share_and_a_burst(
    level: int, cps: int, looks: list[tuple[float, int]]
) -> None:
    subject, plan, now = SlowStarts([NodeCaps("fs1", cps, None)]), ramping(level), 1000.0
    rate = cps * share(level)
    placed: list[tuple[float, int]] = []
    for seconds, wish in looks:
        now += seconds
        allowed = subject.within(plan, wish, now)
        assert 0 <= allowed <= wish
        subject.placed(plan, allowed, now)
        placed.append((now, allowed))
    for index, (began, _) in enumerate(placed):
        for upto, (ended_at, _) in enumerate(placed[index:], index):
            calls = sum(count for _, count in placed[index : upto + 1])
            assert calls <= rate * (ended_at - began) + 1.0 + rate * BURST_SECONDS + 1e-6


@pytest.mark.parametrize(
    "moment", ["refused by a node", "refused by a gateway", "a gateway's fault", "gated"]
)
def test_after_an_unhealthy_moment_it_does_not_double_until_ten_seconds_are_over(moment: str) -> None:
    ramp = Ramp(2)
    for _ in range(8):
        ramp.second()

    def unhealthy() -> None:
        # Only one of the two sees it.
        one = ramp.dialers[1]
        if moment == "gated":
            one.gated(ramp.now)
        elif moment == "refused by a node":
            one.after_commit(refusal(), ramp.now)
        elif moment == "refused by a gateway":
            commit = ended(Disposition.CONGESTION)
            commit.over[0].show()
            commit.over[0].end()
            one.after_commit(commit, ramp.now)
        else:
            one.after_commit(ended(Disposition.GATEWAY_FAULT), ramp.now)

    ramp.second(unhealthy)
    for _ in range(9):
        ramp.second()
        assert ramp.level == 0
    for _ in range(3):
        ramp.second()
    assert ramp.level == 1


def test_a_gateway_that_refuses_single_numbers_holds_nothing_up() -> None:
    """Carriers answer some numbers with 503 whatever their load is."""
    ramp = Ramp()
    one = ramp.dialers[0]

    def one_in_twenty() -> None:
        for number in range(40):
            commit = ended(Disposition.CONGESTION if number % 20 == 19 else Disposition.BUSY)
            commit.over[0].show()
            one.after_commit(commit, ramp.now)

    for _ in range(14):
        ramp.second(one_in_twenty)
    assert ramp.level == 1


def test_a_dialer_that_starts_goes_on_where_the_others_are_and_watches_for_as_long() -> None:
    ramp = Ramp(1)
    for _ in range(25):
        ramp.second()
    assert ramp.level == 2
    ramp.dialers = [Ramp.dialer(1)]
    # As fast as before, and no faster for having seen nothing.
    assert ramp.second() <= 41
    for _ in range(8):
        ramp.second()
        assert ramp.level == 2
    for _ in range(3):
        ramp.second()
    assert ramp.level == 3


def test_what_no_dialer_dialled_for_an_hour_becomes_faster_by_one_step_at_a_time() -> None:
    ramp = Ramp(1)
    ramp.second()
    ramp.now += 3600.0
    ramp.dialers = [Ramp.dialer(1)]
    levels = []
    for _ in range(21):
        ramp.second()
        levels.append(ramp.level)
    assert levels[8] == 0
    assert levels[12] == levels[17] == 1


def test_a_level_at_which_nothing_was_placed_has_shown_nothing() -> None:
    subject = SlowStarts([NODE])
    for second in range(30):
        assert not subject.steps({CAMPAIGN: ramping()}, 1000.0 + second).doubled
    subject.placed(ramping(), 1, 1030.0)
    assert subject.steps({CAMPAIGN: ramping()}, 1031.0).doubled


def test_a_campaign_that_is_set_running_again_begins_anew() -> None:
    subject = SlowStarts([NODE])
    subject.placed(ramping(3), 1, 1000.0)
    again = ramping(generation=5, has_ramp=False)
    assert subject.steps({CAMPAIGN: again}, 1020.0) == RampSteps(begun=((CAMPAIGN, 5, 0),))
    assert subject.steps({CAMPAIGN: replace(again, has_ramp=True)}, 1021.0) == RampSteps()


def test_where_no_slow_start_is_wanted_nothing_is_held_back_or_written() -> None:
    subject = SlowStarts([NODE])
    for plan in (make_plan(), ramping(LAST_LEVEL)):
        assert subject.within(plan, 50, 1000.0) == 50
        assert subject.word(plan, 1000.0) is None
        assert subject.steps({CAMPAIGN: plan}, 1000.0) == RampSteps()


# In the scheduler.


def test_a_campaign_in_its_slow_start_is_dialled_at_its_share_and_says_so() -> None:
    world = World()
    world.scheduler.slow_starts.nodes = [NodeCaps("fs1", 50, None)]
    world.run(ramping(), contacts=500)
    world.step()
    assert (len(world.sent), world.words) == (1, ["slow_start"])
    wait = world.step(0.01)
    assert 0.1 <= wait <= 0.2
    for _ in range(200):
        world.step(0.05)
    assert 48 <= len(world.sent) <= 52
    assert set(world.words) == {"slow_start"}
    assert world.reasons.news(world.plans) == [(CAMPAIGN, "slow_start", None)]
    world.run(ramping(LAST_LEVEL))
    for _ in range(10):
        world.step(0.05)
    assert world.words[-1] is None
    assert world.contacts == []


def test_a_cap_that_binds_more_is_the_one_that_is_told() -> None:
    world = World()
    world.scheduler.slow_starts.nodes = [NodeCaps("fs1", 50, None)]
    world.answer = lambda _request: "gateway_channels"
    world.run(ramping(), contacts=500)
    for _ in range(20):
        world.step(0.05)
    assert set(world.words) == {"gateway_channels"}
