"""A node that leaves an order unanswered stands still, and for no longer than that."""

from __future__ import annotations

import gevent
import pytest

from dialer.dispatch.node_orders import OWN_LAG_SECONDS, STALLED_SECONDS, NodeOrders
from dialer.live_calls import LiveCall
from tests.unit.dialer.factories import make_call

HANG_SECONDS = 60.0


class Bench:
    """Orders, and what the time is."""

    def __init__(self) -> None:
        self.clock = 1000.0
        self.node_orders = NodeOrders(lambda: self.clock)

    def order(self) -> LiveCall:
        """An order to fs1 that leaves now."""
        call = make_call()
        assert call.write(self.clock, "core-1")
        self.node_orders.note(call)
        return call

    def answer(self, *calls: LiveCall) -> None:
        for call in calls:
            call.acknowledge(self.clock)

    def stalled(self, node: str = "fs1") -> bool:
        return self.node_orders.stalled(node)

    def stays_stalled(self) -> bool:
        """Whether the node is stalled still when all that has come was read."""
        at_first = self.stalled()
        self.clock += 2 * OWN_LAG_SECONDS
        return not at_first and self.stalled()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_answer_that_we_are_late_to_read_is_not_the_nodes_lateness(bench: Bench) -> None:
    call = bench.order()
    bench.clock += 10.0
    assert not bench.stalled()
    bench.answer(call)
    bench.clock += 2 * OWN_LAG_SECONDS
    assert not bench.stalled()


def test_a_node_that_leaves_an_order_unanswered_is_stalled_until_it_answers(bench: Bench) -> None:
    assert not bench.stalled()
    call = bench.order()
    bench.clock += STALLED_SECONDS - 0.01
    assert not bench.stalled()
    bench.clock += 0.02
    assert bench.stays_stalled()
    assert not bench.stalled("fs2")
    bench.answer(call)
    assert not bench.stalled()


def test_the_oldest_unanswered_order_counts_however_many_were_answered_since(bench: Bench) -> None:
    calls = []
    for _ in range(3):
        calls.append(bench.order())
        bench.clock += 0.1
    first, second, third = calls
    bench.answer(second, third)
    assert bench.stays_stalled()
    bench.answer(first)
    assert not bench.stalled()


def test_what_a_stalled_node_owes_is_overdue_and_nothing_else_is(bench: Bench) -> None:
    answered, owed = bench.order(), bench.order()
    orders = bench.node_orders
    assert (orders.owed("fs1"), orders.owed("fs2")) == (2, 0)
    bench.answer(answered)
    assert (orders.owed("fs1"), orders.overdue()) == (1, [])
    bench.clock += STALLED_SECONDS + 0.01
    assert bench.stays_stalled()
    assert orders.overdue() == [owed.call_id]
    bench.answer(owed)
    assert (orders.owed("fs1"), orders.overdue()) == (0, [])


def test_how_long_a_node_lets_wait_is_as_of_its_oldest_unanswered_order(bench: Bench) -> None:
    assert bench.node_orders.waits("fs1") == 0.0
    first = bench.order()
    bench.clock += 2.0
    bench.order()
    bench.clock += 1.0
    assert bench.node_orders.waits("fs1") == 3.0
    bench.answer(first)
    assert bench.node_orders.waits("fs1") == 1.0


def test_what_was_written_to_a_connection_that_died_does_not_stall_the_next(bench: Bench) -> None:
    call = bench.order()
    bench.clock += 1.0
    # As recovery does once it is told of the loss.
    call.lose_connection(bench.clock)
    assert not bench.stays_stalled()


def test_an_answer_waits_for_the_nodes_that_have_an_order_under_way_and_for_no_later_one(
    bench: Bench,
) -> None:
    assert bench.node_orders.wait_for_answers(0.0), "nothing is under way"
    calls = [bench.order(), bench.order()]
    assert not bench.node_orders.wait_for_answers(0.0)
    waiting = gevent.spawn(bench.node_orders.wait_for_answers, 5.0)
    gevent.sleep(0)
    bench.order()
    for call in calls:
        waiting.join(0.01)
        assert not waiting.ready()
        bench.answer(call)
    assert waiting.get(timeout=HANG_SECONDS) is True


def test_a_node_that_stands_still_is_not_waited_for_for_ever(bench: Bench) -> None:
    bench.order()
    waiting = gevent.spawn(bench.node_orders.wait_for_answers, 5.0)
    gevent.sleep(0)
    assert not waiting.ready()
    bench.clock += 5.0
    assert waiting.get(timeout=HANG_SECONDS) is False
