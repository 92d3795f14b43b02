"""Reads an uploaded do-not-call list: a CSV file with a phone_number column, to what COPY reads, piece by piece.

A cell that ends with `*` is the beginning of numbers. Columns `source`, `reason` and `expires_at` are used where they
are filled, all others are not. A row that cannot be understood is counted and told, and keeps no other from being
entered. Nothing is kept of what was read: a repeat is seen by the database.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import BinaryIO

from campaigns.cell_times import moment_of
from campaigns.column_names import is_phone_column
from campaigns.columns import Limits, named_width
from campaigns.copy_rows import ENOUGH_BYTES, ESCAPES, NULL, CopyRows
from campaigns.csvfile import Row, read_rows
from campaigns.encodings import open_text
from campaigns.errors import CampaignsError, ListRefused, NumberRefused, quoted
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import ImportCounts
from campaigns.numbers import phone_number
from campaigns.phone_column import no_phone_message
from campaigns.suppressed_prefix import PREFIX_MARK, prefix_of
from campaigns.time_slice import TimeSlice, nobody_else
from ids import new_ids

SOURCE_MAX, REASON_MAX = 100, 500
"""Characters."""
LIMITS = Limits(max_bytes=50 * 1024 * 1024, max_rows=1_000_000, what="entries")
BATCH = 500
SAMPLE_ROWS = 50
COLUMNS = "id, number, prefix, source, reason, expires_at"
"""What COPY reads."""


class _RowRefusedError(CampaignsError):
    """A row that is no entry."""


def read_entries(
    file: BinaryIO,
    *,
    default_region: str | None,
    limits: Limits = LIMITS,
    encoding: str | None = None,
    notes: ImportNotes | None = None,
    let_others_run: Callable[[], None] = nobody_else,
    now: Callable[[], float] = time.perf_counter,
) -> Generator[CopyRows]:
    """The entries of a list, in pieces of rows for COPY (as `contacts`) with how many rows they were; what is wrong
    with the first rows that are none is in the warnings of the `notes`, which come with the last piece.

    Raises ListRefused, also after some pieces (too_many_rows); what was entered by then stands.
    """
    time_slice = TimeSlice(let_others_run, now=now)
    notes = ImportNotes() if notes is None else notes
    text = open_text(file, encoding, time_slice, notes)
    try:
        rows = read_rows(text, limits, time_slice, notes)
        header = next(rows, None)
        sample = list(itertools.islice(rows, SAMPLE_ROWS))
        columns = _columns(header, sample, default_region)
        yield from _pieces(itertools.chain(sample, rows), columns, default_region, limits, notes)
    finally:
        text.detach()
    yield CopyRows(notes=notes)


def _columns(header: Row | None, sample: Sequence[Row], region: str | None) -> dict[str, int]:
    """By name, where each column stands that is used."""
    if header is None:
        raise ListRefused("no_rows", "entries is empty; it must have a header row and a row for each number")
    names = [cell.strip() for cell in header.cells[: named_width(header.cells)]]
    phones = [index for index, name in enumerate(names) if is_phone_column(name)]
    if not phones:
        message = no_phone_message(names, [row.cells for row in sample], region)
        raise ListRefused("no_phone_column", message.replace("contacts has", "entries has", 1))
    lower = [name.lower() for name in names]
    columns = {"number": phones[0]}
    columns |= {name: lower.index(name) for name in ("source", "reason", "expires_at") if name in lower}
    return columns


def _pieces(
    rows: Iterator[Row], columns: dict[str, int], region: str | None, limits: Limits, notes: ImportNotes
) -> Generator[CopyRows]:
    written, counts, total = bytearray(), ImportCounts(), 0
    while batch := list(itertools.islice(rows, BATCH)):
        total += len(batch)
        if total > limits.max_rows:
            raise ListRefused(
                "too_many_rows", f"entries has more than {limits.max_rows} rows, the most a list may have"
            )
        for row, entry_id in zip(batch, new_ids(len(batch)), strict=True):
            counts.rows += 1
            try:
                written += f"{entry_id}\t{_entry(row, columns, region)}\n".encode()
                counts.accepted += 1
            except (NumberRefused, CampaignsError) as refused:
                counts.invalid += 1
                reason = refused.reason if isinstance(refused, NumberRefused) else str(refused)
                notes.warn(f"line {row.line}: {reason}")
        if len(written) >= ENOUGH_BYTES:
            yield CopyRows(bytes(written), counts=counts)
            written, counts = bytearray(), ImportCounts()
    if counts.rows:
        yield CopyRows(bytes(written), counts=counts)


def _entry(row: Row, columns: dict[str, int], region: str | None) -> str:
    """A row as COPY reads it, but for its id. Raises NumberRefused and _RowRefusedError."""
    if row.fault is not None:
        raise _RowRefusedError(f"the row cannot be read ({row.fault})")
    cells = row.cells

    def cell(name: str) -> str:
        index = columns.get(name, len(cells))
        return cells[index].strip() if index < len(cells) else ""

    written = cell("number")
    if written.endswith(PREFIX_MARK):
        what = f"{NULL}\t{prefix_of(written[: -len(PREFIX_MARK)])}"
    else:
        what = f"{phone_number(written, region)}\t{NULL}"
    if len(columns) == 1:
        return f"{what}\t{NULL}\t{NULL}\t{NULL}"
    source, reason = _text("source", cell("source"), SOURCE_MAX), _text("reason", cell("reason"), REASON_MAX)
    return f"{what}\t{source}\t{reason}\t{_end(cell('expires_at'))}"


def _text(name: str, text: str, most: int) -> str:
    # As a spreadsheet was kept from running it.
    text = text.removeprefix("'")
    if len(text) > most:
        raise _RowRefusedError(f"{name} has {len(text)} characters; at most {most} are allowed")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise _RowRefusedError(f"{name} is {quoted(text)}, which is no text that can be stored")
    return text.translate(ESCAPES) or NULL


def _end(text: str) -> str:
    """A day (its first moment in UTC) or a time with its offset."""
    if not text:
        return NULL
    found = moment_of(text, days=True)
    if found is None:
        rule = "it must be a day or a time with an offset, like 2026-01-31 or 2026-01-31T09:00:00Z"
        raise _RowRefusedError(f"expires_at is {quoted(text)}; {rule}")
    return found.isoformat()
