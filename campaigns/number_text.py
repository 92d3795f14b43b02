"""What the text of a number cell is, where it is no single number: a date, an amount, two numbers, a range.

libphonenumber skips whatever stands between digits, so that `+43 1 5123456 / 57` and `23125001.50` come out as
numbers that somebody else has. Each of these is told here from the one number that may have been written so, and
refused with its own code. What a number is, `numbering_plans` says. Pure.
"""

from __future__ import annotations

import re

from campaigns.errors import NumberRefused, quoted
from campaigns.number_amounts import without_decimals
from campaigns.number_dates import date_refused, is_date, is_spaced_date
from campaigns.number_signs import MARKS
from campaigns.number_writing import area_digits, as_usual
from campaigns.numbering_plans import (
    country_of,
    fewest_digits,
    has_area_codes,
    is_local_length,
    is_whole,
    national_digits,
)

_ADDRESS = re.compile(r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}")
# Whatever two numbers may stand on either side of; of the first three a single number may have some, too.
_BENIGN = re.compile(r" */ *|  +| +- +")
_WORDS = "or|and|oder|und|bzw|ou|et|y|e|o|of|en|och|eller|lub|veya|ve|или|и|або|або|either"
_APART = re.compile(
    rf"\s*(?:[/|;,&\n\r\t\v\f\u2028\u2029\\~•·+]|:+| - |(?<![^\W\d_])(?:{_WORDS})\.?(?![^\W\d_]))+\s*|\s{{2,}}",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"(?<=[0-9])[ ()./-]+(?=[0-9])")
_WRAPPED = re.compile(r"\( *((?:[^()]|\([^()]*\))*?) *\)")
_IN_BRACKETS = re.compile(r"\([^()]*\)")
_FEWEST_OF_ONE = 5
_FEWEST_DIGITS = 5
_EXTENSION_BEHIND_HYPHEN = frozenset({"DE", "AT"})
"""Where a hyphen stands before the direct-dial part of one number (DIN 5008, ÖNORM A 1080)."""
_MOST_OF_RANGE = 4
"""How many digits the end of a range has that is written by its last ones."""
_OF_ONE = frozenset({"-", ".", ")", ") ", ")-"})
"""Marks that stand behind a number's area code, besides one blank."""
_LOCAL_PAIR = re.compile(
    r"(?=\+|(?:[0-9] ?){4})(?P<first>\+?[0-9]+(?: [0-9]+)*)(?P<others>(?:(?:[ ./-]{2,}|[-/])[0-9]+(?: [0-9]+)*)+)"
)
_MARKS = re.compile(r"[ ./-]{2,}|[-/]")
_NO_BLANK = re.compile(r"[0-9]+(?: [0-9]+)*")
_FEWEST_OF_LOCAL = 4
_MOST_OF_SHORTENED = 3


def one_number(raw: str, text: str, region: str | None) -> str:
    """`text` as the one number that it is, without decimals that are zeros.

    `text` is `raw` with ordinary signs in it; `region` the country of numbers without a `+`.
    Raises NumberRefused: date, amount, network_address, several_numbers, number_range, invalid_number.
    """
    if text.isdigit() or (text[:1] == "+" and text[1:].isdigit()):
        return text
    if is_date(text) or (is_spaced_date(text) and not as_usual(text, region)):
        raise date_refused(raw)
    if _ADDRESS.fullmatch(text) and not re.search(r"\.\d\d\.\d\d\Z", text):
        raise NumberRefused(
            "network_address", f"{quoted(raw)} is a network address; a phone number is needed"
        )
    wrapped = _WRAPPED.fullmatch(text)
    text = without_decimals(
        raw, text if wrapped is None else wrapped[1], region, in_brackets=wrapped is not None
    )
    _refuse_brackets(raw, text)
    _refuse_apart(raw, text)
    refuse_joined(raw, text, region)
    return text


def refuse_joined(raw: str, text: str, region: str | None) -> None:
    """Refuse two numbers with no more between them than stands within one, and a range.

    Raises NumberRefused: several_numbers, number_range.
    """
    if (local := _LOCAL_PAIR.fullmatch(text)) is not None:
        _refuse_local(raw, local, region)
    digits = text.translate(MARKS)
    if len(digits) <= fewest_digits(digits, region):
        return
    for found in _BETWEEN.finditer(text):
        left = text[: found.start()].translate(MARKS)
        if is_whole(left, region):
            _refuse_behind(raw, text, found, region)


