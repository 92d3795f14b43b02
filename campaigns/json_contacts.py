"""Imports the inline contacts of a JSON body, by the rules of a CSV list."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from campaigns.columns import (
    PHONE_COLUMN,
    Columns,
    Limits,
    check_cells,
    column_name,
    no_phone_message,
    overhead,
    refuse_repeats,
)
from campaigns.errors import ListRefused, NumberRefused, quoted
from campaigns.import_rows import (
    BATCH_ROWS,
    AcceptedRow,
    Batch,
    RejectedRow,
    RowBatcher,
    rejected,
    rejected_cell,
)
from campaigns.time_slice import TimeSlice, nobody_else


def read_objects(
    contacts: Iterable[object],
    *,
    default_region: str | None,
    limits: Limits,
    let_others_run: Callable[[], None] = nobody_else,
    now: Callable[[], float] = time.perf_counter,
) -> Iterator[Batch]:
    """Read the inline `contacts` array of a JSON body by the same rules; a row's line is its place, from 1.

    Values are strings, numbers, booleans or null (an empty cell). Raises ListRefused as read_list does.
    """
    time_slice = TimeSlice(let_others_run, now=now)
    keys = _ContactKeys(limits)
    batcher = RowBatcher(default_region, limits)

    def rows() -> Iterator[AcceptedRow | RejectedRow]:
        line = 0
        for line, contact in enumerate(contacts, 1):
            yield _object_row(line, contact, keys, batcher)
            time_slice.check()
        if not line:
            raise ListRefused("no_rows", "contacts is empty; it must have an object for each contact")
        keys.require_phone()

    yield from batcher.batches(rows())


class _ContactKeys:
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


def _object_row(
    line: int, contact: object, keys: _ContactKeys, batcher: RowBatcher
) -> AcceptedRow | RejectedRow:
    if not isinstance(contact, Mapping):
        raise ListRefused(
            "not_an_object",
            f"contacts[{line - 1}] is {quoted(str(contact))}; every contact must be an object of columns",
        )
    columns = keys.columns(tuple(contact))
    found = [_cell(value) for value in contact.values()]
    cells = ["[…]" if cell is None else cell for cell in found]
    text = ",".join(cells)
    if None in found:
        reason = "the value must be a string, a number, true, false or null"
        return rejected(line, text, "wrong_type", reason, column_name(list(contact)[found.index(None)]))
    refused = check_cells(cells, columns, batcher.limits, text)
    if refused is not None:
        return rejected_cell(line, text, refused)
    raw = cells[columns.phone] if columns.phone < len(cells) else ""
    try:
        number = batcher.number(raw, line)
    except NumberRefused as failure:
        return rejected(line, text, failure.code, failure.reason, PHONE_COLUMN)
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
