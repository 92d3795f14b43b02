"""Turns are asked for as far ahead as this machine's batches take, and no farther than a turn may lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.dispatch.turn_timing import FIRST_LEAD, LONGEST_LEAD, SAMPLES, SHORTEST_HORIZON, TurnTiming
from limits.caps import FURTHEST_TURN


def measured(*seconds: float) -> TurnTiming:
    timing = TurnTiming()
    for one in seconds:
        timing.ready_after(one)
    return timing


@pytest.mark.parametrize("known", [(), (0.080,)])
def test_before_enough_was_measured_a_first_guess_is_good(known: tuple[float, ...]) -> None:
    assert measured(*known).lead == FIRST_LEAD


def test_the_lead_is_what_nine_batches_in_ten_take_and_a_little_more() -> None:
    usual = measured(*[0.010] * 19, 0.100)
    assert 0.010 <= usual.lead < 0.030
    assert measured(*[0.010] * 10, *[0.050] * 10).lead >= 0.050


def test_a_database_that_became_slow_or_fast_is_known_after_twenty_batches() -> None:
    timing = measured(*[0.005] * 100, *[0.060] * SAMPLES)
    assert timing.lead >= 0.060
    for _ in range(SAMPLES):
        timing.ready_after(0.005)
    assert timing.lead < 0.010


def test_the_horizon_is_some_batches_and_never_too_short_to_keep_a_rate() -> None:
    assert measured(0.001, 0.001).horizon == SHORTEST_HORIZON
    slow = measured(0.040, 0.040)
    assert slow.horizon == pytest.approx(4 * slow.lead)


@given(st.lists(st.floats(0.0, 30.0), max_size=40))
def test_no_turn_is_asked_for_that_the_limiter_does_not_give(seconds: list[float]) -> None:
    timing = measured(*seconds)
    assert 0.0 <= timing.lead <= LONGEST_LEAD
    assert timing.horizon > 0.0
    assert timing.lead + timing.horizon <= FURTHEST_TURN + 1e-9
