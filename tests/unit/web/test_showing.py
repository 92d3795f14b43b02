"""Times, shares, bars and pages as they are shown."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.unit.web.reading import read
from web.showing import BAR, address, bar_parts, lasting, page_number, paging, plain_time, rfc3339, share


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 0, "–"), (0, 9, "0 %"), (1, 3, "33 %"), (1, 1000, "< 1 %"), (999, 1000, "> 99 %"), (7, 7, "100 %")],
)
def test_a_share_never_rounds_a_part_away_or_up_to_the_whole(part: int, whole: int, said: str) -> None:
    assert read(share(part, whole)) == said


def test_times_are_told_in_utc_until_a_browser_says_otherwise() -> None:
    at = datetime.fromisoformat("2026-01-31T10:00:00+01:00")
    assert rfc3339(at) == rfc3339("2026-01-31T09:00:00.000Z") == "2026-01-31T09:00:00.000Z"
    assert [plain_time(at, kind) for kind in ("clock", "day", "moment")] == [
        "09:00:00 UTC", "2026-01-31", "2026-01-31 09:00 UTC"]  # fmt: skip


@pytest.mark.parametrize(("seconds", "said"), [(None, "–"), (0, "0:00"), (41.4, "0:41"), (3723, "1:02:03")])
def test_how_long_something_lasted(seconds: float | None, said: str) -> None:
    assert lasting(seconds) == said


def test_a_bar_is_as_long_as_its_numbers_and_hides_none() -> None:
    parts = bar_parts([("a", "good", 999_999), ("b", "bad", 1), ("c", "wait", 0)])
    assert parts[0].x == 0
    assert [part.width > 0 for part in parts] == [True, True, False]
    assert abs(sum(part.width for part in bar_parts([("a", "good", 3), ("b", "bad", 1)])) - BAR) < 1
    assert bar_parts([("a", "good", 0)])[0].width == 0


def test_pages_lead_to_their_neighbours_with_the_filters() -> None:
    first, last = paging("/", {"name": "a b&c", "status": ""}, 0, 60, 25), paging("/", {}, 2, 60, 25)
    assert (first.first, first.last, first.pages, first.before) == (1, 25, 3, None)
    assert first.after == "/?name=a+b%26c&page=1"
    assert (last.first, last.last, last.before, last.after) == (51, 60, "/?page=1", None)
    assert (address("/", {"status": ""}), paging("/", {}, 0, 0).pages) == ("/", 0)


@pytest.mark.parametrize(
    ("text", "number"), [(None, 0), ("", 0), ("-1", 0), ("x", 0), ("3", 3), ("٣", 0), ("9" * 40, 0)]
)
def test_a_page_that_is_no_number_is_the_first(text: str | None, number: int) -> None:
    assert page_number(text) == number
