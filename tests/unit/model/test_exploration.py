"""Every interleaving of two dialers, one contact and one node: the product's order holds, and no wrong one does."""

from __future__ import annotations

import pytest

from tests.unit.model.explore import explore
from tests.unit.model.protocol import Protocol, after
from tests.unit.model.state import Order, State
from tests.unit.model.surroundings import check, is_done

ALONE, DIES, PAUSED, RACES = State(), State(deaths=1), State(pauses=1), State(most=2)
CLAIMED = after(State(stops=1), "A: gets a permit", "A: claims")
FALLS_ASLEEP = ("A is stopped", "A's lease lapses")
ASLEEP = after(
    CLAIMED, *FALLS_ASLEEP, "A's lock goes", "B: sets filters", "B: takes over permits", "B: adopts"
)
PAST_ITS_GUARD = after(
    CLAIMED, "A: passes the guard", *FALLS_ASLEEP, "B: sets filters", "B: takes over permits", "B: adopts"
)
TWICE, LATE = "somebody was called twice for one attempt", "a frame leaves after a pause was answered"
UNCOUNTED = "a call is up and holds no permit"
LOST = "somebody is lost: nothing leads to the end from here"
WRONG = [
    (Order.COMMIT_AFTER_SEND, DIES, "a call is up that no row knows"),
    (Order.NO_LEASE_AT_GUARD, State(stops=1), UNCOUNTED),
    (Order.REPEAT_BEFORE_DEATH, PAST_ITS_GUARD, TWICE),
    (Order.REPEAT_AT_ONCE, DIES, TWICE),
    (Order.MARK_FIRST, DIES, TWICE),
    (Order.AGE_AFTER_QUESTION, DIES, TWICE),
    (Order.NO_QUESTION, DIES, UNCOUNTED),
    (Order.NO_CLAIM_CHECK, RACES, "a contact goes from originated to originated"),
    (Order.NO_END_CHECK, DIES, "a contact goes from failed to failed"),
    (Order.ANYBODY_DECIDES, ASLEEP, "a frame leaves for a call that is not open"),
    (Order.RELEASE_BEFORE_COMMIT, ALONE, UNCOUNTED),
    (Order.NOT_RELEASED, ALONE, LOST),
    (Order.HEIR_DROPS_PERMITS, DIES, UNCOUNTED),
    (Order.ACK_DURING_WRITE, PAUSED, LATE),
    (Order.ACK_BEFORE_HOLD, PAUSED, LATE),
    (Order.NOT_ADOPTED, DIES, LOST),
]
STARTS = [
    pytest.param(ALONE, id="alone"),
    pytest.param(RACES, id="two claims race"),
    pytest.param(DIES, id="a dialer dies"),
    pytest.param(PAUSED, id="the campaign is paused", marks=pytest.mark.full),
]


@pytest.mark.parametrize("start", STARTS)
def test_the_order_of_the_product_holds(start: State) -> None:
    found = explore(start, Protocol().steps, check, is_done)
    assert found.wrong is None, "\n".join((found.wrong or "", *found.history))
    assert found.states > 1000


@pytest.mark.parametrize(("order", "start", "wrong"), WRONG, ids=[order.value for order, _, _ in WRONG])
def test_a_wrong_order_is_found(order: Order, start: State, wrong: str) -> None:
    found = explore(start, Protocol(order).steps, check, is_done)
    assert found.wrong == wrong, found


def test_every_wrong_order_is_tried() -> None:
    assert [order for order, _, _ in WRONG] == list(Order)
