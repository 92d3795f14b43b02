"""The signs of a number cell as a keyboard has them: digits of any script, marks of print, invisible ones. Pure."""

from __future__ import annotations

import re
import unicodedata

# Marks that phones and chat programs put around a copied number, and web pages where a line may break.
_INVISIBLE = "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
# Between two digits they are all that stands there: whoever wrote the digits saw two numbers, or groups of one.
_BETWEEN_DIGITS = re.compile(rf"(?<=\d){_INVISIBLE}+(?=\d)")
_OTHERS = re.compile(_INVISIBLE)
WIDE = "  "
"""A gap that is wider than one between the groups of a number."""
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f\u3000", " "),
        "\uff0b": "+",
        "\uff08": "(",
        "\uff09": ")",
        "\uff0e": ".",
        "\uff0f": "/",
        "[": "(",
        "]": ")",
    }
)
MARKS = str.maketrans("", "", " ().-/")
"""What may stand between the digits of a number, for `str.translate`: it leaves these out."""
_FORMULA = re.compile(r'="([^"]*)"')


def plain_signs(raw: str) -> str:
    """`raw` in ordinary signs, without what a spreadsheet or a link put in front of it or around it."""
    text = _OTHERS.sub("", _BETWEEN_DIGITS.sub(WIDE, raw)).strip()
    formula = _FORMULA.fullmatch(text)
    text = (formula.group(1) if formula else text.removeprefix("'")).strip().translate(_SIGNS)
    if text[:4].lower() == "tel:":
        text = text[4:].strip()
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in text)
