"""A workbook is read as the CSV file of its sheet would be, and one that is made to harm is refused in a sentence."""

from __future__ import annotations

import csv
import io
import struct
import tempfile
import zipfile
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import workbooks
from campaigns.columns import Limits
from campaigns.errors import ListRefused
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import AcceptedRow, RejectedRow
from campaigns.importer import read_list
from tests.workbook import MAIN, Rows, workbook

A, B = "+12025550101", "+12025550102"


def read(
    data: bytes, sheet: str | None = None, notes: ImportNotes | None = None
) -> tuple[list[AcceptedRow], list[RejectedRow]]:
    batches = list(
        read_list(io.BytesIO(data), default_region="US", limits=Limits(), sheet=sheet, notes=notes)
    )
    return [row for one in batches for row in one.accepted], [row for one in batches for row in one.rejected]


def refused(data: bytes, sheet: str | None = None) -> ListRefused:
    with pytest.raises(ListRefused) as raised:
        read(data, sheet)
    assert raised.value.message.isprintable()
    return raised.value


def test_numbers_have_all_of_their_digits_and_days_are_no_numbers() -> None:
    rows: Rows = [
        ["phone_number", "n", "day"],
        [2025550101, 5, date(2026, 1, 31)],
        [493023125001.0, 12.5, True],
        ["+" + "442079460018", None, "x"],
        [4.9e11, 1, 2],
        [date(2026, 1, 31), 1, 2],
        [12345.67, 1, 2],
        [None, "left", "out"],
    ]
    accepted, rejected = read(workbook({"Sheet1": rows}))
    assert [(row.line, row.phone_number) for row in accepted] == [(2, A), (4, "+442079460018")]
    assert accepted[0].custom_fields == {"n": "5", "day": "2026-01-31"}
    assert accepted[1].custom_fields == {"n": "", "day": "x"}
    assert [(row.line, row.code) for row in rejected] == [
        (3, "invalid_number"), (5, "invalid_number"), (6, "date"), (7, "amount"), (8, "missing_number"),
    ]  # fmt: skip
    assert "'493023125001'" in rejected[0].reason
    assert "'490000000000'" in rejected[1].reason


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8) | st.integers(0, 10**14)


@given(
    st.lists(st.tuples(st.sampled_from([A, B, "x", 2025550103, ""]), CELLS, CELLS), min_size=1, max_size=5)
)
def test_a_sheet_is_read_as_its_csv_file(rows: list[tuple[str | int, str | int, str | int]]) -> None:
    sheet: list[list[str | int | float | bool | date | None]] = [["phone_number", "a", "b"], [A, "first", ""]]
    sheet += [list(row) for row in rows]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(sheet)
    there, here = read(workbook({"Sheet1": sheet})), read(out.getvalue().encode("utf-8-sig"))
    assert [(row.line, row.phone_number, row.custom_fields) for row in there[0]] == [
        (row.line, row.phone_number, row.custom_fields) for row in here[0]
    ]
    assert [(row.line, row.code) for row in there[1]] == [(row.line, row.code) for row in here[1]]


LIST: Rows = [["phone_number"], [A]]


def test_the_first_sheet_that_is_shown_and_not_empty_is_read_or_the_one_that_is_named() -> None:
    book = workbook(
        {"Empty": [], "Hidden": LIST, "Leads": [["phone_number"], [B]], "More": LIST}, hidden=["Hidden"]
    )
    notes = ImportNotes()
    assert [row.phone_number for row in read(book, notes=notes)[0]] == [B]
    assert notes.sheet == "Leads"
    assert notes.warnings == [
        "the sheet 'Leads' was read, and 'More' was not; name another in the field sheet"
    ]
    assert [row.phone_number for row in read(book, "Hidden")[0]] == [A]
    unknown = refused(book, "leads")
    assert (unknown.code, "'Leads'" in unknown.message) == ("unknown_sheet", True)
    assert refused(b"phone_number\n+12025550101\n", "Leads").code == "unknown_sheet"
    assert refused(workbook({"Empty": []})).code == "no_rows"


def test_a_title_above_the_header_is_left_out() -> None:
    notes = ImportNotes()
    accepted, _ = read(
        workbook({"S": [["Leads of May"], [None], ["phone_number", "n"], [A, 1]]}), notes=notes
    )
    assert [(row.line, row.custom_fields) for row in accepted] == [(4, {"n": "1"})]
    assert notes.warnings == ["what stands above the header was left out: 'Leads of May'"]
    assert refused(workbook({"S": [["Mobile", "n"], [A, 1]]})).code == "no_phone_column"


