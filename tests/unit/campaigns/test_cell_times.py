"""Moments of a list are what PostgreSQL takes and gives back."""

from __future__ import annotations

import pytest

from campaigns.cell_times import moment_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-01-31T10:00:00+01:00", "2026-01-31T09:00:00+00:00"),
        ("2026-01-31t09:00:00z", "2026-01-31T09:00:00+00:00"),
        ("2026-01-31T09:00:00+16:00", "2026-01-30T17:00:00+00:00"),
        ("9999-12-31T23:59:59+05:00", "9999-12-31T18:59:59+00:00"),
    ],
)
def test_a_time_with_an_offset_is_a_moment_in_utc(text: str, found: str) -> None:
    moment = moment_of(text)
    assert moment is not None
    assert moment.isoformat() == found


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+01:00", "2026-01-31T09:00:00", "soon", ""]
)
def test_what_has_no_offset_or_no_year_in_utc_is_none(text: str) -> None:
    assert moment_of(text, days=True) is None


def test_a_day_is_its_first_moment_where_days_are_taken() -> None:
    moment = moment_of("2026-01-31", days=True)
    assert moment is not None
    assert moment.isoformat() == "2026-01-31T00:00:00+00:00"
    assert moment_of("2026-01-31") is None
