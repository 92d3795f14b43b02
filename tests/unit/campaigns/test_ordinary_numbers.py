"""Every ordinary way to write one number, in every country and of every kind, is dialled as that number."""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from tests.examples import PART, share
from tests.unit.campaigns.number_cells import FORMS, MARKS, dialled, refused_as

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = [kind for kind in range(11) if kind != PhoneNumberType.PREMIUM_RATE]
SCRIPTS = ("０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "๐๑๒๓๔๕๖๗๘๙", "०१२३४५६७८९")
FEWEST_OF_NO_QUANTITY = 7
"""With `.0` behind them, fewer digits are a quantity."""


def examples_of(region: str) -> Iterator[phonenumbers.PhoneNumber]:
    for kind in KINDS:
        number = phonenumbers.example_number_for_type(region, kind)
        if number is not None and phonenumbers.number_type(number) != PhoneNumberType.PREMIUM_RATE:
            yield number


def e164(number: phonenumbers.PhoneNumber) -> str:
    text: str = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return text


def with_marks(text: str) -> Iterator[str]:
    """A number as libphonenumber writes it, and with other marks between its groups."""
    yield text
    yield text.replace(" ", "-")
    yield text.replace("-", " ")
    yield text.replace(" ", "\u00a0").replace("-", "\u2011")
    yield text.replace("-", "\u2013")
    yield MARKS.sub("-", text).strip("-")
    yield MARKS.sub(" ", text).strip()
    yield MARKS.sub("", text)
    # A number with one point and neither 0 nor + in front could be a decimal one.
    if text[0] in "+0" and len(MARKS.findall(text.removeprefix("+"))) > 1:
        yield MARKS.sub(".", text)


def wrapped(text: str) -> Iterator[str]:
    """As it comes out of a spreadsheet, a link, a phone or an input method."""
    yield from (
        f"'{text}",
        f'="{text}"',
        f"tel:{text}",
        f"Tel: {text}",
        f"  {text} ",
        f"\u202a{text}\u202c\u200b",
    )
    for digits in SCRIPTS:
        yield text.translate(str.maketrans("0123456789", digits))
    yield text.translate(str.maketrans("0123456789+", f"{SCRIPTS[0]}＋"))


def around_area_code(national: str, international: str, code: str) -> Iterator[str]:
    """With the area code set apart: by brackets, a slash, `(0)`; nothing where there is none."""
    first, _, rest = MARKS.sub(" ", national).strip().partition(" ")
    if not rest or (len(first) == len(rest.replace(" ", "")) and first[0] != "0"):
        return
    for behind in (rest, rest.replace(" ", "-"), rest.replace(" ", "")):
        yield from (f"({first}) {behind}", f"({first}){behind}", f"{first}/{behind}", f"{first} / {behind}")
        yield from (f"{first}-{behind}", f"{first} {behind}")
    area, *groups = re.findall("[0-9]+", international)[1:]
    if not groups or len(area) == len("".join(groups)):
        return
    behind = " ".join(groups)
    yield from (f"+{code} {area}/{behind}", f"+{code} {area} / {behind}", f"+{code} ({area}) {behind}")
    yield from (
        f"(+{code}) {area} {behind}",
        f"+{code}({area}){behind}",
        f"+{code}.{area}.{'.'.join(groups)}",
    )
    if national.lstrip("(").startswith(f"0{area[0]}"):
        yield from (
            f"+{code} (0){area} {behind}",
            f"+{code} (0) {area} {behind}",
            f"+{code}(0){area}{behind}",
        )
        yield from (f"+{code} 0{area} {behind}", f"(+{code} (0){area} {behind})")


def judged(text: str, region: str | None, expected: str) -> None:
    """It is dialled as the number, unless its six digits stand in pairs that are a date's."""
    if (number := dialled(text, region)) is None:
        assert refused_as(text, region) == "date", (text, region, refused_as(text, region))
        assert len(re.findall(r"\d", text)) == 6, (text, region)
    else:
        assert number == expected, (text, region)


@pytest.mark.parametrize("region", share(REGIONS, 3, PART))
def test_a_country_s_own_writing_of_one_number_is_dialled(region: str) -> None:
    for number in examples_of(region):
        for form in FORMS:
            text = phonenumbers.format_number(number, form)
            for own in with_marks(text):
                judged(own, region, e164(number))
            for own in wrapped(text):
                judged(own, region, e164(number))
        judged(phonenumbers.format_number(number, PhoneNumberFormat.RFC3966), None, e164(number))


@pytest.mark.parametrize("region", share(REGIONS, 0, PART))
def test_a_number_with_its_area_code_set_apart_is_dialled(region: str) -> None:
    for number in examples_of(region):
        national, international = (phonenumbers.format_number(number, form) for form in FORMS[:2])
        for own in around_area_code(national, international, str(number.country_code)):
            judged(own, region, e164(number))


@pytest.mark.parametrize("region", share(REGIONS, 1, PART))
def test_a_number_written_abroad_is_dialled(region: str) -> None:
    for number in examples_of(region):
        for home in ("DE", "GB", "US"):
            if number.country_code != phonenumbers.country_code_for_region(home):
                judged(phonenumbers.format_out_of_country_calling_number(number, home), home, e164(number))


@pytest.mark.parametrize("region", share(REGIONS, 2, PART))
def test_a_spreadsheet_s_zeros_change_nothing(region: str) -> None:
    for number in examples_of(region):
        national = phonenumbers.national_significant_number(number)
        written = (e164(number), e164(number)[1:], national, phonenumbers.format_number(number, FORMS[0]))
        for text in written:
            if len(MARKS.sub("", text).lstrip("+")) < FEWEST_OF_NO_QUANTITY or "." in text or "-" in text:
                continue
            for zeros in (".0", ".00", ",0"):
                assert dialled(text + zeros, region) in (dialled(text, region), *may_be_amount(text)), (
                    text + zeros
                )
        if len(national) >= FEWEST_OF_NO_QUANTITY:
            assert dialled(f"{national}.0", region) == dialled(national, region)


def may_be_amount(text: str) -> tuple[None, ...]:
    """None where blanks stand before each three digits, as in an amount."""
    return (None,) if re.fullmatch(r"[0-9]{1,3}(?: [0-9]{3})+", text) else ()
