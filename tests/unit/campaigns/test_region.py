"""The country that a list's numbers are read in: the caller id's own."""

from __future__ import annotations

import pytest

from campaigns.numbers import region_of


@pytest.mark.parametrize(
    ("e164", "region"),
    [("+14155550100", "US"), ("+14165550100", "CA"), ("+442079460810", "GB"), ("+80012345678", None)],
)
def test_the_region_of_a_caller_id(e164: str, region: str | None) -> None:
    assert region_of(e164) == region
