"""Dispatch as the process has it: what the scheduler is told of nodes, gateways, plans and commits."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest

from campaigns.retry_rules import RetryTerms
from dialer.capacity.gateway_breaker import GatewayBreaker
from dialer.capacity.gateway_pauses import Gateway, Standing
from dialer.capacity.outcome_breaker import OutcomeBreaker
from dialer.capacity.permits import Permits
from dialer.dispatch import dispatch as dispatch_module
from dialer.dispatch import pace_log, ramps
from dialer.dispatch.dispatch import LATE_SECONDS, Dispatch
from dialer.dispatch.node_health import NodeHealth
from dialer.dispatch.node_orders import NodeOrders
from dialer.dispatch.nodes import Nodes
from dialer.dispatch.originate_builder import OriginateBuilder
from dialer.dispatch.pace_log import PaceLog
from dialer.dispatch.plans import Plan
from dialer.dispatch.sender import Sender
from dialer.holds import Hold, HoldKind
from dialer.record.outbox import Outbox
from dialer.record.outcome_rows import Told
from dialer.record.recorder import Recorder
from freeswitch.cluster import LinkChange
from limits.caps import NodeCaps
from limits.limiter import Limiter
from limits.rate_cuts import Kind
from tests.unit.dialer.dispatch_rig import World, many_plans, two_gateways
from tests.unit.dialer.factories import (
    CAMPAIGN,
    GATEWAY,
    ME,
    SECOND,
    make_call,
    make_commit,
    make_gateway,
    make_plan,
)
from tests.waiting import wait_until


class Bench:
    """A process' dispatch over the world's database, limiter and switch."""

    def __init__(self, spawn: Callable[[Callable[[], None]], Any] = gevent.Greenlet) -> None:
        self.world = World()
        self.runs: dict[str, Plan] = {}
        self.up, self.stalled = ["fs1", "fs2"], set[str]()
        self.refusing = set[str]()
        self.told: list[Told] = []
        self.refreshed = 0
        self.probe_free = self.turn = True
        self.outcomes = SimpleNamespace(
            take_probe=lambda *_: self.probe_free, return_probe=lambda *_: None, held=set()
        )
        self.gateways = SimpleNamespace(
            take_probe=lambda *_: self.probe_free, return_probe=lambda *_: None, degraded=set()
        )
        sender = SimpleNamespace(allowed=lambda _call: True, may_claim=lambda *_: True)
        node_orders = SimpleNamespace(stalled=lambda node: node in self.stalled)
        nodes_view = SimpleNamespace(
            offers=self._offers, why_none=lambda: "node_channels", core_uuid=lambda node: f"core of {node}"
        )
        self.subject = Dispatch(
            ME,
            self.world.live_calls,
            lambda task: task(),
            spawn,
            cast(Nodes, nodes_view),
            cast(Outbox, SimpleNamespace(put=self.told.extend, nudge=lambda: None)),
            cast(Permits, self.world),
            cast(Limiter, self.world),
            self.world.recorder,
            cast(Sender, sender),
            cast(NodeOrders, node_orders),
            OriginateBuilder("/s", (), ()),
            self.refresh,
            lambda _kind, _name, cps: cps,
            cast(GatewayBreaker, self.gateways),
            cast(OutcomeBreaker, self.outcomes),
            cast(NodeHealth, SimpleNamespace(refusing=lambda: self.refusing)),
            lambda _work, _seconds: self.turn,
        )
        self.subject.board.running = lambda: dict(self.runs)
        self.subject.scheduler.statements = self.world.scheduler.statements

    def _offers(self) -> tuple[list[NodeCaps], Callable[[], Sequence[str]]]:
        return [NodeCaps(name, None, None) for name in self.up], lambda: list(self.up)

    def refresh(self) -> None:
        self.refreshed += 1

    def run(self, *plans: Plan) -> None:
        self.world.run(*plans)
        self.runs |= {plan.campaign_id: plan for plan in plans}
        self.subject.read_plans()

    def step(self) -> float:
        return self.subject.scheduler.step()


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def completed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The campaigns that were asked whether anybody is left."""
    asked: list[str] = []

    def complete(campaign_id: uuid.UUID, owner: str) -> bool:
        assert owner == ME
        asked.append(str(campaign_id))
        return True

    monkeypatch.setattr(dispatch_module, "complete_if_exhausted", complete)
    monkeypatch.setattr(dispatch_module, "nobody_left", sorted)
    return asked


def test_a_node_that_leaves_orders_unanswered_is_not_offered_and_the_others_are(bench: Bench) -> None:
    bench.run(make_plan())
    bench.stalled = {"fs1"}
    bench.step()
    assert [call.node for call in bench.world.live_calls] == ["fs2"] * 4


def test_where_every_node_leaves_orders_unanswered_nobody_is_claimed(bench: Bench) -> None:
    bench.run(make_plan())
    bench.stalled = {"fs1", "fs2"}
    bench.step()
    assert (len(bench.world.live_calls), bench.world.asked) == (0, [])
    assert bench.subject.reasons.news(bench.subject.board.plans) == [(CAMPAIGN, "node_stalled", None)]


