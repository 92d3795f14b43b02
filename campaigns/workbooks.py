"""Reads a list that is an XLSX workbook, to the rows that a CSV file of it would have.

A workbook is a zip of XML, of which a few megabytes can unpack to any size, and a few cells make a sheet of millions.
So what is needed of it is unpacked here first, counted while it is, and looked through for how many rows, cells and
characters it will be; only then it is given to calamine, which has all of a sheet in memory. Only in a process of its
own (`list_process`), which has bounds on time and memory.
"""

from __future__ import annotations

import csv
import errno
import io
import lzma
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import IO, BinaryIO
from xml.parsers import expat

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from campaigns.column_names import is_phone_column
from campaigns.columns import Limits
from campaigns.csvfile import MOST_TITLE_LINES, Row
from campaigns.errors import ListRefused, quoted
from campaigns.import_notes import ImportNotes
from campaigns.time_slice import TimeSlice

MOST_UNPACKED = 128 * 1024 * 1024
"""Bytes of what is needed of a workbook, unpacked."""
MOST_PARTS = 2_000
MOST_CELLS = 4_000_000
"""Cells from the first to the last row and column of a sheet, empty ones included."""
MOST_TEXT = 64 * 1024 * 1024
"""Characters of all cells of a sheet, a text that several share counted for each."""
BLOCK = 64 * 1024
_WHOLE = 10**15
"""Below this a spreadsheet's number has all of its digits."""
_NEEDED = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels|xl/styles\.xml"
    r"|xl/sharedStrings\.xml|xl/worksheets/[^/]+\.xml",
    re.IGNORECASE,
)
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_SHARED = "xl/sharedstrings.xml"
_CELL_NAME = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_PACKED_AS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How spreadsheets pack their parts; by others a few bytes become any number of them before they are counted."""
# RuntimeError is of a part that wants a password, LookupError and ValueError are of encodings that XML names.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    expat.ExpatError,
    CalamineError,
    EOFError,
    RuntimeError,
    LookupError,
    ValueError,
    OSError,
)
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors that say nothing of the workbook."""

Value = int | float | str | bool | time | date | datetime | timedelta


def read_sheet(
    file: BinaryIO, sheet: str | None, limits: Limits, time_slice: TimeSlice, notes: ImportNotes
) -> Iterator[Row]:
    """The rows of a workbook's sheet, its header first, without blank ones; of the `sheet` that is named, else of the
    first that is shown and not empty. What was left out above the header is noted, and which sheet was read.

    Raises ListRefused: not_csv, too_large, too_many_rows, too_many_cells, unknown_sheet, no_rows.
    """
    with tempfile.NamedTemporaryFile(suffix=".xlsx") as unpacked:
        try:
            _unpack(file, unpacked, limits, time_slice)
            with CalamineWorkbook.from_path(unpacked.name) as workbook:
                found = _chosen(workbook, sheet, notes)
                yield from _from_header(_filled_rows(found, time_slice), notes)
        except _DAMAGED as error:
            if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
                raise
            raise ListRefused(
                "not_csv",
                "contacts is a damaged spreadsheet, or another zip file; save the list as XLSX or CSV",
            ) from error


