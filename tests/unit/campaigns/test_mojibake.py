"""Text that was decoded as what it is not is seen wherever it stands; names of western languages are left alone."""

from __future__ import annotations

import io
from typing import Any

import pytest

from campaigns.columns import Limits
from campaigns.import_notes import ImportNotes
from campaigns.importer import read_list
from campaigns.json_contacts import read_objects
from campaigns.mojibake import of_another_alphabet, twice_encoded

LIMITS = Limits()


@pytest.mark.parametrize(
    ("said", "codec"),
    [
        ("Москва", "cp1251"),
        ("Юлия", "cp1251"),
        ("ЛЮДМИЛА", "cp1251"),
        ("Αννα", "cp1253"),
        ("ליאת", "cp1255"),
    ],
)
def test_a_word_of_another_alphabet_is_one_whatever_made_it_western(said: str, codec: str) -> None:
    assert of_another_alphabet(said.encode(codec).decode("cp1252")) is not None
    assert of_another_alphabet(said) is None


NAMES = """
    Zoë Jürgen Ærø Åse Öö Þórður Þorgerður Guðmundsdóttir Ýmir Łukasz Żółć Çağla Išl Noël Ångström São Ñuñoa été
    Dvořák Nguyễn Søren Háløgaland Müßiggang Æthelred naïve coöperate Œuvre Éléonore Ğ Ää ÖÄ
"""


@pytest.mark.parametrize("name", NAMES.split())
def test_a_name_as_people_have_it_is_left_alone(name: str) -> None:
    assert (of_another_alphabet(name), twice_encoded(name)) == (None, None)


def test_beyond_the_first_rows_and_in_json_it_is_told_too() -> None:
    rows = "".join(f"+1202555{number:04},Ann\n" for number in range(300))
    notes = ImportNotes()
    data = f"phone_number,name\n{rows}+12025559999,ZoÃ«\n".encode()
    list(read_list(io.BytesIO(data), default_region="US", limits=LIMITS, notes=notes))
    assert notes.warnings == [TOLD]
    notes = ImportNotes()
    objects: list[dict[str, Any]] = [{"phone_number": "+12025550101", "name": "ZoÃ«"}]
    list(read_objects(objects, default_region="US", limits=LIMITS, notes=notes))
    assert notes.warnings == [TOLD]


TOLD = (
    "name holds 'ZoÃ«', which looks like 'Zoë' encoded twice; it is kept as it stands: export the list as UTF-8 "
    "again if that is wrong"
)
