"""A date never becomes a number, however it is written: in any order, calendar or script, with a clock, as a span."""

from __future__ import annotations

import datetime

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.number_dates import is_date, may_be_date
from campaigns.number_signs import plain_signs
from tests.examples import examples
from tests.unit.campaigns.number_cells import dialled, refused_as

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
DAYS = st.dates(datetime.date(1921, 1, 1), datetime.date(2099, 12, 31))
# Of our calendar, of Thailand's, and how far about those of Iran and of Arabia are behind.
CALENDARS = (0, 0, 543, -621, -579)
MARKS = ("-", "/", ".", " ", " / ", ". ", " - ", "--", "//", "-.", "./", "\u2013", "\uff0f", "\u2011")
ORDERS = ("Y{0}m{0}d", "d{0}m{0}Y", "m{0}d{0}Y", "Y{0}d{0}m")
SHORT_ORDERS = ("d{0}m{0}y", "m{0}d{0}y", "y{0}m{0}d")
# Between the groups of a number of six digits, too: 22 12 34.
MARKS_OF_SHORT = tuple(mark for mark in MARKS if mark != " ")
CLOCKS = (
    "",
    "",
    " 10:30",
    "T10:30:00",
    "T10:30:00Z",
    " 9:05 PM",
    " 00:00:00",
    " 1030",
    " 10.30",
    " 103000",
    ", 10:30",
)
JOINED_CLOCKS = (*CLOCKS, " 10-30", " 10 30", "-10-30", " 02.38.00")
AROUND = (
    "{}",
    "{}",
    "({})",
    "{})",
    "({}",
    "{}-",
    "{}.",
    "{}/",
    "[{}]",
    "'{}",
    " {} ",
    "\u200e{}\u200e",
    "- {}",
)
SCRIPTS = ("0123456789", "0123456789", "٠١٢٣٤٥٦٧٨٩", "๐๑๒๓๔๕๖๗๘๙", "０１２３４５６７８９")


def in_script(text: str, digits: str) -> str:
    return text.translate(str.maketrans("0123456789", digits))


def told(day: datetime.date, order: str, years: int, *, padded: bool) -> str:
    """The day in `order`, by a calendar that is so many years ahead."""
    year = day.year + years
    width = 2 if padded else 1
    parts = {
        "Y": f"{year:04d}",
        "y": f"{year % 100:02d}",
        "m": f"{day.month:0{width}d}",
        "d": f"{day.day:0{width}d}",
    }
    return "".join(parts.get(sign, sign) for sign in order)


@examples(2000)
@given(st.sampled_from(REGIONS), DAYS, st.booleans(), st.data())
def test_a_date_is_never_dialled_in_any_country(
    region: str, day: datetime.date, short: bool, data: st.DataObject
) -> None:
    orders, marks = (SHORT_ORDERS, MARKS_OF_SHORT) if short else (ORDERS, MARKS)
    order = data.draw(st.sampled_from(orders)).format(data.draw(st.sampled_from(marks)))
    years = data.draw(st.sampled_from(CALENDARS))
    text = told(day, order, years, padded=data.draw(st.booleans()))
    clock = data.draw(st.sampled_from(CLOCKS if short else JOINED_CLOCKS))
    # 22 12 2345 is how Haiti writes a number.
    if " " in order and years and not clock and not set("-/.") & set(order):
        return
    cell = in_script(
        data.draw(st.sampled_from(AROUND)).format(text + clock), data.draw(st.sampled_from(SCRIPTS))
    )
    assert dialled(cell, region) is None, cell