def cell_text(value: Value) -> str:
    """A cell as text: numbers with all of their digits, days and times as ISO 8601 writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _WHOLE else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    return str(value) if isinstance(value, int | timedelta) else value.isoformat()


def _unpack(file: BinaryIO, unpacked: IO[bytes], limits: Limits, time_slice: TimeSlice) -> None:
    """Write what is needed of the workbook anew, not packed, so that nobody who reads it unpacks anything; and look
    through it. Raises ListRefused, and one of _DAMAGED."""
    total = 0
    parts: dict[str, str] = {}
    with zipfile.ZipFile(file) as packed, zipfile.ZipFile(unpacked, "w", zipfile.ZIP_STORED) as out:
        names = packed.namelist()
        if len(names) > MOST_PARTS:
            raise _too_large(limits)
        if "mimetype" in names:
            raise ListRefused(
                "not_csv", "contacts is an OpenDocument file, not XLSX or CSV; save the list as one of these"
            )
        for name in names:
            if not _NEEDED.fullmatch(name) or name.lower() in parts:
                continue
            if packed.getinfo(name).compress_type not in _PACKED_AS:
                continue
            parts[name.lower()] = name
            with packed.open(name) as part, out.open(name, "w") as copy:
                while block := part.read(BLOCK):
                    total += len(block)
                    if total > MOST_UNPACKED:
                        raise _too_large(limits)
                    copy.write(block)
                    time_slice.check()
    with zipfile.ZipFile(unpacked) as plain:
        lengths = _shared_lengths(plain, parts.get(_SHARED), time_slice)
        for name in parts.values():
            if _SHEET.fullmatch(name):
                _look_through(plain, name, lengths, limits, time_slice)


def _too_large(limits: Limits) -> ListRefused:
    return ListRefused(
        "too_large",
        f"{limits.what} unpacks to more than {MOST_UNPACKED} bytes, the most that a workbook may; save it as CSV",
    )


def _parse(plain: zipfile.ZipFile, name: str, parser: expat.XMLParserType, time_slice: TimeSlice) -> None:
    def no_entities(*_: object) -> None:
        raise zipfile.BadZipFile("a workbook has no document type")

    parser.StartDoctypeDeclHandler = no_entities
    parser.buffer_text = True
    with plain.open(name) as part:
        while block := part.read(BLOCK):
            parser.Parse(block)
            time_slice.check()
        parser.Parse(b"", True)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _shared_lengths(plain: zipfile.ZipFile, name: str | None, time_slice: TimeSlice) -> list[int]:
    """The lengths of the texts that cells share."""
    lengths: list[int] = []

    def start(element: str, _: dict[str, str]) -> None:
        if _local(element) == "si":
            lengths.append(0)

    def text(data: str) -> None:
        if lengths:
            lengths[-1] += len(data)

    if name is not None:
        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.CharacterDataHandler = start, text
        _parse(plain, name, parser, time_slice)
    return lengths


class _Extent:
    """How much a sheet will be in memory, counted while it is parsed."""

    def __init__(self, name: str, lengths: list[int], limits: Limits) -> None:
        self._name, self._lengths, self._limits = name, lengths, limits
        self._cells = self._text = 0
        self._rows = self._columns = 1
        self._shared = False
        self._value: list[str] | None = None

    def start(self, element: str, attributes: dict[str, str]) -> None:
        element = _local(element)
        if element == "c":
            self._cells += 1
            self._shared = attributes.get("t") == "s"
            self._place(attributes.get("r", ""))
        elif element in ("v", "t"):
            self._value = []

    def _place(self, name: str) -> None:
        found = _CELL_NAME.fullmatch(name.upper())
        if found is not None:
            column = 0
            for letter in found[1]:
                column = column * 26 + ord(letter) - 64
            self._rows, self._columns = max(self._rows, int(found[2])), max(self._columns, column)
        if max(self._cells, self._rows * self._columns) > MOST_CELLS:
            raise ListRefused(
                "too_many_cells",
                f"{self._limits.what} has a sheet of {self._rows} rows and {self._columns} columns; at most "
                f"{MOST_CELLS} cells are allowed: delete what stands far from the list, or save it as CSV",
            )

    def data(self, text: str) -> None:
        if self._value is not None:
            self._value.append(text)

    def end(self, element: str) -> None:
        if self._value is None or _local(element) not in ("v", "t"):
            return
        value, self._value = "".join(self._value), None
        size = len(value)
        if self._shared and value.isdecimal() and int(value) < len(self._lengths):
            size = self._lengths[int(value)]
        self._text += size
        if self._text > MOST_TEXT:
            raise _too_large(self._limits)


def _look_through(
    plain: zipfile.ZipFile, name: str, lengths: list[int], limits: Limits, time_slice: TimeSlice
) -> None:
    extent = _Extent(name, lengths, limits)
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = extent.start, extent.end
    parser.CharacterDataHandler = extent.data
    _parse(plain, name, parser, time_slice)


def _chosen(workbook: CalamineWorkbook, sheet: str | None, notes: ImportNotes) -> CalamineSheet:
    """Raises ListRefused: unknown_sheet, no_rows."""
    known = [one for one in workbook.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
    names = [one.name for one in known]
    if sheet is not None:
        if sheet not in names:
            listed = ", ".join(quoted(name) for name in names[:8]) + (", …" if len(names) > 8 else "")
            raise ListRefused(
                "unknown_sheet", f"sheet is {quoted(sheet)}; the workbook's sheets are {listed}"
            )
        notes.sheet = sheet
        return workbook.get_sheet_by_name(sheet)
    filled = [one.name for one in known if one.visible == SheetVisibleEnum.Visible]
    filled = [name for name in filled if workbook.get_sheet_by_name(name).height]
    if not filled:
        raise ListRefused(
            "no_rows", "contacts is empty; it must have a header row and a row for each contact"
        )
    if len(filled) > 1:
        others = ", ".join(quoted(name) for name in filled[1:4]) + (", …" if len(filled) > 4 else "")
        notes.warn(
            f"the sheet {quoted(filled[0])} was read, and {others} was not; name another in the field sheet"
        )
    notes.sheet = filled[0]
    return workbook.get_sheet_by_name(filled[0])


def _filled_rows(sheet: CalamineSheet, time_slice: TimeSlice) -> Iterator[Row]:
    first = 0 if sheet.start is None else sheet.start[0]
    for line, values in enumerate(sheet.iter_rows(), first + 1):
        time_slice.check()
        cells = [cell_text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if any(cell and not cell.isspace() for cell in cells):
            yield Row(line, _as_csv(cells), cells)


def _as_csv(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _from_header(rows: Iterator[Row], notes: ImportNotes) -> Iterator[Row]:
    """The rows from the header on, which may stand below a title, as in a CSV file."""
    above: list[Row] = []
    for row in rows:
        above.append(row)
        found = any(map(is_phone_column, row.cells))
        if found or len(above) > MOST_TITLE_LINES:
            break
    titles = above[:-1]
    if above and any(map(is_phone_column, above[-1].cells)) and not any(_several(row) for row in titles):
        if titles:
            notes.warn(
                f"what stands above the header was left out: "
                f"{', '.join(quoted(row.text.strip()) for row in titles[:3])}"
            )
        above = above[-1:]
    yield from above
    yield from rows


def _several(row: Row) -> bool:
    return sum(1 for cell in row.cells if cell.strip()) > 1