@pytest.mark.parametrize(("refusing", "word"), [({"fs1"}, None), ({"fs1", "fs2"}, "node_refuses")])
def test_a_campaign_whose_nodes_all_refuse_says_so_though_its_calls_were_ordered(
    bench: Bench, refusing: set[str], word: str | None
) -> None:
    bench.run(make_plan())
    bench.refusing = refusing
    bench.step()
    assert (len(bench.world.live_calls), bench.subject.reasons.word(CAMPAIGN)) == (4, word)


SLOW = {"slow_start": True, "has_ramp": True, "max_concurrent_calls": 40}


@pytest.mark.parametrize(
    "gate", ["a node that does not answer", "a recorder that is behind", "a slow commit", "nothing"]
)
def test_what_holds_claims_back_is_no_healthy_moment_of_a_slow_start(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, gate: str
) -> None:
    bench.run(make_plan(**SLOW))
    steps = bench.subject.slow_starts.steps
    steps(bench.subject.board.plans, time.monotonic())
    if gate == "a node that does not answer":
        bench.stalled = {"fs1"}
    elif gate == "a recorder that is behind":
        monkeypatch.setattr(Recorder, "waited", lambda _recorder: LATE_SECONDS + 0.01)
    elif gate == "a slow commit":
        monkeypatch.setattr(Recorder, "waited", lambda _recorder: LATE_SECONDS - 0.01)
    bench.step()
    found = steps(bench.subject.board.plans, time.monotonic())
    assert found.unhealthy == (() if gate in ("a slow commit", "nothing") else ((CAMPAIGN, 1, 0),))


def test_dialers_share_a_slow_start_and_it_is_of_the_nodes_that_take_calls(bench: Bench) -> None:
    bench.run(make_plan(**SLOW))
    bench.step()
    slow, plan = bench.subject.slow_starts, bench.subject.board.plans[CAMPAIGN]
    assert [node.name for node in slow.nodes] == ["fs1", "fs2"]
    alone = slow.wait(plan, time.monotonic())
    bench.subject.dialers = (1, 4)
    bench.subject.offers()
    assert slow.wait(plan, time.monotonic()) == pytest.approx(4 * alone)


