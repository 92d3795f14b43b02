"""What a row of an added list says of its contact."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from campaigns.columns import CellRefused
from campaigns.contact_options import PLAIN, ContactOptions, take


def test_options_are_taken_out_of_the_columns_and_an_empty_one_says_nothing() -> None:
    given = {"client_token": " lead-1 ", "expires_at": "2027-01-01T01:00:00+01:00", "priority": ""}
    fields = {"first_name": "Ada"} | given
    assert take(fields) == ContactOptions("lead-1", datetime(2027, 1, 1, tzinfo=UTC), 0)
    assert fields == {"first_name": "Ada"}
    assert take({"priority": "100"}) == ContactOptions(priority=100)
    assert take({"client_token": "", "expires_at": ""}) is PLAIN


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("priority", "101"),
        ("priority", "-1"),
        ("priority", "1.5"),
        ("priority", "²"),
        ("expires_at", "tomorrow"),
        ("expires_at", "2027-01-01T00:00:00"),
        ("expires_at", "9999-12-31T23:59:59-05:00"),
        ("client_token", "x" * 256),
        ("client_token", "a\u0007b"),
    ],
)
def test_what_an_option_cannot_be_is_refused_by_column_value_and_rule(name: str, value: str) -> None:
    refused = take({name: value})
    assert isinstance(refused, CellRefused)
    assert (refused.code, refused.column) == (f"bad_{name}", name)
    assert refused.reason.startswith(f"{name} is '")
