"""Turns: a permit for an instant ahead, of one question about calls of many campaigns."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from limits.acquire_request import WIRE_SECONDS
from limits.caps import FURTHEST_TURN, PERMIT_LIFE
from limits.limiter import CallCaps, Denied, GatewayCaps, NodeCaps, Permit, PermitRequest, TenantCaps, Usage
from limits.rebuild import MARGIN
from tests.integration.limits.limiter_rig import (
    NOON,
    OPEN_GATEWAY,
    OPEN_NODES,
    OPEN_TENANT,
    PREFIX,
    Clock,
    Dialer,
    HookedRedis,
    snapshot,
    words,
)

TEN = GatewayCaps("gw", 10, None)
MIDNIGHT = NOON + 12 * 3_600_000_000


def ahead(dialer: Dialer, clock: Clock, kind: str = "gateway", name: str = "gw") -> dict[str, int]:
    """Each call's turn, in ms from now."""
    return {call_id: round((at - clock.now) / 1000) for call_id, at in dialer.turns(kind, name).items()}


def waits(answers: Sequence[Permit | Denied]) -> list[int]:
    """The waits of those that are denied, in ms."""
    return [round(answer.retry_after * 1000) for answer in answers if isinstance(answer, Denied)]


def wish(
    call_id: str,
    *,
    tenant_id: str = "t",
    campaign_id: str = "c",
    concurrency: int = 1000,
    tenant: TenantCaps = OPEN_TENANT,
    gateway: GatewayCaps = OPEN_GATEWAY,
    nodes: Sequence[str] = ("fs1",),
) -> PermitRequest:
    caps = CallCaps(tenant_id, campaign_id, concurrency, tenant, gateway)
    return PermitRequest(call_id, f"+{call_id}", caps, nodes)


