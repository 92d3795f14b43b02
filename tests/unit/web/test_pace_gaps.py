"""The seconds through which something held a campaign, of which only the first is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from web.pace_gaps import held_through
from web.showing import moment, rfc3339

START = datetime(2026, 11, 30, 14, 0, tzinfo=UTC)


def told(*said: tuple[int, str | None]) -> list[dict[str, Any]]:
    return [
        {
            "at": rfc3339(START + timedelta(seconds=at)),
            "offered": 3,
            "admitted": 1,
            "live_calls": 2,
            "cap": cap,
        }
        for at, cap in said
    ]


def held(
    *said: tuple[int, str | None], word: str | None = None, now: float = 300
) -> list[tuple[float, str | None]]:
    found = held_through(told(*said), word, START + timedelta(seconds=now))
    return [((moment(step["at"]) - START).total_seconds(), step["cap"]) for step in found]


@pytest.mark.parametrize("other", ["draining", "no_node", None])
def test_what_held_it_goes_on_until_something_else_is_written(other: str | None) -> None:
    assert held((0, "draining"), (4, other)) == [*((at, "draining") for at in range(4)), (4, other)]


def test_nothing_is_filled_where_nothing_held_it_or_nobody_wrote_for_longer_than_a_minute() -> None:
    for said in ([(0, None), (9, "draining")], [(0, "draining"), (62, "draining")], [(0, "draining")], []):
        assert held(*said) == said
    assert len(held((0, "draining"), (61, "draining"))) == 62


def test_what_holds_it_now_goes_on_until_now() -> None:
    assert held((0, "draining"), word="draining", now=2.5) == [
        (0, "draining"),
        (1, "draining"),
        (2, "draining"),
    ]
    for word, now in (("no_node", 2.5), (None, 2.5), ("draining", 62.0), ("draining", -3.0)):
        assert held((0, "draining"), word=word, now=now) == [(0, "draining")], (word, now)


def test_seconds_that_were_written_stay_as_they_are_and_the_others_asked_for_nothing() -> None:
    first, between, last = held_through(told((0, "draining"), (2, "draining")), None, START)
    assert [first, last] == told((0, "draining"), (2, "draining"))
    assert between == {"at": rfc3339(START + timedelta(seconds=1)), "offered": 0, "admitted": 0, "live_calls": 0,
                       "cap": "draining"}  # fmt: skip