def _refuse_behind(raw: str, text: str, found: re.Match[str], region: str | None) -> None:
    """Refuse what stands in `text` behind a whole number, unless it may be groups of the same one."""
    mark = found[0]
    left = text[: found.start()].translate(MARKS)
    right = text[found.end() :].translate(MARKS)
    groups = re.findall(r"[0-9]+", text[: found.start()])
    last = len(groups[-1])
    if min(national_digits(left), len(right)) >= _FEWEST_DIGITS and is_whole(right, region):
        raise _several(raw)
    if mark == " ":
        # Behind a whole number that ends so, no group of the same one has as many digits as another subscriber has.
        one = last < _FEWEST_DIGITS or (last != len(right) and len(right) < _FEWEST_DIGITS)
    elif mark == "-" and country_of(left, region) in _EXTENSION_BEHIND_HYPHEN:
        one = True
    elif mark == "-":
        # `06-12-34-56-78` has groups of one length, and the end of a range is no longer than its beginning.
        even = re.search(rf"-[0-9]{{{last}}}\Z", text[: found.start()]) is not None
        one = last < len(right) or (
            even and re.match(rf"[0-9]{{{last}}}(?![0-9])", text[found.end() :]) is not None
        )
    elif mark == ".":
        one = last < _FEWEST_DIGITS
    else:
        one = False
    if one or (mark in _OF_ONE and as_usual(text, region)):
        return
    raise _range(raw) if mark == "-" and len(right) <= _MOST_OF_RANGE else _several(raw)


def _refuse_local(raw: str, found: re.Match[str], region: str | None) -> None:
    """Refuse two numbers without their area code, `3456 / 3457`, and a second one of which only the end is written.

    Together they are a number of that country, which belongs to nobody who is meant.
    """
    text, others = found[0], found["others"]
    parts = [found["first"].translate(MARKS), *(part.replace(" ", "") for part in _NO_BLANK.findall(others))]
    sizes = [national_digits(parts[0]), *map(len, parts[1:])]
    equal, shortened = len(set(sizes)) == 1, max(sizes[1:]) <= _MOST_OF_SHORTENED
    # An area code begins with 0, as nothing within one does, and as what leads to another country.
    if text[0] == "0" and (not equal or " " in found["first"] or any(part[0] != "0" for part in parts)):
        return
    if sizes[0] < _FEWEST_OF_LOCAL or not is_whole("".join(parts), region):
        return
    marks = set(_MARKS.findall(others))
    hyphen, wide = marks == {"-"}, not any(mark.strip() for mark in marks)
    areas, local = has_area_codes(parts[0], region), is_local_length(sizes[0], parts[0], region)
    if equal and hyphen:
        whole = not areas and sizes[0] == _FEWEST_OF_LOCAL
        refused = not whole and not as_usual(text, region, prefix=not local)
    elif equal:
        one = (wide and as_usual(text, region)) or area_digits(text, region) == sizes[0]
        refused = local or text[0] != "+" or not one
    elif shortened and hyphen:
        extension = country_of(parts[0], region) in _EXTENSION_BEHIND_HYPHEN
        refused = areas and not extension and not as_usual(text, region)
    else:
        apart = not (hyphen or wide) and (areas or shortened)
        refused = apart and not as_usual(text, region, joined=not shortened)
    if refused:
        raise _range(raw) if hyphen and shortened else _several(raw)


def _refuse_brackets(raw: str, text: str) -> None:
    """Brackets around an area code are a number's own; others are not."""
    rest = _IN_BRACKETS.sub("", text)
    if "(" in rest or ")" in rest:
        raise NumberRefused(
            "invalid_number", f"{quoted(raw)} has a bracket without its other one; write the number alone"
        )
    if re.search(r"[0-9].*\([0-9 ]*\)[ .-]*\Z", text):
        raise NumberRefused(
            "invalid_number", f"{quoted(raw)} has brackets behind the number; write the number alone"
        )


def _refuse_apart(raw: str, text: str) -> None:
    """Two numbers with more between them than stands within one."""
    pieces = [piece for piece in _APART.split(text) if piece]
    held = [sum(map(str.isdigit, piece)) for piece in pieces]
    clean = all(_plain(piece) for piece in pieces)
    apart = clean and sum(count >= _FEWEST_OF_ONE for count in held) > 1
    if apart and _APART.search(_BENIGN.sub("", text).lstrip("+ ")):
        raise _several(raw)


def _plain(piece: str) -> bool:
    return re.fullmatch(r"\+? *[0-9 ().\-]*", piece) is not None


def _several(raw: str) -> NumberRefused:
    return NumberRefused(
        "several_numbers",
        f"{quoted(raw)} is more than one number; give each its own row, or keep the one to be called",
    )


def _range(raw: str) -> NumberRefused:
    return NumberRefused(
        "number_range",
        f"{quoted(raw)} is a range of numbers, or one with an extension; write one whole number without a hyphen",
    )
