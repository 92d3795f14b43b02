"""What is known of Redis' clock: a turn is never before its time nor after its life, however late answers are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limits.redis_clock import DRIFT, FAR_SECONDS, SAID_SECONDS, Distance, RedisClock

SECONDS = st.floats(0.0, 1.0, allow_nan=False)
ANSWERS = st.lists(st.tuples(SECONDS, SECONDS, SECONDS, st.floats(-0.9, 0.9)), min_size=1, max_size=30)
TINY = 1e-6


@given(ANSWERS, st.floats(-1e6, 1e6))
def test_a_turn_is_never_earlier_or_later_than_it_can_be(
    answers: list[tuple[float, float, float, float]], difference: float
) -> None:
    """Whatever each answer took on its way there and back, and however the clocks drift."""
    clock, ours = RedisClock(), 1000.0
    for before, there, back, slew in answers:
        asked_at = ours + before
        ran_at, read_at = asked_at + there, asked_at + there + back
        difference += slew * DRIFT * (read_at - ours)
        clock.note(asked_at, ran_at + difference, read_at)
        ours = read_at
    # It drifts while the answer is on its way, too.
    slack = DRIFT * 2 + TINY
    turn = ours + 0.3 + difference
    assert clock.earliest(turn) - slack <= ours + 0.3 <= clock.latest(turn) + slack
    assert clock.latest(turn) - clock.earliest(turn) <= there + back + TINY


def test_a_late_answer_does_not_make_a_turn_shorter() -> None:
    clock = RedisClock()
    clock.note(10.0, 510.0005, 10.001)
    clock.note(10.1, 510.12, 10.2)
    assert clock.latest(510.5) - clock.earliest(510.5) == pytest.approx(0.001 + 2 * DRIFT * 0.199)


def test_of_clocks_that_were_set_the_newest_answer_counts() -> None:
    clock = RedisClock()
    clock.note(10.0, 510.0005, 10.001)
    for theirs in (509.8, 513.0):
        clock.note(11.0, theirs, 11.01)
        assert clock.latest(theirs) == pytest.approx(11.01)
        assert clock.earliest(theirs) == pytest.approx(11.0)


def test_a_redis_that_is_too_far_away_for_any_turn_is_said_to_be_so_once_a_minute() -> None:
    distance, far = Distance(0.040), 0.045
    assert not distance.is_to_be_said(far, 100.0), "one answer may be read late"
    assert not distance.is_to_be_said(0.039, 100.0 + FAR_SECONDS)
    since = 200.0
    said = [
        seconds for seconds in range(round(3 * SAID_SECONDS)) if distance.is_to_be_said(far, since + seconds)
    ]
    assert said == [FAR_SECONDS, FAR_SECONDS + SAID_SECONDS, FAR_SECONDS + 2 * SAID_SECONDS]


def test_how_far_it_is_away_is_what_the_quickest_answer_tells() -> None:
    clock = RedisClock()
    clock.note(10.0, 510.02, 10.045)
    assert clock.width == pytest.approx(0.045)
    clock.note(10.1, 510.1005, 10.101)
    assert clock.width == pytest.approx(0.001)
