"""The quick answer about a number is libphonenumber's own, or none."""

from __future__ import annotations

import random
import re
import runpy

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from campaigns import numbering_plans
from campaigns.errors import NumberRefused
from campaigns.numbering_plans import dialled
from campaigns.numbers import phone_number
from tests.examples import examples as numbers_tried

TYPES = range(11)
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
PREFIXES = ["", "0", "1", "8", "00", "011", "15", "90", "06", "01", "9", "44", "54"]
BETWEEN = ["", "", "", " ", "-", ".", "/", "(", ")", " (0) "]


def library(text: str, region: str | None) -> str | None:
    """What libphonenumber alone makes of it: E.164, or None where it is none or a premium-rate number."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    if phonenumbers.number_type(number) in (PhoneNumberType.UNKNOWN, PhoneNumberType.PREMIUM_RATE):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def examples() -> list[tuple[str | None, phonenumbers.PhoneNumber]]:
    """Every type's example number of every region, and of every code that belongs to none."""
    found: list[tuple[str | None, phonenumbers.PhoneNumber | None]] = [
        (region, phonenumbers.example_number_for_type(region, kind)) for region in REGIONS for kind in TYPES
    ]
    found += [(None, phonenumbers.example_number_for_non_geo_entity(code)) for code in CODES]
    return [(region, number) for region, number in found if number is not None]


EXAMPLES = examples()


def e164(number: phonenumbers.PhoneNumber) -> str:
    text: str = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return text


def agrees(digits: str, region: str | None) -> bool:
    """Whether there was an answer, which must be libphonenumber's. Without a region, `digits` follow a `+`."""
    written = digits if region else f"+{digits}"
    answer, expected = dialled(written, region), library(written, region)
    assert answer in (None, expected), (written, region, answer, expected)
    return answer is not None


def test_every_example_that_is_dialled_is_answered() -> None:
    """One that is left to the library makes the import of a whole country's lists slow, and nobody knows."""
    assert len(EXAMPLES) > 1300
    for _, number in EXAMPLES:
        assert agrees(e164(number)[1:], None) == (library(e164(number), None) is not None)


def test_a_digit_changed_left_out_or_put_in_is_judged_as_the_library_judges_it() -> None:
    drawn = random.Random(5)
    for region, number in EXAMPLES:
        text = e164(number)[1:]
        national = phonenumbers.national_significant_number(number)
        for _ in range(4):
            at = drawn.randrange(len(text))
            digit = str(drawn.randrange(10))
            for changed in (
                text[:at] + digit + text[at + 1 :],
                text[:at] + text[at + 1 :],
                text[:at] + digit + text[at:],
            ):
                agrees(changed, None)
            if region:
                agrees(drawn.choice(PREFIXES) + national, region)
                agrees(drawn.choice(PREFIXES) + national[:-1] + digit, region)


def judged(text: str, region: str | None) -> str:
    """What becomes of `text`: the number that is dialled, or the code of the refusal."""
    try:
        return phone_number(text, region)
    except NumberRefused as refused:
        return refused.code


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_s_numbers_as_they_are_written_there(region: str) -> None:
    for kind in TYPES:
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        for form in (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164):
            text = phonenumbers.format_number(number, form)
            if set(text) <= set("+0123456789 ().-/"):
                number_or_code = judged(text, region)
                # `20.12.34` is how numbers are written in New Caledonia, and dates elsewhere.
                assert number_or_code == (library(text, region) or number_or_code) or number_or_code == "date"
                assert library(text, region) is not None or not number_or_code.startswith("+")


@numbers_tried(2000)
@given(
    st.sampled_from(CODES),
    st.sampled_from(REGIONS),
    st.sampled_from(PREFIXES),
    st.from_regex(r"[0-9]{4,12}", fullmatch=True),
)
def test_any_digits_are_judged_as_the_library_judges_them(
    code: int, region: str, prefix: str, digits: str
) -> None:
    agrees(f"{code}{prefix}{digits}", None)
    agrees(f"{prefix}{digits}", region)
    agrees(f"{code}{digits}", region)


OF_THE_LIBRARY = {"emergency_number", "short_code", "premium"}
TOLD_APART = {"amount", "date", "network_address", "number_range", "several_numbers", "invalid_number"}


@numbers_tried(1000)
@given(st.sampled_from(EXAMPLES), st.lists(st.sampled_from(BETWEEN), min_size=20, max_size=20), st.booleans())
def test_what_stands_between_the_digits_makes_no_other_number_of_them(
    example: tuple[str | None, phonenumbers.PhoneNumber], between: list[str], abroad: bool
) -> None:
    region, number = example
    digits = (
        e164(number)[1:] if abroad or region is None else phonenumbers.national_significant_number(number)
    )
    written = digits[0] + "".join(mark + digit for mark, digit in zip(between, digits[1:], strict=False))
    text = f"+{written}" if abroad or region is None else written
    # Decimals that are zeros are no digits of the number.
    assume(not re.search(r"\.0+\Z", text))
    number_or_code = judged(text, region)
    assert number_or_code == library(text, region) or number_or_code in TOLD_APART | OF_THE_LIBRARY
    assert number_or_code in TOLD_APART or library(text, region) in (number_or_code, None)


def test_a_list_s_numbers_need_the_library_for_what_is_refused_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    parse = phonenumbers.parse

    def noted(text: str, region: str | None) -> phonenumbers.PhoneNumber:
        asked.append(text)
        return parse(text, region)

    monkeypatch.setattr("phonenumbers.parse", noted)
    for text, region in [
        ("+14155550123", None),
        ("+1 (415) 555-0123", None),
        ("(415) 555-0123", "US"),
        ("1 415 555 0123", "US"),
        ("020 7946 0018", "GB"),
        ("030/123456", "DE"),
        ("+5491123456789", None),
        ("+390612345678", None),
    ]:
        phone_number(text, region)
    assert asked == []
    with pytest.raises(NumberRefused):
        phone_number("+14155550", None)
    assert asked == ["+14155550"]


def test_the_first_number_of_a_code_does_not_wait_for_the_patterns_of_all_its_regions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others of the process wait as long, and +1 has the numbers of 25 regions, each of several lengths and kinds."""
    compiled: list[str] = []
    compiles = re.compile

    def counted(pattern: str) -> re.Pattern[str]:
        compiled.append(pattern)
        return compiles(pattern)

    monkeypatch.setattr(re, "compile", counted)
    unused = runpy.run_path(numbering_plans.__file__)
    assert unused["dialled"]("+12125550100", None) == "+12125550100"
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]
    assert len(compiled) < 2 * len(regions)
