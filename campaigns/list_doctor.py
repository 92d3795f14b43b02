"""Looks on while a list is read as it would be imported, for whoever wants to know first what would become of it.

It decides nothing: which rows are accepted, and why others are not, is what the reader of an import says. What it
keeps is bounded by the rows of one list. The rows that it writes for a corrected file are those that are accepted, as
they were understood, and those that only a person can put right, as they stand; a repeat needs nobody, and of a row
whose cells cannot be told apart nothing can be written that would be that row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

import orjson

from campaigns.column_names import PHONE_COLUMN
from campaigns.columns import Columns, columns_of
from campaigns.copy_rows import CopyRows
from campaigns.errors import ListRefused
from campaigns.hint_columns import HintKind
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import AcceptedRow, RejectedRow, kept_text
from campaigns.list_report import ListReport
from campaigns.numbering_plans import country_of_number

FIRST_ROWS = 10
MOST_REPEATS = 10
FEWEST_OF_A_NUMBER = 3
"""Rows with one number that are worth a word; two of them are among the duplicates."""
FEWEST_CELLS = 2
"""Cells, beside the number, by which two rows can be the same person's."""
NOT_CORRECTED = frozenset(
    {
        "duplicate",
        "undecodable",
        "wrong_type",
        "too_many_cells",
        "unterminated_quote",
        "bad_quotes",
        "row_too_long",
    }
)
"""Codes of rows that are not in a corrected file."""

_SURROGATE = re.compile("[\ud800-\udfff]")

Judged = AcceptedRow | RejectedRow


class Doctor:
    """Of one list. `corrected`: write the rows of a corrected file, too."""

    def __init__(self, *, corrected: bool = False) -> None:
        self._corrected = corrected
        self._lines: list[bytes] = []
        self._report = ListReport()
        self._countries: Counter[str] = Counter()
        self._numbers: dict[str, tuple[int, int]] = {}
        self._people: dict[int, tuple[int, int, str]] = {}

    def refuse(self, refused: ListRefused, guess: str | None = None) -> None:
        """The list is refused, perhaps once more; with a `guess` that column is read as the number's."""
        before = self._report.refused
        if before is None:
            self._report.refused = {"code": refused.code, "reason": refused.message}
            self._report.guess = guess
        else:
            # The code is that of the upload; all that would be refused after it is told at once.
            before["reason"] = f"{before['reason']}; also, {refused.message}"

    def saw(self, cells: Sequence[str], columns: Columns, row: Judged) -> None:
        """One more row, in the order of the list, and what the reader says of it."""
        self._report.rows += 1
        if isinstance(row, AcceptedRow):
            self._accepted(row)
        else:
            self._report.reject(row.code, row.line, row.raw, row.reason, row.column)
            if row.repeats is not None:
                number, first = row.repeats
                self._numbers[number] = first, self._numbers.get(number, (first, 1))[1] + 1
        if len(self._report.first_rows) < FIRST_ROWS:
            self._report.first_rows.append(_shown(cells, columns, row, self._report.accepted))
        if self._corrected:
            self._correct(cells, columns, row)

    def take(self) -> bytes:
        """The rows of the corrected file since it was last asked: a line of JSON for each, of the place that the row
        has among those accepted (0 of one that is not), and its cells by column."""
        lines, self._lines = self._lines, []
        return b"".join(lines)

    def report(self, notes: ImportNotes) -> ListReport:
        """What was seen of the list, of which `notes` were taken."""
        report = self._report
        names = [column.name for column in notes.columns]
        report.uses = _uses(names, {column.name: column.variable for column in notes.columns})
        report.countries = dict(self._countries.most_common())
        report.repeats = [*self._repeated_numbers(), *self._repeated_people()]
        return report

    def _accepted(self, row: AcceptedRow) -> None:
        self._report.accepted += 1
        self._countries[country_of_number(row.phone_number) or ""] += 1
        filled = tuple(cell for cell in row.custom_fields.values() if cell.strip())
        if len(filled) >= FEWEST_CELLS:
            key = hash(filled)
            count, first, text = self._people.get(key, (0, row.line, ""))
            second = kept_text(row.raw) if count == 1 else text
            self._people[key] = count + 1, first, second

    def _correct(self, cells: Sequence[str], columns: Columns, row: Judged) -> None:
        place, by_name = 0, _by_name(cells, columns)
        if isinstance(row, AcceptedRow):
            place, by_name[PHONE_COLUMN] = self._report.accepted, row.phone_number
            by_name |= {name: "" for _, name in columns.further} | dict(
                zip((name for _, name in columns.further), row.further, strict=False)
            )
        elif row.code in NOT_CORRECTED or _SURROGATE.search("".join(cells)):
            return
        self._lines.append(orjson.dumps([place, by_name]) + b"\n")

    def _repeated_numbers(self) -> Iterator[dict[str, object]]:
        often = [
            (count, line, number)
            for number, (line, count) in self._numbers.items()
            if count >= FEWEST_OF_A_NUMBER
        ]
        for count, line, number in sorted(often, key=lambda one: (-one[0], one[1]))[:MOST_REPEATS]:
            yield {"what": "number", "value": number, "first_line": line, "rows": count}

    def _repeated_people(self) -> Iterator[dict[str, object]]:
        # Where many rows are alike their cells name groups, not people.
        if len(self._people) * 2 <= self._report.accepted:
            return
        twice = [(count, line, text) for count, line, text in self._people.values() if count > 1]
        for count, line, text in sorted(twice, key=lambda one: (-one[0], one[1]))[:MOST_REPEATS]:
            yield {"what": "person", "value": text, "first_line": line, "rows": count}


