"""An outage is one line when it begins, one a minute and one when it is over, whoever meets it and however often."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from outages import QUIET_SECONDS, SAY_AGAIN_SECONDS, Outage


class Clock:
    """Says what it is told to."""

    at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock) -> Outage:
    return Outage("database", clock)


@pytest.fixture
def lines() -> Iterator[list[EventDict]]:
    with capture_logs() as found:
        yield found


def events(lines: list[EventDict]) -> list[str]:
    return [line["event"] for line in lines]


def test_three_minutes_of_it_are_four_lines_and_its_end_is_one(
    clock: Clock, outage: Outage, lines: list[EventDict]
) -> None:
    for _ in range(1900):
        outage.struck("nothing listens there")
        clock.at += 0.1
    assert events(lines) == ["outage_began", "outage_lasts", "outage_lasts", "outage_lasts"]
    assert lines[0]["reason"] == "nothing listens there"
    outage.answered()
    clock.at += QUIET_SECONDS
    outage.answered()
    outage.answered()
    assert events(lines)[4:] == ["outage_over"]
    assert (lines[4]["seconds"], lines[4]["failures"]) == (189.9, 1900)


def test_what_one_part_got_through_does_not_end_what_others_wait_in(
    clock: Clock, outage: Outage, lines: list[EventDict]
) -> None:
    for _ in range(200):
        outage.struck("it does not answer")
        clock.at += QUIET_SECONDS - 0.1
        outage.answered()
    assert events(lines).count("outage_began") == 1
    assert "outage_over" not in events(lines)


def test_the_next_one_begins_anew(clock: Clock, outage: Outage, lines: list[EventDict]) -> None:
    for _ in range(2):
        outage.struck("gone")
        clock.at += SAY_AGAIN_SECONDS
        outage.answered()
    assert events(lines) == ["outage_began", "outage_over"] * 2
    assert lines[3]["failures"] == 1


def test_nothing_is_said_while_nothing_is_wrong(outage: Outage, lines: list[EventDict]) -> None:
    outage.answered()
    assert lines == []
