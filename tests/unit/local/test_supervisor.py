"""The arithmetic and the words of supervision."""

from __future__ import annotations

import signal

import pytest

from local.supervisor import BACKOFF_FIRST_SECONDS, BACKOFF_LAST_SECONDS, STEADY_SECONDS, describe, next_delay


def test_the_wait_doubles_up_to_a_bound() -> None:
    delay, delays = BACKOFF_FIRST_SECONDS, []
    for _ in range(10):
        delay = next_delay(delay, lived=0.1)
        delays.append(delay)
    assert delays[:4] == [0.4, 0.8, 1.6, 3.2]
    assert delays[-1] == BACKOFF_LAST_SECONDS


def test_a_child_that_lived_long_is_forgiven() -> None:
    assert next_delay(BACKOFF_LAST_SECONDS, lived=STEADY_SECONDS) == BACKOFF_FIRST_SECONDS


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended with status 0"),
        (2, "ended with status 2"),
        (-signal.SIGKILL, "was killed by SIGKILL"),
        (-99, "was killed by signal 99"),
    ],
)
def test_an_end_is_said_in_words(status: int, words: str) -> None:
    assert describe(status) == words
