"""A campaign says why it is not dialled, and stops saying so with the next decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dialer.dispatch.blocked_reasons import BlockedReasons
from limits.errors import LimiterUnavailable
from tests.unit.dialer.dispatch_rig import World, many_plans
from tests.unit.dialer.factories import CAMPAIGN, make_plan

AT = "2026-01-31T09:00:00.000000Z"


def fail() -> None:
    raise LimiterUnavailable("asking", "away")


def write(world: World) -> None:
    """The rows say what they are told, and are read again."""
    for campaign_id, reason, at in world.reasons.news(world.plans):
        plan = replace(world.plans[campaign_id], blocked_reason=reason, next_action_at=at)
        world.plans[campaign_id] = plan


def test_what_the_row_says_already_is_not_written_again() -> None:
    reasons, plan = BlockedReasons(), make_plan()
    assert reasons.news({CAMPAIGN: plan}) == []
    reasons.tell(CAMPAIGN, None)
    assert reasons.news({CAMPAIGN: plan}) == []
    reasons.tell(CAMPAIGN, "retry_wait", AT)
    assert reasons.news({CAMPAIGN: plan}) == [(CAMPAIGN, "retry_wait", AT)]
    assert reasons.news({CAMPAIGN: make_plan(blocked_reason="retry_wait", next_action_at=AT)}) == []


def test_what_was_not_written_is_written_with_the_next() -> None:
    reasons, plan = BlockedReasons(), make_plan(blocked_reason="no_redis")
    reasons.tell(CAMPAIGN, None)
    for _ in range(3):
        assert reasons.news({CAMPAIGN: plan}) == [(CAMPAIGN, None, None)]


def test_the_last_word_counts() -> None:
    reasons = BlockedReasons()
    for reason in ("no_redis", "gateway_cps", None, "halted"):
        reasons.tell(CAMPAIGN, reason)
    assert reasons.news({CAMPAIGN: make_plan()}) == [(CAMPAIGN, "halted", None)]


def test_a_time_that_was_told_stands_until_it_is_over_or_another_is_named() -> None:
    clock = [datetime(2026, 1, 31, 8, 59, tzinfo=UTC)]
    reasons = BlockedReasons(clock=lambda: clock[0])

    def said(at: str | None) -> str | None:
        reasons.tell(CAMPAIGN, "tenant_minute", at)
        ((_, _, told),) = reasons.news({CAMPAIGN: make_plan()})
        return told

    assert said(AT) == AT
    assert said("2026-01-31T09:00:00.400000Z") == AT
    assert said(None) == AT
    assert said("2026-01-31T09:00:10.000000Z") == "2026-01-31T09:00:10.000000Z"
    clock[0] += timedelta(minutes=5)
    assert said(None) is None


def test_nothing_is_said_of_a_campaign_that_is_not_dialled_any_more_and_nothing_old_when_it_is_back() -> None:
    reasons = BlockedReasons()
    reasons.tell(CAMPAIGN, "no_redis")
    assert reasons.news({}) == []
    assert reasons.news({CAMPAIGN: make_plan()}) == []


def test_a_word_is_as_old_as_the_first_decision_that_said_so() -> None:
    clock = [100.0]
    reasons = BlockedReasons(lambda: clock[0])
    for seconds, word, since in (
        (0.0, "no_redis", 100.0),
        (5.0, "no_redis", 100.0),
        (1.0, "gateway_cps", 106.0),
        (1.0, None, 107.0),
        (1.0, "gateway_cps", 108.0),
    ):
        clock[0] += seconds
        reasons.tell(CAMPAIGN, word)
        assert reasons.word(CAMPAIGN) == word
        assert reasons.since(CAMPAIGN) == since


def test_the_first_decision_to_dial_has_the_row_written_at_once() -> None:
    reasons = BlockedReasons()
    reasons.tell(CAMPAIGN, None)
    assert reasons.gone.is_set()  # maybe the process before said something
    reasons.gone.clear()
    assert reasons.news({CAMPAIGN: make_plan()}) == []
    reasons.tell(CAMPAIGN, "no_redis")
    reasons.tell(CAMPAIGN, None)
    assert not reasons.gone.is_set()  # the row never said so
    reasons.tell(CAMPAIGN, "no_redis")
    reasons.written({CAMPAIGN: "no_redis"}, {CAMPAIGN: "no_redis"})
    reasons.tell(CAMPAIGN, "halted")
    assert not reasons.gone.is_set()
    reasons.tell(CAMPAIGN, None)
    assert reasons.gone.is_set()


@pytest.mark.parametrize("compared", [True, False])
def test_the_word_of_a_process_that_is_gone_is_taken_back_as_soon(compared: bool) -> None:
    """It said `no_redis`, and so does the one that follows it at first: the row is not written again for that."""
    reasons = BlockedReasons()
    reasons.tell(CAMPAIGN, "no_redis")
    if compared:
        assert reasons.news({CAMPAIGN: make_plan(blocked_reason="no_redis")}) == []
    reasons.tell(CAMPAIGN, None)
    assert reasons.gone.is_set()


def test_a_row_that_was_read_before_the_word_was_written_is_written_all_the_same() -> None:
    """Plans are read once a second: one of before shows nothing where the row says `no_redis` by now."""
    reasons, before = BlockedReasons(), {CAMPAIGN: make_plan()}
    reasons.tell(CAMPAIGN, "no_redis")
    reasons.written({CAMPAIGN: "no_redis"}, {CAMPAIGN: "no_redis"})
    reasons.tell(CAMPAIGN, None)
    assert reasons.news(before) == [(CAMPAIGN, None, None)]


@pytest.mark.parametrize("outage", ["of the first question", "of a later one"])
def test_after_an_outage_a_campaign_that_is_dialled_says_so_from_its_first_call_on(outage: str) -> None:
    """A campaign said `no_redis` for 77 s while it dialled."""
    world = World()
    plans = many_plans(30, max_concurrent_calls=1000)
    world.run(*plans, contacts=500)
    if outage == "of a later one":
        world.step()
    world.asking = fail
    world.scheduler.wake_all()
    for _ in range(3):
        world.step(0.5)
    write(world)
    assert {plan.blocked_reason for plan in world.plans.values()} == {"no_redis"}
    world.asking = lambda: None
    dialled = set(world.calls())
    for _ in range(20):
        before = world.calls()
        world.step(0.05)
        dialled = {name for name, count in world.calls().items() if count > before[name]}
        write(world)
        assert not [name for name in dialled if world.plans[name].blocked_reason]
    assert len(world.calls()) == 30
    assert {plan.blocked_reason for plan in world.plans.values()} == {None}


def test_a_campaign_that_another_dialers_word_blocked_is_not_blocked_once_this_one_dials_it() -> None:
    world = World()
    world.run(make_plan(blocked_reason="no_node"))
    world.step()
    assert world.sent
    assert world.reasons.news(world.plans) == [(CAMPAIGN, None, None)]
