"""What a date may be written as: days, months, years, spans of them, with a clock or without, in any calendar.

In the place of a number a date would be dialled as the digits that it has. Pure.
"""

from __future__ import annotations

import re

from campaigns.errors import NumberRefused, quoted

# Years of our time, and those of any calendar that is in use: 1364 and 1445 are now in Iran and Arabia, 2567 in
# Thailand.
_YEAR, _ANY_YEAR = r"(?:19|20)\d\d", r"(?:1[3-9]|2[0-6])\d\d"
_MONTH, _DAY = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_DAY_OF_YEAR = r"(?:00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])"
# `22 12 34` is how six digits are written in some countries, and `22 12 2345` how eight are; with other marks a year
# may be short, or of any calendar.
_MARK, _MARK_OR_BLANK = "[-/.]", "[-/. ]"


def _day_and_month(mark: str) -> str:
    return rf"(?:{_DAY}{mark}{_MONTH}|{_MONTH}{mark}{_DAY})"


def _whole_date(year: str, mark: str) -> str:
    return rf"(?:{year}{mark}{_day_and_month(mark)}|{_day_and_month(mark)}{mark}{year})"


_HOUR, _MINUTE = r"(?:[01]?\d|2[0-4])", r"[0-5]\d"
_ZONE = r"(?:\.\d+)?(?:Z| ?[ap]m| ?[-+]\d\d:?\d\d)?"
_CLOCK = rf"(?:[T, (]+|{_MARK})\d{{1,2}}(?:[-:./ ]?{_MINUTE}){{0,2}}{_ZONE}"
_PLAIN_CLOCK = rf"[T, (]+\d{{1,2}}(?:[:. ]?{_MINUTE}){{0,2}}{_ZONE}"
_DATE = rf"(?:{_whole_date(_YEAR, _MARK_OR_BLANK)}|{_whole_date(_ANY_YEAR, _MARK)})"
_SHORT_DATE = rf"(?:{_day_and_month(_MARK)}{_MARK}\d\d|\d\d{_MARK}{_MONTH}{_MARK}{_DAY})"
_DIGITS = (
    rf"(?:{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    rf"|(?:(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])){_YEAR})"
)
_SPAN = "|".join(
    (
        # Of years: 2020-2021, 2023/24, 2566/2567.
        rf"{_YEAR}[-/](?:{_YEAR}|\d\d)|{_ANY_YEAR}/{_ANY_YEAR}",
        # Of months: 01/2024-03/2024.
        rf"{_MONTH}{_MARK}{_YEAR}{_MARK}{_MONTH}{_MARK}{_YEAR}",
        # Of days: 27-30/09/2015, 27.09.-30.09.2015, 1.9.2015-5.9.2015, 2015-09-27/30, 27-30.09.15.
        rf"{_DAY}(?:{_MARK}{_MONTH})?{_MARK}{_whole_date(_ANY_YEAR, _MARK)}",
        rf"{_whole_date(_ANY_YEAR, _MARK)}{_MARK}{_whole_date(_ANY_YEAR, _MARK)}",
        rf"{_ANY_YEAR}{_MARK}{_MONTH}{_MARK}{_DAY}{_MARK}(?:{_MONTH}{_MARK})?{_DAY}",
        rf"{_DAY}-{_DAY}(?P<mark>[./]){_MONTH}(?P=mark)\d\d",
        # And with short years: 01-09-24-05-09-24, 01-09-24 05-09-2024.
        rf"{_SHORT_DATE}{_MARK_OR_BLANK}(?:{_SHORT_DATE}|{_whole_date(_ANY_YEAR, _MARK)})",
        rf"{_whole_date(_ANY_YEAR, _MARK)}{_MARK_OR_BLANK}{_SHORT_DATE}",
        # Of hours: 9.30-12.00.
        rf"{_HOUR}[.]{_MINUTE}-{_HOUR}[.]{_MINUTE}",
    )
)
_ALONE = rf"{_MONTH}{_MARK}{_YEAR}|{_YEAR}{_MARK}{_MONTH}|{_YEAR}[-/]{_DAY_OF_YEAR}"
_WRITTEN = re.compile(
    rf"{_DATE}(?:{_CLOCK})?|{_SHORT_DATE}(?:{_PLAIN_CLOCK})?|{_DIGITS}(?:{_CLOCK})|{_ALONE}|{_SPAN}"
    rf"|{_whole_date(_ANY_YEAR, ' ')}{_CLOCK}|{_HOUR}(?:[:.]{_MINUTE}){{1,2}}[, ]+(?:{_DATE}|{_SHORT_DATE})"
    rf"|{_HOUR}{_MINUTE}[, ]+{_whole_date(_YEAR, _MARK)}",
    re.IGNORECASE | re.ASCII,
)
# Spans of days without their year or with the end of it, before marks in a row are made one: 24/06-28/06,
# 24.06.-28.06., 24-06 - 28-06, 01.09.24-05.09.24.
_DAYS = re.compile(
    "|".join(
        rf"{_day_and_month(mark)}(?:{mark}\d\d)?[.]?{to}{_day_and_month(mark)}(?:{mark}\d\d)?[.]?"
        for mark, to in (("[./]", " *- *"), ("-", " +-+ +"))
    ),
    re.ASCII,
)
_TWO_OF_MONTH = "(?:0[1-9]|1[0-2])"
_SPACED = re.compile(
    rf"{_whole_date(_ANY_YEAR, ' ')}|{_YEAR} {_TWO_OF_MONTH}|{_TWO_OF_MONTH} {_YEAR}", re.ASCII
)
_MONTH_NAME = (
    "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mrz|mai|maj|mei|okt|dez|des|avr|aoû|fév|juin|juil|déc|ene"
    "|abr|ago|dic|gen|mag|giu|lug|set|ott|out|oca|şub|nis|haz|tem|ağu|eyl|eki|kas|ara|sty|lut|kwi|cze|lip|sie|wrz|paź"
    r"|lis|gru|янв|фев|мар|апр|мая|май|июн|июл|авг|сен|окт|ноя|дек)[^\W\d_]*\.?"
)
_NUMBERED = r"\d{1,2}(?:st|nd|rd|th|er|º|ª|\.)?"
_JOINT = r"[-/., ]*(?:(?:de|of)\.? )?"
_NAMED = re.compile(
    rf"(?:[^\W\d_]+\.?,? )?(?:(?:{_NUMBERED}{_JOINT})?{_MONTH_NAME}{_JOINT}(?:\d{{4}}|\d\d)"
    rf"|{_MONTH_NAME}{_JOINT}{_NUMBERED}{_JOINT}\d{{2,4}}|\d{{4}}{_JOINT}{_MONTH_NAME}{_JOINT}(?:{_NUMBERED})?"
    rf"|[^\W\d_]{{0,3}}\d{{1,4}} ?[年년] ?\d{{1,2}} ?[月월](?: ?\d{{1,2}} ?[日일号號])?)(?:{_PLAIN_CLOCK})?",
    re.IGNORECASE,
)
# Without separators, and as a spreadsheet counts its days (20,000 is 1954, 73,000 is 2099).
_UNSEPARATED = re.compile(
    rf"(?:{_ANY_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:(?:[01]\d|2[0-3])(?:{_MINUTE}){{1,2}})?"
    rf"|(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2]){_ANY_YEAR}|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]){_ANY_YEAR})"
    r"(?:[.,]0+)?|[2-7]\d{4}(?:[.,]\d+)?",
    re.ASCII,
)
_RUN = re.compile(r"[-./ ]*[-./][-./ ]*| +")
_AROUND = "-./, "


