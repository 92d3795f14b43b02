"""What an amount or a decimal number is written as, where digits behind the point would be dialled. Pure."""

from __future__ import annotations

import re

from campaigns.errors import NumberRefused, quoted
from campaigns.number_signs import MARKS
from campaigns.number_writing import as_usual
from campaigns.numbering_plans import is_whole

_CURRENCY = re.compile(r"[$\u00a2-\u00a5\u058f\u060b\u09f3\u0e3f\u20a0-\u20c0\ufdfc\uff04\uffe0\uffe1\uffe5]")
_COMMA_AMOUNT = re.compile(r"[-+]?[0-9]{1,3}(?:[,'’ ][0-9]{3})+\.[0-9]+|[-+]?[0-9]{1,3}(?:,[0-9]{3})+")
# A number may begin with 0, and no amount.
_DOT_AMOUNT = re.compile(r"[-+]?(?!0)[0-9]{1,3}(?:[.'’ ][0-9]{3})+(?:,[0-9]+)?")
_SPACED = re.compile(r"[-+]?[0-9]{1,3}(?: [0-9]{3})*")
_DECIMAL = re.compile(r"(?P<whole>.*[0-9)])(?P<point>[.,])(?P<fraction>[0-9]+)", re.DOTALL)
# Book-keepers write (1.50) for less than nothing, SAP 1.50-, and a shop 1.- where there are no cents.
_LESS = re.compile(r"(.*?) ?-", re.DOTALL)
_NO_CENTS = re.compile(r"[0-9][.,] ?-{1,2}\Z")
# Groups of a number behind its area code: 0211/123.456.
_GROUPED = re.compile(r"0[0-9]{1,5} ?/ ?[0-9]{2,4}\.(?!0+\Z)[0-9]{3,4}")
_LEAST_WHOLE = 7
_MOST_AMOUNT_DIGITS = 8
_MOST_GROUPED = 4


def without_decimals(raw: str, text: str, region: str | None, *, in_brackets: bool) -> str:
    """`text` without `.0` or `,00` at its end. Raises NumberRefused (amount) for any other decimals, and for all that
    stand in brackets with their number."""
    negative = _LESS.fullmatch(text)
    bare = text if negative is None else negative[1]
    digits = sum(map(str.isdigit, bare))
    if digits and _CURRENCY.search(text):
        raise _amount(raw)
    if _COMMA_AMOUNT.fullmatch(bare) or _NO_CENTS.search(text):
        raise _amount(raw)
    if _DOT_AMOUNT.fullmatch(bare) and "." in bare and (digits <= _MOST_AMOUNT_DIGITS or "," in bare):
        raise _amount(raw)
    found = _DECIMAL.fullmatch(bare)
    if found is None:
        return text
    whole, point, fraction = found["whole"], found["point"], found["fraction"]
    if not _is_decimal(bare, whole, point, fraction, region):
        return text
    plain = whole.removeprefix("+").isdigit()
    enough = sum(map(str.isdigit, whole)) >= _LEAST_WHOLE
    grouped = not plain and _SPACED.fullmatch(whole) is not None
    less = in_brackets or negative is not None
    if less or point in whole or fraction.strip("0") or not enough or grouped:
        raise _amount(raw)
    return whole


def _is_decimal(text: str, whole: str, point: str, fraction: str, region: str | None) -> bool:
    """Whether what stands behind the last point is no part of a number."""
    if point == ",":
        return True
    if point in whole:
        # `01.99.00.12.34` ends in a pair as the one before it; what ends otherwise could be either.
        if len(fraction) == 2:
            pairs = re.search(r"(?:\.|\A)\d\d\Z", whole) is not None
            return not pairs and not (text[0] in "+0" and as_usual(text, region))
        last = re.split(r"[^0-9]", whole)[-1]
        return len(fraction) == 1 or (len(last) > _MOST_GROUPED and is_whole(whole.translate(MARKS), region))
    plain = whole.removeprefix("+").isdigit()
    if plain and (whole == "0" or not whole.startswith(("+", "0"))):
        return True
    # `+1.2025550101` and `0171.3920001` are numbers: no decimal has so many digits behind its point.
    enough = sum(map(str.isdigit, whole)) >= _LEAST_WHOLE
    if len(fraction) <= (3 if plain and enough else 2) or (plain and not fraction.strip("0")):
        return True
    return _GROUPED.fullmatch(text) is None and is_whole(whole.translate(MARKS), region)


def _amount(raw: str) -> NumberRefused:
    return NumberRefused(
        "amount",
        f"{quoted(raw)} is an amount or a decimal number, and no phone number; "
        f"format the column as text and write the number without decimals",
    )
