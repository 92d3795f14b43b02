"""A column beside the number that says of which country it is: used, or the row is refused."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import NumberRefused
from campaigns.hint_columns import hints
from campaigns.number_hints import hinted_number
from tests.examples import examples

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def number(raw: str, region: str | None = "US", **beside: str) -> str:
    found = hints(enumerate(beside))
    assert len(found) == len(beside)
    return hinted_number(raw, region, found, list(beside.values()))


@pytest.mark.parametrize(
    ("raw", "region", "beside", "dialled"),
    [
        ("2079460018", "US", {"phone_code": "44"}, "+442079460018"),
        ("2079460018", "US", {"phone_code": "44", "country_code": "GBR"}, "+442079460018"),
        ("2025550101", "US", {"phone_code": "1", "country_code": "USA"}, "+12025550101"),
        ("442079460018", "US", {"phone_code": "+44"}, "+442079460018"),
        ("020 7946 0018", "US", {"Country Code": "0044"}, "+442079460018"),
        ("2079460018", "US", {"phone_code": "44.0"}, "+442079460018"),
        ("2079460018", "US", {"country": "United Kingdom"}, "+442079460018"),
        *(
            ("2079460018", "US", {column: "United Kingdom"}, "+442079460018")
            for column in (
                "Country/Region",
                "Mailing Country",
                "BillingCountry",
                "Home Country/Region",
                "Country (Phone)",
            )
        ),
        *(
            ("2079460018", "US", {column: "44"}, "+442079460018")
            for column in (
                "country_prefix",
                "phone_prefix",
                "PhonePrefix",
                "Tel Country Code",
                "Country Code (phone)",
            )
        ),
        ("2079460018", "US", {"prefix": "+44"}, "+442079460018"),
        ("2079460018", "US", {"Prefix": "0044"}, "+442079460018"),
        ("5550101", "US", {"prefix": "202"}, "+12025550101"),
        ("2025550101", "US", {"prefix": "Dr."}, "+12025550101"),
        ("2079460018", "US", {"Land": "Vereinigtes Königreich"}, "+442079460018"),
        ("2079460018", "US", {"country": "U.K."}, "+442079460018"),
        ("2079460018", "US", {"country": "gb"}, "+442079460018"),
        ("6135550100", "US", {"phone_code": "1"}, "+16135550100"),
        ("2025550101", "US", {"phone_code": ""}, "+12025550101"),
        ("+442079460018", "US", {"country": "US"}, "+442079460018"),
        ("5550101", "US", {"area_code": "202"}, "+12025550101"),
        ("2025550101", "US", {"area_code": "202"}, "+12025550101"),
        ("23125001", "DE", {"Vorwahl": "030"}, "+493023125001"),
        ("030 23125001", "DE", {"Vorwahl": "030"}, "+493023125001"),
        ("23125001", "US", {"Vorwahl": "030", "Land": "Deutschland"}, "+493023125001"),
    ],
)
def test_what_stands_beside_a_number_makes_it_whole(
    raw: str, region: str, beside: dict[str, str], dialled: str
) -> None:
    assert number(raw, region, **beside) == dialled


@pytest.mark.parametrize(
    ("raw", "region", "beside", "code"),
    [
        ("2025550101", "US", {"phone_code": "44"}, "invalid_number"),
        ("2079460018", "US", {"prefix": "44"}, "area_mismatch"),
        ("2079460018", "US", {"Country": "US", "Mailing Country": "United Kingdom"}, "country_mismatch"),
        ("+12025550101", "GB", {"phone_code": "44"}, "country_mismatch"),
        ("2079460018", "US", {"phone_code": "1", "country_code": "GBR"}, "country_mismatch"),
        ("2079460018", "US", {"country": "Ruritania"}, "unknown_country"),
        ("2079460018", "US", {"phone_code": "999"}, "unknown_country"),
        ("2025550101", "US", {"area_code": "212"}, "area_mismatch"),
        ("2025550101", "US", {"area_code": "east"}, "area_mismatch"),
        ("3023125001", "DE", {"Vorwahl": "030"}, "area_mismatch"),
        # Whole, and a stranger's with another code in front.
        ("0171 1234567", "DE", {"Vorwahl": "030"}, "area_mismatch"),
        ("171 1234567", "DE", {"Vorwahl": "030"}, "area_mismatch"),
        ("030 1234567", "DE", {"Vorwahl": "040"}, "area_mismatch"),
        ("49 171 1234567", "DE", {"Vorwahl": "030"}, "area_mismatch"),
        ("08-12 34 56", "SE", {"area_code": "02"}, "area_mismatch"),
        ("2025550101 / 2025550102", "US", {"phone_code": "1"}, "several_numbers"),
    ],
)
def test_what_does_not_go_together_is_refused(
    raw: str, region: str, beside: dict[str, str], code: str
) -> None:
    with pytest.raises(NumberRefused) as refused:
        number(raw, region, **beside)
    assert refused.value.code == code


@examples(2000)
@given(st.sampled_from(REGIONS), st.sampled_from(REGIONS), st.sampled_from([0, 1]))
def test_a_country_code_beside_a_number_is_never_ignored(there: str, here: str, kind: int) -> None:
    example = phonenumbers.example_number_for_type(there, kind)
    if example is None:
        return
    written = phonenumbers.national_significant_number(example)
    try:
        dialled = number(written, here, phone_code=str(example.country_code))
    except NumberRefused:
        return
    assert dialled == phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)


def test_only_whole_names_are_taken_for_such_columns() -> None:
    names = [
        "phone_code",
        "Country",
        "zip_code",
        "area",
        "country_manager",
        "promo_code",
        "Ländervorwahl",
        "State",
    ]
    assert [hint.column for hint in hints(enumerate(names))] == ["phone_code", "Country", "Ländervorwahl"]


def named(text: str) -> list[str]:
    return text.split("|")


NAMES_OF_CODES = named(
    "IDD|Laendercode|Länderkennzahl|Internationale Vorwahl|Land (Vorwahl)|Landskod|Landekode|Maakoodi|"
    "Code du pays|Indicatif international|Código del país|Prefijo internacional|LADA internacional|"
    "Código do país|Prefisso internazionale|Codice paese|Kod kraju|Országkód|Kód země|Код страны|"
    "Κωδικός χώρας|国家区号|國碼|国コード|국가번호|رمز الدولة|مفتاح الدولة|קוד מדינה|देश कोड|รหัสประเทศ|Mã quốc gia|"
    "Kode negara"
)
NAMES_OF_COUNTRIES = named(
    "Country/Territory|Address 1 - Country|Default Address Country|Lead Country|Land/Region geschäftlich|"
    "Pays/Région (bureau)|País/Región del trabajo|País/Região|Nazione|Страна/регион|Země|Ország|Țară|"
    "Χώρα|国家/地区|國家/地區|国/地域|국가/지역|البلد|מדינה|देश|ประเทศ|Quốc gia|Negara"
)
NAMES_OF_PREFIXES = named(
    "Prefijo|Prefijo telefónico|Prefisso|Prefixo|Indicatif|Indicatif téléphonique|Kierunkowy|Předvolba|"
    "Телефонный код|区号|电话区号|קידומת"
)
NAMES_OF_AREAS = named(
    "NPA|Mobile Area Code|HomeAreaCode|Clave LADA|Kengetal|Alan Kodu|Kode area|지역번호|رمز المنطقة"
)
UNSURE_NAMES = named("CC|DDI|ISO2|Mobile Code|phone_cc|IP Country|Country of Residence")


@pytest.mark.parametrize("column", NAMES_OF_CODES)
def test_a_country_s_code_is_used_in_whatever_language_its_column_is_named(column: str) -> None:
    for code in ("44", "+44", "0044"):
        assert number("2079460018", **{column: code}) == "+442079460018"


@pytest.mark.parametrize("column", NAMES_OF_COUNTRIES)
def test_a_country_is_used_in_whatever_language_its_column_is_named(column: str) -> None:
    for country in ("GB", "Großbritannien", "英国", "Royaume-Uni"):
        assert number("2079460018", **{column: country}) == "+442079460018"


@pytest.mark.parametrize("column", NAMES_OF_PREFIXES)
def test_a_prefix_is_a_country_s_with_a_plus_and_an_area_s_without(column: str) -> None:
    assert number("2079460018", **{column: "+44"}) == "+442079460018"
    assert number("5550101", **{column: "202"}) == "+12025550101"


@pytest.mark.parametrize("column", NAMES_OF_AREAS)
def test_an_area_code_is_used_in_whatever_language_its_column_is_named(column: str) -> None:
    assert number("5550101", **{column: "202"}) == "+12025550101"


@pytest.mark.parametrize("column", UNSURE_NAMES)
def test_what_may_be_another_country_makes_a_number_whole_and_never_another_one(column: str) -> None:
    cell = "GB" if "o" in column.lower() and column != "Mobile Code" else "44"
    assert number("7911123456", **{column: cell}) == "+447911123456"
    assert number("2025550101", **{column: cell}) == "+12025550101"
    assert number("2025550101", **{column: "Ruritania"}) == "+12025550101"
    assert number("2025550101", **{column: "NO"}) == "+12025550101"
    with pytest.raises(NumberRefused) as refused:
        number("2079460018", **{column: cell})
    assert refused.value.code == "country_mismatch"
    assert refused.value.reason == (
        f"'2079460018' is +442079460018 by '{cell}' in '{column}' beside it, and +12079460018 without; "
        f"write the number with + and its country code"
    )


@pytest.mark.parametrize(
    "country",
    [
        "США",
        "EE. UU.",
        "Korea, Republic of",
        "한국",
        "Viet Nam",
        "Ivory Coast",
        "المملكة العربية السعودية",
        "Česko",
    ],
)
def test_countries_are_known_by_the_names_that_people_use(country: str) -> None:
    with pytest.raises(NumberRefused) as refused:
        number("0", **{"Country": country})
    assert refused.value.code != "unknown_country"


def test_each_of_several_numbers_has_the_hints_of_its_own() -> None:
    columns = ("country_code", "country_code_2", "Phone 3 Area Code", "phone_number_4 country")
    beside, cells = hints(enumerate(columns)), ["1", "44", "212", "DE"]
    assert [hint.number for hint in beside] == [None, 2, 3, 4]
    dialled = [
        hinted_number(raw, "US", beside, cells, place=place)
        for place, raw in enumerate(("2079460018", "2079460018", "5550101", "030 23125001"), 1)
        if place < 4
    ]
    assert dialled == ["+12079460018", "+442079460018", "+12125550101"]
    assert hinted_number("030 23125001", "US", beside, cells, place=4) == "+493023125001"
    # Without one of its own a number is the country's that stands beside them all.
    assert hinted_number("2079460018", "GB", beside, ["1", "", "", ""], place=2) == "+12079460018"
