"""Imports an uploaded list, of CSV or XLSX: batches of contacts and rejected rows. The caller stores them.

Used by the API when a campaign is created: `spool` the upload, then write each batch of `read_list`. Every row
after the header is in exactly one batch, accepted or rejected with its line, text, code and reason.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import BinaryIO

from campaigns.column_names import PHONE_COLUMN, ListColumn, is_phone_column
from campaigns.columns import Columns, Limits, check_cells, named_width, read_header
from campaigns.csvfile import Row, read_rows
from campaigns.encodings import is_workbook, open_text
from campaigns.errors import ListRefused, quoted
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import AcceptedRow, Batch, RejectedRow, RowBatcher, rejected, rejected_cell
from campaigns.list_doctor import Doctor
from campaigns.list_policies import ListPolicy
from campaigns.number_rules import ANY_COUNTRY, NumberRules
from campaigns.phone_column import likely_phone_column, no_phone_message
from campaigns.row_templates import RowTemplates, Template, refuse_missing
from campaigns.text_marks import MARKED, unmarked
from campaigns.time_slice import TimeSlice, nobody_else

SAMPLE_ROWS = 200
"""Rows that are looked at before the first is judged."""

FAULTS = {
    "unterminated_quote": 'the row has a " that is never closed; close it, or double it within a cell',
    "bad_quotes": 'the row has text after a closing "; double each " within a quoted cell',
    "row_too_long": "the row is longer than its cells may be together; shorten them",
}
"""What is wrong with a row that cannot be read, by its code."""
_ESCAPED = re.compile("[\udc80-\udcff]")


def read_list(
    file: BinaryIO,
    *,
    default_region: str | None,
    limits: Limits,
    encoding: str | None = None,
    sheet: str | None = None,
    templates: Sequence[Template] = (),
    notes: ImportNotes | None = None,
    options: bool = False,
    policy: ListPolicy | None = None,
    rules: NumberRules = ANY_COUNTRY,
    repeats: bool = False,
    doctor: Doctor | None = None,
    let_others_run: Callable[[], None] = nobody_else,
    now: Callable[[], float] = time.perf_counter,
) -> Iterator[Batch]:
    """Read a list, of CSV or of a workbook's `sheet`; `let_others_run` is called every few milliseconds by the clock
    `now`, so that others can run.

    `templates` are the agent's: a row that it could not be given is rejected. `notes` are filled on the way. With
    `options` the list has columns that say something of the contact (`contact_options`), with `repeats` each row is
    one, whatever number it has. A `doctor` looks on, and has
    a list without a phone_number column read by the likeliest one.
    Raises ListRefused, also after some batches (too_many_rows, no_good_row): the caller keeps none of them then.
    """
    time_slice = TimeSlice(let_others_run, now=now)
    notes = ImportNotes() if notes is None else notes
    if is_workbook(file):
        every_row = _sheet_rows(file, sheet, limits, time_slice, notes)
    elif sheet is not None:
        raise ListRefused(
            "unknown_sheet", f"sheet is {quoted(sheet)}, and contacts is no workbook: leave it out"
        )
    else:
        every_row = _csv_rows(file, encoding, limits, time_slice, notes)
    with closing(every_row) as rows:
        header = next(rows, None)
        sample = list(itertools.islice(rows, SAMPLE_ROWS))
        columns, notes.columns = _header(header, limits, sample, default_region, doctor)
        templates = _checked(templates, notes, columns, doctor)
        batcher = RowBatcher(
            default_region,
            limits,
            RowTemplates(templates, default_region) if templates else None,
            options=options,
            policy=policy,
            rules=rules,
            repeats=repeats,
        )
        batcher.look_ahead(row.cells[columns.phone] for row in sample if columns.phone < len(row.cells))
        every = itertools.chain(sample, rows)
        del sample
        yield from batcher.batches(_judged(every, columns, batcher, doctor))
        batcher.warn(notes)


def _sheet_rows(
    file: BinaryIO, sheet: str | None, limits: Limits, time_slice: TimeSlice, notes: ImportNotes
) -> Generator[Row]:
    # Only the process that reads a workbook needs what it is read by.
    from campaigns.workbooks import read_sheet

    yield from read_sheet(file, sheet, limits, time_slice, notes)


def _csv_rows(
    file: BinaryIO, encoding: str | None, limits: Limits, time_slice: TimeSlice, notes: ImportNotes
) -> Generator[Row]:
    text = open_text(file, encoding, time_slice, notes)
    try:
        yield from read_rows(text, limits, time_slice, notes)
    finally:
        text.detach()


def _header(
    row: Row | None, limits: Limits, sample: Sequence[Row], region: str | None, doctor: Doctor | None
) -> tuple[Columns, list[ListColumn]]:
    if row is None:
        raise ListRefused(
            "no_rows", "contacts is empty; it must have a header row and a row for each contact"
        )
    if row.fault is not None:
        raise ListRefused(row.fault, f"contacts cannot be read from its header on: {FAULTS[row.fault]}")
    header = [unmarked(cell) for cell in row.cells]
    names = [cell.strip() for cell in header[: named_width(header)]]
    if not any(map(is_phone_column, names)):
        cells = [one.cells for one in sample]
        refused = ListRefused("no_phone_column", no_phone_message(names, cells, region))
        guess = None if doctor is None else likely_phone_column(names, cells, region)
        if doctor is None or guess is None:
            raise refused
        doctor.refuse(refused, guess)
        header[names.index(guess)] = PHONE_COLUMN
    return read_header(header, limits)


def _checked(
    templates: Sequence[Template], notes: ImportNotes, columns: Columns, doctor: Doctor | None
) -> Sequence[Template]:
    """Those that the rows are judged by: none where the list lacks a column of theirs, and a doctor looks on."""
    try:
        refuse_missing(templates, (column.name for column in notes.custom), columns.variables.values())
    except ListRefused as refused:
        if doctor is None:
            raise
        doctor.refuse(refused)
        return ()
    return templates


def _judged(
    rows: Iterable[Row], columns: Columns, batcher: RowBatcher, doctor: Doctor | None
) -> Iterator[AcceptedRow | RejectedRow]:
    for row in rows:
        if "'" in row.text and MARKED.search(row.text):
            row.cells = [unmarked(cell) for cell in row.cells]
        judged = _csv_row(row, columns, batcher)
        if doctor is not None:
            doctor.saw(row.cells, columns, judged)
        yield judged


def _csv_row(row: Row, columns: Columns, batcher: RowBatcher) -> AcceptedRow | RejectedRow:
    if row.fault is not None:
        return rejected(row.line, row.text, row.fault, FAULTS[row.fault])
    if not row.text.isascii() and _ESCAPED.search(row.text):
        return rejected(
            row.line, row.text, "undecodable", "the row has bytes that are not UTF-8; save the list as UTF-8"
        )
    refused = check_cells(row.cells, columns, batcher.limits, row.text)
    if refused is not None:
        return rejected_cell(row.line, row.text, refused)
    return batcher.accepted(row.line, row.text, row.cells, columns)
