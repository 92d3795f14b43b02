"""Makes a list's header its columns, and checks its cells.

A cell travels to the switch as a channel variable, so a cell is refused where a dial string could not carry it
unchanged (an open brace, `${`, a control character). Everything else (quotes, commas, backslashes, emoji, tabs and
line breaks) arrives as it was written: a dialplan that copies such a variable into a SIP header has to strip line
breaks there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from campaigns.column_names import FURTHER_COLUMNS, PHONE_COLUMN, ColumnNames, ListColumn, is_zone_column
from campaigns.errors import ListRefused, quoted
from campaigns.hint_columns import Hint, hints

# Tabs and line breaks travel escaped; no other control character does.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BRACE = re.compile("[{}]")
# The switch looks for a `$` and a `{` with nothing but backslashes between them, and then drops the variable.
_EXPANSION = re.compile(r"\$\\*\{")
# Anything that any rule of `unsafe` could object to: one search over a whole row settles nearly every row.
_SUSPICIOUS = re.compile("[{}\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]|:_:|ARRAY::")


@dataclass(frozen=True, slots=True)
class Limits:
    """How big a list may be: bytes of the upload, data rows, columns, characters of a cell, and UTF-8 bytes of
    all variables (names and values) that one row makes of its call."""

    max_bytes: int = 10 * 1024 * 1024
    max_rows: int = 100_000
    max_columns: int = 200
    max_cell: int = 1_000
    max_variables_bytes: int = 4096
    what: str = "contacts"
    """The field that the list is uploaded in."""

    @property
    def max_row(self) -> int:
        """Characters of the longest row that keeps the other limits: every character a doubled quote."""
        return self.max_columns * (2 * self.max_cell + 3)


@dataclass(frozen=True, slots=True)
class Columns:
    """The header of a list: where the number is, and the names of the other columns by position.

    `variables` carry them, by name; `overhead` are the bytes of all those names in a call; `beside` are the columns
    that say of which country a number is; `consent_at` and `consent_source` are where these are, if they are.
    `zone`: the place and name of the column that says in which time zone a contact is; `further`: those of the
    columns with its other numbers, in the order in which these are tried.
    """

    phone: int
    custom: tuple[tuple[int, str], ...]
    width: int
    variables: Mapping[str, str] = field(default_factory=dict)
    overhead: int = 0
    beside: tuple[Hint, ...] = ()
    consent_at: int | None = None
    consent_source: int | None = None
    zone: tuple[int, str] | None = None
    further: tuple[tuple[int, str], ...] = ()

    def lent(self) -> Columns:
        """The same, of another contact's cells: none of them says where the number is, nor that anybody agreed."""
        return replace(self, beside=(), consent_at=None, consent_source=None, zone=None, further=())

    def name(self, index: int) -> str:
        """The column's own name, as it is kept."""
        named = (*self.custom, *self.further)
        return next((name for place, name in named if place == index), PHONE_COLUMN)


def columns_of(names: Sequence[str], variables: Mapping[str, str]) -> Columns:
    """The columns of these names, the numbers' wherever they are among them; `variables` by name, empty of what has
    numbers to be called."""
    phone = names.index(PHONE_COLUMN) if PHONE_COLUMN in names else len(names)
    further = tuple(
        (names.index(name), name) for name in FURTHER_COLUMNS if name in names and not variables.get(name)
    )
    numbers = {phone, *(index for index, _ in further)}
    numbered = {FURTHER_COLUMNS.index(name) + 2 for _, name in further}
    custom = tuple((index, name) for index, name in enumerate(names) if index not in numbers)
    used = {name: variables[name] for _, name in custom}
    zone = next(((index, name) for index, name in custom if is_zone_column(name)), None)
    consent = {
        name.lower(): index for index, name in custom if name.lower() in ("consent_at", "consent_source")
    }
    return Columns(
        phone,
        custom,
        len(names),
        used,
        sum(map(len, used.values())),
        tuple(hint for hint in hints(custom) if hint.number in (None, *numbered)),
        consent.get("consent_at"),
        consent.get("consent_source"),
        zone,
        further,
    )


