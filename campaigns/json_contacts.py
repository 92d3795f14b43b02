"""Imports the inline contacts of a JSON body, by the rules of a CSV list."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from campaigns.column_names import PHONE_COLUMN, ColumnNames, number_column
from campaigns.columns import Columns, Limits, check_cells, columns_of
from campaigns.errors import ListRefused, quoted
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import (
    BATCH_ROWS,
    AcceptedRow,
    Batch,
    RejectedRow,
    RowBatcher,
    rejected,
    rejected_cell,
)
from campaigns.list_doctor import Doctor
from campaigns.list_policies import ListPolicy
from campaigns.number_rules import ANY_COUNTRY, NumberRules
from campaigns.phone_column import no_phone_message
from campaigns.row_templates import RowTemplates, Template, refuse_missing
from campaigns.time_slice import TimeSlice, nobody_else

SAMPLE_OBJECTS = 200


def read_objects(
    contacts: Iterable[object],
    *,
    default_region: str | None,
    limits: Limits,
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
    """Read the inline `contacts` array of a JSON body by the same rules; a row's line is its place, from 1.

    Values are strings, numbers, booleans or null (an empty cell). `options`, `repeats` and `doctor` as of read_list,
    which says too what is raised.
    """
    time_slice = TimeSlice(let_others_run, now=now)
    notes = ImportNotes() if notes is None else notes
    keys = _ContactKeys(limits)
    batcher = RowBatcher(
        default_region,
        limits,
        RowTemplates(templates, default_region) if templates else None,
        options=options,
        policy=policy,
        rules=rules,
        repeats=repeats,
    )

    def rows() -> Iterator[AcceptedRow | RejectedRow]:
        line = 0
        for line, contact in enumerate(every, 1):
            yield _object_row(line, contact, keys, batcher, doctor)
            time_slice.check()
        if not line:
            raise ListRefused("no_rows", "contacts is empty; it must have an object for each contact")
        keys.require_phone()
        notes.columns = keys.known.columns
        refuse_missing(templates, (column.name for column in notes.custom), keys.known.variables.values())

    ahead = iter(contacts)
    sample = list(itertools.islice(ahead, SAMPLE_OBJECTS))
    batcher.look_ahead(_phone_cells(sample))
    every = itertools.chain(sample, ahead)
    yield from batcher.batches(rows())
    batcher.warn(notes)


def read_object(
    contact: Mapping[str, object],
    *,
    default_region: str | None,
    limits: Limits,
    templates: Sequence[Template],
    notes: ImportNotes,
    policy: ListPolicy | None = None,
    rules: NumberRules = ANY_COUNTRY,
    lent: bool = False,
) -> AcceptedRow | RejectedRow:
    """Read one contact that is no list's by the same rules, with one number; its columns are noted. Those that are
    `lent` by another contact say nothing of this one: not where it is, nor that it agreed. Raises ListRefused for a
    column that the templates need and it lacks, or for too many."""
    keys = _ContactKeys(limits, further=False, lent=lent)
    keys.columns(tuple(contact))
    keys.require_phone()
    notes.columns = keys.known.columns
    refuse_missing(templates, (column.name for column in notes.custom), keys.known.variables.values())
    row_templates = RowTemplates(templates, default_region) if templates else None
    batcher = RowBatcher(default_region, limits, row_templates, policy=policy, rules=rules)
    return _object_row(1, contact, keys, batcher)


class _ContactKeys:
    """The keys of JSON contacts, checked once each: together they are the list's columns."""

    def __init__(self, limits: Limits, *, further: bool = True, lent: bool = False) -> None:
        self.known = ColumnNames(further=further)
        self._limits = limits
        self._lent = lent
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
                if not key.strip():
                    raise ListRefused("bad_column", "contacts has an empty key; every key needs a name")
                self._names[key] = self._number(key) or self.known.add(key)
        self._refuse_twice([self._names[key] for key in keys])
        if len(self._names) > self._limits.max_columns:
            raise ListRefused(
                "too_many_columns",
                f"contacts has more than {self._limits.max_columns} different keys, the most a list may have",
            )
        columns = columns_of([self._names[key] for key in keys], self.known.variables)
        if self._lent:
            columns = columns.lent()
        if len(self._columns) < BATCH_ROWS:
            self._columns[keys] = columns
        return columns

    def _number(self, key: str) -> str | None:
        """The numbers' column that an earlier key was, perhaps written otherwise."""
        number = number_column(key)
        return number if number is not None and self.known.variables.get(number) == "" else None

    def _refuse_twice(self, names: Sequence[str]) -> None:
        for name in {name for name in names if self.known.is_number(name)}:
            if names.count(name) > 1:
                raise ListRefused(
                    "duplicate_column",
                    f"contacts has an object with more than one {name}; keep the one that is to be called",
                )

    def require_phone(self) -> None:
        """Raise ListRefused (no_phone_column) unless some object had a phone_number."""
        names = list(self._names.values())
        if PHONE_COLUMN not in names:
            raise ListRefused("no_phone_column", no_phone_message(names, what="key"))


def _object_row(
    line: int, contact: object, keys: _ContactKeys, batcher: RowBatcher, doctor: Doctor | None = None
) -> AcceptedRow | RejectedRow:
    if not isinstance(contact, Mapping):
        raise ListRefused(
            "not_an_object",
            f"contacts[{line - 1}] is {quoted(str(contact))}; every contact must be an object of columns",
        )
    columns = keys.columns(tuple(contact))
    found = [_cell(value) for value in contact.values()]
    judged = _judged(line, found, columns, batcher)
    if doctor is not None:
        doctor.saw(_shown(found), columns, judged)
    return judged


def _shown(found: Sequence[str | None]) -> list[str]:
    return ["[…]" if cell is None else cell for cell in found]


def _judged(
    line: int, found: Sequence[str | None], columns: Columns, batcher: RowBatcher
) -> AcceptedRow | RejectedRow:
    cells = _shown(found)
    text = ",".join(cells)
    if None in found:
        reason = "the value must be a string, a number, true, false or null"
        column = columns.name(found.index(None))
        return rejected(line, text, "wrong_type", reason, column)
    refused = check_cells(cells, columns, batcher.limits, text)
    if refused is not None:
        return rejected_cell(line, text, refused)
    return batcher.accepted(line, text, cells, columns)


def _phone_cells(contacts: Iterable[object]) -> Iterator[str]:
    for contact in contacts:
        value = contact.get(PHONE_COLUMN) if isinstance(contact, Mapping) else None
        if isinstance(value, str):
            yield value


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
