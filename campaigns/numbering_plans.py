"""libphonenumber's answer for a number that is dialled as it is written, in a fraction of its time.

`phonenumbers` takes 25 microseconds for a number, most of them in looking up the patterns of its metadata and in
telling ten types apart that nobody here asks for: 2.5 s of the import of 100,000 rows. This module asks the same
metadata, compiled once for each calling code, only what an import has to know: is it valid, and no premium-rate
number. It never guesses: whatever it cannot answer with certainty it leaves to the library, and every number that is
refused, since the library knows the reason. `tests/unit/campaigns/test_numbering_plans.py` holds it to the library.

The metadata class says of itself that it may change with a release: `requirements.txt` names the release, and a field
that is gone fails every test here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    PhoneMetadata,
    PhoneNumberDesc,
    PhoneNumberType,
    is_number_type_geographical,
)

_FEWEST_CHARACTERS, _MOST_CHARACTERS = 4, 16
_LONGEST_CODE = 3
_NO_COUNTRY = "001"
_Ranges = Sequence[PhoneNumberDesc | None]


class _BySize(dict[int, re.Pattern[str] | None]):
    """Patterns by the length of what they match, each compiled when it is first asked for: the hundred of a calling
    code that 25 regions share take 40 to 80 ms, for which nobody else of the process would run."""

    def __init__(self, pattern_of: Callable[[int], str | None]) -> None:
        super().__init__()
        self._pattern_of = pattern_of

    def __missing__(self, size: int) -> re.Pattern[str] | None:
        text = self._pattern_of(size) if 0 < size < _MOST_CHARACTERS else None
        found = self[size] = None if text is None else re.compile(text)
        return found


@dataclass(frozen=True, slots=True)
class _Region:
    """One of the regions of a calling code, in the library's order.

    Its numbers start with `leading`, where it has such; else whatever is valid there is its own. By their length:
    what `dialled` matches is valid and no premium-rate number, what `premium` matches is one, and of the former what
    `placed` matches belongs to a place.
    """

    leading: re.Pattern[str] | None
    dialled: _BySize
    premium: _BySize
    placed: _BySize


@dataclass(frozen=True, slots=True)
class _Writing:
    """How numbers are written at home: what stands before them, and what they look like without it."""

    code: str
    abroad: re.Pattern[str] | None
    prefix: re.Pattern[str] | None
    general: re.Pattern[str]
    lengths: frozenset[int]
    local_lengths: frozenset[int]
    has_trunk: bool

    @property
    def fewest(self) -> int:
        """How many digits the shortest number has."""
        return min(self.lengths, default=_MOST_CHARACTERS)

    @property
    def fewest_local(self) -> int:
        """How many digits the shortest number has within one area, where that may be left out."""
        return min(self.lengths | self.local_lengths, default=_MOST_CHARACTERS)

    @property
    def rewrites(self) -> bool:
        """Whether there are numbers of which only the library can tell."""
        return self.prefix is not None and self.prefix.groups > 0

    def stripped(self, digits: str) -> str | None:
        """`digits` without the national prefix; None where only the library can tell."""
        found = self.prefix.match(digits) if self.prefix else None
        # A pattern that matches nothing (Argentina's) takes nothing away; groups are carrier codes and rewritings.
        if found is None or (found.end() == 0 and found.lastindex is None):
            return digits
        if found.re.groups:
            return None
        rest = digits[found.end() :]
        return digits if self.general.fullmatch(digits) and not self.general.fullmatch(rest) else rest

    def significant(self, digits: str) -> str | None:
        """`digits` without the national prefix, unless they are a number only with it."""
        rest = self.stripped(digits)
        return rest if rest is None or len(rest) in self.lengths or self.too_long(rest) else digits

    def too_long(self, digits: str) -> bool:
        """Whether no number here has so many digits."""
        return len(digits) not in self.local_lengths and len(digits) > max(self.lengths)


def dialled(written: str, region: str | None) -> str | None:
    """The number in E.164, where `written` is a valid one for certain and no premium-rate number.

    `written`: ASCII digits, a `+` before those that begin with a calling code; `region`: where others are written.
    """
    if not _FEWEST_CHARACTERS <= len(written) <= _MOST_CHARACTERS:
        return None
    if written[0] == "+":
        code = _code_of(written[1:])
        return code and _in_e164(code, written[1 + len(code) :])
    home = _written_in(region) if region else None
    if home is None or (home.abroad is not None and home.abroad.match(written)):
        return None
    if written.startswith(home.code):
        rest = home.stripped(written[len(home.code) :])
        if rest is None:
            return None
        # `1 212 555 0100`, written in the United States.
        if (not home.general.fullmatch(written) and home.general.fullmatch(rest)) or home.too_long(written):
            return _in_e164(home.code, rest)
    national = home.significant(written)
    return None if national is None else _valid(home.code, national)


def belongs_to_a_place(number: str) -> bool:
    """Whether a number that `dialled` gave belongs to a place within its country, as a number for toll-free calls or
    most mobile ones do not."""
    code = _code_of(number[1:]) or ""
    national = number[1 + len(code) :]
    size = len(national)
    for region in _regions(code):
        if region.leading is not None:
            if not region.leading.match(national):
                continue
        elif (pattern := region.dialled[size]) is None or not pattern.fullmatch(national):
            continue
        placed = region.placed[size]
        return placed is not None and placed.fullmatch(national) is not None
    return False


def country_of_number(number: str) -> str | None:
    """The country (`DE`) that a valid number in E.164 belongs to; None for one of no country (`+800…`)."""
    code = _code_of(number[1:]) or ""
    national = number[1 + len(code) :]
    size = len(national)
    names = [name for name, _ in _named_regions(code)]
    if len(names) == 1:
        return None if names[0] == _NO_COUNTRY else names[0]
    for name, region in _named_regions(code):
        if region.leading is not None:
            if region.leading.match(national):
                return name
        elif any(
            (pattern := of_kind[size]) is not None and pattern.fullmatch(national)
            for of_kind in (region.dialled, region.premium)
        ):
            return name
    return None


def country_code(number: str) -> str:
    """The calling code of a number in E.164, without the plus; empty of one that begins with none."""
    return _code_of(number[1:]) or ""


def may_go_on(number: str) -> bool:
    """Whether longer numbers may begin with a number in E.164, as in Germany those of a house begin with its own."""
    plan = _plan_of(number, None)
    return plan is None or not plan.too_long(f"{number[1 + len(plan.code) :]}0")


def is_whole(written: str, region: str | None) -> bool:
    """Whether `written`, as for `dialled`, is a valid number by itself, a premium-rate one or not."""
    if not (written.removeprefix("+").isdigit() and written.isascii()):
        return False
    plan = _plan_of(written, region)
    if plan is None or len(written) < (
        plan.fewest_local if plan.rewrites else fewest_digits(written, region)
    ):
        return False
    if dialled(written, region) is not None:
        return True
    if not plan.rewrites:
        return False
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(number)


def fewest_digits(written: str, region: str | None) -> int:
    """How many characters the shortest number has that is written as this one: with a `+` and its country's code,
    or as in `region`."""
    plan = _plan_of(written, region)
    if plan is None:
        return _MOST_CHARACTERS
    return plan.fewest + (1 + len(plan.code) if written[:1] == "+" else 0)


def has_area_codes(written: str, region: str | None) -> bool:
    """Whether something is put in front of area codes in the country of `written`; else no number goes without."""
    plan = _plan_of(written, region)
    return plan is not None and plan.has_trunk


def is_local_length(size: int, written: str, region: str | None) -> bool:
    """Whether there are for certain numbers of so many digits within one area, in the country of `written`."""
    plan = _plan_of(written, region)
    return plan is not None and size in plan.local_lengths


def _plan_of(written: str, region: str | None) -> _Writing | None:
    if written[:1] == "+":
        code = _code_of(written[1:])
        return None if code is None else _written_with(code)
    return _written_in(region) if region else None


def country_of(written: str, region: str | None) -> str | None:
    """The country (`DE`) whose rules of writing a number follows: its code's main one, or `region` without a `+`."""
    code = _code_of(written[1:]) if written.startswith("+") else None
    return region if code is None else phonenumbers.region_code_for_country_code(int(code))


