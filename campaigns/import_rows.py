"""Judges each row of a list: accepted, or rejected with a code; then duplicates and list limits.

Cells are judged by `columns`, numbers by `numbers`; what to do about each code is said in `reject_remedies`.

Shared by the two forms of a list, a CSV file (`importer`) and objects of a JSON body (`json_contacts`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from campaigns import contact_options, time_zones
from campaigns.column_names import FURTHER_COLUMNS, PHONE_COLUMN
from campaigns.columns import CellRefused, Columns, Limits
from campaigns.consent import consent_of
from campaigns.contact_options import PLAIN, ContactOptions
from campaigns.errors import ListRefused, NumberRefused, quoted
from campaigns.import_notes import ImportNotes
from campaigns.list_policies import ListPolicy
from campaigns.mojibake import Misread
from campaigns.number_dates import date_refused, is_date, may_be_date
from campaigns.number_hints import hinted_number
from campaigns.number_rules import ANY_COUNTRY, NumberRules
from campaigns.number_signs import plain_signs
from campaigns.numbers import phone_number
from campaigns.places import Places, places_of
from campaigns.reject_remedies import IN_REASONS
from campaigns.row_templates import RowTemplates

BATCH_ROWS = 500
MAX_RAW = 1_000
# What a database's text cannot hold.
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class AcceptedRow:
    """A contact: `line` of its file, the number in E.164, the other columns by name, the row's text, when and where
    consent was given, and its time zone, as far as a list says so. `places` where policy packs bind its campaign;
    `further` are its other numbers, in the order in which they are tried."""

    line: int
    phone_number: str
    custom_fields: dict[str, str]
    options: ContactOptions = PLAIN
    raw: str = field(default="", compare=False)
    consent: tuple[str | None, str | None] = (None, None)
    time_zone: str | None = None
    places: Places = ()
    further: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not accepted. `raw` is its text, at most 1,000 characters of it; `code` is stable."""

    line: int
    raw: str
    code: str
    reason: str
    column: str | None = None
    repeats: tuple[str, int] | None = field(default=None, compare=False)
    """Of a duplicate its number, and the line on which that stands first."""


@dataclass(slots=True)
class ImportCounts:
    """What became of the rows of a list; a duplicate is not counted as invalid."""

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    invalid: int = 0
    suppressed: int = 0
    recent: int = 0

    def add(self, more: ImportCounts) -> None:
        """Count those rows too."""
        self.rows += more.rows
        self.accepted += more.accepted
        self.duplicates += more.duplicates
        self.invalid += more.invalid
        self.suppressed += more.suppressed
        self.recent += more.recent


@dataclass(slots=True)
class Batch:
    """About 500 rows, in the order of the list."""

    accepted: list[AcceptedRow] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.accepted) + len(self.rejected)

    def counts(self) -> ImportCounts:
        """What became of these rows."""
        duplicates = sum(row.code == "duplicate" for row in self.rejected)
        invalid = len(self.rejected) - duplicates
        return ImportCounts(len(self), len(self.accepted), duplicates, invalid)


def _told(refused: NumberRefused) -> str:
    """A refused number as a sentence with the column in front and what to do behind."""
    reason = f"{PHONE_COLUMN} {refused.reason}" if refused.reason.startswith("'") else refused.reason
    return f"{reason}; {IN_REASONS[refused.code]}" if refused.code in IN_REASONS else reason


@dataclass(slots=True)
class LeftOut:
    """Numbers that are left out of contacts which are called by another: how many for each code, and the line of the
    first."""

    codes: Counter[str] = field(default_factory=Counter)
    first_line: int = 0

    def add(self, codes: Sequence[str], line: int) -> None:
        """Count those of one contact."""
        if codes:
            self.codes.update(codes)
            self.first_line = self.first_line or line

    def told(self) -> str | None:
        """A sentence about them; None where there are none."""
        if not self.codes:
            return None
        named = ", ".join(f"{count} {code}" for code, count in self.codes.most_common())
        count = sum(self.codes.values())
        which = "1 number is" if count == 1 else f"{count} numbers are"
        first = f"on line {self.first_line}" if count == 1 else f"the first on line {self.first_line}"
        return f"{which} left out of contacts that have another ({named}), {first}"


