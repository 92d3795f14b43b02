"""What becomes of a number cell, for the tests of what may stand in one, and numbers of every country to try."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat

from campaigns.errors import NumberRefused
from campaigns.numbers import phone_number

FORMS = (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164)
MARKS = re.compile(r"[ ().\-/]+")


def dialled(text: str, region: str | None) -> str | None:
    """The number in E.164 that a cell gives; None where it is refused."""
    try:
        return phone_number(text, region)
    except NumberRefused:
        return None


def refused_as(text: str, region: str | None) -> str:
    """The code with which a cell is refused."""
    with pytest.raises(NumberRefused) as refused:
        phone_number(text, region)
    assert refused.value.reason.isprintable()
    return refused.value.code


def numbers_of(region: str) -> list[str]:
    """Different numbers of a country in its own and the international form, and as bare digits, all dialled."""
    found: list[str] = []
    for kind in range(11):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is not None:
            found += [phonenumbers.format_number(number, form) for form in FORMS]
            found.append(phonenumbers.national_significant_number(number))
            found.append(MARKS.sub("", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)))
    return [text for text in dict.fromkeys(found) if dialled(text, region)]
