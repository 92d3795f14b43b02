"""Which column of a list holds the numbers: what is called so, in any language, before what else has numbers."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest

from campaigns.phone_column import likely_phone_column

CELLS = [["2025550188", "2025550101"]]


NAMES = (
    *(
        "Teléfono",
        "Telefón",
        "Điện thoại",
        "Nomor HP",
        "Telepon",
        "GSM",
        "Tlf",
        "تلفن",
        "Telefon-Nr",
        "Handynummer",
    ),
    *("मोबाइल नंबर", "फोन", "رقم الموبايل", "Telefonní číslo", "Rufnr.", "Tél", "Fone", "联系方式", "연락처"),
    *("Contact No", "Phone no.", "Номер телефона", "Numero di telefono", "手机号码", "Mobile #"),
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["Customer Number", "Kunde", "Kundennummer", "Nr", "Account no"])
def test_the_column_that_is_called_so_goes_before_one_of_other_numbers(
    name: str, form: Literal["NFC", "NFD"], other: str
) -> None:
    written = unicodedata.normalize(form, name)
    assert likely_phone_column([other, written], CELLS, "US") == written
    assert likely_phone_column([written, other], CELLS, "US") == written


@pytest.mark.parametrize("name", ["Number", "Nummer", "Número", "номер"])
def test_a_column_called_number_alone_is_one(name: str) -> None:
    assert likely_phone_column([name, "Kunde"], CELLS, "US") == name


@pytest.mark.parametrize("header", ["phone_number^name", "phone_number   name", "phone_number|name"])
def test_columns_that_were_not_told_apart_are_no_guess_for_the_numbers(header: str) -> None:
    assert likely_phone_column([header], [[f"+1202555010{n}^Ann"] for n in range(3)], "US") is None
