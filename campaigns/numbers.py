"""Number cells to E.164, or the reason why one is not dialled.

Called by the importer for each row, and wherever the API takes a number. libphonenumber's rules decide what is
a number; what this module adds is refusing text from which libphonenumber would silently dial something else
(letters, a second number, an extension), and undoing the damage of spreadsheets only where no digit is lost.
Most numbers are answered by `numbering_plans`, which says what libphonenumber would.
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from campaigns.errors import NumberRefused, quoted
from campaigns.number_signs import MARKS, plain_signs
from campaigns.number_text import one_number, refuse_joined
from campaigns.numbering_plans import dialled, has_area_codes, is_whole

# What libphonenumber skips between digits. Other characters are refused, because it cuts a number off at
# some of them (`;` and `#` make an extension, which would be dropped) and reads others as digits (letters).
_WRITTEN = re.compile(r"\+?[(\d][\d ().\-/]*")
# Digits and nothing else: nothing to undo, and nothing to tell it from.
_AS_IT_IS = re.compile(r"\+?[0-9]{4,16}")
# Groups of digits with one mark between two, an area code in brackets; none of what makes an amount, and no beginning
# that a date may have, too.
_ORDINARY = re.compile(
    r"(?!(?:[0-9]{1,2}[- ]){2,3}(?:1[3-9]|2[0-6])[0-9]{2}|[0-9]{1,2}-[0-9]{1,2}-[0-9]{1,2} |[0-9]{8}[- ]"
    r"|(?:1[3-9]|2[0-6])[0-9]{2}[- ]|[0-9]{1,2}[- ](?:19|20)[0-9]{2}-"
    r"|[0-9]{4} [0-9]{1,2}-[0-9]{1,2}-[0-9]{4}\Z|(?:[0-9]{1,2}[- ]){5}(?:[0-9]{4}|[0-9]{1,2})\Z)"
    r"(?=\+|(?:[^0-9]*+[0-9]){9})"
    r"\+?(?:[0-9]{0,4}[ -]?\([0-9]{1,5}\)[ -]?)?[0-9]+(?:[ -][0-9]+)*"
)
# `(+44) 20 7946 0018`, `+(44) 20 …`, `+ 44 20 …`
_PLUS_IN_BRACKETS = re.compile(r"\A(?:\( *\+ *(?=\d{1,3} *\))|\+ *\( *|\+ +)(\d{1,3})(?: *\))? *")
_SCIENTIFIC = re.compile(r"(\+?)(\d+)(?:[.,](\d+))?[eE]\+?(\d{1,3})")
# What is left of a number is one of at least so many digits; a smaller one is a quantity.
_FEWEST_SCIENTIFIC = 7
_CALLED_ON_MOBILES = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
# The longest number that E.164 allows has 15 digits.
_MOST_DIGITS = 15


def phone_number(raw: str, region: str | None, *, premium: bool = False) -> str:
    """Return `raw` in E.164 (`+12125550100`); `region` (`US`) is the country of numbers without a `+`; `premium`: a
    premium-rate number, too.

    Raises NumberRefused with code missing_number, invalid_number, excel_scientific, emergency_number, short_code,
    premium, date, amount, network_address, several_numbers or number_range.
    """
    if _AS_IT_IS.fullmatch(raw) and (certain := dialled(raw, region)) is not None:
        return _sure(raw, raw, region, certain)
    if _ORDINARY.fullmatch(raw):
        text = raw
        refuse_joined(raw, text, region)
    else:
        text = _written(raw, region)
    if text.isascii():
        certain = dialled(text.translate(MARKS), region)
        if certain is not None:
            return _sure(raw, text, region, certain)
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as failure:
        raise NumberRefused("invalid_number", _why_not_parsed(raw, text, region, failure)) from failure
    # A number is valid exactly when it has a type (is_valid_number asks for the type and drops it).
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.UNKNOWN:
        raise _not_dialled(raw, text, region, number)
    if kind == PhoneNumberType.PREMIUM_RATE and not premium:
        raise NumberRefused("premium", f"{quoted(raw)} is a premium-rate number, and those are not dialled")
    return _sure(raw, text, region, phonenumbers.format_number(number, PhoneNumberFormat.E164))


def _sure(raw: str, text: str, region: str | None, e164: str) -> str:
    """`e164`, unless `text` may be another's number as well, with its country's code and no plus, or with 00 in its
    place where that leads elsewhere. Raises NumberRefused."""
    digits = text.translate(MARKS)
    if digits[:2] == "00" and digits.endswith(e164[1:]):
        _refuse_abroad(raw, text, digits, e164)
    code = e164[1:].removesuffix(digits)
    if not code or not digits.startswith(code) or len(code) + len(digits) + 1 > len(e164):
        return e164
    with_code = phonenumbers.number_type(phonenumbers.parse(f"+{digits}"))
    if with_code == PhoneNumberType.UNKNOWN:
        return e164
    # 491713920001 in Germany, 62219592164 in Indonesia. Where nothing is put in front of a number at home, what is
    # written is all of it.
    if with_code != PhoneNumberType.MOBILE and not has_area_codes(digits, region):
        return e164
    if phonenumbers.number_type(phonenumbers.parse(e164)) in _CALLED_ON_MOBILES:
        return e164
    raise _invalid(raw, f"may be +{digits}, with its country's code, or {e164}, without one")


def _refuse_abroad(raw: str, text: str, digits: str, e164: str) -> None:
    """Refuse 0066 2 611 0361 in Thailand, where 006 leads abroad and 00 does not: +62 6110361 is somebody else's.

    A gap behind what leads abroad tells it from the country's code: 006 62 6110361.
    """
    leads = len(digits) - len(e164) + 1
    if leads <= 2 or re.match(rf"[0-9]{{{leads}}}[^0-9]", text):
        return
    if is_whole(f"+{digits[2:]}", None):
        raise _invalid(raw, f"may be +{digits[2:]} or {e164}: write it with + and its country code")


def region_of(e164: str) -> str | None:
    """The country (`US`) that a number belongs to; None for one of no country (`+800…`)."""
    region: str | None = phonenumbers.region_code_for_number(phonenumbers.parse(e164))
    return None if region in {phonenumbers.UNKNOWN_REGION, "001"} else region


def _written(raw: str, region: str | None) -> str:
    """The number as its writer meant it: without wrapping, invisible marks and what a spreadsheet added."""
    text = plain_signs(raw)
    if not text:
        raise NumberRefused("missing_number", "the phone_number cell is empty")
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        return _all_digits(raw, scientific)
    text = _PLUS_IN_BRACKETS.sub(r"+\1 ", text).removesuffix(".")
    text = one_number(raw, text, region)
    if not _WRITTEN.fullmatch(text):
        raise _invalid(raw, _what_is_wrong(text))
    return text


def _all_digits(raw: str, scientific: re.Match[str]) -> str:
    """The digits of 4.47911123456E+11, where all of them are there.

    Raises NumberRefused (excel_scientific) where the spreadsheet rounded some away: they are never guessed.
    """
    sign, whole, fraction, exponent = scientific.groups()
    fraction = fraction or ""
    places = int(exponent)
    if len(whole) + places < _FEWEST_SCIENTIFIC:
        raise NumberRefused(
            "amount", f"{quoted(raw)} is a decimal number and no phone number; format the column as text"
        )
    if len(fraction) < places or fraction[places:].strip("0") or len(whole) + places > _MOST_DIGITS:
        raise NumberRefused(
            "excel_scientific",
            f"{quoted(raw)} was rounded by a spreadsheet, which lost digits; format the column as text",
        )
    return sign + whole + fraction[:places]


def _what_is_wrong(text: str) -> str:
    if not any(character.isdigit() for character in text):
        return "has no digits"
    if any(character.isalpha() for character in text):
        return "has letters in it"
    odd = next((character for character in text if not re.fullmatch(r"[\d ().\-/+]", character)), None)
    if odd is not None:
        return f"has {quoted(odd)} in it, which no phone number has"
    return "is not written as a phone number"


def _why_not_parsed(raw: str, text: str, region: str | None, failure: NumberParseException) -> str:
    if failure.error_type == NumberParseException.INVALID_COUNTRY_CODE:
        if text.startswith("+"):
            return f"{quoted(raw)} has no country code that exists"
        if region is None:
            return f"{quoted(raw)} has no country code: it must start with + and one"
        return f"{quoted(raw)} has no country code that exists, and {region} is not a known region"
    if failure.error_type == NumberParseException.TOO_LONG:
        return f"{quoted(raw)} has more digits than a phone number can have"
    return f"{quoted(raw)} has too few digits for a phone number"


def _not_dialled(raw: str, text: str, region: str | None, number: phonenumbers.PhoneNumber) -> NumberRefused:
    """Why a number of no known type is refused: emergency and short codes are named as such."""
    if phonenumbers.is_possible_short_number(number):
        national = phonenumbers.national_significant_number(number)
        regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
        if any(phonenumbers.is_emergency_number(national, home) for home in regions):
            return NumberRefused("emergency_number", f"{quoted(raw)} is an emergency number, never dialled")
        return NumberRefused("short_code", f"{quoted(raw)} is a short code, and those are not dialled")
    where = "its country" if text.startswith("+") or region is None else region
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason == phonenumbers.ValidationResult.TOO_SHORT:
        return _invalid(raw, f"has too few digits for {where}")
    if reason == phonenumbers.ValidationResult.TOO_LONG:
        return _invalid(raw, f"has too many digits for {where}")
    return _invalid(raw, f"is in no numbering range of {where}")


def _invalid(raw: str, what: str) -> NumberRefused:
    return NumberRefused("invalid_number", f"{quoted(raw)} {what}")
