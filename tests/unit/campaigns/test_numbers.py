"""What is dialled, and what is refused, for the text of a number cell."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import NumberRefused
from campaigns.numbers import phone_number


@pytest.mark.parametrize(
    ("raw", "region", "dialled"),
    [
        ("+12125550100", None, "+12125550100"),
        ("12125550100", "US", "+12125550100"),
        ("(212) 555-0100", "US", "+12125550100"),
        ("212.555.0100", "US", "+12125550100"),
        ("  +1 212 555 0100 ", None, "+12125550100"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("+44 (0)20 7946 0018", "US", "+442079460018"),
        ("00442079460018", "GB", "+442079460018"),
        ("0044 20 7946 0018", "DE", "+442079460018"),
        ("011 44 20 7946 0018", "US", "+442079460018"),
        ("030/123456", "DE", "+4930123456"),
        ("+39 06 1234 5678", None, "+390612345678"),
        ("tel:+1-212-555-0100", None, "+12125550100"),
        ("\u202a+1 212 555 0100\u202c", None, "+12125550100"),
        ("+1\u00a0212\u00a0555\u20110100", None, "+12125550100"),
        ("＋１２１２５５５０１００", None, "+12125550100"),
        ("٢١٢٥٥٥٠١٠٠", "US", "+12125550100"),
        ("'+12125550100", None, "+12125550100"),
        ('="+12125550100"', None, "+12125550100"),
        ("12125550100.0", "US", "+12125550100"),
        ("1.2125550100E+10", "US", "+12125550100"),
        ("+1,21255501000e10", None, "+12125550100"),
        ("4.47911123456E+11", "GB", "+447911123456"),
        ("7911123456", "GB", "+447911123456"),
    ],
)
def test_a_number_is_dialled_in_e164(raw: str, region: str | None, dialled: str) -> None:
    assert phone_number(raw, region) == dialled


@pytest.mark.parametrize(
    ("raw", "region", "code"),
    [
        ("", "US", "missing_number"),
        (" \t ", "US", "missing_number"),
        ("\u200b", "US", "missing_number"),
        ("'", "US", "missing_number"),
        ('=""', "US", "missing_number"),
        ("n/a", "US", "invalid_number"),
        ("2125550100", None, "invalid_number"),
        ("2125550100", "XX", "invalid_number"),
        ("+1 212 555 0100 ext 5", "US", "invalid_number"),
        ("+1 212 555 0100;ext=5", "US", "invalid_number"),
        ("+1 212 555 0100 x5", "US", "invalid_number"),
        ("2125550100;2125550101", "US", "several_numbers"),
        ("2125550100, 2125550101", "US", "several_numbers"),
        ("+12125550100,null/evil", "US", "invalid_number"),
        ("+12125550100|", "US", "invalid_number"),
        ("+12125550100@evil.example", "US", "invalid_number"),
        ("+12125550100 &park()", "US", "invalid_number"),
        ("+12125550100#", "US", "invalid_number"),
        ("+1*2125550100", "US", "invalid_number"),
        ("${hostname}", "US", "invalid_number"),
        ("2125550100 Bob", "DE", "invalid_number"),
        ("1-800-FLOWERS", "US", "invalid_number"),
        ("²2125550100", "US", "invalid_number"),
        ("212\n5550100", "US", "invalid_number"),
        ("212\x005550100", "US", "invalid_number"),
        ("+1 212 555 0100 +1", "US", "invalid_number"),
        ("++12125550100", "US", "invalid_number"),
        ("-12125550100", "US", "invalid_number"),
        ("+1 555 123 4567", "US", "invalid_number"),
        ("+999123456789", "US", "invalid_number"),
        ("+" + "1" * 400, "US", "invalid_number"),
        ("1.4155E+10", "US", "excel_scientific"),
        ("1,4155e10", "US", "excel_scientific"),
        ("1E+10", "US", "excel_scientific"),
        ("1.21255501001E+10", "US", "excel_scientific"),
        ("1.5E+999", "US", "excel_scientific"),
        ("911", "US", "emergency_number"),
        ("112", "GB", "emergency_number"),
        ("+44999", None, "emergency_number"),
        ("411", "US", "short_code"),
        ("+44 118 118", None, "short_code"),
        ("09061234567", "GB", "premium"),
        ("+1 900 555 1234", None, "premium"),
    ],
)
def test_what_is_not_dialled_is_refused_with_its_code(raw: str, region: str | None, code: str) -> None:
    with pytest.raises(NumberRefused) as refused:
        phone_number(raw, region)
    assert refused.value.code == code
    assert refused.value.reason.isprintable()
    assert len(refused.value.reason) < 200


EXAMPLES = [
    example
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in range(11)
    if (example := phonenumbers.example_number_for_type(region, kind)) is not None
]


def test_every_country_s_example_numbers_are_judged_as_libphonenumber_judges_them() -> None:
    assert len(EXAMPLES) > 1000
    for example in EXAMPLES:
        e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        if phonenumbers.number_type(example) == phonenumbers.PhoneNumberType.PREMIUM_RATE:
            with pytest.raises(NumberRefused, match="premium"):
                phone_number(e164, None)
        else:
            assert phonenumbers.is_valid_number(example)
            assert phone_number(e164, None) == e164


@given(
    st.sampled_from(["US", "GB", "DE", "IT", "AR", "MX"]), st.from_regex(r"\+?[0-9]{1,17}", fullmatch=True)
)
def test_only_what_libphonenumber_calls_valid_is_dialled(region: str, raw: str) -> None:
    try:
        dialled = phone_number(raw, region)
    except NumberRefused:
        return
    number = phonenumbers.parse(raw, region)
    assert phonenumbers.is_valid_number(number)
    assert dialled == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert dialled[0] == "+"
    assert dialled[1:].isdigit()


@given(st.text(max_size=60), st.sampled_from([None, "US", "DE"]))
def test_any_text_is_a_number_or_is_refused(raw: str, region: str | None) -> None:
    try:
        dialled = phone_number(raw, region)
    except NumberRefused:
        return
    assert dialled.isascii()
    assert dialled[1:].isdigit()


@pytest.mark.parametrize(
    ("raw", "region"),
    [
        ("491713920001", "DE"),
        ("4917 1392 0001", "DE"),
        ("62812345678", "ID"),
        ("62219592164", "ID"),
        ("62 21 9592164", "ID"),
        ("468623569", "SE"),
        ("38328012311", "XK"),
    ],
)
def test_a_number_without_its_plus_is_no_strangers(raw: str, region: str) -> None:
    """As libphonenumber reads it, with the country's code once more in front, it is a landline of somebody else."""
    with pytest.raises(NumberRefused) as refused:
        phone_number(raw, region)
    assert refused.value.code == "invalid_number"
    assert "with its country's code" in str(refused.value.reason)


