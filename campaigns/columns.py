"""Validation of a list's header and cells.

A cell travels to the switch as a channel variable, so a cell is refused where a dial string could not carry it
unchanged (an open brace, `${`, a control character). Everything else (quotes, commas, backslashes, emoji, tabs and
line breaks) arrives as it was written: a dialplan that copies such a variable into a SIP header has to strip line
breaks there.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from campaigns.errors import ListRefused, quoted

PHONE_COLUMN = "phone_number"
MAX_COLUMN_NAME = 64

_NOT_IN_VARIABLE = re.compile("[^a-z0-9_]")
# Tabs and line breaks travel escaped; no other control character does.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NOT_IN_NAME = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BRACE = re.compile("[{}]")
# The switch looks for a `$` and a `{` with nothing but backslashes between them, and then drops the variable.
_EXPANSION = re.compile(r"\$\\*\{")
# Anything that any rule of `unsafe` could object to: one search over a whole row settles nearly every row.
_SUSPICIOUS = re.compile("[{}\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]|:_:|ARRAY::")
_ALIASES = re.compile(
    "(cell|contact|mobile|phone|tel|telephone)?_?(numbers?|no|nr|phone)?|e164|msisdn|telefono?|to"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How big a list may be: bytes of the upload, data rows, columns, characters of a cell, and UTF-8 bytes of
    all variables (names and values) that one row makes of its call."""

    max_bytes: int = 10 * 1024 * 1024
    max_rows: int = 100_000
    max_columns: int = 64
    max_cell: int = 1_000
    max_variables_bytes: int = 4096

    @property
    def max_row(self) -> int:
        """Characters of the longest row that keeps the other limits: every character a doubled quote."""
        return self.max_columns * (2 * self.max_cell + 3)


@dataclass(frozen=True, slots=True)
class Columns:
    """The header of a list: where the number is, and the names of the other columns by position."""

    phone: int
    custom: tuple[tuple[int, str], ...]
    width: int
    overhead: int = field(default=0)

    def name(self, index: int) -> str:
        """The column's own name, as the header wrote it."""
        return next((name for place, name in self.custom if place == index), PHONE_COLUMN)


@dataclass(frozen=True, slots=True)
class CellRefused:
    """Why a row is not accepted; `column` is None where the row as a whole is at fault."""

    code: str
    reason: str
    column: str | None = None


def variable_name(column: str) -> str:
    """The channel variable that carries the column: `Order-ID` travels as `carillon_order_id`."""
    return "carillon_" + _NOT_IN_VARIABLE.sub("_", column.lower())


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


def column_name(written: str) -> str:
    """The name of a column as it is kept: trimmed, and `phone_number` in lower case.

    Raises ListRefused (bad_column) for a name that is empty, too long or has control characters.
    """
    name = written.replace("\ufeff", "").strip()
    if name.lower() == PHONE_COLUMN:
        return PHONE_COLUMN
    if not name:
        raise ListRefused("bad_column", "contacts has a column without a name; every column needs one")
    if len(name) > MAX_COLUMN_NAME:
        raise ListRefused(
            "bad_column",
            f"contacts has a column name of {len(name)} characters, {quoted(name)}; "
            f"at most {MAX_COLUMN_NAME} are allowed",
        )
    if _NOT_IN_NAME.search(name):
        raise ListRefused(
            "bad_column", f"contacts has a column name with control characters in it, {quoted(name)}"
        )
    return name


def read_header(cells: Sequence[str], limits: Limits) -> Columns:
    """Check a header row; unnamed columns at its end, as spreadsheets leave them, are dropped.

    Raises ListRefused: too_many_columns, bad_column, duplicate_column, no_phone_column.
    """
    width = len(cells)
    while width and not cells[width - 1].strip():
        width -= 1
    if width > limits.max_columns:
        raise ListRefused(
            "too_many_columns", f"contacts has {width} columns; at most {limits.max_columns} are allowed"
        )
    names = [column_name(cell) for cell in cells[:width]]
    refuse_repeats(names)
    if PHONE_COLUMN not in names:
        raise ListRefused("no_phone_column", no_phone_message(names))
    custom = tuple((index, name) for index, name in enumerate(names) if name != PHONE_COLUMN)
    return Columns(names.index(PHONE_COLUMN), custom, width, overhead([name for _, name in custom]))


