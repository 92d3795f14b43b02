"""Who is told from how a call ended to have refused it, and from how slowly a node answers to be at its limit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import gevent
import pytest
from gevent.event import Event as Signal

from dialer.capacity.backpressure import BackPressure, refused_by
from dialer.capacity.own_lag import TICK_SECONDS
from dialer.live_calls import LiveCall, LiveCalls, LiveState
from dialer.record import call_end
from limits.errors import LimiterUnavailable
from limits.rate_cuts import Kind, RateCuts, ReducedRate, Target
from tests.unit.dialer.factories import busy, make_call, make_commit, make_hangup
from tests.waiting import HANG_SECONDS, wait_until


class Shared:
    """The cuts, without Redis."""

    def __init__(self) -> None:
        self.cuts: list[tuple[Kind, str, int]] = []
        self.away = False

    def record_refusal(self, kind: Kind, name: str, base: int) -> bool:
        if self.away:
            raise LimiterUnavailable("slowing down", "away")
        self.cuts.append((kind, name, base))
        return True

    def read(self, targets: Iterable[Target]) -> dict[Target, ReducedRate]:
        refused = {(kind, name): ReducedRate(0.5, base) for kind, name, base in self.cuts}
        return {target: refused[target] for target in targets if target in refused}


class Bench:
    """Back-pressure with a clock of its own."""

    def __init__(self) -> None:
        self.shared, self.at, self.changes = Shared(), 1000.0, 0
        self.live_calls = LiveCalls()
        self.subject = BackPressure(
            cast(RateCuts, self.shared),
            self.live_calls,
            lambda: [(Kind.NODE, "fs1")],
            lambda: 2,
            self._changed,
            now=lambda: self.at,
        )

    def _changed(self) -> None:
        self.changes += 1

    def end(self, *calls: LiveCall, cause: str = "DESTINATION_OUT_OF_ORDER") -> None:
        self.subject.after_commit(
            make_commit({c.call_id: call_end.refused(c, self.at, cause) for c in calls}, *calls)
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


def sent(**changes: Any) -> LiveCall:
    return make_call(**({"sent_at": 999.5} | changes))


def carrier_said(status: int, **changes: Any) -> Target | None:
    values = {"sip_status": status, "answered": False, "progress": False, "q850": 41} | changes
    call = sent(state=LiveState.SEEN)
    hangup = make_hangup("NORMAL_TEMPORARY_FAILURE", **values)
    return refused_by(call, call_end.hung_up(call, 1000.0, hangup))


def test_a_refusal_without_a_channel_is_the_nodes() -> None:
    call = sent()
    assert refused_by(call, call_end.refused(call, 1000.0, "DESTINATION_OUT_OF_ORDER")) == ("node", "fs1")


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_carrier_without_capacity_is_the_gateways(status: int) -> None:
    assert carrier_said(status) == ("gateway", make_call().gateway_id)
    assert carrier_said(status, progress=True) is None


def test_a_node_that_shuts_down_refuses() -> None:
    call = sent(state=LiveState.SEEN)
    hangup = make_hangup("SYSTEM_SHUTDOWN", answered=False, progress=False, sip_status=None, q850=None)
    assert refused_by(call, call_end.hung_up(call, 1000.0, hangup)) == ("node", "fs1")


def test_nobody_refused_a_call_that_was_busy_at_fault_or_never_sent() -> None:
    call = sent(state=LiveState.SEEN)
    assert refused_by(call, call_end.hung_up(call, 1000.0, busy())) is None
    assert refused_by(call, call_end.refused(sent(), 1000.0, "GATEWAY_DOWN")) is None
    assert refused_by(call, call_end.withdrawn(call, "NOT_SENT", None)) is None


def test_a_node_that_refuses_its_calls_is_slowed_at_once_and_the_plans_are_read(bench: Bench) -> None:
    bench.end(sent(), sent(), sent())
    assert bench.shared.cuts == [(Kind.NODE, "fs1", 6)]
    assert bench.changes == 1
    assert bench.subject.cps(Kind.NODE, "fs1", 20) == 10
    assert bench.subject.cps(Kind.NODE, "fs2", 20) == 20


def test_redis_is_not_asked_for_every_refusal(bench: Bench) -> None:
    bench.end(sent(), sent(), sent())
    bench.at += 0.9
    bench.end(sent(), sent(), sent())
    assert len(bench.shared.cuts) == 1
    bench.at += 0.2
    bench.end(sent(), sent(), sent())
    assert len(bench.shared.cuts) == 2


def answered(bench: Bench, orders: int) -> None:
    """The node answers so many orders, at once."""
    for _ in range(orders):
        bench.subject.on_reply("fs1", bench.at - 0.002, bench.at)


def test_a_node_that_refuses_a_call_now_and_then_is_not_slowed(bench: Bench) -> None:
    """Its sessions a second are one more than the calls that it is asked for, and some leave 50 ms late."""
    for _ in range(60):
        answered(bench, 38)
        bench.end(sent(), sent())
        bench.at += 1.0
    assert bench.shared.cuts == []


def test_a_node_that_refuses_a_tenth_of_its_orders_is_slowed(bench: Bench) -> None:
    for _ in range(5):
        answered(bench, 30)
        bench.end(sent(), sent(), sent())
        bench.at += 0.9
    assert {(kind, name) for kind, name, _ in bench.shared.cuts} == {(Kind.NODE, "fs1")}


def test_a_node_that_shuts_down_is_slowed_by_its_first_word(bench: Bench) -> None:
    answered(bench, 100)
    bench.end(sent(), cause="SYSTEM_SHUTDOWN")
    assert len(bench.shared.cuts) == 1


def test_a_redis_that_is_away_costs_no_outcome(bench: Bench) -> None:
    bench.shared.away = True
    bench.end(sent(), sent(), sent())
    assert bench.subject.cps(Kind.NODE, "fs1", 20) == 20


def answers(bench: Bench, *milliseconds: float) -> None:
    for each in milliseconds:
        bench.subject.on_reply("fs1", bench.at - each / 1000, bench.at)
    bench.subject.round()


def test_a_node_whose_median_reply_is_slow_is_slowed_once_for_it(bench: Bench) -> None:
    answers(bench, *[21.0] * 10)
    assert bench.subject.cps(Kind.NODE, "fs1", 20) == 10
    bench.at += 2
    bench.subject.round()
    assert len(bench.shared.cuts) == 1


@pytest.mark.parametrize("sample", [[19.0] * 60, [500.0] * 9, [2.0] * 20 + [900.0] * 19])
def test_fast_few_or_scattered_replies_slow_nobody(bench: Bench, sample: list[float]) -> None:
    answers(bench, *sample)
    assert bench.shared.cuts == []


def test_what_this_process_itself_was_late_is_not_the_nodes_fault(bench: Bench) -> None:
    """It ran 30 ms late: of the 45 until it read the answers, 15 are the node's."""
    bench.subject.own_lag.note(bench.at - 0.03, bench.at)
    answers(bench, *[45.0] * 20)
    assert bench.shared.cuts == []
    answers(bench, *[55.0] * 40)
    assert len(bench.shared.cuts) == 1


