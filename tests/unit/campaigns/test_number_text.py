"""A cell that holds no single number never becomes one: dates, amounts, ranges, and two numbers in a cell."""

from __future__ import annotations

import datetime

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from campaigns.errors import NumberRefused
from campaigns.numbers import phone_number
from tests.examples import PART, examples, share, some

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
FORMS = (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164)
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
    ),
    *(" or ", " and ", " oder ", " und ", " ou ", " y ", " или ", ") (", " (", "("),
)
MOST_NUMBERS = 5


def dialled(text: str, region: str | None) -> str | None:
    try:
        return phone_number(text, region)
    except NumberRefused:
        return None


def written(region: str, kind: int, form: int) -> str | None:
    number = phonenumbers.example_number_for_type(region, kind)
    return None if number is None else phonenumbers.format_number(number, form)


def numbers_of(region: str) -> list[str]:
    """Different numbers of a country in its own and the international form, and as bare digits."""
    found: list[str] = []
    for kind in (0, 1):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is not None:
            found += [phonenumbers.format_number(number, form) for form in FORMS]
            found.append(phonenumbers.national_significant_number(number))
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("region", share(REGIONS, 0, PART))
def test_two_numbers_in_a_cell_are_never_dialled_in_any_country(region: str) -> None:
    numbers = [text for text in numbers_of(region) if dialled(text, region)][:MOST_NUMBERS]
    cells = [
        (first, between, second)
        for first in numbers
        for second in numbers
        for between in BETWEEN_NUMBERS
        if not ("(" in between and "(" in second)
    ]
    for cell in some(cells):
        assert dialled("".join(cell), region) is None, cell


@examples(500)
@given(st.sampled_from(REGIONS), st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)), st.data())
def test_a_date_is_never_dialled_in_any_country(region: str, day: datetime.date, data: st.DataObject) -> None:
    mark = data.draw(st.sampled_from(["-", "/", ".", " ", " / ", "\u2013", "\uff0f", "\u2011"]))
    order = data.draw(
        st.sampled_from(["%Y{0}%m{0}%d", "%d{0}%m{0}%Y", "%m{0}%d{0}%Y", "%d.%m.%y", "%m/%d/%y"])
    )
    clock = data.draw(st.sampled_from(["", " 10:30", "T10:30:00", "T10:30:00Z", " 9:05 PM", " 00:00:00"]))
    assert dialled(day.strftime(order.format(mark)) + clock, region) is None


@examples(500)
@given(st.sampled_from(REGIONS), st.integers(1, 99_999_999), st.data())
def test_an_amount_is_never_dialled_in_any_country(region: str, cents: int, data: st.DataObject) -> None:
    point = data.draw(st.sampled_from([".", ","]))
    thousands = data.draw(st.sampled_from(["", " ", "'", "\u00a0", "\u202f", "." if point == "," else ","]))
    whole = f"{cents // 100:,}".replace(",", thousands)
    amount = f"{whole}{point}{cents % 100:02d}"
    around = data.draw(
        st.sampled_from(["{}", "${}", "$ {}", "{} €", "€{}", "£{}", "{}$", "USD {}", "{} EUR", "-{}"])
    )
    assert dialled(around.format(amount), region) is None


@pytest.mark.parametrize("region", share(REGIONS, 1, PART))
def test_a_number_with_a_short_second_one_behind_a_slash_is_not_dialled(region: str) -> None:
    for kind in (0, 1):
        for form in FORMS:
            text = written(region, kind, form)
            if text is not None and dialled(text, region):
                for tail in ("57", "5", "123"):
                    for slash in ("/", " / ", "  ", " - ", " or ", " ::: "):
                        assert dialled(f"{text}{slash}{tail}", region) is None, (text, slash, tail)


@pytest.mark.parametrize("region", share(REGIONS, 2, PART))
def test_decimals_that_are_zeros_are_left_out_and_others_refused(region: str) -> None:
    number = phonenumbers.example_number_for_type(region, 0) or phonenumbers.example_number(region)
    assert number is not None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if len(e164) < 8:
        return
    for zeros in (".0", ".00", ",0", ",00", ".000000"):
        assert dialled(e164 + zeros, region) == e164
    for others in (".5", ".50", ",25", ".01", ".125"):
        assert dialled(e164 + others, region) is None


@pytest.mark.parametrize("region", share(REGIONS, 3, PART))
def test_a_country_s_own_writing_of_one_number_is_dialled(region: str) -> None:
    for kind in range(11):
        for form in FORMS:
            text = written(region, kind, form)
            number = phonenumbers.example_number_for_type(region, kind)
            if text is None or number is None or kind == phonenumbers.PhoneNumberType.PREMIUM_RATE:
                continue
            if not set(text) <= set("+0123456789 ().-/"):
                continue
            for own in (text, text.replace(" ", "\u00a0"), f" {text} "):
                if dialled(own, region) is None:
                    assert refused_as(own, region) == "date", own
                else:
                    assert dialled(own, region) == phonenumbers.format_number(number, PhoneNumberFormat.E164)


def refused_as(text: str, region: str | None) -> str:
    with pytest.raises(NumberRefused) as refused:
        phone_number(text, region)
    assert refused.value.reason.isprintable()
    return refused.value.code


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
        ("202/555/0109", "US", "+12025550109"),
        ("+1.2025550101", "DE", "+12025550101"),
        ("12025550108.", "US", "+12025550108"),
        ("12 025 550 105", "US", "+12025550105"),
        ("06 12345678.00", "IT", "+390612345678"),
        ("+358 9 123456.00", "GB", "+3589123456"),
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
        ("271466-27 004", "LU", "several_numbers"),
        ("06 1234567-8", "IT", "number_range"),
        ("202-5550106-1", "US", "number_range"),
        ("02/2026", "IT", "date"),
        ("29.11.26", "DE", "date"),
        ("2026-11-29T10:00:00+01:00", "DE", "date"),
        ("30 23125001.50", "DE", "amount"),
        ("23125.75", "DE", "amount"),
        ("23125.00", "DE", "amount"),
        ("45989.4375", "AT", "amount"),
        ("1.234.567", "AT", "amount"),
        ("12.345.67", "AT", "amount"),
        ("20255501.04", "US", "amount"),
        ("030.23125001.00", "DE", "amount"),
        ("2.1E+3", "AT", "amount"),
        ("192.168.100.200", "DE", "network_address"),
        ("+44 20 7946 0118 (0)", "GB", "invalid_number"),
        ("202\u00b7555\u00b70113", "US", "invalid_number"),
    ],
)
def test_what_is_no_single_number_is_refused_as_what_it_is(text: str, region: str, code: str) -> None:
    assert refused_as(text, region) == code
