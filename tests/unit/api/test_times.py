"""Times on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.times import from_rfc3339, to_rfc3339


def test_a_time_is_shown_in_utc_to_the_millisecond() -> None:
    moment = datetime(2026, 1, 31, 10, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert to_rfc3339(moment) == "2026-01-31T09:00:00.999Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_shown_reads_back_to_the_same_millisecond(moment: datetime) -> None:
    assert from_rfc3339(to_rfc3339(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize(
    ("text", "shown_as"),
    [
        ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00.000Z"),
        ("2026-01-31t09:00:00z", "2026-01-31T09:00:00.000Z"),
        ("2026-01-31T09:00:00.1+05:30", "2026-01-31T03:30:00.100Z"),
        ("2026-01-31T09:00:00.123456789Z", "2026-01-31T09:00:00.123Z"),
    ],
)
def test_what_rfc_3339_allows_is_read(text: str, shown_as: str) -> None:
    assert to_rfc3339(from_rfc3339(text)) == shown_as


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T09:00:00",
        "2026-01-31 09:00:00Z",
        "2026-02-30T09:00:00Z",
        "2026-01-31T25:00:00Z",
        "2026-01-31T09:00Z",
        "1769850000",
        "٢٠٢٦-01-31T09:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "2026-01-31T09:00:00Z\n",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        from_rfc3339(text)


@given(st.text())
def test_no_text_is_anything_but_a_time_or_a_value_error(text: str) -> None:
    try:
        from_rfc3339(text)
    except ValueError:
        return
