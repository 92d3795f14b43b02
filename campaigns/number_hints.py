"""Columns that stand beside a number and say which one it is: its country's code, its country, its area code.

A number of London with `phone_code` 44 beside it is not to be read as one of Maine: such a column is used where that
makes a valid number, and else the row is refused. It is never left out of account. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import phonenumbers
from iso3166 import countries_by_alpha3, countries_by_name

from campaigns.errors import NumberRefused, quoted
from campaigns.hint_columns import Hint, HintKind
from campaigns.numbers import phone_number

_CALLING_CODE = re.compile(r"(?:.*\+ *|00)?([1-9][0-9]{0,2})(?:[.,]0+)?\)?", re.DOTALL)
_AREA = re.compile(r"\(?([0-9]{1,6})\)?(?:[.,]0+)?")
_ABROAD = re.compile(r"[^0-9]*\+")
_ALIASES = {
    **dict.fromkeys(("uk", "england", "scotland", "wales", "northern ireland", "great britain", "gb"), "GB"),
    **dict.fromkeys(("grossbritannien", "grande-bretagne", "gran bretaña", "gran bretagna"), "GB"),
    **dict.fromkeys(("usa", "us", "america", "united states of america", "the united states"), "US"),
    **dict.fromkeys(("ee uu", "eeuu", "états-unis", "etats-unis", "сша", "アメリカ", "美國"), "US"),
    **dict.fromkeys(("holland", "the netherlands"), "NL"),
    **dict.fromkeys(("uae", "emirates", "оаэ", "الإمارات"), "AE"),
    **dict.fromkeys(("russia", "russian federation"), "RU"),
    **dict.fromkeys(("south korea", "korea", "republic of korea", "한국"), "KR"),
    **dict.fromkeys(("czechia", "czech republic", "česko"), "CZ"),
    **dict.fromkeys(("republic of ireland", "eire"), "IE"),
    **dict.fromkeys(("ksa", "kingdom of saudi arabia", "المملكة العربية السعودية"), "SA"),
    **dict.fromkeys(("prc", "中國"), "CN"),
    **dict.fromkeys(("bundesrepublik deutschland", "brd"), "DE"),
    "ivory coast": "CI",
    "kosovo": "XK",
    "slovensko": "SK",
    "srbija": "RS",
    "ไทย": "TH",
}


def _said(hint: Hint, value: str) -> Hint | None:
    """What a column says by this cell; None where it says nothing of the number."""
    if not value:
        return None
    if hint.kind is HintKind.MAYBE:
        return hint if _is_country(value) else None
    if hint.kind is not HintKind.PREFIX:
        return hint
    if (_CALLING_CODE.fullmatch(value) and not value[0].isdecimal()) or value.startswith("00"):
        return replace(hint, kind=HintKind.COUNTRY)
    return replace(hint, kind=HintKind.AREA) if _AREA.fullmatch(value) else None


def _is_country(value: str) -> bool:
    """Whether the cell of a column that need not say a country says one: NO, too, is rather an answer."""
    found = _CALLING_CODE.fullmatch(value)
    if found is not None:
        return int(found[1]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    return (len(value) > 2 or (value.isupper() and value != "NO")) and _country(value) is not None


_Beside = list[tuple[Hint, str]]
"""What columns say, and their cells."""


def hinted_number(
    raw: str,
    region: str | None,
    beside: Sequence[Hint],
    cells: Sequence[str],
    *,
    place: int = 1,
    premium: bool = False,
) -> str:
    """The number of a row in E.164, by its cell `raw` and the hints beside it; `region` where they are empty. It is
    the row's first, or in the `place` of another, which hints of its own tell of. With `premium` it may be a
    premium-rate number, unless an area is beside it.

    Raises NumberRefused as `phone_number` does, and: unknown_country, country_mismatch, area_mismatch.
    """
    shown = [hint for hint in beside if hint.number in (None, place)]
    cells_beside = [(hint, cells[hint.index].strip()) for hint in shown if hint.index < len(cells)]
    said = [(known, value) for hint, value in cells_beside if (known := _said(hint, value)) is not None]
    own = {hint.kind for hint, _ in said if hint.number is not None}
    said = [one for one in said if one[0].number is not None or one[0].kind not in own]
    countries = [(hint, value) for hint, value in said if hint.kind is HintKind.COUNTRY]
    areas = [(hint, value) for hint, value in said if hint.kind is HintKind.AREA]
    if _ABROAD.match(raw):
        number = phone_number(raw, region, premium=premium)
        for hint, value in countries:
            # Who lives in a country may have a number of another; a code beside the number is the number's own.
            if value[-1:].isdigit():
                _check_code(raw, number, hint, value)
        return number
    unsure = [(hint, value) for hint, value in said if hint.kind is HintKind.MAYBE]
    if unsure:
        return _either(raw, region, countries, areas, unsure, premium=premium)
    return _beside(raw, region, countries, areas, premium=premium)


def _beside(raw: str, region: str | None, countries: _Beside, areas: _Beside, *, premium: bool) -> str:
    home = region
    for hint, value in countries:
        home = _region(raw, hint, value, home)
    number = phone_number(raw, home, premium=premium) if not areas else _with_area(raw, home, *areas[0])
    for hint, value in countries:
        _check_code(raw, number, hint, value)
    return number


def _either(
    raw: str, region: str | None, countries: _Beside, areas: _Beside, unsure: _Beside, *, premium: bool
) -> str:
    """The number with what may be its country, or without where it is none there. Raises NumberRefused where it is
    one with and another without."""
    try:
        there = _beside(raw, region, [*countries, *unsure], areas, premium=premium)
    except NumberRefused:
        return _beside(raw, region, countries, areas, premium=premium)
    try:
        here = _beside(raw, region, countries, areas, premium=premium)
    except NumberRefused:
        return there
    if here != there:
        hint, value = unsure[0]
        raise NumberRefused(
            "country_mismatch",
            f"{quoted(raw)} is {there} by {quoted(value)} in {quoted(hint.column)} beside it, and {here} without; "
            f"write the number with + and its country code",
        )
    return there


def _region(raw: str, hint: Hint, value: str, region: str | None) -> str:
    """The country in which the number is written. Raises NumberRefused (unknown_country)."""
    found = _CALLING_CODE.fullmatch(value)
    code = int(found[1]) if found else None
    if code is not None and code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
        return region if region in regions else regions[0]
    country = _country(value)
    if country is None:
        raise NumberRefused(
            "unknown_country",
            f"{quoted(raw)} has {quoted(value)} beside it in {quoted(hint.column)}, which is no country and no "
            f"country's code; write the number with + and its country code",
        )
    return country


def _check_code(raw: str, number: str, hint: Hint, value: str) -> None:
    home = _region(raw, hint, value, None)
    if home == "001":
        found = _CALLING_CODE.fullmatch(value)
        code = found[1] if found else ""
    else:
        code = str(phonenumbers.country_code_for_region(home))
    if not number.startswith(f"+{code}") or _code_of(number) != code:
        raise NumberRefused(
            "country_mismatch",
            f"{quoted(raw)} would be {number}, and {quoted(hint.column)} beside it is {quoted(value)}; correct one "
            f"of them, or write the number with + and leave the other empty",
        )


def _code_of(number: str) -> str:
    return str(phonenumbers.parse(number).country_code)


def _with_area(raw: str, region: str | None, hint: Hint, value: str) -> str:
    """The number with its area code, which it may have in itself already. Raises NumberRefused (area_mismatch)."""
    found = _AREA.fullmatch(value)
    area = found[1] if found else None
    alone = _number_or_none(raw, region)
    has_it = (
        area is not None and alone is not None and _national(alone).lstrip("0").startswith(area.lstrip("0"))
    )
    if alone is not None and has_it and raw.strip()[:1] in ("0", "("):
        return alone
    joined = None if area is None else _number_or_none(f"{area} {raw.strip()}", region)
    if alone is not None and has_it and joined is None:
        return alone
    if joined is not None and not has_it and not _whole(raw, alone, joined):
        return joined
    if alone is None and joined is None:
        # Says what is wrong with it.
        phone_number(raw, region)
    raise NumberRefused(
        "area_mismatch",
        f"{quoted(raw)} does not go with {quoted(value)} in {quoted(hint.column)} beside it; write the number with + "
        f"and its country and area codes",
    )


def _whole(raw: str, alone: str | None, joined: str) -> bool:
    """Whether what is written is a number with its own area or country code or without any, as a mobile one beside
    its owner's city: with another code in front it would be a stranger's."""
    written = "".join(filter(str.isdecimal, raw))
    if written.startswith(_code_of(joined)) and _number_or_none(f"+{written}", None) is not None:
        return True
    if alone is None:
        return False
    kind = phonenumbers.number_type(phonenumbers.parse(alone))
    return raw.strip()[:1] in ("0", "(") or kind == phonenumbers.PhoneNumberType.MOBILE


def _number_or_none(raw: str, region: str | None) -> str | None:
    try:
        return phone_number(raw, region)
    except NumberRefused as refused:
        if refused.code in {"invalid_number", "short_code", "emergency_number"}:
            return None
        raise


def _national(number: str) -> str:
    return phonenumbers.national_significant_number(phonenumbers.parse(number))


def _country(value: str) -> str | None:
    """The country that a cell names: `GB`, `GBR`, `United Kingdom`, `Großbritannien`."""
    plain = value.replace(".", "").strip()
    if plain.upper() in phonenumbers.SUPPORTED_REGIONS:
        return plain.upper()
    by_code = countries_by_alpha3.get(plain.upper())
    if by_code is not None:
        return by_code.alpha2 if by_code.alpha2 in phonenumbers.SUPPORTED_REGIONS else None
    return _ALIASES.get(plain.casefold()) or _names().get(plain.casefold())


@cache
def _names() -> dict[str, str]:
    """Countries by their names in the languages that libphonenumber's data has, and as ISO 3166 has them."""
    found = {
        name.casefold(): country.alpha2
        for name, country in countries_by_name.items()
        if country.alpha2 in phonenumbers.SUPPORTED_REGIONS
    }
    for region, names in _locale_data().items():
        if region in phonenumbers.SUPPORTED_REGIONS:
            for name in names.values():
                if not name.startswith("*"):
                    found.setdefault(name.casefold(), region)
    return found


def _locale_data() -> dict[str, dict[str, str]]:
    """The names of countries, read by their file: the package around it reads two seconds' worth of places."""
    file = Path(phonenumbers.__file__).parent / "geodata" / "locale.py"
    spec = spec_from_file_location("phonenumbers.geodata.locale_alone", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    data: dict[str, dict[str, str]] = module.LOCALE_DATA
    return data
