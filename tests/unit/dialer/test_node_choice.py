"""Which node the next call goes to: in the shares of weight times free capacity, and never to one that is full."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from dialer.dispatch.node_choice import NodeLoad, sessions_now, weighted_order
from dialer.dispatch.rate_meter import RateMeter

DRAWS = 3_000
IDLE = NodeLoad("a", 1, 0, None, 0, 1000)
LOADS = st.lists(
    st.builds(
        NodeLoad,
        st.text("abcdefgh", min_size=1, max_size=3),
        st.integers(1, 100),
        st.integers(0, 2000),
        st.none() | st.integers(1, 1000),
        st.none() | st.integers(0, 2000),
        st.none() | st.integers(0, 1000),
    ),
    max_size=6,
    unique_by=lambda load: load.name,
)


def firsts(seed: int, *loads: NodeLoad) -> Counter[str]:
    """How often each is first."""
    draw = Random(seed).random
    return Counter(weighted_order(loads, draw)[0] for _ in range(DRAWS))


def share(seed: int, one: NodeLoad, other: NodeLoad) -> float:
    counted = firsts(seed, one, other)
    return counted[one.name] / counted[other.name]


@given(LOADS, st.integers())
def test_every_node_with_free_capacity_is_in_the_order_once_and_no_other(
    loads: list[NodeLoad], seed: int
) -> None:
    order = weighted_order(loads, Random(seed).random)
    assert sorted(order) == sorted(load.name for load in loads if load.free > 0)
    assert not [load for load in loads if load.full and load.name in order]


@given(st.integers(), st.integers(0, 400))
def test_twice_the_weight_gets_about_twice_the_calls_where_both_have_free_capacity(
    seed: int, in_use: int
) -> None:
    light = replace(IDLE, in_flight=in_use, sessions=in_use)
    assert 1.6 < share(seed, replace(light, name="b", weight=2), light) < 2.5


@given(st.integers())
def test_twice_the_free_capacity_gets_about_twice_the_calls_of_one_weight(seed: int) -> None:
    assert 1.6 < share(seed, replace(IDLE, name="b", sessions=200), replace(IDLE, sessions=600)) < 2.5
    few = replace(IDLE, channels=100, in_flight=50)
    assert 1.6 < share(seed, replace(few, name="b", in_flight=0), few) < 2.5


def test_a_full_node_gets_none_whatever_its_weight() -> None:
    by_itself = replace(IDLE, name="b", weight=100, sessions=1000)
    by_our_cap = replace(IDLE, name="c", weight=100, channels=5, in_flight=5)
    assert by_itself.full
    assert not by_our_cap.full
    assert set(firsts(1, IDLE, by_itself, by_our_cap)) == {"a"}
    assert weighted_order([by_itself, by_our_cap]) == []


def test_a_node_that_names_no_limit_is_never_full() -> None:
    assert NodeLoad("a", 1, 5000, None, None, None).free == 1
    assert NodeLoad("a", 1, 5000, None, 70, 0).free == 1


def test_sessions_are_the_reported_ones_and_what_came_and_went_since() -> None:
    assert sessions_now(100, 10, 10) == 100
    assert sessions_now(100, 10, 30) == 120
    assert sessions_now(100, 90, 0) == 10
    assert sessions_now(0, 0, 7) == 7
    assert sessions_now(5, 50, 20) == 20


def test_a_rate_is_of_the_last_five_seconds() -> None:
    meter = RateMeter()
    assert meter.rate(100.0) == 0.0
    for second in range(10):
        for _ in range(4):
            meter.note(100.0 + second)
    assert meter.rate(109.5) == 4.0
    assert meter.rate(112.5) == 1.6
    assert meter.rate(120.0) == 0.0