def is_date(text: str) -> bool:
    """Whether `text`, in ordinary signs, is a date with separators, or a span of dates, with or without a time."""
    bare = _bare(text)
    return any(
        found is not None
        for found in (_WRITTEN.fullmatch(bare), _NAMED.fullmatch(bare), _DAYS.fullmatch(text.strip()))
    )


def is_spaced_date(text: str) -> bool:
    """Whether `text` is a date of any calendar with blanks in it, or a month, as the digits of a number may be
    written, too."""
    return _SPACED.fullmatch(_bare(text)) is not None


def may_be_date(text: str) -> bool:
    """Whether digits without separators are what a date may be written as."""
    return _UNSEPARATED.fullmatch(text) is not None


def date_refused(raw: str) -> NumberRefused:
    """A date in the place of a number."""
    return NumberRefused(
        "date",
        f"{quoted(raw)} is a date, and this column is for phone numbers; "
        f"if it is a number, write it with + and its country code",
    )


def _bare(text: str) -> str:
    """`text` without brackets and marks around it, and with one mark where several stand in a row."""
    if text[:1] == "(" or text[-1:] == ")":
        text = text.strip(_AROUND).removeprefix("(").removesuffix(")")
    return _RUN.sub(lambda found: found[0].strip(" ")[:1] or " ", text.strip(_AROUND))
