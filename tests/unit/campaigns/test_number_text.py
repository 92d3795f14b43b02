"""A cell that holds no single number never becomes one: two numbers, one with more behind it, ranges."""

from __future__ import annotations

import itertools

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from tests.examples import PART, examples, share, some
from tests.unit.campaigns.number_cells import FORMS, dialled, numbers_of, refused_as

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
BETWEEN_NUMBERS = (
    *("/", " / ", " /", "//", "|", ";", "; ", ",", ", ", ":::", " ::: ", "&", " & ", "\\", "+"),
    *(
        "  ",
        "    ",
        "\t",
        "\n",
        "\r\n",
        "\u3000\u3000",
        "\u00a0\u00a0",
        " ",
        "-",
        " - ",
        "\u2013",
        " \u2014 ",
        ".",
        "\u200b",
        "\u00ad",
    ),
    *(" or ", " and ", " oder ", " und ", " ou ", " y ", " или ", ") (", " (", "("),
)
RUNS = ["".join(marks) for size in (1, 2, 3) for marks in itertools.product(" ().-/", repeat=size)]
"""Whatever libphonenumber skips between two digits, in a row."""
INVISIBLE = ("\u200b", "\u00ad", "\u2060", "\u200e", "\u202c", "\ufeff")
MOST_NUMBERS = 5
HYPHEN_BEFORE_EXTENSION = ("DE", "AT")


def written(region: str, kind: int, form: int) -> str | None:
    number = phonenumbers.example_number_for_type(region, kind)
    return None if number is None else phonenumbers.format_number(number, form)


@pytest.mark.parametrize("region", share(REGIONS, 0, PART))
def test_two_numbers_in_a_cell_are_never_dialled_in_any_country(region: str) -> None:
    numbers = numbers_of(region)[:MOST_NUMBERS]
    cells = [
        (first, between, second)
        for first in numbers
        for second in numbers
        for between in BETWEEN_NUMBERS
        if not ("(" in between and "(" in second)
    ]
    for cell in some(cells):
        assert dialled("".join(cell), region) is None, cell


@examples(2000)
@given(st.sampled_from(REGIONS), st.sampled_from(RUNS), st.data())
def test_two_numbers_are_never_dialled_whatever_stands_between_them(
    region: str, run: str, data: st.DataObject
) -> None:
    numbers = st.sampled_from(numbers_of(region))
    cell = f"{data.draw(numbers)}{run}{data.draw(numbers)}"
    assert dialled(cell, region) is None, cell


@examples(2000)
@given(
    st.sampled_from(REGIONS), st.sampled_from(RUNS), st.from_regex("[0-9]{1,4}", fullmatch=True), st.data()
)
def test_a_number_with_digits_behind_it_is_never_dialled_but_behind_one_blank(
    region: str, run: str, tail: str, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from(numbers_of(region)))
    # Behind a hyphen of several it may be one more group; `.0` is a spreadsheet's.
    assume(
        run != " "
        and not (run == "-" and (region in HYPHEN_BEFORE_EXTENSION or not text.lstrip("+").isdigit()))
    )
    assume(run != "." or tail.strip("0"))
    assert dialled(f"{text}{run}{tail}", region) is None, f"{text}{run}{tail}"


@pytest.mark.parametrize("region", share(REGIONS, 1, PART))
def test_a_number_with_a_short_second_one_behind_a_slash_is_not_dialled(region: str) -> None:
    for kind in (0, 1):
        for form in FORMS:
            text = written(region, kind, form)
            if text is not None and dialled(text, region):
                for tail in ("57", "5", "123"):
                    for slash in ("/", " / ", "  ", " - ", " or ", " ::: ", *INVISIBLE):
                        assert dialled(f"{text}{slash}{tail}", region) is None, (text, slash, tail)