def test_calls_of_one_question_get_turns_one_after_another_up_to_the_horizon(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    """The second comes 20 ms sooner than its interval, as one who asks late may catch up by."""
    answers = timed_dialer.ask("a", "b", "c", "d", "e", gateway=TEN, horizon=0.25)
    assert words(answers) == ["fs1", "fs1", "fs1", "gateway_cps", "gateway_cps"]
    assert ahead(timed_dialer, virtual_clock) == {"a": 0, "b": 80, "c": 180}
    assert waits(answers) == [30, 30], "until the next turn is within the horizon"


def test_who_asks_again_after_the_wait_gets_the_turn_that_was_promised(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    *_, denied = timed_dialer.ask("a", "b", "c", "d", gateway=TEN, horizon=0.25)
    assert isinstance(denied, Denied)
    virtual_clock.advance(denied.retry_after - 1e-6)
    assert words(timed_dialer.ask("d", gateway=TEN, horizon=0.25)) == ["gateway_cps"]
    virtual_clock.advance(1e-6)
    assert words(timed_dialer.ask("d", gateway=TEN, horizon=0.25)) == ["fs1"]
    assert ahead(timed_dialer, virtual_clock)["d"] == 250


def test_no_turn_comes_before_the_lead(timed_dialer: Dialer, virtual_clock: Clock) -> None:
    answers = timed_dialer.ask("a", "b", "c", gateway=TEN, lead=0.04, horizon=0.1)
    assert ahead(timed_dialer, virtual_clock) == {"a": 40, "b": 120}
    assert waits(answers) == [80]


@pytest.mark.parametrize(("lead", "horizon"), [(0.2, 0.2), (0.3, 0.1), (5.0, 5.0), (0.0, 9.0)])
def test_no_turn_lies_further_ahead_than_the_furthest(
    timed_dialer: Dialer, virtual_clock: Clock, lead: float, horizon: float
) -> None:
    """A rebuild waits for no later one."""
    answers = timed_dialer.ask(*"abcdefghij", gateway=TEN, lead=lead, horizon=horizon)
    turns = ahead(timed_dialer, virtual_clock).values()
    assert 1 <= len(turns) == sum(isinstance(answer, Permit) for answer in answers)
    assert max(turns) <= FURTHEST_TURN * 1000


def test_a_permit_may_be_used_from_its_turn_on_for_its_life(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    before = time.monotonic()
    permits = timed_dialer.ask("a", "b", gateway=TEN, horizon=0.25)
    after = time.monotonic()
    for permit, turn in zip(permits, [0.0, 0.08], strict=True):
        assert isinstance(permit, Permit)
        assert before + turn <= permit.leaves_at <= after + turn
        life = PERMIT_LIFE - WIRE_SECONDS
        assert before + turn + life <= permit.expires_at <= after + turn + life


MIXED = [
    *(wish(f"narrow{n}", tenant_id="n", campaign_id="n", tenant=TenantCaps(None, 600, None, None)) for n in range(5)),
    *(wish(f"few{n}", campaign_id="f", concurrency=1) for n in range(2)),
    *(wish(f"spent{n}", tenant_id="s", campaign_id="s", tenant=TenantCaps(None, None, 2, None)) for n in range(3)),
    *(wish(f"small{n}", campaign_id="g", gateway=GatewayCaps("g2", None, 1)) for n in range(2)),
    *(wish(f"slow{n}", campaign_id="g", gateway=GatewayCaps("g3", 5, None)) for n in range(3)),
    *(wish(f"open{n}") for n in range(4)),
]  # fmt: skip
MIXED[:] = [wish for group in zip(MIXED[::2], reversed(MIXED[1::2]), strict=False) for wish in group] + MIXED[
    -1:
]


def told(answers: Sequence[Permit | Denied]) -> list[tuple[str, str, int]]:
    """The answers but for the moment at which they came."""
    return [
        (a.call_id, a.node, round((a.expires_at - time.monotonic()) / 10))
        if isinstance(a, Permit)
        else (a.call_id, a.reason, round(a.retry_after * 1e6))
        for a in answers
    ]


LOGS = [("tenant", "n"), ("tenant", "s"), ("tenant", "t"), ("gateway", "gw"), ("gateway", "g2"),
        ("gateway", "g3"), ("node", "fs1")]  # fmt: skip


def test_one_question_about_many_campaigns_is_answered_as_one_about_each_call(
    client: HookedRedis, timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    together = told(timed_dialer.limiter.acquire(OPEN_NODES, MIXED, lead=0.01, horizon=0.15))
    logs = [timed_dialer.turns(*log) for log in LOGS]
    client.flushall()
    virtual_clock.advance(0.0)
    alone = Dialer(client).open()
    one_by_one = [
        answer
        for request in MIXED
        for answer in alone.limiter.acquire(OPEN_NODES, [request], lead=0.01, horizon=0.15)
    ]
    assert told(one_by_one) == together
    assert [alone.turns(*log) for log in LOGS] == logs


def test_each_call_of_a_question_is_bound_by_its_own_caps_alone(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    answers = timed_dialer.limiter.acquire(OPEN_NODES, MIXED, horizon=0.15)
    found: dict[str, list[str]] = {}
    for answer in sorted(answers, key=lambda answer: answer.call_id):
        found.setdefault(answer.call_id.rstrip("0123456789"), []).extend(words([answer]))
    assert {name: sorted(answers) for name, answers in found.items()} == {
        "narrow": ["fs1"] * 2 + ["tenant_minute"] * 3,
        "few": ["campaign_concurrency", "fs1"],
        "spent": ["fs1", "fs1", "tenant_day_calls"],
        "small": ["fs1", "gateway_channels"],
        "slow": ["fs1"] + ["gateway_cps"] * 2,
        "open": ["fs1"] * 4,
    }
    assert timed_dialer.limiter.usage("s") == Usage(2, 2, 2, 0)


def test_the_node_by_which_the_turn_is_soonest_takes_the_call(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    nodes = [NodeCaps("fs1", 5, None), NodeCaps("fs2", 10, None)]
    answers = timed_dialer.ask("a", "b", "c", "d", "e", nodes=nodes, horizon=0.2)
    assert words(answers) == ["fs1", "fs2", "fs2", "fs1", "fs2"]
    assert ahead(timed_dialer, virtual_clock, "node", "fs1") == {"a": 0, "d": 180}
    assert ahead(timed_dialer, virtual_clock, "node", "fs2") == {"b": 0, "c": 80, "e": 180}


def test_of_nodes_by_which_the_turn_is_the_same_the_first_takes_the_call(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    """It is the gateway that the calls wait for, so whose own next turn is sooner makes no difference."""
    nodes = [NodeCaps("fs1", 20, None), NodeCaps("fs2", 20, None)]
    assert words(timed_dialer.ask("a", "b", gateway=TEN, nodes=nodes, horizon=0.25)) == ["fs1"] * 2
    assert words(timed_dialer.ask("c", gateway=TEN, nodes=nodes[::-1], horizon=0.25)) == ["fs2"]


def test_no_turn_lies_behind_midnight(timed_dialer: Dialer, virtual_clock: Clock) -> None:
    virtual_clock.advance((MIDNIGHT - virtual_clock.now) / 1e6 - 0.1)
    answers = timed_dialer.ask("a", "b", "c", gateway=TEN, horizon=0.25)
    assert words(answers) == ["fs1", "fs1", "gateway_cps"]
    assert ahead(timed_dialer, virtual_clock) == {"a": 0, "b": 80}
    assert max(timed_dialer.turns("gateway", "gw").values()) < MIDNIGHT
    assert timed_dialer.limiter.usage("t") == Usage(2, 1, 2, 0)


def test_who_cannot_be_ready_before_midnight_waits_for_it(timed_dialer: Dialer, virtual_clock: Clock) -> None:
    virtual_clock.advance((MIDNIGHT - virtual_clock.now) / 1e6 - 0.02)
    (denied,) = timed_dialer.ask("a", lead=0.05, horizon=0.1)
    assert isinstance(denied, Denied)
    assert denied.retry_after >= 0.02
    virtual_clock.advance(denied.retry_after)
    assert words(timed_dialer.ask("a", lead=0.05, horizon=0.1)) == ["fs1"]
    assert timed_dialer.turns("gateway", "gw")["a"] > MIDNIGHT
    assert timed_dialer.limiter.usage("t") == Usage(1, 0, 1, 0)


def test_a_turn_given_back_is_taken_by_the_next_call(timed_dialer: Dialer, virtual_clock: Clock) -> None:
    (_, b, _) = timed_dialer.ask("a", "b", "c", gateway=TEN, horizon=0.25)
    assert isinstance(b, Permit)
    timed_dialer.limiter.give_back([b])
    assert words(timed_dialer.ask("d", "e", gateway=TEN, horizon=0.25)) == ["fs1", "gateway_cps"]
    assert 80 <= ahead(timed_dialer, virtual_clock)["d"] <= 100


def test_the_last_turn_given_back_is_taken_by_the_next_call(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    (_, _, c) = timed_dialer.ask("a", "b", "c", gateway=TEN, horizon=0.25)
    assert isinstance(c, Permit)
    timed_dialer.limiter.give_back([c])
    assert words(timed_dialer.ask("d", "e", gateway=TEN, horizon=0.25)) == ["fs1", "gateway_cps"]
    assert ahead(timed_dialer, virtual_clock)["d"] == 180


def test_one_tenants_late_turn_leaves_the_line_to_others(timed_dialer: Dialer, virtual_clock: Clock) -> None:
    slow = TenantCaps(None, 300, None, None)
    fast = GatewayCaps("gw", 40, None)
    timed_dialer.ask("s0", "s1", tenant_id="s", campaign_id="s", tenant=slow, gateway=fast, horizon=0.25)
    assert ahead(timed_dialer, virtual_clock) == {"s0": 0, "s1": 180}
    answers = timed_dialer.ask(*map(str, range(12)), gateway=fast, horizon=0.25)
    assert words(answers).count("fs1") >= 9
    turns = sorted(ahead(timed_dialer, virtual_clock).values())
    assert turns[:7] == [0, 25, 50, 75, 100, 125, 150]
    assert all(later - sooner >= 5 for sooner, later in itertools.pairwise(turns))


def test_a_turn_asked_for_again_before_it_comes_is_the_same(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    timed_dialer.ask("a", "b", "c", gateway=TEN, horizon=0.25)
    virtual_clock.advance(0.05)
    assert words(timed_dialer.ask("b", gateway=TEN, horizon=0.25)) == ["fs1"]
    assert ahead(timed_dialer, virtual_clock) == {"a": -50, "b": 30, "c": 130}


def test_a_turn_asked_for_again_within_its_life_moves_to_now(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    timed_dialer.ask("a", "b", "c", gateway=TEN, horizon=0.25)
    virtual_clock.advance(0.12)
    assert words(timed_dialer.ask("b", gateway=TEN, horizon=0.25)) == ["fs1"]
    assert ahead(timed_dialer, virtual_clock) == {"a": -120, "b": 0, "c": 60}


def test_a_turn_asked_for_again_within_its_life_stays_where_it_would_overfill_a_window(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    """A turn is kept for somebody exactly a window after it."""
    one = GatewayCaps("gw", 1, None)
    timed_dialer.ask("a", gateway=one)
    virtual_clock.advance(1.0)
    timed_dialer.ask("b", gateway=one)
    virtual_clock.advance(0.1)
    assert words(timed_dialer.ask("a", gateway=one)) == ["gateway_cps"]
    virtual_clock.advance(-0.07)
    (permit,) = timed_dialer.ask("b", gateway=one)
    assert isinstance(permit, Permit)
    assert ahead(timed_dialer, virtual_clock) == {"b": -30, "a": 970}
    assert permit.expires_at <= time.monotonic() + 0.02


def test_a_turn_asked_for_again_after_its_life_is_the_next_that_is_free(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    timed_dialer.ask("a", "b", "c", gateway=TEN, horizon=0.25)
    virtual_clock.advance(0.131)
    assert words(timed_dialer.ask("b", gateway=TEN, horizon=0.25)) == ["fs1"]
    assert ahead(timed_dialer, virtual_clock) == {"a": -131, "c": 49, "b": 149}


def test_a_turn_asked_for_again_that_cannot_be_met_moves_on(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    """Who asks needs longer than the turn lasts."""
    timed_dialer.ask("a", "b", "c", gateway=TEN, horizon=0.25)
    assert words(timed_dialer.ask("b", gateway=TEN, lead=0.15, horizon=0.1)) == ["gateway_cps"]
    assert ahead(timed_dialer, virtual_clock) == {"a": 0, "c": 180, "b": 280}


def test_a_far_turn_is_kept_and_told_once_it_is_within_the_horizon(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    calls = ["a", "b", "c", "d"]
    timed_dialer.ask(*calls, gateway=TEN, horizon=0.25)
    virtual_clock.advance(0.2)
    timed_dialer.ask("d", "e", gateway=TEN, horizon=0.25)
    virtual_clock.advance(0.1)
    (denied,) = timed_dialer.ask("a", gateway=TEN, horizon=0.15)
    assert isinstance(denied, Denied)
    kept = timed_dialer.turns("gateway", "gw")["a"]
    assert kept == virtual_clock.now + 180_000
    assert words(timed_dialer.ask("f", "g", gateway=TEN, horizon=0.2)) == ["gateway_cps"] * 2
    virtual_clock.advance(denied.retry_after)
    assert words(timed_dialer.ask("g", "a", gateway=TEN, horizon=0.15)) == ["gateway_cps", "fs1"]
    assert timed_dialer.turns("gateway", "gw")["a"] == kept


def test_a_cap_lowered_with_turns_out_lets_nobody_in_before_the_window_holds(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    timed_dialer.ask("a", "b", "c", gateway=TEN, horizon=0.25)
    two = GatewayCaps("gw", 2, None)
    virtual_clock.advance(0.06)
    answers = timed_dialer.ask("b", "c", "d", gateway=two, horizon=0.25)
    assert words(answers)[2] == "gateway_cps"
    while not isinstance(timed_dialer.ask("d", gateway=two, horizon=0.25)[0], Permit):
        virtual_clock.advance(0.01)
    turns = timed_dialer.turns("gateway", "gw")
    assert sum(turns["d"] - 1_000_000 < turn <= turns["d"] for turn in turns.values()) <= 2


def test_a_rebuild_waits_until_the_furthest_turn_has_lapsed(
    client: HookedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    assert Dialer(client).limiter.rebuild(snapshot())
    assert waited == [FURTHEST_TURN + PERMIT_LIFE + MARGIN]
    assert MARGIN >= 0.01


SIXTY = TenantCaps(None, 60, None, None)


def narrow(dialer: Dialer, call_id: str, horizon: float = 0.0) -> list[Permit | Denied]:
    """Ask for a call of a tenant with 60 calls a minute, whose next turn is 981 ms after its last."""
    return dialer.ask(call_id, tenant_id="n", campaign_id="n", tenant=SIXTY, gateway=TEN, horizon=horizon)


def test_before_a_late_turn_a_call_waits_until_its_own_window_is_whole(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    """The first second began with a call 20 ms early, and so has ten in less than a second."""
    for n in range(10):
        answers = narrow(timed_dialer, "late0") if n == 2 else timed_dialer.ask(f"call{n}", gateway=TEN)
        assert words(answers) == ["fs1"]
        virtual_clock.advance(0.08 if n == 0 else 0.1)
    virtual_clock.advance(-0.065)
    assert words(narrow(timed_dialer, "late1", horizon=0.25)) == ["fs1"]
    assert words(timed_dialer.ask("between", gateway=TEN, horizon=0.25)) == ["fs1"]
    turns = timed_dialer.turns("gateway", "gw")
    assert turns["between"] == turns["call0"] + 1_000_000 < turns["late1"]


def test_before_a_late_turn_no_call_overfills_the_window_of_that_turn(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    """A tenth of a second is free, but the second that ends with the late turn has ten calls without it."""
    for n in range(10):
        answers = narrow(timed_dialer, "late0") if n == 1 else timed_dialer.ask(f"call{n}", gateway=TEN)
        assert words(answers) == ["fs1"]
        virtual_clock.advance(0.1)
    virtual_clock.advance(-0.095)
    assert words(narrow(timed_dialer, "late1", horizon=0.2)) == ["fs1"]
    turns = timed_dialer.turns("gateway", "gw")
    assert turns["call9"] + 175_000 < turns["late1"] < turns["late0"] + 1_000_000
    assert words(timed_dialer.ask("between", gateway=TEN, horizon=0.2)) == ["gateway_cps"]


def test_two_calls_of_one_question_to_one_number_are_one_too_many(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    assert words(timed_dialer.ask("a", "b", number="+1", horizon=0.1)) == ["fs1", "number_cap"]
    assert words(timed_dialer.ask("b", number="+1", horizon=0.1)) == ["number_cap"]


def test_a_call_named_twice_in_one_question_counts_once(timed_dialer: Dialer, virtual_clock: Clock) -> None:
    full = TenantCaps(1, None, 5, None)
    answers = timed_dialer.ask("a", "a", concurrency=1, tenant=full, gateway=TEN, horizon=0.25)
    assert words(answers) == ["fs1", "fs1"]
    assert ahead(timed_dialer, virtual_clock) == {"a": 0}
    assert timed_dialer.limiter.usage("t") == Usage(1, 1, 1, 0)
    assert words(timed_dialer.ask("b", concurrency=1, tenant=full)) == ["campaign_concurrency"]


def test_of_another_state_no_turn_goes_by_the_clock_of_the_last(
    client: HookedRedis, timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    """A replica that became Redis, whose clock is 40 ms ahead, and an answer that is read 60 ms late: by the bounds
    of before, with which it agrees, a call would leave after the life of its permit."""
    began, ran_at = time.monotonic(), []
    timed_dialer.ask("a")
    client.delete(f"{PREFIX}epoch")
    assert timed_dialer.open().limiter.whole()
    by_virtual_clock = client.on_script
    assert by_virtual_clock is not None

    def late(text: str, send: Callable[[str], Any]) -> Any:
        answer = by_virtual_clock(text, send)
        ran_at.append(time.monotonic())
        time.sleep(0.06)
        return answer

    virtual_clock.advance(time.monotonic() - began + 0.04)
    with client.hooked(late):
        (permit,) = timed_dialer.ask("b")
    assert isinstance(permit, Permit)
    assert permit.expires_at <= ran_at[-1] + PERMIT_LIFE
