"""Where a number's groups end as libphonenumber writes it, to tell one number from two that stand side by side.

`+598 2123-1234` is how Uruguay writes one number, and `3456-3457` in Bulgaria are two. Only for what is suspicious:
it asks the library itself. Pure.
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from campaigns.number_signs import MARKS

_FORMS = (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL)
_BREAK = re.compile(r"(?<=[0-9])[ ().\-/]+(?=[0-9])")


def as_usual(text: str, region: str | None, *, prefix: bool = True, joined: bool = False) -> bool:
    """Whether the digits of `text` stand in groups as they usually do, at home or abroad. Without `prefix` only as
    where these are all digits that are written then; with `joined` some of the groups may be one."""
    digits, found = text.translate(MARKS), _breaks(text)
    try:
        number = phonenumbers.parse(digits, region)
    except NumberParseException:
        return False
    forms = (phonenumbers.format_number(number, form) for form in _FORMS)
    usual = (_breaks(form) for form in forms if prefix or form.translate(MARKS) == digits)
    return any(found <= breaks if joined else found == breaks for breaks in usual)


def area_digits(text: str, region: str | None) -> int:
    """How many of a number's digits are its area code; 0 where it has none, or where it is no number."""
    try:
        number = phonenumbers.parse(text.translate(MARKS), region)
    except NumberParseException:
        return 0
    found: int = phonenumbers.length_of_geographical_area_code(number)
    return found


def _breaks(text: str) -> frozenset[int]:
    """How many digits stand behind each place in `text` where something stands between two digits."""
    return frozenset(sum(map(str.isdigit, text[found.end() :])) for found in _BREAK.finditer(text))