@examples(1000)
@given(st.sampled_from(REGIONS), DAYS, st.integers(0, 20), st.sampled_from("-/."), st.data())
def test_a_span_of_days_months_or_years_is_never_dialled(
    region: str, first: datetime.date, days: int, mark: str, data: st.DataObject
) -> None:
    last = first + datetime.timedelta(days)
    to = data.draw(st.sampled_from(["-", "/", " - ", " / ", "\u2013", " \u2013 "]))
    spans = (
        f"{first.year}{to}{last.year + 1}",
        f"{first.year}{to}{(last.year + 1) % 100:02d}",
        f"{first.day}{to}{last.day}{mark}{last.month}{mark}{last.year}",
        f"{first:%d}.{to}{last:%d.%m.%Y}",
        f"{first:%d.%m}.{to}{last:%d.%m.%Y}",
        f"{first:%d/%m}{to}{last:%d/%m/%Y}",
        f"{first:%m/%Y}{to}{last:%m/%Y}",
        f"{first:%Y-%m-%d}{to}{last:%d}",
        f"{first:%Y-%m-%d}{to}{last:%Y-%m-%d}",
        f"{first.day}.{first.month}.{first.year}{to}{last.day}.{last.month}.{last.year}",
        f"{first:%Y-%j}",
        f"{first:%d{mark}%m{mark}%y}{to}{last:%d{mark}%m{mark}%y}",
        f"{first:%y{mark}%m{mark}%d} {last:%y{mark}%m{mark}%d}",
        f"{first.day}{mark}{first.month}{mark}{first:%y}{to}{last.day}{mark}{last.month}{mark}{last.year}",
        f"{first:%d{mark}%m{mark}%Y}{to}{last:%d{mark}%m{mark}%y}",
    )
    cell = data.draw(st.sampled_from(spans))
    assert dialled(cell, region) is None, cell


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("02/2026", "IT"),
        ("29.11.26", "DE"),
        ("2026-11-29T10:00:00+01:00", "DE"),
        ("20/01/2567", "TH"),
        ("20 01 2567", "TH"),
        ("2528-10-18", "AE"),
        ("27/09/1436", "AL"),
        ("1364/10/18", "BE"),
        ("(24/12/2024)", "DE"),
        ("27--09--2015", "AL"),
        ("24/12/2024)", "DE"),
        ("24/12/2024-", "DE"),
        ("24.12./2024", "DE"),
        ("85-12-31", "DE"),
        ("99-12-31", "NC"),
        ("1985-291", "AT"),
        ("2024-01-15 1030", "DE"),
        ("2024-01-15-10-30", "DE"),
        ("20240115 1030", "DE"),
        ("77-02-6 1030", "MC"),
        ("15012024 10:30", "DE"),
        ("2015-11-19 02.38.00", "DE"),
        ("10.30 15.01.2024", "DE"),
        ("2020-2021", "DE"),
        ("2020/2021", "DE"),
        ("2566/2567", "TH"),
        ("2020-21", "DE"),
        ("2023/24", "DE"),
        ("1985-1986", "AT"),
        ("27-27/09/2015", "DE"),
        ("27.-27.09.2015", "DE"),
        ("27-30.09.15", "DE"),
        ("9.30-12.00", "DE"),
        ("21/10-24/10", "BE"),
        ("28.10. - 31.10.", "AT"),
        ("21.10-24.10", "CR"),
        ("28-10 - 31-10", "AE"),
        ("05.07.00-07.07.00", "DE"),
        ("05/09/15 \u2013 12/09/15", "KR"),
        ("08-2007-09-2007", "DE"),
        ("01-09-24-05-09-24", "RS"),
        ("01-09-24 05-09-24", "RS"),
        ("01-09-24/05-09-24", "RS"),
        ("01.09.24.05.09.24", "RS"),
        ("1-9-24-5-9-24", "AT"),
        ("01-09-24-05-09-2024", "SG"),
        ("2024 01", "DE"),
        ("01 2024", "DE"),
        ("21.09.61 16 04", "US"),
        ("24-02-47 08 17", "US"),
        ("2103 26.01.2021", "DE"),
        ("0349 16-11-1957", "BR"),
        ("2015/03/02 (11.23)", "EG"),
        ("09/11/1986/16/19", "AR"),
        ("15-Jan-2024", "DE"),
        ("Jan 15, 2024", "US"),
        ("Mon, 15 Jan 2024 10:30", "US"),
        ("15. Januar 2024", "DE"),
        ("15 de enero de 2024", "ES"),
        ("15 января 2024", "RU"),
        ("2024年1月15日", "JP"),
        ("令和6年1月15日", "JP"),
        ("2024년 1월 15일", "KR"),
    ],
)
def test_a_date_is_refused_as_one(text: str, region: str) -> None:
    assert refused_as(text, region) == "date"


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("06.12.11.12.34", "FR", "+33612111234"),
        ("06-12-11-12-34", "FR", "+33612111234"),
        ("22 12 2345", "HT", "+50922122345"),
        ("20 12 34", "FO", "+298201234"),
        ("27 30 09 15", "DK", "+4527300915"),
        ("27-30-09-15", "DK", "+4527300915"),
        ("21-10-24-10", "CR", "+50621102410"),
        ("01-51-23-45-67-89", "DE", "+4915123456789"),
        ("20 24 01", "FO", "+298202401"),
        ("0349 1611 1957", "DE", "+4934916111957"),
        ("2345-6789", "HK", "+85223456789"),
    ],
)
def test_a_number_in_groups_of_the_lengths_of_a_date_is_no_date(text: str, region: str, number: str) -> None:
    assert dialled(text, region) == number


def test_a_decimal_number_and_a_version_are_no_dates() -> None:
    assert not any(map(is_date, ("1999.99", "2020.2021", "1985.291", "1.2.3.4", "12.345.67", "1234/5678")))


@pytest.mark.parametrize(
    "text",
    ["20150927", "27092015", "09272015", "25670120", "20240115103000", "202401151030", "20150927.0", "45989"],
)
def test_digits_alone_may_be_a_date(text: str) -> None:
    assert may_be_date(text)
    for digits in SCRIPTS:
        assert may_be_date(plain_signs(f" '{in_script(text, digits)}\u200b"))


@pytest.mark.parametrize("text", ["20151327", "2015092", "+20150927", "99999999", "2015092799"])
def test_other_digits_are_no_date(text: str) -> None:
    assert not may_be_date(text)