def test_lateness_counts_where_it_was_and_nowhere_else(bench: Bench) -> None:
    """A stall before the order, or after the answer was read, makes a slow node no faster."""
    bench.subject.own_lag.note(bench.at - 3.0, bench.at - 0.045)
    answers(bench, *[45.0] * 20)
    assert len(bench.shared.cuts) == 1


def test_a_stall_that_only_some_answers_met_hides_no_slow_node(bench: Bench) -> None:
    bench.subject.own_lag.note(bench.at - 0.5, bench.at)
    answers(bench, *[500.0] * 9)
    bench.at += 1.0
    answers(bench, *[25.0] * 11)
    assert len(bench.shared.cuts) == 1


def test_old_replies_say_nothing(bench: Bench) -> None:
    for _ in range(20):
        bench.subject.on_reply("fs1", bench.at - 0.2, bench.at)
    bench.at += 5.1
    bench.subject.round()
    assert bench.shared.cuts == []


class Watched:
    """The greenlet that watches, by a clock that goes on as `pauses` say."""

    def __init__(self, bench: Bench, pauses: list[float]) -> None:
        self.bench, self.pauses = bench, pauses
        self.over = Signal()
        bench.subject.pause = self.pause
        self.greenlet = gevent.spawn(bench.subject.watch)

    def pause(self, _seconds: float) -> None:
        if not self.pauses:
            self.over.set()
            gevent.get_hub().switch()
        self.bench.at += self.pauses.pop(0)


def test_while_answers_are_awaited_it_is_noted_when_this_process_is_late(bench: Bench) -> None:
    began = bench.at
    bench.subject.on_order()
    # The greenlet cannot begin either while somebody is at work.
    bench.at += 0.045
    watched = Watched(bench, [TICK_SECONDS, 0.105, TICK_SECONDS])
    assert watched.over.wait(HANG_SECONDS)
    watched.greenlet.kill(block=False)
    late = bench.subject.own_lag.within(began, bench.at)
    assert late == pytest.approx(0.045 - TICK_SECONDS + 0.105 - TICK_SECONDS)
    assert bench.subject.own_lag.within(began, began + 0.025) == pytest.approx(0.02)


def test_nobody_watches_where_nothing_was_ordered_for_a_while(bench: Bench) -> None:
    watched = Watched(bench, [0.5, 0.6, 99.0])
    bench.subject.on_order()
    wait_until(lambda: watched.pauses == [99.0], "the watch to rest")
    assert not watched.over.is_set()
    bench.subject.on_order()
    wait_until(lambda: not watched.pauses, "the watch to go on")
    watched.greenlet.kill(block=False)


def ends_at_the_carrier(bench: Bench, refused: int, others: int) -> None:
    """So many calls end with 503, and so many with 486, one after another."""
    for number in range(refused + others):
        call = sent(call_id=f"call-{number}", state=LiveState.SEEN)
        status = 503 if number < refused else 486
        hangup = make_hangup(
            "NORMAL_TEMPORARY_FAILURE", sip_status=status, answered=False, progress=False, q850=41
        )
        bench.subject.after_commit(
            make_commit({call.call_id: call_end.hung_up(call, bench.at, hangup)}, call)
        )


def test_a_carrier_that_answers_single_numbers_with_503_is_not_slowed(bench: Bench) -> None:
    ends_at_the_carrier(bench, refused=9, others=0)
    assert bench.shared.cuts == []
    bench.at += 10.0
    ends_at_the_carrier(bench, refused=0, others=200)
    ends_at_the_carrier(bench, refused=15, others=0)
    assert bench.shared.cuts == []


def test_a_carrier_that_refuses_a_good_share_of_its_calls_is_slowed_once(bench: Bench) -> None:
    ends_at_the_carrier(bench, refused=0, others=20)
    ends_at_the_carrier(bench, refused=14, others=0)
    assert [(kind, name) for kind, name, _ in bench.shared.cuts] == [(Kind.GATEWAY, make_call().gateway_id)]