class RowBatcher:
    """Numbers, duplicates and limits over a whole list: what one row cannot know by itself. With `options` some of
    its columns are no custom fields (`contact_options.NAMES`); whom `policy` does not let be called is rejected.
    With `repeats` each row is a contact, whatever numbers it has."""

    def __init__(
        self,
        region: str | None,
        limits: Limits,
        row_templates: RowTemplates | None = None,
        *,
        options: bool = False,
        policy: ListPolicy | None = None,
        rules: NumberRules = ANY_COUNTRY,
        repeats: bool = False,
    ) -> None:
        self._rules = rules
        self._repeats = repeats
        self._left_out = LeftOut()
        self._misread = Misread()
        self._accepted = False
        self._policy = policy
        self._now = datetime.now(UTC)
        self.limits = limits
        self._region = region
        self._row_templates = row_templates
        self._options = options
        self._lines: dict[str, int] = {}
        self._holds_dates = False

    def look_ahead(self, cells: Iterable[str]) -> None:
        """Look at the first cells of the column: whether it holds dates decides what eight digits are."""
        self._holds_dates = self._holds_dates or any(is_date(plain_signs(cell)) for cell in cells)

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
        if not self._accepted:
            raise _no_good_row(count, first)
        if len(batch):
            yield batch

    def warn(self, notes: ImportNotes) -> None:
        """Say of the whole list what its rows do not: what looks misread, and which further numbers are left out."""
        self._misread.warn(notes)
        if (told := self._left_out.told()) is not None:
            notes.warn(told)

    def accepted(
        self, line: int, text: str, cells: Sequence[str], columns: Columns
    ) -> AcceptedRow | RejectedRow:
        """A row whose cells can travel with a call, with its number, or why it cannot be called."""
        have = len(cells)
        fields = {name: cells[index] if index < have else "" for index, name in columns.custom}
        options = contact_options.take(fields) if self._options else PLAIN
        if isinstance(options, CellRefused):
            return rejected_cell(line, text, options)
        if self._row_templates is not None:
            refused = self._row_templates.refusal(fields, columns.variables)
            if refused is not None:
                return rejected_cell(line, text, refused)
        zone: str | None = None
        if columns.zone is not None and (cell := fields[columns.zone[1]].strip()):
            zone = time_zones.named(cell)
            if zone is None:
                return rejected_cell(line, text, _no_zone(columns.zone[1], cell))
        left_out: list[str] = []
        try:
            numbers = self._numbers(cells, columns, left_out)
        except NumberRefused as failure:
            return rejected(line, text, failure.code, _told(failure), PHONE_COLUMN)
        consent: tuple[str | None, str | None] | CellRefused = (None, None)
        if columns.consent_at is not None or columns.consent_source is not None:
            consent = consent_of(cells, columns, self._now)
        if isinstance(consent, CellRefused):
            return rejected_cell(line, text, consent)
        places: Places = ()
        if self._policy is not None:
            refused = self._barred(numbers, self._policy, left_out, consented=consent[0] is not None)
            if refused is not None:
                return rejected_cell(line, text, refused)
            places = places_of(numbers[0])
        # Last of all: a row that is rejected keeps no later one with its number from being called.
        repeated = self._repeated(line, text, numbers)
        if repeated is not None:
            return repeated
        self._accepted = True
        if not text.isascii():
            self._misread.look(fields)
        self._left_out.add(left_out, line)
        number, *further = numbers
        return AcceptedRow(line, number, fields, options, text, consent, zone, places, tuple(further))

    def _barred(
        self, numbers: list[str], policy: ListPolicy, left_out: list[str], *, consented: bool
    ) -> CellRefused | None:
        """Take out those that the packs do not let be called, and note their codes; why there is none left."""
        refused = [policy.refusal(number, consented=consented) for number in numbers]
        numbers[:] = [number for number, why in zip(numbers, refused, strict=True) if why is None]
        left_out += [why.code for why in refused if why is not None]
        return None if numbers else refused[0]

    def _repeated(self, line: int, text: str, numbers: Sequence[str]) -> RejectedRow | None:
        """The row as a duplicate, where one of its numbers is an earlier one's; else they are its own from now on."""
        if self._repeats:
            return None
        for number in numbers:
            earlier = self._lines.get(number)
            if earlier is not None:
                reason = f"{number} is already on line {earlier}"
                return RejectedRow(
                    line, kept_text(text), "duplicate", reason, PHONE_COLUMN, repeats=(number, earlier)
                )
        for number in numbers:
            self._lines[number] = line
        return None

    def _numbers(self, cells: Sequence[str], columns: Columns, left_out: list[str]) -> list[str]:
        """The numbers of the row in E.164, each once, at least one; the codes of others go to `left_out`. Raises
        NumberRefused, of the first, where none can be called."""
        numbers: list[str] = []
        refused: NumberRefused | None = None
        places = ((index, FURTHER_COLUMNS.index(name) + 2) for index, name in columns.further)
        for index, place in ((columns.phone, 1), *places):
            raw = cells[index] if index < len(cells) else ""
            if index != columns.phone and not raw.strip():
                continue
            try:
                number = self._number(raw, cells, columns, place)
            except NumberRefused as failure:
                if failure.code == "date":
                    self._holds_dates = True
                if refused is None:
                    refused = failure
                if failure.code != "missing_number":
                    left_out.append(failure.code)
                continue
            if number not in numbers:
                numbers.append(number)
        if not numbers:
            assert refused is not None
            raise refused
        return numbers

    def _number(self, raw: str, cells: Sequence[str], columns: Columns, place: int) -> str:
        """The number of the row in E.164, its first or that in another `place`. Raises NumberRefused."""
        if self._holds_dates and may_be_date(plain_signs(raw)):
            raise date_refused(raw)
        if columns.beside:
            number = hinted_number(
                raw, self._region, columns.beside, cells, place=place, premium=self._rules.premium
            )
        else:
            number = phone_number(raw, self._region, premium=self._rules.premium)
        self._rules.check(number)
        return number


def _no_zone(column: str, cell: str) -> CellRefused:
    reason = (
        f"{column} is {quoted(cell)}, which is no IANA time zone; write one such as America/New_York, or none"
    )
    return CellRefused("bad_time_zone", reason, column)


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


def rejected_cell(line: int, text: str, refused: CellRefused) -> RejectedRow:
    return rejected(line, text, refused.code, refused.reason, refused.column)


def rejected(line: int, text: str, code: str, reason: str, column: str | None = None) -> RejectedRow:
    return RejectedRow(line, kept_text(text), code, reason, column)


def kept_text(text: str) -> str:
    """As much of a row's text as is kept of one that is rejected, as a database can hold it."""
    raw = text if len(text) <= MAX_RAW else text[: MAX_RAW - 1] + "…"
    return _NOT_STORABLE.sub("\ufffd", raw)
