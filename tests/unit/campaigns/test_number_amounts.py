"""An amount or a decimal number never becomes a number with the digits behind its point."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import PART, examples, share
from tests.unit.campaigns.number_cells import dialled, numbers_of, refused_as

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@examples(500)
@given(st.sampled_from(REGIONS), st.integers(1, 99_999_999), st.data())
def test_an_amount_is_never_dialled_in_any_country(region: str, cents: int, data: st.DataObject) -> None:
    point = data.draw(st.sampled_from([".", ","]))
    thousands = data.draw(st.sampled_from(["", " ", "'", "\u00a0", "\u202f", "." if point == "," else ","]))
    whole = f"{cents // 100:,}".replace(",", thousands)
    amount = f"{whole}{point}{cents % 100:02d}"
    around = data.draw(
        st.sampled_from(
            [
                *("{}", "${}", "$ {}", "{} €", "€{}", "£{}", "{}$", "USD {}", "{} EUR", "-{}"),
                *("({})", "{}-", "{} -", "(${})", "+{}"),
            ]
        )
    )
    assert dialled(around.format(amount), region) is None


@pytest.mark.parametrize("region", share(REGIONS, 1, PART))
def test_decimals_behind_a_number_are_no_digits_of_it_however_long_they_are_and_it_is_written(
    region: str,
) -> None:
    for text in numbers_of(region):
        number = dialled(text, region)
        for others in (".5", ".50", ",25", ".01", ".125", ".0005", ".5789", ".00001", ",575"):
            for around in ("{}", "({})", "{}-", "{} -", "{}.-"):
                assert dialled(around.format(text + others), region) is None, around.format(text + others)
        for zeros in (".0", ".00", ".000", ".0000", ".000000", ",0", ",00", ",000"):
            assert dialled(text + zeros, region) in (None, number), text + zeros
            assert dialled(f"({text}{zeros})", region) is None


@pytest.mark.parametrize("region", share(REGIONS, 2, PART))
def test_decimals_that_are_zeros_are_left_out_and_others_refused(region: str) -> None:
    number = phonenumbers.example_number_for_type(region, 0) or phonenumbers.example_number(region)
    assert number is not None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if len(e164) < 8:
        return
    for zeros in (".0", ".00", ",0", ",00", ".000000"):
        assert dialled(e164 + zeros, region) == e164
    for others in (".5", ".50", ",25", ".01", ".125"):
        assert dialled(e164 + others, region) is None


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("06 12345678.00", "IT", "+390612345678"),
        ("+358 9 123456.00", "GB", "+3589123456"),
        ("30 23125001.000", "DE", "+493023125001"),
        ("30 23125001.0000", "DE", "+493023125001"),
        ("030 23125001.000", "DE", "+493023125001"),
        ("12025550108.", "US", "+12025550108"),
        ("(12025550110)", "US", "+12025550110"),
        ("+1.2025550101", "DE", "+12025550101"),
        ("0171.3920001", "DE", "+491713920001"),
        ("0211/123.456", "DE", "+49211123456"),
        ("0211.123.456", "DE", "+49211123456"),
        ("+261.20.21.234.56", "MG", "+261202123456"),
    ],
)
def test_a_number_with_a_point_in_it_is_dialled(text: str, region: str, number: str) -> None:
    assert dialled(text, region) == number


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("30 23125001.50", "DE"),
        ("23125.75", "DE"),
        ("23125.00", "DE"),
        ("45989.4375", "AT"),
        ("1.234.567", "AT"),
        ("12.345.67", "AT"),
        ("20255501.04", "US"),
        ("030.23125001.00", "DE"),
        ("2.1E+3", "AT"),
        ("30 23125001.125", "DE"),
        ("030.23125001.125", "DE"),
        ("+43 1 5123456.575", "AT"),
        ("+4315123456.5789", "AT"),
        ("015123456.5000", "AT"),
        ("(23125001.50)", "DE"),
        ("(23125001.00)", "DE"),
        ("23125001.50-", "DE"),
        ("30 23125001.50-", "DE"),
        ("1.234.567.-", "AT"),
        ("1.234.567,-", "AT"),
        ("23125001.--", "DE"),
        ("(1.234.567)", "AT"),
        ("1.234.567-", "AT"),
    ],
)
def test_an_amount_is_refused_as_one(text: str, region: str) -> None:
    assert refused_as(text, region) == "amount"