def test_what_is_no_workbook_is_refused() -> None:
    ods = io.BytesIO()
    with zipfile.ZipFile(ods, "w") as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    assert "OpenDocument" in refused(ods.getvalue()).message
    good = workbook({"S": LIST})
    for data in (
        b"PK\x03\x04",
        good[: len(good) // 2],
        workbook({"S": LIST}, parts={"xl/workbook.xml": "<a"}),
    ):
        assert refused(data).code == "not_csv"
    doctype = '<!DOCTYPE a [<!ENTITY b "c">]><worksheet>&b;</worksheet>'
    assert refused(workbook({"S": LIST}, parts={"xl/worksheets/sheet1.xml": doctype})).code == "not_csv"


def repacked(book: bytes, compression: int) -> bytes:
    """The workbook, its sheets packed otherwise."""
    again = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as packed, zipfile.ZipFile(again, "w") as out:
        for name in packed.namelist():
            out.writestr(name, packed.read(name), compression if "worksheets" in name else None)
    return again.getvalue()


def encrypted(book: bytes) -> bytes:
    """The workbook, each part marked as one that wants a password."""
    marked = bytearray(book)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = marked.find(mark)
        while place >= 0:
            marked[place + at] |= 1
            place = marked.find(mark, place + 4)
    return bytes(marked)


SHEET = "xl/worksheets/sheet1.xml"
UNREADABLE = {
    "encrypted": encrypted(workbook({"S": LIST})),
    "bz2": repacked(workbook({"S": LIST}), zipfile.ZIP_BZIP2),
    "lzma": repacked(workbook({"S": LIST}), zipfile.ZIP_LZMA),
    "an encoding that nobody knows": workbook(
        {"S": LIST}, parts={SHEET: '<?xml version="1.0" encoding="nobodys"?><worksheet/>'}
    ),
    "an encoding of several bytes": workbook(
        {"S": LIST}, parts={SHEET: '<?xml version="1.0" encoding="gb18030"?><worksheet/>'}
    ),
}


@pytest.mark.parametrize("book", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_unpacked_is_refused_and_no_fault_of_ours(book: bytes) -> None:
    assert refused(book).code == "not_csv"


def test_a_disk_that_is_full_is_no_damaged_workbook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda **_: open("/dev/full", "w+b"))  # noqa: SIM115
    with pytest.raises(OSError, match="No space"):
        read(workbook({"S": LIST}))


def test_one_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_UNPACKED", 100_000)
    book = workbook({"S": LIST}, parts={"xl/styles.xml": b" " * 200_000})
    assert len(book) < 10_000
    assert refused(book).code == "too_large"
    # Pictures are not unpacked.
    assert read(workbook({"S": LIST}, parts={"xl/media/image1.png": b" " * 200_000}))[0]


def test_one_that_lies_about_its_size_is_read_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    book = bytearray(workbook({"S": LIST}, parts={"xl/styles.xml": b" " * 200_000}))
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = book.find(mark)
        while place >= 0:
            if struct.unpack_from("<I", book, place + at)[0] == 200_000:
                struct.pack_into("<I", book, place + at, 10)
            place = book.find(mark, place + 4)
    assert refused(bytes(book)).code == "not_csv"


@pytest.mark.parametrize(("far", "row"), [("XFD1048576", 1048576), ("D1048576", 1048576), ("XFD400", 400)])
def test_a_cell_far_from_the_list_is_refused_before_it_takes_memory(far: str, row: int) -> None:
    data = '<row r="1"><c r="A1" t="inlineStr"><is><t>phone_number</t></is></c></row>'
    data += f'<row r="2"><c r="A2"><v>2025550101</v></c></row><row r="{row}"><c r="{far}"><v>1</v></c></row>'
    assert refused(workbook({"S": data})).code == "too_many_cells"


def test_a_long_text_that_many_cells_share_is_counted_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_TEXT", 100_000)
    shared = f'<sst xmlns="{MAIN}"><si><t>{"x" * 1_000}</t></si></sst>'
    data = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 200))
    assert refused(workbook({"S": data}, parts={"xl/sharedStrings.xml": shared})).code == "too_large"
