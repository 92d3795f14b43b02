"""What clocks show where somebody is: marked for the viewer's browser, by one zone or the ends of many."""

from __future__ import annotations

import pytest

from tests.integration.web import hostile
from tests.unit.web.reading import read
from web.local_clocks import there

AT = "2026-01-31T16:05:10.000Z"


@pytest.mark.parametrize(
    ("zones", "said"),
    [
        ([], ""),
        (["America/Denver"], "09:05 in America/Denver"),
        (["America/Phoenix", "America/Denver"], "09:05 in America/Denver"),
        (
            ["America/New_York", "America/Denver", "America/Chicago"],
            "09:05 to 11:05 there, in one of 3 time zones",
        ),
        (["Asia/Tokyo"], "2026-02-01 01:05 in Asia/Tokyo"),
        (["Mars/Olympus"], ""),
        ([hostile.NAME, "UTC"], "16:05 in UTC"),
    ],
)
def test_it_is_told_by_the_clocks_of_where_he_may_be(zones: list[str], said: str) -> None:
    assert read(there(AT, zones)) == said


def test_the_browser_finds_the_moment_and_the_zone() -> None:
    shown = (
        '<time datetime="2026-01-31T16:05:10.000Z" data-zone="America/Denver">09:05</time> in America/Denver'
    )
    assert there(AT, ["America/Denver"]) == shown
