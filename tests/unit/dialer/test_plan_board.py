"""The board of plans: what changed is told, what did not stays the very same object."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest
from peewee import OperationalError

from campaigns.retry_rules import RetryTerms
from dialer.capacity.gateway_breaker import FAULTS_IN_DOUBT
from dialer.dispatch.plan_board import ALL_SECONDS, PlanBoard
from dialer.dispatch.plans import Plan
from dialer.dispatch.second_legs import BridgeGateway
from dialer.holds import Hold, HoldKind, PrefixPause
from limits.rate_cuts import Kind
from tests.unit.dialer.dispatch_rig import two_gateways
from tests.unit.dialer.factories import CAMPAIGN, GATEWAY, SECOND, make_call, make_gateway, make_plan

OTHER = "00000000-0000-7000-8000-0000000000aa"


class Bench:
    """A board, what runs, and what back-pressure leaves."""

    def __init__(self) -> None:
        self.runs: dict[str, Plan] = {}
        self.cut: dict[str, int] = {}
        self.away = False
        self.reads, self.at = 0, 1000.0
        self.asked: list[str] = []
        self.down: set[str] = set()
        self.board = PlanBoard(
            self.cps_now,
            self.running,
            self.terms,
            now=lambda: self.at,
            is_down=lambda name: name in self.down,
        )
        self.read(make_plan(), make_plan(campaign_id=OTHER, gateways=(make_gateway(gateway_id=SECOND),)))

    def cps_now(self, kind: Kind, name: str, cps: int | None) -> int | None:
        assert kind is Kind.GATEWAY
        return self.cut.get(name, cps)

    def running(self) -> dict[str, Plan]:
        if self.away:
            raise OperationalError("away")
        self.reads += 1
        return dict(self.runs)

    def terms(self, campaigns: Collection[str]) -> dict[str, RetryTerms]:
        self.asked += campaigns
        return {name: RetryTerms(5, 300, {}) for name in campaigns}

    def read(self, *plans: Plan) -> set[str]:
        self.runs |= {plan.campaign_id: plan for plan in plans}
        return self.board.read()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_what_came_went_or_changed_is_told_and_the_others_stay_the_very_same(bench: Bench) -> None:
    before = dict(bench.board.plans)
    assert set(before) == {CAMPAIGN, OTHER}
    # The same again, made anew.
    assert bench.read(make_plan()) == set()
    assert bench.board.plan(CAMPAIGN) is before[CAMPAIGN]
    assert bench.read(make_plan(held="halted")) == {CAMPAIGN}
    changed = bench.board.plan(CAMPAIGN)
    assert changed is not None
    assert changed.held
    assert bench.board.plan(OTHER) is before[OTHER]
    del bench.runs[OTHER]
    assert bench.board.read() == {OTHER}
    assert bench.board.plan(OTHER) is None
    assert bench.board.plan(CAMPAIGN) is changed


def test_what_a_campaign_says_of_itself_is_read_and_is_no_change(bench: Bench) -> None:
    """We wrote it: who waits in a line would lose its place with each word."""
    assert bench.read(make_plan(blocked_reason="gateway_cps", next_action_at="soon")) == set()
    plan = bench.board.plan(CAMPAIGN)
    assert plan is not None
    assert (plan.blocked_reason, plan.next_action_at) == ("gateway_cps", "soon")
    assert bench.read(make_plan(blocked_reason="halted", held="halted")) == {CAMPAIGN}


def test_without_the_database_the_plans_stay(bench: Bench) -> None:
    before = dict(bench.board.plans)
    bench.away = True
    with pytest.raises(OperationalError):
        bench.board.read()
    assert bench.board.plans == before


def test_a_gateway_that_changed_is_heeded_in_every_plan_that_leaves_by_it(bench: Bench) -> None:
    bench.read(two_gateways())
    other = bench.board.plan(OTHER)
    assert set(bench.board.gateway_changed(GATEWAY, paused=True)) == {CAMPAIGN}
    plan = bench.board.plan(CAMPAIGN)
    assert plan is not None
    assert [gateway.paused for gateway in plan.gateways] == [True, False]
    assert bench.board.plan(OTHER) is other
    assert set(bench.board.gateway_changed(SECOND, paused=True)) == {CAMPAIGN, OTHER}
    assert set(bench.board.gateway_changed("elsewhere", paused=True)) == set()


def test_what_a_gateway_was_changed_to_is_changed_back_by_the_row(bench: Bench) -> None:
    bench.board.gateway_changed(GATEWAY, paused=True)
    assert bench.read(make_plan()) == {CAMPAIGN}


def test_a_gateway_in_doubt_and_one_that_is_cut_are_slowed(bench: Bench) -> None:
    bench.cut = {SECOND: 7}
    assert bench.board.read() == {OTHER}
    bench.board.gateway_changed(GATEWAY, faults=FAULTS_IN_DOUBT)
    rates = {
        gateway.gateway_id: gateway.cps for plan in bench.board.plans.values() for gateway in plan.gateways
    }
    assert rates == {GATEWAY: 1, SECOND: 7}
    assert bench.board.faulty_gateways() == {GATEWAY}
    assert sorted(bench.board.targets()) == [(Kind.GATEWAY, GATEWAY), (Kind.GATEWAY, SECOND)]


def test_whether_there_is_another_way_for_a_call(bench: Bench) -> None:
    call = make_call()
    assert not bench.board.elsewhere(call)
    bench.read(two_gateways())
    assert bench.board.elsewhere(call)
    call.tried = (SECOND,)
    assert not bench.board.elsewhere(call)
    assert not bench.board.elsewhere(make_call(campaign_id="gone"))


def test_retries_go_by_the_plan_or_where_a_campaign_does_not_run_by_its_row(bench: Bench) -> None:
    runs, rests = make_call(), make_call(campaign_id="paused")
    assert bench.board.retry_terms(runs) == RetryTerms(0, 60, {})
    assert bench.board.retry_terms(rests) is None
    bench.board.read_terms([CAMPAIGN, "paused"])
    assert (bench.asked, bench.board.retry_terms(rests)) == (["paused"], RetryTerms(5, 300, {}))
    bench.read(make_plan(retries_per_contact=2))
    assert bench.board.retry_terms(runs) == RetryTerms(2, 60, {})
    bench.board.read_terms([CAMPAIGN])
    assert (bench.asked, bench.board.retry_terms(rests)) == (["paused"], None)


def test_rows_that_are_the_same_version_are_not_read_again(bench: Bench) -> None:
    assert bench.board.read("v1") == set()
    reads = bench.reads
    bench.runs |= {CAMPAIGN: make_plan(held="halted")}
    assert (bench.board.read("v1"), bench.reads) == (set(), reads)
    assert (bench.board.read("v2"), bench.reads) == ({CAMPAIGN}, reads + 1)
    # The same numbers may be of other rows where a server was promoted.
    bench.at += ALL_SECONDS
    assert (bench.board.read("v2"), bench.reads) == (set(), reads + 2)


def test_rows_that_could_not_be_read_are_read_the_next_time(bench: Bench) -> None:
    bench.board.read("v1")
    bench.away = True
    with pytest.raises(OperationalError):
        bench.board.read("v2")
    bench.away = False
    bench.runs |= {CAMPAIGN: make_plan(held="halted")}
    assert bench.board.read("v1") == {CAMPAIGN}


def test_what_is_heeded_while_the_rows_are_read_is_not_undone_by_what_was_read_before(bench: Bench) -> None:
    running = bench.board.running

    def stale() -> Mapping[str, Plan]:
        bench.board.running = running
        found = running()
        bench.runs |= {CAMPAIGN: make_plan(held="halted")}
        bench.board.gateway_changed(GATEWAY, paused=True)
        return found

    bench.board.running = stale
    bench.board.read("v1")
    plan = bench.board.plan(CAMPAIGN)
    assert plan is not None
    assert plan.held == "halted"


def test_of_two_readings_that_overlap_the_later_has_the_last_word(bench: Bench) -> None:
    running = bench.board.running

    def stale() -> Mapping[str, Plan]:
        bench.board.running = running
        found = running()
        bench.runs |= {CAMPAIGN: make_plan(held="halted")}
        bench.board.read()
        return found

    bench.board.running = stale
    bench.board.read("v1")
    plan = bench.board.plan(CAMPAIGN)
    assert plan is not None
    assert plan.held == "halted"


def test_what_was_probed_is_read_again_whatever_the_version(bench: Bench) -> None:
    hold = Hold(HoldKind.BREAKER, "b1", "", True)
    bench.runs |= {CAMPAIGN: make_plan(breakers=(hold,))}
    bench.board.read("v1")
    reads = bench.reads
    assert set(bench.board.breaker_probed("b1")) == {CAMPAIGN}
    bench.board.read("v1")
    assert bench.reads == reads + 1
    assert set(bench.board.probe_taken(GATEWAY, "+1")) == {CAMPAIGN}
    bench.board.read("v1")
    assert bench.reads == reads + 2


def test_what_back_pressure_cuts_is_heeded_without_reading_the_rows(bench: Bench) -> None:
    bench.board.read("v1")
    reads = bench.reads
    bench.cut = {SECOND: 7}
    assert (bench.board.read("v1"), bench.reads) == ({OTHER}, reads)
    bench.cut = {}
    assert (bench.board.read("v1"), bench.reads) == ({OTHER}, reads)


def test_what_was_changed_here_is_compared_with_its_row_whatever_its_version(bench: Bench) -> None:
    bench.board.read("v1")
    bench.board.gateway_changed(GATEWAY, paused=True)
    assert bench.board.read("v1") == {CAMPAIGN}


def reaching(**desk: Any) -> Plan:
    """A campaign whose agent is reached by SECOND."""
    gateway = BridgeGateway(SECOND, "sofia/gateway/desk/{number}", **desk)
    action = {"type": "bridge", "gateway_id": SECOND, "number": "+14155550100"}
    return make_plan(action=action, bridge_gateways={SECOND: gateway})


def test_a_pause_of_the_gateway_that_an_agent_is_reached_by_is_heeded_at_once(bench: Bench) -> None:
    bench.read(reaching())
    pauses = (PrefixPause("+44", probe_due=False),)
    touched = bench.board.gateway_changed(
        SECOND, paused=True, faults=5, paused_alone=None, faulty=True, pauses=pauses
    )
    assert set(touched) == {CAMPAIGN, OTHER}
    plan = bench.board.plans[CAMPAIGN]
    assert plan.second_leg is not None
    assert (plan.second_leg.paused, plan.second_leg.pauses) == (True, pauses)
    assert plan.held_whole is HoldKind.PAUSE
    assert plan.gateways == make_plan().gateways


def test_while_it_does_not_answer_its_pings_no_probe_is_due_and_no_time_is_told(bench: Bench) -> None:
    """Whoever took one would be refused it, once a second, and each contact whose agent is his own be claimed."""
    past = "2026-01-31T09:00:00.000000Z"
    broken = Hold(HoldKind.BREAKER, "b1", "+1", True, past, SECOND, second_leg=True)
    pauses = (PrefixPause("+1", probe_due=True, probe_at=past),)
    due = reaching(paused=True, probe_due=True, probe_at=past, paused_alone="+44", pauses=pauses)
    bench.runs |= {CAMPAIGN: replace(due, second_leg_breakers=(broken,))}
    bench.board.read("v1")
    plan = bench.board.plans[CAMPAIGN]
    assert plan.held_whole is None
    bench.down, reads = {SECOND}, bench.reads
    assert (bench.board.read("v1"), bench.reads) == ({CAMPAIGN}, reads)
    held = bench.board.plans[CAMPAIGN]
    assert (held.held_whole, held.over_at(HoldKind.PAUSE)) == (HoldKind.PAUSE, None)
    assert not any(hold.probe_due for hold in held.second_leg_holds("+14155550100"))
    assert bench.board.read("v1") == set()
    bench.down = set()
    assert (bench.board.read("v1"), bench.reads) == ({CAMPAIGN}, reads)
    assert bench.board.plans[CAMPAIGN] == plan


def test_a_probe_of_it_that_was_taken_is_not_due_any_more(bench: Bench) -> None:
    broken = Hold(HoldKind.BREAKER, "b1", "+1", True, None, SECOND, second_leg=True)
    plan = reaching(paused=True, probe_due=True, pauses=(PrefixPause("+1", probe_due=True),))
    bench.read(replace(plan, second_leg_breakers=(broken,)))
    assert [hold.probe_due for hold in bench.board.plans[CAMPAIGN].second_leg_holds("+14155550100")] == [
        True
    ] * 3
    assert CAMPAIGN in bench.board.probe_taken(SECOND, "+1")
    assert set(bench.board.breaker_probed("b1")) == {CAMPAIGN}
    assert [hold.probe_due for hold in bench.board.plans[CAMPAIGN].second_leg_holds("+14155550100")] == [
        False
    ] * 3
