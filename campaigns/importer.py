"""Imports an uploaded CSV list: batches of contacts and rejected rows. The caller stores them.

Used by the API when a campaign is created: `spool` the upload, then write each batch of `read_list`. Every row
after the header is in exactly one batch, accepted or rejected with its line, text, code and reason.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from campaigns.columns import PHONE_COLUMN, Columns, Limits, check_cells, read_header
from campaigns.csvfile import Row, read_rows
from campaigns.encodings import open_text
from campaigns.errors import ListRefused, NumberRefused
from campaigns.import_rows import AcceptedRow, Batch, RejectedRow, RowBatcher, rejected, rejected_cell
from campaigns.time_slice import TimeSlice, nobody_else

_FAULTS = {
    "unterminated_quote": 'the row has a " that is never closed',
    "bad_quotes": 'the row has text after a closing "',
    "row_too_long": "the row is longer than its cells may be together",
}
_ESCAPED = re.compile("[\udc80-\udcff]")


def read_list(
    file: BinaryIO,
    *,
    default_region: str | None,
    limits: Limits,
    encoding: str | None = None,
    let_others_run: Callable[[], None] = nobody_else,
    now: Callable[[], float] = time.perf_counter,
) -> Iterator[Batch]:
    """Read a CSV list; `let_others_run` is called every few milliseconds by the clock `now`, so that others can run.

    Raises ListRefused, also after some batches (too_many_rows, no_good_row): the caller keeps none of them then.
    """
    time_slice = TimeSlice(let_others_run, now=now)
    text = open_text(file, encoding, time_slice)
    try:
        rows = read_rows(text, limits, time_slice)
        columns = _header(next(rows, None), limits)
        batcher = RowBatcher(default_region, limits)
        yield from batcher.batches(_csv_row(row, columns, batcher) for row in rows)
    finally:
        text.detach()


def _header(row: Row | None, limits: Limits) -> Columns:
    if row is None:
        raise ListRefused(
            "no_rows", "contacts is empty; it must have a header row and a row for each contact"
        )
    if row.fault is not None:
        raise ListRefused(row.fault, f"contacts cannot be read from its header on: {_FAULTS[row.fault]}")
    return read_header(row.cells, limits)


def _csv_row(row: Row, columns: Columns, batcher: RowBatcher) -> AcceptedRow | RejectedRow:
    if row.fault is not None:
        return rejected(row.line, row.text, row.fault, _FAULTS[row.fault])
    cells = row.cells
    if not row.text.isascii() and _ESCAPED.search(row.text):
        return rejected(row.line, row.text, "undecodable", "the row has bytes that are not UTF-8")
    refused = check_cells(cells, columns, batcher.limits, row.text)
    if refused is not None:
        return rejected_cell(row.line, row.text, refused)
    raw = cells[columns.phone] if columns.phone < len(cells) else ""
    try:
        number = batcher.number(raw, row.line)
    except NumberRefused as failure:
        return rejected(row.line, row.text, failure.code, failure.reason, PHONE_COLUMN)
    have = len(cells)
    fields = {name: cells[index] if index < have else "" for index, name in columns.custom}
    return AcceptedRow(row.line, number, fields)