def national_digits(written: str) -> int:
    """How many digits `written` has behind its country's code, where a `+` says that there is one."""
    if written[:1] != "+":
        return len(written)
    return len(written) - 1 - len(_code_of(written[1:]) or "")


def _code_of(digits: str) -> str | None:
    return next((digits[:end] for end in range(1, _LONGEST_CODE + 1) if digits[:end] in _CODES), None)


def _in_e164(code: str, digits: str) -> str | None:
    """As after a `+`: a national prefix that somebody left in goes, by the rules of the code's main region."""
    main = _written_with(code)
    national = None if main is None else main.significant(digits)
    return None if national is None else _valid(code, national)


def _valid(code: str, national: str) -> str | None:
    size = len(national)
    for region in _regions(code):
        if region.leading is not None and not region.leading.match(national):
            continue
        pattern = region.dialled[size]
        if pattern is not None and pattern.fullmatch(national):
            return f"+{code}{national}"
        pattern = region.premium[size]
        if region.leading is not None or (pattern is not None and pattern.fullmatch(national)):
            return None
    return None


_CODES = frozenset(map(str, COUNTRY_CODE_TO_REGION_CODE))


@cache
def _regions(code: str) -> tuple[_Region, ...]:
    return tuple(region for _, region in _named_regions(code))