def with_report(pieces: Generator[CopyRows], doctor: Doctor, notes: ImportNotes) -> Generator[CopyRows]:
    """The pieces of a list at which the doctor looks, its report with the last one. What refuses the list is in the
    report, and raised no more."""
    try:
        for piece in pieces:
            yield replace(piece, corrected=doctor.take())
    except ListRefused as refused:
        doctor.refuse(refused)
    notes.report = doctor.report(notes)
    yield CopyRows(notes=notes, corrected=doctor.take())


def _by_name(cells: Sequence[str], columns: Columns) -> dict[str, str]:
    have = len(cells)
    by_name = {PHONE_COLUMN: cells[columns.phone] if columns.phone < have else ""}
    named = (*columns.further, *columns.custom)
    return by_name | {name: cells[index] if index < have else "" for index, name in named}


def _shown(cells: Sequence[str], columns: Columns, row: Judged, place: int) -> dict[str, object]:
    accepted = isinstance(row, AcceptedRow)
    named = _by_name(cells, columns) if cells else {}
    return {
        "line": row.line,
        "cells": {name: kept_text(cell) for name, cell in named.items()},
        "phone_number": row.phone_number if isinstance(row, AcceptedRow) else None,
        "code": row.code if isinstance(row, RejectedRow) else None,
        "reason": row.reason if isinstance(row, RejectedRow) else None,
        "place": place if accepted else 0,
    }


def _uses(names: Sequence[str], variables: dict[str, str]) -> dict[str, str]:
    if PHONE_COLUMN not in names:
        return dict.fromkeys(names, "custom_field")
    columns = columns_of(names, variables)
    uses = {PHONE_COLUMN: "number"} | {name: "further_number" for _, name in columns.further}
    uses |= {name: "custom_field" for _, name in columns.custom}
    for hint in columns.beside:
        uses[hint.column] = "country" if hint.kind in (HintKind.COUNTRY, HintKind.MAYBE) else "area_code"
    for index, use in ((columns.consent_at, "consent_at"), (columns.consent_source, "consent_source")):
        if index is not None:
            uses[names[index]] = use
    if columns.zone is not None:
        uses[columns.zone[1]] = "time_zone"
    return uses
