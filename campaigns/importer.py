"""An uploaded list to batches of contacts and rejected rows. The caller stores them.

Used by the API when a campaign is created: `spool` the upload, then write each batch of `read_list`. Every row
after the header is in exactly one batch, accepted or rejected with its line, text, code and reason.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from campaigns.columns import (
    PHONE_COLUMN,
    CellRefused,
    Columns,
    Limits,
    check_cells,
    column_name,
    no_phone_message,
    overhead,
    read_header,
    refuse_repeats,
)
from campaigns.csvfile import Pace, Row, no_breath, open_text, read_rows, spool
from campaigns.errors import ListRefused, ListTooLarge, NumberRefused, shown
from campaigns.numbers import phone_number

__all__ = [
    "AcceptedRow",
    "Batch",
    "ImportCounts",
    "Limits",
    "ListRefused",
    "ListTooLarge",
    "RejectedRow",
    "read_list",
    "read_objects",
    "spool",
]

BATCH_ROWS = 500
MAX_RAW = 1_000

_FAULTS = {
    "unterminated_quote": 'the row has a " that is never closed',
    "bad_quotes": 'the row has text after a closing "',
    "row_too_long": "the row is longer than its cells may be together",
}
_ESCAPED = re.compile("[\udc80-\udcff]")
# What a database's text cannot hold.
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class AcceptedRow:
    """A contact: `line` of its file, the number in E.164, the other columns by name."""

    line: int
    phone_number: str
    custom_fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not accepted. `raw` is its text, at most 1,000 characters of it; `code` is stable."""

    line: int
    raw: str
    code: str
    reason: str
    column: str | None = None


@dataclass(slots=True)
class Batch:
    """About 500 rows, in the order of the list."""

    accepted: list[AcceptedRow] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.accepted) + len(self.rejected)


@dataclass(slots=True)
class ImportCounts:
    """What became of the rows of a list; a duplicate is not counted as invalid."""

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    invalid: int = 0
    suppressed: int = 0

    def add(self, batch: Batch) -> None:
        """Count the rows of `batch`."""
        duplicates = sum(row.code == "duplicate" for row in batch.rejected)
        self.rows += len(batch)
        self.accepted += len(batch.accepted)
        self.duplicates += duplicates
        self.invalid += len(batch.rejected) - duplicates


def read_list(
    file: BinaryIO,
    *,
    default_region: str | None,
    limits: Limits,
    encoding: str | None = None,
    breathe: Callable[[], None] = no_breath,
    now: Callable[[], float] = time.perf_counter,
) -> Iterator[Batch]:
    """Read a CSV list; `breathe` is called every few milliseconds by the clock `now`, so that others can run.

    Raises ListRefused, also after some batches (too_many_rows, no_good_row): the caller keeps none of them then.
    """
    pace = Pace(breathe, now=now)
    text = open_text(file, encoding, pace)
    try:
        rows = read_rows(text, limits, pace)
        columns = _header(next(rows, None), limits)
        sorter = _Sorter(default_region, limits)
        yield from sorter.batches(_csv_row(row, columns, sorter) for row in rows)
    finally:
        text.detach()


def read_objects(
    contacts: Sequence[object],
    *,
    default_region: str | None,
    limits: Limits,
    breathe: Callable[[], None] = no_breath,
    now: Callable[[], float] = time.perf_counter,
) -> Iterator[Batch]:
    """Read the inline `contacts` array of a JSON body by the same rules; a row's line is its place, from 1.

    Values are strings, numbers, booleans or null (an empty cell). Raises ListRefused as read_list does.
    """
    pace = Pace(breathe, now=now)
    keys = _Keys(limits)
    sorter = _Sorter(default_region, limits)

    def rows() -> Iterator[AcceptedRow | RejectedRow]:
        for line, contact in enumerate(contacts, 1):
            yield _object_row(line, contact, keys, sorter)
            pace.check()
        keys.require_phone()

    if not contacts:
        raise ListRefused("no_rows", "contacts is empty; it must have an object for each contact")
    yield from sorter.batches(rows())


class _Sorter:
    """Numbers, duplicates and limits over a whole list: what one row cannot know by itself."""

    def __init__(self, region: str | None, limits: Limits) -> None:
        self.limits = limits
        self._region = region
        self._lines: dict[str, int] = {}

    def batches(self, rows: Iterator[AcceptedRow | RejectedRow]) -> Iterator[Batch]:
        """Gather rows into batches.

        Raises ListRefused: too_many_rows, no_rows, no_good_row.
        """
        batch = Batch()
        first: RejectedRow | None = None
        count = 0
        for row in rows:
            count += 1
            if count > self.limits.max_rows:
                raise ListRefused(
                    "too_many_rows",
                    f"contacts has more than {self.limits.max_rows} rows, the most a list may have",
                )
            if isinstance(row, AcceptedRow):
                batch.accepted.append(row)
            else:
                first = first or row
                batch.rejected.append(row)
            if len(batch) >= BATCH_ROWS:
                yield batch
                batch = Batch()
        if not self._lines:
            raise _no_good_row(count, first)
        if len(batch):
            yield batch

    def number(self, raw: str, line: int) -> str:
        """The number of the row in E.164. Raises NumberRefused, also for one that an earlier row has."""
        number = phone_number(raw, self._region)
        earlier = self._lines.setdefault(number, line)
        if earlier != line:
            raise NumberRefused("duplicate", f"{number} is already on line {earlier}")
        return number