@dataclass(frozen=True, slots=True)
class CellRefused:
    """Why a row is not accepted; `column` is None where the row as a whole is at fault."""

    code: str
    reason: str
    column: str | None = None


def unsafe(value: str) -> str | None:
    """Why no dial string can carry `value` to the switch unchanged, or None where one can."""
    if _SUSPICIOUS.search(value) is None:
        return None
    if control := _CONTROL.search(value):
        return f"it has the control character U+{ord(control[0]):04X}"
    if _SURROGATE.search(value):
        return "it has half of a surrogate pair, which is not text"
    if _EXPANSION.search(value):
        return "it has ${, which the switch would expand"
    if ":_:" in value:
        return "it has :_:, which starts another call"
    if value.startswith("ARRAY::"):
        return "it starts with ARRAY::, which the switch would make a list of"
    if not _balanced(value):
        return "its braces do not pair up"
    return None


def _balanced(value: str) -> bool:
    depth = 0
    for brace in _BRACE.findall(value):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def read_header(cells: Sequence[str], limits: Limits) -> tuple[Columns, list[ListColumn]]:
    """Check a header row that has a phone_number column; how to look rows up by it, and what to tell of it.

    Unnamed columns at its end, as spreadsheets leave them, are dropped.
    Raises ListRefused: too_many_columns, bad_column, duplicate_column.
    """
    width = named_width(cells)
    if width > limits.max_columns:
        raise ListRefused(
            "too_many_columns",
            f"contacts has {width} columns; at most {limits.max_columns} are allowed: leave out some",
        )
    known = ColumnNames()
    names = [known.add(cell) for cell in cells[:width]]
    return columns_of(names, known.variables), known.columns


def named_width(cells: Sequence[str]) -> int:
    """How many columns a header row has, without unnamed ones at its end."""
    width = len(cells)
    while width and not cells[width - 1].strip():
        width -= 1
    return width


def check_cells(cells: Sequence[str], columns: Columns, limits: Limits, row: str) -> CellRefused | None:
    """Why the cells of a row cannot travel with its call, or None; `row` is text that holds them all.

    A missing cell at the end of a row is an empty one, and empty cells past the last column are ignored.
    """
    if len(cells) > columns.width and any(cell.strip() for cell in cells[columns.width :]):
        return CellRefused(
            "too_many_cells",
            f"the row has {len(cells)} cells and the header {columns.width} columns; "
            f"put a cell with a delimiter in it into quotes",
        )
    if len(row) > limits.max_cell:
        for index, cell in enumerate(cells[: columns.width]):
            if len(cell) > limits.max_cell:
                return CellRefused(
                    "cell_too_long",
                    f"{columns.name(index)} has {len(cell)} characters; at most {limits.max_cell} are allowed: "
                    f"shorten it",
                    columns.name(index),
                )
    if _SUSPICIOUS.search(row) is not None:
        for index, name in columns.custom:
            reason = unsafe(cells[index]) if index < len(cells) else None
            if reason is not None:
                return CellRefused(
                    "unsafe_value",
                    f"{name} is {quoted(cells[index])} and cannot travel with a call: {reason}; take that out",
                    name,
                )
    # No character takes more than 4 bytes, so most rows need no exact count.
    if columns.overhead + 4 * len(row) <= limits.max_variables_bytes:
        return None
    # An empty cell makes no variable: the switch has none without a value.
    size = sum(
        len(columns.variables[name]) + len(cells[index].encode())
        for index, name in columns.custom
        if index < len(cells) and cells[index]
    )
    if size > limits.max_variables_bytes:
        return CellRefused(
            "variables_too_large",
            f"the row makes {size} bytes of call variables; at most {limits.max_variables_bytes} are allowed: "
            f"shorten its cells or leave out columns",
        )
    return None
