"""What the text of a number cell is, where it is no single number: a date, an amount, two numbers, a range.

libphonenumber skips whatever stands between digits, so that `+43 1 5123456 / 57` and `23125001.50` come out as
numbers that somebody else has. Each of these is told here from the one number that may have been written so, and
refused with its own code. What a number is, `numbering_plans` says. Pure.
"""

from __future__ import annotations

import re

from campaigns.errors import NumberRefused, quoted
from campaigns.numbering_plans import country_of, fewest_digits, is_whole, national_digits

_BETWEEN = r"\s*[-/. ]\s*"
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_DAY_AND_MONTH = rf"(?:{_DAY}{_BETWEEN}{_MONTH}|{_MONTH}{_BETWEEN}{_DAY})"
# `22 12 34` is how six digits are written in some countries; with other marks a year may be short.
_SHORT_YEAR = rf"(?:{_DAY}\s*[-/.]\s*{_MONTH}|{_MONTH}\s*[-/.]\s*{_DAY})\s*[-/.]\s*\d\d"
_DATE = re.compile(
    rf"(?:{_YEAR}{_BETWEEN}{_MONTH}{_BETWEEN}{_DAY}|{_DAY_AND_MONTH}{_BETWEEN}{_YEAR}|{_SHORT_YEAR})"
    rf"(?:[T ,]+\d{{1,2}}(?::\d\d)*(?:\.\d+)?(?:Z|[ap]m| ?[-+]\d\d:?\d\d)?)?"
    rf"|{_MONTH}\s*[-/.]\s*{_YEAR}|{_YEAR}\s*[-/.]\s*{_MONTH}",
    re.IGNORECASE | re.ASCII,
)
# Without separators, and as a spreadsheet counts its days (20,000 is 1954, 73,000 is 2099).
_DATE_DIGITS = re.compile(
    rf"{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2]){_YEAR}"
    rf"|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]){_YEAR}|[2-7]\d{{4}}(?:[.,]\d+)?",
    re.ASCII,
)
_ADDRESS = re.compile(r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}")
_CURRENCY = re.compile(r"[$\u00a2-\u00a5\u058f\u060b\u09f3\u0e3f\u20a0-\u20c0\ufdfc\uff04\uffe0\uffe1\uffe5]")
_COMMA_AMOUNT = re.compile(r"[-+]?[0-9]{1,3}(?:[,'’ ][0-9]{3})+\.[0-9]+|[-+]?[0-9]{1,3}(?:,[0-9]{3})+")
_DOT_AMOUNT = re.compile(r"[-+]?[0-9]{1,3}(?:[.'’ ][0-9]{3})+(?:,[0-9]+)?")
_SPACED = re.compile(r"[-+]?[0-9]{1,3}(?: [0-9]{3})*")
_DECIMAL = re.compile(r"(?P<whole>.*[0-9)])(?P<point>[.,])(?P<fraction>[0-9]+)", re.DOTALL)
_LEAST_WHOLE = 7
_MOST_AMOUNT_DIGITS = 8

# Whatever two numbers may stand on either side of; of the first three a single number may have some, too.
_BENIGN = re.compile(r" */ *|  +| +- +")
_WORDS = "or|and|oder|und|bzw|ou|et|y|e|o|of|en|och|eller|lub|veya|ve|или|и|або|або|either"
_APART = re.compile(
    rf"\s*(?:[/|;,&\n\r\t\v\f\u2028\u2029\\~•·+]|:+| - |(?<![^\W\d_])(?:{_WORDS})\.?(?![^\W\d_]))+\s*|\s{{2,}}",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"[ ()./-]+")
_NOT_DIGITS = str.maketrans("", "", " ().-/")
_RANGE = re.compile(r"(?P<whole>.*[0-9)]) ?- ?(?P<rest>[0-9]{1,4})")
_FEWEST_OF_ONE = 5
_FEWEST_DIGITS = 5
_EXTENSION_BEHIND_HYPHEN = frozenset({"DE", "AT"})
"""Where a hyphen stands before the direct-dial part of one number (DIN 5008, ÖNORM A 1080)."""


def is_date(text: str) -> bool:
    """Whether `text` is a date with separators, with or without a time."""
    return _DATE.fullmatch(text) is not None


def may_be_date(text: str) -> bool:
    """Whether digits without separators are what a date may be written as."""
    return _DATE_DIGITS.fullmatch(text) is not None


def date_refused(raw: str) -> NumberRefused:
    """A date in the place of a number."""
    return NumberRefused(
        "date",
        f"{quoted(raw)} is a date, and this column is for phone numbers; "
        f"if it is a number, write it with + and its country code",
    )


def one_number(raw: str, text: str, region: str | None) -> str:
    """`text` as the one number that it is, without decimals that are zeros.

    `text` is `raw` with ordinary signs in it; `region` the country of numbers without a `+`.
    Raises NumberRefused: date, amount, network_address, several_numbers, number_range, invalid_number.
    """
    if text.isdigit() or (text[:1] == "+" and text[1:].isdigit()):
        return text
    if is_date(text):
        raise date_refused(raw)
    if _ADDRESS.fullmatch(text) and not re.search(r"\.\d\d\.\d\d\Z", text):
        raise NumberRefused(
            "network_address", f"{quoted(raw)} is a network address; a phone number is needed"
        )
    text = _without_decimals(raw, text)
    _refuse_brackets_behind(raw, text)
    _refuse_apart(raw, text, region)
    refuse_joined(raw, text, region)
    return text


