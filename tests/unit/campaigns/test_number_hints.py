"""A column beside the number that says of which country it is: used, or the row is refused."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import NumberRefused
from campaigns.number_hints import hinted_number, hints
from tests.examples import examples

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def number(raw: str, region: str | None = "US", **beside: str) -> str:
    found = hints(enumerate(beside))
    assert len(found) == len(beside)
    return hinted_number(raw, region, found, list(beside.values()))


@pytest.mark.parametrize(
    ("raw", "region", "beside", "dialled"),
    [
        ("2079460018", "US", {"phone_code": "44"}, "+442079460018"),
        ("2079460018", "US", {"phone_code": "44", "country_code": "GBR"}, "+442079460018"),
        ("2025550101", "US", {"phone_code": "1", "country_code": "USA"}, "+12025550101"),
        ("442079460018", "US", {"phone_code": "+44"}, "+442079460018"),
        ("020 7946 0018", "US", {"Country Code": "0044"}, "+442079460018"),
        ("2079460018", "US", {"phone_code": "44.0"}, "+442079460018"),
        ("2079460018", "US", {"country": "United Kingdom"}, "+442079460018"),
        *(
            ("2079460018", "US", {column: "United Kingdom"}, "+442079460018")
            for column in (
                "Country/Region",
                "Mailing Country",
                "BillingCountry",
                "Home Country/Region",
                "Country (Phone)",
            )
        ),
        *(
            ("2079460018", "US", {column: "44"}, "+442079460018")
            for column in (
                "country_prefix",
                "phone_prefix",
                "PhonePrefix",
                "Tel Country Code",
                "Country Code (phone)",
            )
        ),
        ("2079460018", "US", {"prefix": "+44"}, "+442079460018"),
        ("2079460018", "US", {"Prefix": "0044"}, "+442079460018"),
        ("5550101", "US", {"prefix": "202"}, "+12025550101"),
        ("2025550101", "US", {"prefix": "Dr."}, "+12025550101"),
        ("2079460018", "US", {"Land": "Vereinigtes Königreich"}, "+442079460018"),
        ("2079460018", "US", {"country": "U.K."}, "+442079460018"),
        ("2079460018", "US", {"country": "gb"}, "+442079460018"),
        ("6135550100", "US", {"phone_code": "1"}, "+16135550100"),
        ("2025550101", "US", {"phone_code": ""}, "+12025550101"),
        ("+442079460018", "US", {"country": "US"}, "+442079460018"),
        ("5550101", "US", {"area_code": "202"}, "+12025550101"),
        ("2025550101", "US", {"area_code": "202"}, "+12025550101"),
        ("23125001", "DE", {"Vorwahl": "030"}, "+493023125001"),
        ("030 23125001", "DE", {"Vorwahl": "030"}, "+493023125001"),
        ("23125001", "US", {"Vorwahl": "030", "Land": "Deutschland"}, "+493023125001"),
    ],
)
def test_what_stands_beside_a_number_makes_it_whole(
    raw: str, region: str, beside: dict[str, str], dialled: str
) -> None:
    assert number(raw, region, **beside) == dialled


@pytest.mark.parametrize(
    ("raw", "region", "beside", "code"),
    [
        ("2025550101", "US", {"phone_code": "44"}, "invalid_number"),
        ("2079460018", "US", {"prefix": "44"}, "area_mismatch"),
        ("2079460018", "US", {"Country": "US", "Mailing Country": "United Kingdom"}, "country_mismatch"),
        ("+12025550101", "GB", {"phone_code": "44"}, "country_mismatch"),
        ("2079460018", "US", {"phone_code": "1", "country_code": "GBR"}, "country_mismatch"),
        ("2079460018", "US", {"country": "Ruritania"}, "unknown_country"),
        ("2079460018", "US", {"phone_code": "999"}, "unknown_country"),
        ("2025550101", "US", {"area_code": "212"}, "area_mismatch"),
        ("2025550101", "US", {"area_code": "east"}, "area_mismatch"),
        ("3023125001", "DE", {"Vorwahl": "030"}, "area_mismatch"),
        # Whole, and a stranger's with another code in front.
        ("0171 1234567", "DE", {"Vorwahl": "030"}, "area_mismatch"),
        ("171 1234567", "DE", {"Vorwahl": "030"}, "area_mismatch"),
        ("030 1234567", "DE", {"Vorwahl": "040"}, "area_mismatch"),
        ("49 171 1234567", "DE", {"Vorwahl": "030"}, "area_mismatch"),
        ("08-12 34 56", "SE", {"area_code": "02"}, "area_mismatch"),
        ("2025550101 / 2025550102", "US", {"phone_code": "1"}, "several_numbers"),
    ],
)
def test_what_does_not_go_together_is_refused(
    raw: str, region: str, beside: dict[str, str], code: str
) -> None:
    with pytest.raises(NumberRefused) as refused:
        number(raw, region, **beside)
    assert refused.value.code == code


@examples(2000)
@given(st.sampled_from(REGIONS), st.sampled_from(REGIONS), st.sampled_from([0, 1]))
def test_a_country_code_beside_a_number_is_never_ignored(there: str, here: str, kind: int) -> None:
    example = phonenumbers.example_number_for_type(there, kind)
    if example is None:
        return
    written = phonenumbers.national_significant_number(example)
    try:
        dialled = number(written, here, phone_code=str(example.country_code))
    except NumberRefused:
        return
    assert dialled == phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)


def test_only_whole_names_are_taken_for_such_columns() -> None:
    names = ["phone_code", "Country", "zip_code", "area", "country_manager", "promo_code", "Ländervorwahl"]
    assert [hint.column for hint in hints(enumerate(names))] == ["phone_code", "Country", "Ländervorwahl"]