@pytest.mark.parametrize("region", share(REGIONS, 2, PART))
def test_invisible_marks_around_a_number_and_beside_its_own_marks_are_no_part_of_it(region: str) -> None:
    for text in numbers_of(region):
        for mark in INVISIBLE:
            assert dialled(f"{mark}{text}{mark}", region) == dialled(text, region)
            assert dialled(text.replace(" ", f"{mark} {mark}"), region) == dialled(text, region)


@examples(1000)
@given(st.sampled_from(REGIONS), st.integers(10_000, 99_999_999), st.sampled_from(FORMS))
def test_a_second_subscriber_of_five_digits_or_more_behind_a_whole_number_is_no_part_of_it(
    region: str, second: int, form: int
) -> None:
    text = written(region, 0, form)
    if text is None or dialled(text, region) is None:
        return
    assert dialled(f"{text} {second}", region) is None, f"{text} {second}"


@examples(1000)
@given(
    st.sampled_from(REGIONS),
    st.sampled_from(
        ["/", " / ", " /", "  ", "    ", " - ", "- ", "--", "//", " -- ", "\u200b", " \u2013 ", "\t"]
    ),
    st.integers(1000, 99_999_999),
    st.booleans(),
)
def test_two_numbers_without_an_area_code_are_never_dialled_as_one(
    region: str, between: str, first: int, next_one: bool
) -> None:
    second = first + 1 if next_one else int(str(first)[::-1])
    assume(len(str(first)) == len(str(second)))
    assert dialled(f"{first}{between}{second}", region) is None, f"{first}{between}{second}"


def usual_halves(region: str, digits: str) -> bool:
    """Whether libphonenumber writes the number in two halves, with what stands in front at home or without."""
    number = phonenumbers.parse(digits, region)
    forms = (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL)
    halves = f"{digits[: len(digits) // 2]} {digits[len(digits) // 2 :]}"
    return any(phonenumbers.format_number(number, form).replace("-", " ").endswith(halves) for form in forms)


def has_area_codes(region: str) -> bool:
    plan = phonenumbers.PhoneMetadata.metadata_for_region(region)
    return plan is not None and bool(plan.national_prefix)


AREA_CODES = [region for region in REGIONS if has_area_codes(region)]


@examples(1000)
@given(st.sampled_from(AREA_CODES), st.integers(1000, 99_999_999))
def test_halves_joined_by_a_hyphen_are_one_number_only_where_numbers_are_written_so(
    region: str, first: int
) -> None:
    second = first + 1
    assume(len(str(first)) == len(str(second)))
    if dialled(f"{first}-{second}", region) is not None:
        assert usual_halves(region, f"{first}{second}"), (region, first)


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+43 1 5123456-57", "AT", "+43151234565" + "7"),
        ("+49 30 23125-0", "DE", "+4930231250"),
        ("+49 30 / 23125-003", "DE", "+493023125003"),
        ("+49 30 23125 0 11", "DE", "+493023125011"),
        ("(0171) 39 20 001", "DE", "+491713920001"),
        ("040/12345-678", "DE", "+494012345678"),
        ("01.99.00.12.00", "FR", "+33199001200"),
        ("+33 1.99.00.12.34", "US", "+33199001234"),
        ("02.555.12.12", "BE", "+3225551212"),
        ("+44 / 20 / 7946 0109", "GB", "+442079460109"),
        ("(+44) 20 7946 0101", "GB", "+442079460101"),
        ("+ 44 20 7946 0103", "GB", "+442079460103"),
        ("+(44) 20 7946 0104", "GB", "+442079460104"),
        ("(+44 20 7946 0018)", "GB", "+442079460018"),
        ("(+44 (0)20 7946 0018)", "GB", "+442079460018"),
        ("202/555/0109", "US", "+12025550109"),
        ("12 025 550 105", "US", "+12025550105"),
        ("0171\u200b3920001", "DE", "+491713920001"),
        ("9123-4567", "SG", "+6591234567"),
        ("98765-43210", "IN", "+919876543210"),
        ("2123-1234", "UY", "+59821231234"),
        ("+598 2123-1234", "US", "+59821231234"),
        ("8812-3456", "MN", "+97688123456"),
        ("1588-1234", "KR", "+8215881234"),
        ("5001-2345", "KW", "+96550012345"),
        ("2310/123456", "GR", "+302310123456"),
        ("0851/1234", "DE", "+498511234"),
        ("02161/123", "DE", "+492161123"),
        ("+49 2161/1234", "DE", "+4921611234"),
        ("+91 98765  43210", "IN", "+919876543210"),
        ("22345-67-89", "PL", "+48223456789"),
        ("1300-975-707", "AU", "+611300975707"),
        ("040-123-4567", "FI", "+358401234567"),
        ("02 1234-5678", "IT", "+390212345678"),
        ("0812-3456-7890", "ID", "+6281234567890"),
        ("00 58 501-0123456", "DE", "+585010123456"),
    ],
)
def test_one_number_with_marks_in_it_is_one_number(text: str, region: str, number: str) -> None:
    assert dialled(text, region) == number


