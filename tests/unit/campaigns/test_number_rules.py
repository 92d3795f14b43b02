"""Of which countries a list's numbers may be, and whether premium-rate ones."""

from __future__ import annotations

import io

import pytest

from campaigns.columns import Limits
from campaigns.errors import ListRefused
from campaigns.importer import read_list
from campaigns.number_rules import NumberRules

NORTH = NumberRules(("US", "GB"))


@pytest.mark.parametrize(
    ("number", "allowed"),
    [
        ("+12025550101", True),
        ("+14165550101", False),
        ("+442079460018", True),
        ("+441481960194", False),
        ("+493023125001", False),
        ("+80012345678", False),
    ],
)
def test_a_number_is_of_its_own_country_and_not_of_its_code_s(number: str, allowed: bool) -> None:
    assert NORTH.allow(number) is allowed
    assert NumberRules().allow(number)


def codes(rules: NumberRules, *numbers: str) -> list[str]:
    text = "phone_number,country\n+12025550199,\n" + "".join(f"{number}\n" for number in numbers)
    batches = list(read_list(io.BytesIO(text.encode()), default_region="US", limits=Limits(), rules=rules))
    found = {row.line: "" for one in batches for row in one.accepted}
    found |= {row.line: row.code for one in batches for row in one.rejected}
    return [found[line] for line in sorted(found)][1:]


def test_each_row_says_why_it_is_rejected() -> None:
    numbers = ("+14165550101,", "020 7946 0018,GB", "+493023125001,DE", "+442079460019,GB")
    assert codes(NORTH, *numbers) == ["country_not_allowed", "", "country_not_allowed", ""]
    assert codes(NumberRules(), *numbers) == ["", "", "", ""]
    with pytest.raises(ListRefused, match="allowed_countries do not have that; leave the row out"):
        codes(NumberRules(("DE",)))


def test_a_premium_rate_number_goes_in_where_the_tenant_may_call_one_and_not_else() -> None:
    numbers = ("+19002345678,", "09061234567,GB", "+19002345679,US")
    assert codes(NumberRules(), *numbers) == ["premium"] * 3
    assert codes(NumberRules(premium=True), *numbers) == ["", "", ""]
    assert codes(NumberRules(("US",), premium=True), *numbers) == ["", "country_not_allowed", ""]