@pytest.mark.parametrize(
    ("raw", "region", "dialled"),
    [
        ("+491713920001", "DE", "+491713920001"),
        ("0491 3920001", "DE", "+494913920001"),
        ("0622 1959 2164", "ID", "+6262219592164"),
        ("046-862 35 69", "SE", "+46468623569"),
        ("53123456", "CU", "+5353123456"),
        ("481234567", "PL", "+48481234567"),
        ("47123456", "NO", "+4747123456"),
        ("12025550101", "US", "+12025550101"),
    ],
)
def test_what_can_be_read_in_one_way_alone_is_dialled(raw: str, region: str, dialled: str) -> None:
    assert phone_number(raw, region) == dialled


@pytest.mark.parametrize(
    ("raw", "region"),
    [
        ("0066 2 611 0361", "TH"),
        ("006626110361", "TH"),
        ("0093234735148", "SG"),
        ("0014732691271", "MN"),
        ("0093 23 4735148", "KR"),
    ],
)
def test_two_zeros_for_a_plus_call_nobody_elsewhere(raw: str, region: str) -> None:
    """Where 006 leads abroad, 0066 2 611 0361 would be a number of Indonesia."""
    with pytest.raises(NumberRefused) as refused:
        phone_number(raw, region)
    assert refused.value.code == "invalid_number"
    assert "write it with +" in str(refused.value.reason)


@pytest.mark.parametrize(
    ("raw", "region", "dialled"),
    [
        ("001 65 6123 4567", "TH", "+6561234567"),
        ("001-44-20-7946-0018", "TH", "+442079460018"),
        ("00144 20 7946 0018", "TH", "+442079460018"),
        ("0011 44 20 7946 0018", "AU", "+442079460018"),
        ("001144 20 7946 0018", "AU", "+442079460018"),
        ("0066 2 611 0361", "DE", "+6626110361"),
    ],
)
def test_what_leads_abroad_at_home_is_no_part_of_a_number(raw: str, region: str, dialled: str) -> None:
    assert phone_number(raw, region) == dialled