def test_plans_are_read_again_at_once_where_a_slow_start_was_raised(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised = [False, True]
    monkeypatch.setattr(ramps, "write", lambda _steps: raised.pop(0))
    bench.subject.write_ramps()
    assert bench.refreshed == 0
    bench.subject.write_ramps()
    assert bench.refreshed == 1


def test_the_pacing_of_a_day_ago_is_forgotten_by_whose_turn_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    purged: list[bool] = []
    monkeypatch.setattr(pace_log, "purge", lambda: purged.append(True))
    bench.turn = False
    bench.subject.purge_pace()
    assert purged == []
    bench.turn = True
    bench.subject.purge_pace()
    assert purged == [True]


def test_the_pacing_of_a_campaign_that_was_paused_goes_on_while_its_calls_do(bench: Bench) -> None:
    written: list[set[str]] = []
    bench.subject.pace = cast(
        PaceLog, SimpleNamespace(write=lambda campaigns: written.append(set(campaigns)))
    )
    bench.run(make_plan())
    (paused,) = many_plans(1)
    bench.world.live_calls.add(make_call(campaign_id=paused.campaign_id))
    bench.subject.write_pace()
    assert written == [{CAMPAIGN, paused.campaign_id}]


def test_a_gateway_that_was_paused_takes_no_call_from_then_on_and_the_others_do(bench: Bench) -> None:
    (only,) = many_plans(1)
    bench.run(two_gateways(), only)
    bench.subject.gateway_changed(GATEWAY, Gateway(Standing(5, paused_at=datetime.now(UTC))))
    bench.step()
    assert bench.world.gateways() == {SECOND: 4}
    assert bench.subject.reasons.news(bench.subject.board.plans) == [
        (only.campaign_id, "gateway_paused", None)
    ]


def test_a_probe_that_was_taken_is_not_due_any_more_for_any_campaign(bench: Bench) -> None:
    probing = (make_gateway(paused=True, probe_due=True),)
    bench.run(make_plan(gateways=probing), *many_plans(2, gateways=probing))
    assert bench.subject.take_probe(Hold(HoldKind.PAUSE, GATEWAY, "+1", True))
    assert all(plan.gateways[0].shut for plan in bench.subject.board.plans.values())
    bench.step()
    assert bench.world.asked == []


def test_a_probe_that_another_dialer_took_is_not_due_either(bench: Bench) -> None:
    bench.run(make_plan(gateways=(make_gateway(paused=True, probe_due=True),)))
    bench.probe_free = False
    assert not bench.subject.take_probe(Hold(HoldKind.PAUSE, GATEWAY, "+1", True))
    assert bench.subject.board.plans[CAMPAIGN].gateways[0].shut


@pytest.mark.parametrize(
    "hold",
    [
        Hold(HoldKind.PAUSE, GATEWAY, "+1", True, second_leg=True),
        Hold(HoldKind.BREAKER, "b1", "+1", True, None, GATEWAY, second_leg=True),
    ],
)
def test_nobody_is_called_to_probe_a_gateway_of_agents_that_does_not_answer_its_pings(
    bench: Bench, hold: Hold
) -> None:
    down = {GATEWAY}
    bench.subject.is_down = down.__contains__
    assert not bench.subject.take_probe(hold)
    # A first leg by it disturbs nobody.
    assert bench.subject.take_probe(replace(hold, second_leg=False))
    down.clear()
    assert bench.subject.take_probe(hold)


def test_plans_that_did_not_change_have_nobody_looked_at(bench: Bench) -> None:
    bench.run(make_plan())
    bench.world.contacts = []
    bench.step()
    looked = len(bench.world.read)
    bench.subject.read_plans()
    bench.step()
    assert len(bench.world.read) == looked
    bench.run(make_plan(max_concurrent_calls=6))
    bench.step()
    assert len(bench.world.read) == looked + 1


def test_while_calls_of_a_campaign_that_was_paused_are_up_its_retries_are_looked_at_with_the_plans(
    bench: Bench,
) -> None:
    terms = RetryTerms(5, 300, {})
    bench.subject.board.terms = lambda campaigns: dict.fromkeys(campaigns, terms)
    bench.run(make_plan())
    bench.world.live_calls.add(call := make_call())
    bench.runs.clear()
    bench.subject.read_plans()
    assert bench.subject.retry_terms(call) == terms
    terms = RetryTerms(0, 60, {})
    bench.subject.read_plans()
    assert bench.subject.retry_terms(call) == terms


def test_gateways_whose_calls_were_at_fault_are_known_from_the_plans(bench: Bench) -> None:
    bench.run(make_plan(gateways=(make_gateway(faults=2), make_gateway(gateway_id=SECOND))))
    assert bench.gateways.degraded == {GATEWAY}
    assert sorted(bench.subject.targets()) == [(Kind.GATEWAY, GATEWAY), (Kind.GATEWAY, SECOND)]
    assert bench.subject.elsewhere(make_call())


def test_a_link_that_came_has_every_campaign_looked_at(bench: Bench) -> None:
    bench.run(make_plan(), *many_plans(2))
    bench.up = []
    bench.step()
    bench.up = ["fs2"]
    bench.subject.on_link(LinkChange("fs2", True, None))
    bench.step()
    assert set(bench.world.calls()) == set(bench.runs)
    assert {(call.node, call.core_uuid) for call in bench.world.live_calls} == {("fs2", "core of fs2")}


def test_a_claim_is_published_call_by_call(bench: Bench) -> None:
    bench.run(make_plan())
    bench.step()
    assert [(one.call_id, one.status, one.campaign_id) for one in bench.told] == [
        (call.call_id, "originated", CAMPAIGN) for call in bench.world.live_calls
    ]


def test_a_campaign_whose_last_call_here_is_over_is_asked_whether_anybody_is_left(
    bench: Bench, completed: list[str]
) -> None:
    bench.run(make_plan())
    first, last = make_call(), make_call()
    bench.world.live_calls.add(last)
    bench.subject.after_commit(make_commit({}, first))
    assert completed == []
    bench.world.live_calls.remove(last.call_id)
    bench.subject.after_commit(make_commit({}, last))
    assert completed == [CAMPAIGN]
    assert bench.refreshed == 1


def test_nothing_is_sent_again_for_a_campaign_that_is_not_dialled(bench: Bench) -> None:
    assert not bench.subject.resend(make_call())
    bench.run(make_plan())
    call = make_call(claimed_at=bench.world.clock)
    assert bench.subject.resend(call)
    assert set(bench.subject.send_queue.lapsed) == {call.call_id}


def test_it_dials_once_it_is_started_and_what_has_not_left_goes_back_at_the_stop() -> None:
    bench = Bench(gevent.spawn)
    bench.world.turn = 1e12
    bench.run(make_plan())
    assert len(bench.world.live_calls) == 0
    bench.subject.start()
    wait_until(lambda: len(bench.world.live_calls) == 5, "its calls")
    bench.subject.stop(5.0)
    assert bench.world.ends() == {call.call_id: "NOT_SENT" for call in bench.world.live_calls}
    bench.run(*many_plans(1))
    gevent.sleep(0)
    assert len(bench.world.live_calls) == 5


@pytest.mark.parametrize("left", ["a call that is up", "a call that is not judged", "nothing"])
def test_a_campaign_is_not_over_while_its_contacts_may_come_back(
    bench: Bench, completed: list[str], left: str
) -> None:
    bench.subject.unjudged = lambda campaign_id: (
        campaign_id == CAMPAIGN and left == "a call that is not judged"
    )
    if left == "a call that is up":
        bench.world.live_calls.add(make_call())
    bench.subject.exhausted(CAMPAIGN)
    assert completed == ([CAMPAIGN] if left == "nothing" else [])