def _amount(raw: str) -> NumberRefused:
    return NumberRefused(
        "amount",
        f"{quoted(raw)} is an amount or a decimal number, and no phone number; "
        f"format the column as text and write the number without decimals",
    )


def _without_decimals(raw: str, text: str) -> str:
    """`text` without `.0` or `,00` at its end. Raises NumberRefused (amount) for any other decimals."""
    digits = sum(map(str.isdigit, text))
    if digits and _CURRENCY.search(text):
        raise _amount(raw)
    if _COMMA_AMOUNT.fullmatch(text):
        raise _amount(raw)
    if _DOT_AMOUNT.fullmatch(text) and "." in text and (digits <= _MOST_AMOUNT_DIGITS or "," in text):
        raise _amount(raw)
    found = _DECIMAL.fullmatch(text)
    if found is None:
        return text
    whole, point, fraction = found["whole"], found["point"], found["fraction"]
    if point in whole and point == ".":
        # `01.99.00.12.34` ends in a pair as the one before it; what ends otherwise could be either.
        if len(fraction) > 2 or (len(fraction) == 2 and re.search(r"(?:\.|\A)\d\d\Z", whole)):
            return text
        raise _amount(raw)
    plain = whole.removeprefix("+").isdigit()
    enough = sum(map(str.isdigit, whole)) >= _LEAST_WHOLE
    if plain and (whole == "0" or not whole.startswith(("+", "0"))):
        is_decimal = True
    else:
        # `+1.2025550101` and `0171.3920001` are numbers: no decimal has so many digits behind its point.
        short = len(fraction) <= (3 if plain and enough else 2)
        is_decimal = short or (plain and not fraction.strip("0")) or point == ","
    if not is_decimal:
        return text
    grouped = not plain and _SPACED.fullmatch(whole) is not None
    if fraction.strip("0") or not enough or grouped or (not plain and len(fraction) > 2):
        raise _amount(raw)
    return whole


def _refuse_brackets_behind(raw: str, text: str) -> None:
    if text.endswith(")") and text.count("(") == 1 and text.startswith("("):
        return
    if re.search(r"[0-9].*\([0-9 ]*\)[ .-]*\Z", text):
        raise NumberRefused(
            "invalid_number", f"{quoted(raw)} has brackets behind the number; write the number alone"
        )


def _several(raw: str) -> NumberRefused:
    return NumberRefused(
        "several_numbers",
        f"{quoted(raw)} is more than one number; give each its own row, or keep the one to be called",
    )


def _refuse_apart(raw: str, text: str, region: str | None) -> None:
    """Two numbers with more between them than stands within one, or a whole one with something behind a slash."""
    pieces = [piece for piece in _APART.split(text) if piece]
    held = [sum(map(str.isdigit, piece)) for piece in pieces]
    clean = all(_plain(piece) for piece in pieces)
    apart = clean and sum(count >= _FEWEST_OF_ONE for count in held) > 1
    if apart and _APART.search(_BENIGN.sub("", text).lstrip("+ ")):
        raise _several(raw)
    for found in _BENIGN.finditer(text):
        if is_whole(text[: found.start()].translate(_NOT_DIGITS), region) and re.search(
            r"\d", text[found.end() :]
        ):
            raise _several(raw)


def refuse_joined(raw: str, text: str, region: str | None) -> None:
    """Refuse two numbers with no more between them than stands within one, and a range.

    Raises NumberRefused: several_numbers, number_range.
    """
    digits = text.translate(_NOT_DIGITS)
    if len(digits) <= fewest_digits(digits, region):
        return
    for found in _SEPARATOR.finditer(text):
        right = text[found.end() :].translate(_NOT_DIGITS)
        if len(right) < _FEWEST_DIGITS:
            break
        left = text[: found.start()].translate(_NOT_DIGITS)
        if national_digits(left) < _FEWEST_DIGITS:
            continue
        if is_whole(left, region) and is_whole(right, region):
            raise _several(raw)
    if "-" in text:
        _refuse_range(raw, text, region)


def _plain(piece: str) -> bool:
    return re.fullmatch(r"\+? *[0-9 ().\-]*", piece) is not None


def _refuse_range(raw: str, text: str, region: str | None) -> None:
    """`1234567-8` are two numbers, and `202-555-0101-5` has an extension, where the part before is a whole number."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return
    whole, rest = found["whole"], found["rest"]
    groups = re.split(r"[ ()./-]+", whole)
    if "-" in whole and len(groups[-1]) == len(rest) and whole[-len(rest) - 1 : -len(rest)] == "-":
        return
    number = whole.translate(_NOT_DIGITS)
    if not is_whole(number, region) or country_of(number, region) in _EXTENSION_BEHIND_HYPHEN:
        return
    raise NumberRefused(
        "number_range",
        f"{quoted(raw)} is a range of numbers, or one with an extension; write one whole number without a hyphen",
    )