def overhead(names: Sequence[str]) -> int:
    """The bytes that the names of these columns' variables take in a call."""
    return sum(len(variable_name(name)) for name in names)


def refuse_repeats(names: Sequence[str]) -> None:
    """Raise ListRefused (duplicate_column) where two columns would be the same variable of the call."""
    seen: dict[str, str] = {}
    for name in names:
        variable = variable_name(name)
        if variable in seen:
            raise ListRefused(
                "duplicate_column",
                f"contacts has the columns {quoted(seen[variable])} and {quoted(name)}, "
                f"which are both {variable.removeprefix('carillon_')} to a call; names must differ",
            )
        seen[variable] = name


def no_phone_message(names: Sequence[str], what: str = "column") -> str:
    """The sentence for a list without the one column that it must have, with the likeliest remedy; `what` is
    what the list calls a column."""
    close = _likely_phone_column(names)
    if close is not None:
        return f"contacts has no {PHONE_COLUMN} {what}, which is required; did you mean {quoted(close)}?"
    if any(re.fullmatch(r"\+?[\d ().-]{7,}", name) for name in names):
        return (
            f"contacts has no header row: its first row is data, and it must name the columns, "
            f"{PHONE_COLUMN} among them"
        )
    listed = ", ".join(quoted(name) for name in names[:8]) + (", …" if len(names) > 8 else "")
    return f"contacts has no {PHONE_COLUMN} {what}, which is required; its {what}s are {listed or 'none'}"


def _likely_phone_column(names: Sequence[str]) -> str | None:
    plain = {re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_"): name for name in names}
    for name, written in plain.items():
        if name and _ALIASES.fullmatch(name):
            return written
    for close in difflib.get_close_matches(PHONE_COLUMN, plain, n=1, cutoff=0.75):
        return plain[close]
    return next((written for name, written in plain.items() if re.search("phone|mobile", name)), None)


def check_cells(cells: Sequence[str], columns: Columns, limits: Limits, row: str) -> CellRefused | None:
    """Why the cells of a row cannot travel with its call, or None; `row` is text that holds them all.

    A missing cell at the end of a row is an empty one, and empty cells past the last column are ignored.
    """
    if len(cells) > columns.width and any(cell.strip() for cell in cells[columns.width :]):
        return CellRefused(
            "too_many_cells", f"the row has {len(cells)} cells and the header {columns.width} columns"
        )
    if len(row) > limits.max_cell:
        for index, cell in enumerate(cells[: columns.width]):
            if len(cell) > limits.max_cell:
                return CellRefused(
                    "cell_too_long",
                    f"the cell has {len(cell)} characters; at most {limits.max_cell} are allowed",
                    columns.name(index),
                )
    if _SUSPICIOUS.search(row) is not None:
        for index, name in columns.custom:
            reason = unsafe(cells[index]) if index < len(cells) else None
            if reason is not None:
                return CellRefused("unsafe_value", f"the cell cannot travel with a call: {reason}", name)
    # No character takes more than 4 bytes, so most rows need no exact count.
    if columns.overhead + 4 * len(row) <= limits.max_variables_bytes:
        return None
    # An empty cell makes no variable: the switch has none without a value.
    size = sum(
        len(variable_name(name)) + len(cells[index].encode())
        for index, name in columns.custom
        if index < len(cells) and cells[index]
    )
    if size > limits.max_variables_bytes:
        return CellRefused(
            "variables_too_large",
            f"the row makes {size} bytes of call variables; at most {limits.max_variables_bytes} are allowed",
        )
    return None