def _no_good_row(count: int, first: RejectedRow | None) -> ListRefused:
    if first is None:
        return ListRefused(
            "no_rows", "contacts has a header and no rows; it must have a row for each contact"
        )
    rows = "its only row" if count == 1 else f"none of its {count} rows"
    verb = "cannot be dialled" if count == 1 else "can be dialled"
    return ListRefused(
        "no_good_row", f"contacts has no good row: {rows} {verb}, line {first.line} because {first.reason}"
    )


def _header(row: Row | None, limits: Limits) -> Columns:
    if row is None:
        raise ListRefused(
            "no_rows", "contacts is empty; it must have a header row and a row for each contact"
        )
    if row.fault is not None:
        raise ListRefused(row.fault, f"contacts cannot be read from its header on: {_FAULTS[row.fault]}")
    return read_header(row.cells, limits)


def _csv_row(row: Row, columns: Columns, sorter: _Sorter) -> AcceptedRow | RejectedRow:
    if row.fault is not None:
        return _rejected(row.line, row.text, row.fault, _FAULTS[row.fault])
    cells = row.cells
    if not row.text.isascii() and _ESCAPED.search(row.text):
        return _rejected(row.line, row.text, "undecodable", "the row has bytes that are not UTF-8")
    refused = check_cells(cells, columns, sorter.limits, row.text)
    if refused is not None:
        return _rejected_cell(row.line, row.text, refused)
    raw = cells[columns.phone] if columns.phone < len(cells) else ""
    try:
        number = sorter.number(raw, row.line)
    except NumberRefused as failure:
        return _rejected(row.line, row.text, failure.code, failure.reason, PHONE_COLUMN)
    have = len(cells)
    fields = {name: cells[index] if index < have else "" for index, name in columns.custom}
    return AcceptedRow(row.line, number, fields)


class _Keys:
    """The keys of JSON contacts, checked once each: together they are the list's columns."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._names: dict[str, str] = {}
        self._columns: dict[tuple[str, ...], Columns] = {}

    def columns(self, keys: tuple[str, ...]) -> Columns:
        """The columns of an object with these keys, in their order.

        Raises ListRefused: bad_column, too_many_columns, duplicate_column.
        """
        known = self._columns.get(keys)
        if known is not None:
            return known
        for key in keys:
            if key not in self._names:
                self._names[key] = column_name(key)
        if len(self._names) > self._limits.max_columns:
            raise ListRefused(
                "too_many_columns",
                f"contacts has more than {self._limits.max_columns} different keys, the most a list may have",
            )
        names = [self._names[key] for key in keys]
        refuse_repeats(names)
        phone = names.index(PHONE_COLUMN) if PHONE_COLUMN in names else len(names)
        custom = tuple((index, name) for index, name in enumerate(names) if index != phone)
        columns = Columns(phone, custom, len(names), overhead([name for _, name in custom]))
        if len(self._columns) < BATCH_ROWS:
            self._columns[keys] = columns
        return columns

    def require_phone(self) -> None:
        """Raise ListRefused (no_phone_column) unless some object had a phone_number."""
        names = list(dict.fromkeys(self._names.values()))
        if PHONE_COLUMN not in names:
            raise ListRefused("no_phone_column", no_phone_message(names, "key"))


def _object_row(line: int, contact: object, keys: _Keys, sorter: _Sorter) -> AcceptedRow | RejectedRow:
    if not isinstance(contact, Mapping):
        raise ListRefused(
            "not_an_object",
            f"contacts[{line - 1}] is {shown(str(contact))}; every contact must be an object of columns",
        )
    columns = keys.columns(tuple(contact))
    found = [_cell(value) for value in contact.values()]
    cells = ["[…]" if cell is None else cell for cell in found]
    text = ",".join(cells)
    if None in found:
        reason = "the value must be a string, a number, true, false or null"
        return _rejected(line, text, "wrong_type", reason, column_name(list(contact)[found.index(None)]))
    refused = check_cells(cells, columns, sorter.limits, text)
    if refused is not None:
        return _rejected_cell(line, text, refused)
    raw = cells[columns.phone] if columns.phone < len(cells) else ""
    try:
        number = sorter.number(raw, line)
    except NumberRefused as failure:
        return _rejected(line, text, failure.code, failure.reason, PHONE_COLUMN)
    return AcceptedRow(line, number, {name: cells[index] for index, name in columns.custom})


def _cell(value: object) -> str | None:
    """A JSON value as CSV would have written it; None for what a cell cannot hold."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return None


def _rejected_cell(line: int, text: str, refused: CellRefused) -> RejectedRow:
    return _rejected(line, text, refused.code, refused.reason, refused.column)


def _rejected(line: int, text: str, code: str, reason: str, column: str | None = None) -> RejectedRow:
    raw = text if len(text) <= MAX_RAW else text[: MAX_RAW - 1] + "…"
    return RejectedRow(line, _NOT_STORABLE.sub("\ufffd", raw), code, reason, column)