@pytest.mark.parametrize(
    ("text", "region", "code"),
    [
        ("+43 1 5123456 / 57", "AT", "several_numbers"),
        ("+49 30 23125 / 26", "DE", "several_numbers"),
        ("06 1234567 / 68", "IT", "several_numbers"),
        ("+1 202-555-0101 ::: +1 202-555-0104", "US", "several_numbers"),
        ("2025550101 2025550102", "US", "several_numbers"),
        ("030 12345 030 12346", "DE", "several_numbers"),
        ("030 180991 30137", "DE", "several_numbers"),
        ("+49 30 1234567 765432", "US", "several_numbers"),
        ("030 1234567 654321", "DE", "several_numbers"),
        ("+43 1 512345 5123457", "US", "several_numbers"),
        ("+358 9 123456 12345", "FI", "several_numbers"),
        ("271466-27 004", "LU", "several_numbers"),
        ("01 5123456\u200b57", "AT", "several_numbers"),
        ("01 5123456\u00ad57", "AT", "several_numbers"),
        ("01 5123456\u206057", "AT", "several_numbers"),
        ("01 5123456\u200e57", "AT", "several_numbers"),
        ("+358 41 2345678--1", "FI", "several_numbers"),
        ("+358 41 2345678. 1", "FI", "several_numbers"),
        ("+358 41 2345678 .1", "FI", "several_numbers"),
        ("+358 41 2345678..1", "FI", "several_numbers"),
        ("+358 41 2345678-.1", "FI", "several_numbers"),
        ("+358 41 2345678 (1", "FI", "invalid_number"),
        ("+358 41 2345678)1", "FI", "invalid_number"),
        ("02 12345-12346", "IT", "several_numbers"),
        ("11234 / 11235", "BD", "several_numbers"),
        ("11234-11235", "BD", "several_numbers"),
        ("+880 11234 / 11235", "BD", "several_numbers"),
        ("(11234 / 11235)", "BD", "several_numbers"),
        ("23456 / 23457", "MN", "several_numbers"),
        ("23456-23457", "MN", "several_numbers"),
        ("+976 23456 / 23457", "MN", "several_numbers"),
        ("3456   3457", "BG", "several_numbers"),
        ("3456 - 3457", "BG", "several_numbers"),
        ("3456-3457", "BG", "several_numbers"),
        ("9123 / 4567", "SG", "several_numbers"),
        ("65120/738", "BD", "several_numbers"),
        ("28115-627", "BD", "number_range"),
        ("7455-765", "BG", "number_range"),
        ("06 1234567-8", "IT", "number_range"),
        ("202-5550106-1", "US", "number_range"),
        ("192.168.100.200", "DE", "network_address"),
        ("+44 20 7946 0118 (0)", "GB", "invalid_number"),
        ("030) 23125001", "DE", "invalid_number"),
        ("(212 555-0100", "US", "invalid_number"),
        ("202\u00b7555\u00b70113", "US", "invalid_number"),
    ],
)
def test_what_is_no_single_number_is_refused_as_what_it_is(text: str, region: str, code: str) -> None:
    assert refused_as(text, region) == code
