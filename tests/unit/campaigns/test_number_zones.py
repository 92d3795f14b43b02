"""The zones of a number: what libphonenumber says, whatever its type."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA

from campaigns import time_zones
from campaigns.number_zones import zones_of_number
from tests.examples import examples

EXAMPLES = sorted(
    phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    for region in phonenumbers.SUPPORTED_REGIONS
    for kind in phonenumbers.PhoneNumberType.values()
    if kind != phonenumbers.PhoneNumberType.PREMIUM_RATE
    and (example := phonenumbers.example_number_for_type(region, kind)) is not None
)


def of_library(number: str) -> tuple[str, ...]:
    found = time_zones_for_number(phonenumbers.parse(number))
    return tuple(sorted(set(found) - {UNKNOWN_TIMEZONE}))


def is_dialled(number: str) -> bool:
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return False
    premium = phonenumbers.PhoneNumberType.PREMIUM_RATE
    return phonenumbers.is_valid_number(parsed) and phonenumbers.number_type(parsed) != premium


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+14155550123", ("America/Los_Angeles",)),
        ("+493012345678", ("Europe/Berlin",)),
        ("+61412345678", None),
        ("+18002345678", None),
    ],
)
def test_a_number_of_a_place_has_its_zone_and_one_of_none_all_of_its_country(
    number: str, zones: tuple[str, ...] | None
) -> None:
    assert zones_of_number(number) == (zones or of_library(number))
    assert (len(zones_of_number(number)) > 1) is (zones is None)


def test_every_zone_that_a_number_can_have_is_one_of_ours() -> None:
    assert {zone for zones in TIMEZONE_DATA.values() for zone in zones} <= time_zones.names()


@examples(200)
@given(st.sampled_from(EXAMPLES), st.data())
def test_it_is_the_library_s_answer(number: str, data: st.DataObject) -> None:
    places = data.draw(
        st.dictionaries(st.integers(3, len(number) - 1), st.sampled_from("0123456789"), max_size=3)
    )
    changed = "".join(places.get(place, digit) for place, digit in enumerate(number))
    if is_dialled(changed):
        assert zones_of_number(changed) == of_library(changed)