@cache
def _named_regions(code: str) -> tuple[tuple[str, _Region], ...]:
    names = COUNTRY_CODE_TO_REGION_CODE.get(int(code or 0), ())
    found = [(name, PhoneMetadata.metadata_for_region_or_calling_code(int(code), name)) for name in names]
    # Who is alone with a code has it whole.
    alone = len(names) == 1
    return tuple((name, _region(metadata, alone=alone)) for name, metadata in found if metadata is not None)


@cache
def _written_in(region: str) -> _Writing | None:
    return (
        _writing(PhoneMetadata.metadata_for_region(region))
        if region in phonenumbers.SUPPORTED_REGIONS
        else None
    )


@cache
def _written_with(code: str) -> _Writing | None:
    main = phonenumbers.region_code_for_country_code(int(code))
    return _writing(PhoneMetadata.metadata_for_region_or_calling_code(int(code), main))


def _writing(metadata: PhoneMetadata | None) -> _Writing | None:
    general = None if metadata is None else metadata.general_desc
    if metadata is None or general is None:
        return None
    if not general.national_number_pattern or not general.possible_length:
        return None
    prefix, local = metadata.national_prefix_for_parsing, frozenset(general.possible_length_local_only)
    return _Writing(
        str(metadata.country_code),
        re.compile(metadata.international_prefix) if metadata.international_prefix else None,
        re.compile(prefix) if prefix else None,
        re.compile(general.national_number_pattern),
        frozenset(general.possible_length) - local,
        local,
        bool(metadata.national_prefix),
    )


def _region(metadata: PhoneMetadata, *, alone: bool) -> _Region:
    # The commonest first: the order changes nothing but the time.
    nowhere = [metadata.toll_free, metadata.shared_cost, metadata.voip]
    nowhere += [metadata.personal_number, metadata.pager, metadata.uan, metadata.voicemail]
    others = [metadata.fixed_line, *nowhere]
    somewhere = [metadata.fixed_line]
    if not metadata.same_mobile_and_fixed_line_pattern:
        others.insert(0, metadata.mobile)
        if is_number_type_geographical(PhoneNumberType.MOBILE, metadata.country_code or 0):
            somewhere.append(metadata.mobile)

    def within(size: int, ranges: _Ranges, *but: _Ranges) -> str | None:
        """What a valid number of this length and of these ranges looks like, that is of none of the others."""
        general, wanted = _alternatives([metadata.general_desc], size), _alternatives(ranges, size)
        if general is None or wanted is None:
            return None
        without = "".join(rf"(?!{other}\Z)" for one in but if (other := _alternatives(one, size)) is not None)
        return rf"(?={general}\Z){without}{wanted}"

    dear = [metadata.premium_rate]
    leading = None if alone else metadata.leading_digits
    return _Region(
        None if leading is None else re.compile(leading),
        dialled=_BySize(lambda size: within(size, others, dear)),
        premium=_BySize(lambda size: within(size, dear)),
        placed=_BySize(lambda size: within(size, somewhere, nowhere, dear)),
    )


def _alternatives(ranges: _Ranges, size: int) -> str | None:
    """A pattern of the numbers of these ranges that have `size` digits."""
    patterns = [
        found.national_number_pattern
        for found in ranges
        if found is not None
        and found.national_number_pattern
        and (not found.possible_length or size in found.possible_length)
    ]
    return f"(?:{'|'.join(dict.fromkeys(patterns))})" if patterns else None
