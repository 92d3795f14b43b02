"""How late the events of a connection are: by the node's own clock, whatever it shows, and when that is too late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from freeswitch.event_lag import LATE_SECONDS, PATIENCE_SECONDS, EventLag

NODE_US = 1_795_416_229_254_216


def at(seconds: float) -> int:
    """The node's clock, this long after the connection was made."""
    return NODE_US + round(seconds * 1_000_000)


@given(st.integers(1, 2**62), st.floats(0, 1e6), st.lists(st.floats(0, 1.99), min_size=1, max_size=50))
def test_clocks_that_disagree_however_much_do_not_make_a_connection_late(
    node_us: int, began: float, delays: list[float]
) -> None:
    lag = EventLag()
    for number, delay in enumerate(delays):
        assert not lag.note(node_us + number * 10_000_000, began + number * 10 + delay)
        assert 0 <= lag.seconds <= LATE_SECONDS


def test_the_lag_is_measured_against_the_best_there_was() -> None:
    lag = EventLag()
    lag.note(at(1), 101.5)
    lag.note(at(2), 102.25)
    assert lag.seconds == 0
    lag.note(at(3), 104.0)
    assert round(lag.seconds, 3) == 0.75


def test_a_connection_that_stays_late_is_given_up() -> None:
    lag = EventLag()
    assert not lag.note(at(0), 100)
    assert not lag.note(at(1), 103.1)
    assert not lag.note(at(2), 103.1 + PATIENCE_SECONDS - 0.1)
    assert lag.note(at(2.5), 103.1 + PATIENCE_SECONDS)


def test_single_events_that_come_late_prove_nothing() -> None:
    lag = EventLag()
    for second in range(0, 60, 2):
        assert not lag.note(at(second), 100 + second)
        assert not lag.note(at(second - 60), 101 + second)


def test_an_event_without_a_time_says_nothing() -> None:
    lag = EventLag()
    lag.note(at(0), 100)
    assert not lag.note(0, 10_000)
    assert lag.seconds == 0
