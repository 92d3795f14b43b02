"""Lists as people export them, file by file: what must come out of each stands in `tests/lists/expected.toml`."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path
from typing import Any

import pytest

from campaigns.columns import Limits
from campaigns.errors import ListRefused
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import AcceptedRow, RejectedRow
from campaigns.importer import read_list

FOLDER = Path(__file__).parents[2] / "lists"
TABLE = FOLDER / "expected.toml"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads(TABLE.read_text())
WHOLE_ROW = {"too_many_cells", "variables_too_large", "undecodable", "unterminated_quote", "bad_quotes"}
"""What is wrong with a row and with no one column of it."""
GOOD_ROW = b"+12025550199,good\n"


def test_the_table_has_every_file() -> None:
    files = {path.name for path in FOLDER.iterdir()} - {TABLE.name}
    assert files == set(EXPECTED)
    assert len(files) >= 160


@pytest.mark.parametrize("name", [name for name, one in EXPECTED.items() if "refused" not in one])
def test_each_row_goes_in_as_its_people_mean_it_or_is_refused(name: str) -> None:
    expected = EXPECTED[name]
    notes = ImportNotes()
    accepted, rejected = read((FOLDER / name).read_bytes(), expected, notes)
    assert [f"{row.line} {row.phone_number}" for row in accepted] == expected.get("accepted", [])
    assert [f"{row.line} {row.code}" for row in rejected] == expected.get("rejected", [])
    for row in rejected:
        assert row.column in column_of(row), row
        assert ";" in row.reason or ":" in row.reason or row.code == "duplicate", "what to do is said"
    if "first" in expected:
        assert dict(accepted[0].custom_fields) == expected["first"]
    if "columns" in expected:
        assert len(accepted[0].custom_fields) == expected["columns"]
    assert notes.warnings == expected.get("warns", [])


@pytest.mark.parametrize("name", [name for name, one in EXPECTED.items() if "refused" in one])
def test_each_list_that_cannot_be_read_is_refused_with_what_to_do(name: str) -> None:
    expected = EXPECTED[name]
    data = (FOLDER / name).read_bytes()
    with pytest.raises(ListRefused) as refused:
        read(data, expected, ImportNotes())
    assert refused.value.code == expected["refused"]
    assert expected["words"] in refused.value.message
    assert refused.value.message.isprintable()
    if "beside_a_good_row" in expected:
        accepted, rejected = read(data + GOOD_ROW, expected, ImportNotes())
        assert [row.phone_number for row in accepted] == ["+12025550199"]
        assert [f"{row.line} {row.code}" for row in rejected] == expected["beside_a_good_row"]


def read(
    data: bytes, expected: dict[str, Any], notes: ImportNotes
) -> tuple[list[AcceptedRow], list[RejectedRow]]:
    region = expected.get("region", "US")
    batches = list(read_list(io.BytesIO(data), default_region=region, limits=Limits(), notes=notes))
    return [row for one in batches for row in one.accepted], [row for one in batches for row in one.rejected]


def column_of(row: RejectedRow) -> set[str | None]:
    """What a rejected row may name as the column at fault."""
    if row.code in WHOLE_ROW:
        return {None}
    if row.code in ("cell_too_long", "unsafe_value"):
        return {"note", "name", "msg"}
    return {"phone_number"}
