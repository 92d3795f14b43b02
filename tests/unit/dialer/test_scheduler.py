"""Who is looked at, when, and why not: the binding constraint of each campaign, and what one failure costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import gevent
import pytest
from peewee import OperationalError
from playhouse.pool import MaxConnectionsExceeded

from campaigns.policies import Policy
from coordination.errors import Fenced
from dialer.dispatch import scheduler as scheduler_module
from dialer.dispatch.agenda import IDLE_SECONDS
from dialer.dispatch.cap_waits import MOST
from dialer.dispatch.claim_window import ClaimWindow
from dialer.dispatch.due import Due, NextDue
from dialer.dispatch.plan_checks import nobody_can
from dialer.dispatch.scheduler import BEHIND_SECONDS, LATE_SECONDS
from limits.caps import NumberCaps, PermitRequest
from limits.errors import LimiterUnavailable
from tests.examples import long
from tests.unit.dialer.dispatch_rig import World, many_plans
from tests.unit.dialer.factories import CAMPAIGN, ME, call_id, make_call, make_gateway, make_plan
from tests.waiting import wait_until


@pytest.fixture
def world() -> World:
    made = World()
    made.run(make_plan())
    return made


def test_whose_number_may_not_be_called_for_hours_is_written_back_and_holds_nobody_up(world: World) -> None:
    """Not read or asked about before: of a list there may be many more than are passed over in memory."""
    capped, *others = [due.contact_id for due in world.contacts]
    number = world.contacts[0].phone_number
    world.answer = lambda request: "number_cap" if request.number == number else None
    world.retry_after = 7200.0
    world.step()
    assert world.postponed == {capped: 7200.0}
    for _ in range(3):
        world.step(0.01)
    assert len(world.sent) == len(others)
    asked = sum(request.number == number for batch in world.asked for request in batch)
    assert asked == 1
    world.next[CAMPAIGN] = NextDue("2026-01-31T09:00:00.000000Z", 7199.0, "number_cap")
    world.live_calls = world.scheduler.send_queue.live_calls
    for call in list(world.live_calls):
        world.live_calls.remove(call.call_id)
    world.look()
    assert world.reasons.news(world.plans) == [(CAMPAIGN, "number_cap", "2026-01-31T09:00:00.000000Z")]


def test_whose_number_is_left_alone_is_written_back_and_holds_nobody_up(world: World) -> None:
    world.run(make_plan(policy=Policy("debt")))
    resting, *others = [due.contact_id for due in world.contacts]
    world.left_alone = {resting}
    for _ in range(4):
        world.step(0.01)
    rests = Policy("debt").rests_of("+14155550100")
    assert rests is not None
    assert world.resting == {resting: rests}
    assert len(world.sent) == len(others)
    asked = sum(item.contact_id == resting for batch in world.claims for item in batch)
    assert asked == 1


def test_a_number_is_asked_for_under_the_caps_of_its_place(world: World) -> None:
    world.run(make_plan(policy=Policy("debt")))
    world.step()
    ((first, *_), *_) = world.asked
    assert first.number_caps == NumberCaps(calls_7d=7)


def test_who_is_due_is_called_up_to_the_room_there_is(world: World) -> None:
    world.step()
    world.step(0.01)
    assert len(world.sent) == 5
    world.step(0.01)
    assert world.words[-1] == "campaign_concurrency"
    assert len(world.contacts) == 1


@pytest.mark.parametrize(
    "reason",
    [
        "campaign_concurrency",
        "tenant_concurrency",
        "tenant_minute",
        "tenant_day_calls",
        "tenant_day_minutes",
        "gateway_cps",
        "gateway_channels",
        "node_cps",
        "node_channels",
        "no_redis",
    ],
)
def test_the_cap_that_binds_is_told_and_its_time_waited(world: World, reason: str) -> None:
    world.answer = lambda _request: reason
    assert world.step() == pytest.approx(0.202, abs=0.003)
    assert world.words == [reason]
    assert world.sent == []
    world.step(0.19)
    assert len(world.asked) == 1
    world.answer = lambda _request: None
    world.step(0.02)
    assert len(world.sent) == 2
    assert world.words[-1] is None


def test_a_cap_whose_time_is_far_off_is_asked_every_second(world: World) -> None:
    """It may be raised, or what was counted be given back."""
    world.answer, world.retry_after = (lambda _request: "tenant_minute"), 55.0
    assert world.step() == pytest.approx(1.0, abs=0.01)
    world.answer = lambda _request: None
    world.step(1.01)
    assert world.sent


def test_the_wait_for_a_rate_counts_from_the_question_however_long_the_claim_takes(world: World) -> None:
    def takes_long() -> None:
        world.clock += 0.15

    world.claiming = takes_long
    world.answer = lambda _request: (
        "gateway_cps" if len(world.claims) or world.asked[-1][0] is not _request else None
    )
    asked_at = world.clock
    wait = world.step()
    assert len(world.claims) == 1
    assert world.clock + wait - asked_at == pytest.approx(0.202, abs=0.003)


def test_a_list_is_read_some_batches_ahead(world: World) -> None:
    world.run(make_plan(max_concurrent_calls=100), contacts=40)
    world.contacts = [Due(call_id(), f"+1415555{n:04d}") for n in range(40)]
    world.answer = lambda request: None if request in world.asked[-1][:2] else "tenant_minute"
    while len(world.sent) < 12:
        world.step(0.21)
    assert len(world.asked) == 6
    assert len(world.read) <= 3


def test_a_cap_that_is_changed_is_asked_at_once(world: World) -> None:
    world.answer, world.retry_after = (lambda _request: "tenant_minute"), 55.0
    world.step()
    world.answer = lambda _request: None
    world.look()
    assert world.sent == []
    world.run(make_plan(calls_per_minute=100))
    world.step()
    assert world.sent


def test_nothing_leaves_by_a_paused_gateway(world: World) -> None:
    world.run(make_plan(gateways=(make_gateway(paused=True),)))
    assert world.step() == pytest.approx(1.0)
    assert (world.words, world.sent, world.probes, world.asked) == (["gateway_paused"], [], [], [])


def test_a_number_in_use_is_skipped_and_told_only_where_nobody_else_is_left(world: World) -> None:
    world.contacts = world.contacts[:2]
    taken = world.contacts[0].phone_number
    world.answer = lambda request: "number_cap" if request.number == taken else None
    world.step()
    assert len(world.sent) == 1
    assert world.words == [None]
    world.step(0.01)
    assert world.words[-1] == "number_cap"
    world.answer = lambda _request: None
    world.step(2.0)
    assert len(world.sent) == 2


def test_a_halted_tenant_and_no_node_are_told(world: World) -> None:
    world.run(make_plan(held="halted"))
    world.step()
    world.run(make_plan())
    world.up = []
    world.step()
    assert world.words == ["halted", "no_node"]
    assert world.sent == []


@pytest.mark.parametrize(
    ("reason", "at"),
    [
        ("tenant_minute", "2026-01-31T09:00:12.500000Z"),
        ("tenant_day_calls", "2026-02-01T00:00:00.000000Z"),
        ("tenant_day_minutes", "2026-02-01T00:00:00.000000Z"),
        ("tenant_concurrency", None),
    ],
)
def test_a_cap_is_told_with_the_time_at_which_it_is_over_where_that_is_known(
    world: World, reason: str, at: str | None
) -> None:
    world.scheduler.clock = world.reasons.clock = lambda: datetime(2026, 1, 31, 9, tzinfo=UTC)
    world.answer, world.retry_after = lambda _request: reason, 12.5
    world.run(make_plan())
    for _ in range(2):
        world.step(0.3)
        assert world.reasons.news(world.plans) == [(CAMPAIGN, reason, at)]


def test_a_paused_gateway_is_told_with_the_time_of_its_probe(world: World) -> None:
    at = "2026-01-31T09:01:00.000000Z"
    world.run(make_plan(gateways=(make_gateway(paused=True, probe_at=at),)))
    world.step()
    assert world.reasons.news(world.plans) == [(CAMPAIGN, "gateway_paused", at)]


def test_a_retry_to_come_is_told_with_its_time_and_the_end_is_noticed(world: World) -> None:
    world.contacts = []
    world.next = {CAMPAIGN: NextDue("2026-01-31T09:00:00.000000Z", 0.5)}
    assert world.step() == pytest.approx(0.5 + LATE_SECONDS)
    assert world.words == ["retry_wait"]
    assert world.reasons.news(world.plans) == [(CAMPAIGN, "retry_wait", "2026-01-31T09:00:00.000000Z")]
    world.next = {}
    world.step(0.51)
    assert world.words[-1] is None
    assert world.finished == [(CAMPAIGN, "exhausted")]


def test_a_campaign_outside_its_window_says_so_with_its_next_opening_and_is_woken_at_it(world: World) -> None:
    world.contacts = []
    world.next = {CAMPAIGN: NextDue("2026-01-31T09:00:00.000000Z", 0.5, reason="window")}
    assert world.step() == pytest.approx(0.5 + LATE_SECONDS)
    assert world.reasons.news(world.plans) == [(CAMPAIGN, "window", "2026-01-31T09:00:00.000000Z")]
    world.next = {CAMPAIGN: NextDue(None, 1e9, reason="window")}
    world.step(0.51)
    assert world.reasons.news(world.plans) == [(CAMPAIGN, "window", None)]
    assert world.finished == [], "where no opening is known somebody may change the window"


def test_a_campaign_with_calls_in_progress_is_not_at_its_end(world: World) -> None:
    world.contacts = []
    world.live_calls.add(make_call())
    world.step()
    assert world.finished == []


def test_a_contact_that_another_dialer_is_taking_is_looked_at_soon(world: World) -> None:
    world.contacts = []
    world.next = {CAMPAIGN: NextDue("", 0.0)}
    assert 0.0 < world.step() <= 0.02


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ({"type": "socket", "host": "not.of.this.process", "port": 1}, []),
        ({"type": "newer_than_this_process"}, []),
        ({"type": "bridge", "queue": "taken.away"}, ["agent"]),
    ],
)
def test_a_campaign_that_cannot_be_dialled_here_or_now_is_never_ended(
    world: World, action: dict[str, Any], told: list[str]
) -> None:
    """What this process lacks says nothing of the campaign: others may dial it."""
    world.run(make_plan(action=action))
    world.step()
    assert (world.finished, world.sent, world.words) == ([], [], told)
    assert list(world.scheduler.checks.cannot_run) == ([] if told else [CAMPAIGN])
    world.run(make_plan())
    world.step()
    assert len(world.sent) == 4
    assert not world.scheduler.checks.cannot_run


def test_a_campaign_is_not_here_only_where_no_living_dialer_can_run_it() -> None:
    unable: dict[str, Any] = {"cannot_run": {CAMPAIGN: "why"}}
    assert nobody_can(CAMPAIGN, {"d1": unable, "d2": unable})
    assert not nobody_can(CAMPAIGN, {"d1": unable, "d2": {"cannot_run": {}}})
    assert not nobody_can(CAMPAIGN, {"d1": unable, "older": {}})
    assert not nobody_can(CAMPAIGN, {})


@pytest.mark.parametrize("held", ["pause", "halt", "drain", "lease", "behind"])
def test_what_could_not_leave_is_not_claimed(world: World, held: str) -> None:
    if held == "pause":
        world.send_gate.block(CAMPAIGN, 2)
    elif held == "halt":
        world.send_gate.halt("demo")
    elif held == "drain":
        world.send_gate.draining = True
    elif held == "behind":
        world.is_behind = True
    else:
        world.may_send = False
    assert world.step() >= (0.02 if held == "behind" else 0.1)
    assert len(world.contacts) == 6
    assert world.asked == []


def test_no_more_is_claimed_than_what_is_under_way_leaves_room_for(world: World) -> None:
    """Nobody is shown: the rest waits until calls are."""
    world.scheduler.window = ClaimWindow(floor=5)
    world.step()
    assert len(world.live_calls) == 4
    assert world.step(0.01) == pytest.approx(BEHIND_SECONDS)
    assert len(world.live_calls) == 4
    for call in world.live_calls:
        call.show()
    world.step(0.03)
    assert len(world.live_calls) == 5, "its own cap"


def test_a_campaign_that_begins_while_the_lease_is_gone_says_that_redis_is(world: World) -> None:
    """The limiter is not asked then, so nobody else would say it."""
    world.leased = False
    world.step()
    assert (world.words, world.asked) == (["no_redis"], [])
    world.leased = True
    world.step(0.3)
    assert world.words[-1] is None
    assert len(world.sent) == 4


def test_who_was_to_be_looked_at_while_the_recorder_was_behind_is_looked_at_then(world: World) -> None:
    world.is_behind = True
    world.step()
    world.is_behind = False
    world.step(0.02)
    assert len(world.sent) == 4


def test_what_waits_for_a_permit_gets_it_though_the_recorder_is_behind(world: World) -> None:
    """Its row is there already: letting it leave adds nothing to what is to be written."""
    world.life = -1.0
    world.step()
    world.life, world.is_behind = 60.0, True
    world.look()
    assert len(world.sent) == 4


# What one failure costs.


@pytest.mark.parametrize(
    "error", [OperationalError("away"), MaxConnectionsExceeded("busy"), RuntimeError("a bug")]
)
def test_a_claim_whose_answer_is_lost_leaves_its_permits_in_doubt_and_the_greenlet_alive(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "UNAVAILABLE_SECONDS", 0.01)
    world, failures = World(alive=True), [error]

    def fail_once() -> None:
        if failures:
            raise failures.pop()

    world.claiming = fail_once
    world.run(make_plan())
    greenlet = gevent.spawn(world.scheduler.run)
    wait_until(lambda: len(world.sent) == 5, what="the calls after the failure")
    assert len(world.unknown_claims) == 4
    assert not greenlet.dead
    world.scheduler.stop()
    greenlet.join(5)
    assert greenlet.successful()


def test_a_greenlet_that_is_started_again_dials_and_repeats(world: World) -> None:
    world.may_send = False
    greenlet = gevent.spawn(world.scheduler.run)
    gevent.sleep(0)
    greenlet.kill()
    world.may_send = True
    between, call = make_call(claimed_at=world.clock), make_call(claimed_at=world.clock)
    world.live_calls.add(between)
    assert world.scheduler.resend(between)
    assert world.send_queue.lapsed == {}
    world.may_send = False
    again = gevent.spawn(world.scheduler.run)
    gevent.sleep(0)
    world.may_send = True
    world.live_calls.add(call)
    assert world.scheduler.resend(call)
    assert world.send_queue.lapsed.keys() == {call.call_id}
    assert world.ends() == {}
    again.kill()


@pytest.mark.parametrize("error", [LimiterUnavailable("asking", "away"), Fenced(ME)])
def test_without_redis_nobody_is_called_and_it_is_told_until_somebody_is(
    world: World, error: Exception
) -> None:
    def fail() -> None:
        raise error

    world.asking = fail
    assert 0.3 <= world.step() <= 0.5
    assert world.words == ["no_redis"]
    assert world.sent == []
    world.asking = lambda: None
    world.step(0.5)
    assert world.words[-1] is None
    assert len(world.sent) == 4


def test_a_campaign_whose_plan_nobody_understands_holds_up_no_other(world: World) -> None:
    (sick,), well = many_plans(1, max_concurrent_calls=None), many_plans(3)
    world.run(sick, *well)
    world.step()
    assert world.calls() == {CAMPAIGN: 4, **{plan.campaign_id: 4 for plan in well}}
    world.run(replace(sick, max_concurrent_calls=5))
    world.step()
    assert world.calls()[sick.campaign_id] == 4


def test_a_campaign_that_loses_its_only_gateway_keeps_no_other_from_being_followed(world: World) -> None:
    """Changes are told once: one that is not taken in is never dialled."""
    (fresh,) = many_plans(1)
    world.step()
    world.run(make_plan(gateways=()), fresh)
    world.step()
    assert world.calls() == {CAMPAIGN: 4, fresh.campaign_id: 4}


def test_a_campaign_that_loses_its_only_gateway_while_it_is_read_keeps_no_other_waiting(world: World) -> None:
    (other,) = many_plans(1)
    world.run(other)
    world.reading = lambda: world.run(make_plan(gateways=()))
    world.step()
    assert world.calls() == {other.campaign_id: 4}


def test_after_a_limiter_without_state_batches_grow_again(world: World) -> None:
    """It is no cap that is full: whoever started before the state was whole would dial two at a time for good."""
    world.run(*many_plans(30))
    world.answer = lambda _request: "no_redis"
    world.step()
    world.answer = lambda _request: None
    for _ in range(10):
        world.step(1.0)
    assert set(world.calls().values()) == {5}
    assert len(world.sent) == 31 * 5


# Who is looked at.


def test_what_nobody_woke_and_nothing_is_due_for_is_not_looked_at() -> None:
    world = World()
    world.run(*many_plans(1000, max_concurrent_calls=2), contacts=0)
    while world.scheduler.agenda.next_at() == float("-inf"):
        world.step()
    assert len(world.finished) == 1000
    (busy,) = many_plans(1)
    world.run(busy)
    world.read.clear()
    told = len(world.reasons.words)
    for _ in range(5):
        world.step(0.01)
    assert {name for wanted in world.read for name in wanted} == {busy.campaign_id}
    assert {name for name, _ in world.reasons.words[told:]} == {busy.campaign_id}
    world.step(IDLE_SECONDS)
    assert len(world.finished) > 1000


def test_a_call_that_ended_has_its_campaign_looked_at(world: World) -> None:
    world.step()
    world.step(0.01)
    over = next(iter(world.live_calls))
    world.step(0.01)
    world.live_calls.remove(over.call_id)
    world.scheduler.calls_over([over])
    world.step()
    assert len(world.sent) == 6


def test_a_freed_slot_goes_to_who_has_waited_longest(world: World) -> None:
    """And not to the campaign whose call ended, which would always be there first."""
    world.end()
    plans = many_plans(40, max_concurrent_calls=50)
    world.run(*plans, contacts=50)
    room = [10]

    def answer(_request: PermitRequest) -> str | None:
        room[0] -= 1
        return None if room[0] >= 0 else "gateway_channels"

    world.answer = answer
    world.step()
    assert len(world.sent) == 10
    for _ in range(200):
        over = next(iter(world.live_calls))
        world.live_calls.remove(over.call_id)
        room[0] = 1
        world.scheduler.calls_over([over])
        world.step(0.0001)
    served = Counter(request.campaign_id for request in world.originates)
    assert served.total() == 210
    assert {served[plan.campaign_id] for plan in plans} <= {5, 6}
    # A few requests a look, however many wait.
    assert sum(map(len, world.asked[-100:])) <= 300


@pytest.mark.parametrize("reason", ["node_cps", "gateway_channels"])
@pytest.mark.parametrize(("granted", "campaigns"), [(1, 5), long((10, 50)), (4, 200)])
def test_under_a_full_cap_each_tenant_gets_its_share_and_each_of_its_campaigns(
    world: World, reason: str, granted: int, campaigns: int
) -> None:
    """A tenant of two hundred campaigns that all waited got 99 of 100 calls, and one campaign of five none."""
    world.end()
    many = many_plans(campaigns, tenant_id="many", max_concurrent_calls=1000)
    world.run(*many, contacts=60)
    world.run(*many_plans(1, tenant_id="one", max_concurrent_calls=1000), contacts=1500)
    room = [0]

    def answer(_request: PermitRequest) -> str | None:
        room[0] -= 1
        return None if room[0] >= 0 else reason

    world.answer, world.retry_after = answer, 0.02
    for _ in range(200):
        room[0] = granted
        over = list(world.live_calls)[:granted]
        for call in over:
            world.live_calls.remove(call.call_id)
        world.scheduler.calls_over(over)
        world.step(LOOK_SECONDS)
    tenants = Counter(request.tenant_id for request in world.originates)
    assert tenants.total() > 100 * granted
    assert 0.45 <= tenants["one"] / tenants.total() <= 0.55
    served = Counter(request.campaign_id for request in world.originates)
    counts = [served[plan.campaign_id] for plan in many]
    assert max(counts) - min(counts) <= 2


LOOKS = 10
"""In a second: what one gives has to be asked for by the next, and half a horizon lies between two questions."""
LOOK_SECONDS = 1 / LOOKS


def share_of_each_second(world: World, rate: int | None) -> list[Counter[str]]:
    """The calls of each of some seconds, by campaign: at most so many a second, or as many as batches carry."""
    room = [0]

    def answer(_request: PermitRequest) -> str | None:
        room[0] -= 1
        return None if rate is None or room[0] >= 0 else "gateway_cps"

    world.answer, world.retry_after = answer, 0.02
    seconds = []
    for second in range(6):
        before = Counter(request.campaign_id for request in world.originates)
        for tick in range(LOOKS):
            if rate is not None:
                room[0] = rate * (tick + 1) // LOOKS - rate * tick // LOOKS
            for call in list(world.live_calls):
                world.live_calls.remove(call.call_id)
            world.step(LOOK_SECONDS)
        # At first each asks for a few at a time, and for more as it gets them.
        if second:
            seconds.append(Counter(request.campaign_id for request in world.originates) - before)
    return seconds


@pytest.mark.parametrize("rate", [20, long(100), long(300), None])
def test_each_second_is_shared_by_weight_and_none_of_it_is_left(world: World, rate: int | None) -> None:
    """Among tenants, then among their campaigns: within a tenth of all calls of a second, at any rate."""
    world.end()
    big = many_plans(2, tenant_id="big", tenant_weight=3, max_concurrent_calls=10_000)
    heavy, light = replace(big[0], weight=100), replace(big[1], weight=25)
    (small,) = many_plans(1, tenant_id="small", max_concurrent_calls=10_000)
    world.run(heavy, light, small, contacts=20_000)
    shares = {heavy.campaign_id: 0.6, light.campaign_id: 0.15, small.campaign_id: 0.25}
    for calls in share_of_each_second(world, rate):
        assert calls.total() == (rate or LOOKS * MOST)
        for campaign_id, share in shares.items():
            assert abs(calls[campaign_id] / calls.total() - share) <= 0.1
            # And closer than that: to two calls, however many there are.
            assert abs(calls[campaign_id] - share * calls.total()) <= (2.0 if rate else 30.0)


def test_what_a_heavy_campaign_cannot_use_goes_to_the_others(world: World) -> None:
    world.end()
    heavy, light = many_plans(2, max_concurrent_calls=10_000)
    heavy = replace(heavy, weight=100, max_concurrent_calls=1)
    world.run(heavy, light, contacts=5_000)
    for calls in share_of_each_second(world, 200):
        assert calls.total() == 200
        assert calls[heavy.campaign_id] == LOOKS


def test_a_thousand_campaigns_that_wait_for_one_cap_cost_a_few_requests_a_look(world: World) -> None:
    world.end()
    world.answer = lambda _request: "tenant_concurrency"
    world.run(*many_plans(1000))
    for _ in range(4):
        world.step()
    world.asked.clear()
    world.read.clear()
    world.reasons.words.clear()
    for _ in range(20):
        world.step(0.11)
    assert 10 <= sum(map(len, world.asked)) <= 40
    assert sum(map(len, world.read)) <= 40
    # Nobody else is looked at: what was decided about it stands.
    assert len(world.words) <= 80
    assert set(world.words) == {"tenant_concurrency"}


def test_campaigns_under_another_cap_are_dialled_meanwhile(world: World) -> None:
    world.answer = lambda request: "tenant_concurrency" if request.caps.tenant_id == "full" else None
    world.run(*many_plans(500, tenant_id="full"))
    for _ in range(10):
        world.step(0.01)
    assert world.calls() == {CAMPAIGN: 5}


def test_a_full_gateway_binds_only_those_that_have_no_other(world: World) -> None:
    other = make_plan(campaign_id=many_plans(1)[0].campaign_id, gateways=(make_gateway(gateway_id="b"),))
    world.run(other)
    world.answer = lambda request: "gateway_channels" if request.caps.gateway.id != "b" else None
    world.step()
    world.step(0.01)
    assert world.calls() == {other.campaign_id: 5}


def test_one_that_ended_is_looked_at_no_more(world: World) -> None:
    world.step()
    world.end()
    world.step(10.0)
    assert len(world.read) == 1
    assert world.step(10.0) == pytest.approx(IDLE_SECONDS)


def test_those_that_sleep_are_asked_about_together_and_one_that_somebody_is_due_in_is_dialled_at_once() -> (
    None
):
    world = World()
    plans = many_plans(50, max_concurrent_calls=2)
    for plan in plans:
        # Each comes at a time of its own.
        world.run(plan, contacts=0)
        world.next[plan.campaign_id] = NextDue("2026-01-31T09:00:00.000000Z", 86_400.0)
        world.step(0.013)
    world.read.clear()
    questions: list[int] = []
    ask = world.scheduler.statements.next_due

    def counted(campaigns: Sequence[str]) -> dict[str, NextDue]:
        questions.append(len(campaigns))
        return ask(campaigns)

    world.scheduler.statements = replace(world.scheduler.statements, next_due=counted)
    for _ in range(3):
        world.step(IDLE_SECONDS + 1.0)
    assert (questions, world.read) == ([50, 50, 50], [])
    late = plans[7].campaign_id
    world.next[late] = NextDue("", -0.5)
    world.lists[late] = [Due(call_id(), "+14155550000")]
    world.step(IDLE_SECONDS + 1.0)
    assert world.calls() == {late: 1}
    assert list(world.read[-1]) == [late]


def test_one_that_is_woken_is_read_whatever_was_known_of_it(world: World) -> None:
    world.contacts = []
    world.next = {CAMPAIGN: NextDue("2026-01-31T09:00:00.000000Z", 86_400.0)}
    world.step()
    world.contacts = [Due(call_id(), "+14155550000")]
    world.scheduler.wake(CAMPAIGN)
    world.step(0.01)
    assert world.calls() == {CAMPAIGN: 1}
