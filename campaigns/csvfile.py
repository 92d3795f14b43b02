"""CSV parser: the text of an uploaded list to rows of cells (delimiter, quotes, line ends). No rule about contacts.

The header is looked for: behind a spreadsheet's `sep=` line, below a title, and within quotes around each whole row.

The standard csv module is not used for reading: it cannot tell a quote that is never closed from a long cell
(everything after it is swallowed), its limit on a field is one for the whole process, and a row is read in one
call that nothing can interrupt.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from campaigns.column_names import is_phone_column
from campaigns.columns import Limits
from campaigns.errors import ListRefused, quoted
from campaigns.import_notes import ImportNotes
from campaigns.time_slice import TimeSlice

DELIMITERS = ",;\t|"

_OPENING = re.compile(' *"')
_QUOTED = re.compile('((?:[^"]++|"")*+)("?)')
_QUOTED_NAME = re.compile('"([^"]*)"')
_DELIMITER = re.compile(f"[{DELIMITERS}]")
# What spreadsheets write above a header to name the delimiter: any one sign that is no letter, digit or quote.
_SEPARATOR_LINE = re.compile(r""" *["']? *sep *= *([^\w "']|_)["' ]* *""", re.IGNORECASE)
_WHOLE_ROW_QUOTED = re.compile(' *"((?:[^"]|"")*)" *')
_END_OF_FILE = "\x1a"
"""What DOS programs leave at the end of a file."""
MOST_TITLE_LINES = 10
MOST_IN_QUOTES = 4
"""How many times the longest cell may stand in quotes over several lines, before the quote counts as never closed."""


@dataclass(slots=True)
class Row:
    """One row: the line it starts on (1 is the first line of the file), its text, and its cells.

    `fault` is a code (unterminated_quote, bad_quotes, row_too_long) where the row has no cells to speak of.
    """

    line: int
    text: str
    cells: list[str]
    fault: str | None = None


def read_rows(
    text: io.TextIOWrapper, limits: Limits, time_slice: TimeSlice, notes: ImportNotes | None = None
) -> Iterator[Row]:
    """The rows of a list, its header first, without blank ones. What was left out above the header is noted.

    Raises ListRefused (no_rows) for a list without any text.
    """
    lines = _Lines(text, limits, time_slice)
    first = lines.next_filled()
    if first is None:
        raise ListRefused(
            "no_rows", "contacts is empty; it must have a header row and a row for each contact"
        )
    notes = notes or ImportNotes()
    named = _SEPARATOR_LINE.fullmatch(first[1].rstrip("\r\n"))
    if named is None:
        lines.back([first])
        delimiter, whole_quoted = _find_header(lines, notes)
    else:
        delimiter, whole_quoted = named.group(1), False
    notes.delimiter = delimiter
    while (started := lines.next()) is not None:
        row = _row(started, lines, delimiter)
        if whole_quoted and row.fault is None and len(row.cells) == 1:
            row = Row(row.line, row.text, _within(row.cells[0], delimiter))
        filled = row.fault is not None or any(cell and not cell.isspace() for cell in row.cells)
        if filled and row.text.strip() != _END_OF_FILE:
            yield row


def _find_header(lines: _Lines, notes: ImportNotes) -> tuple[str, bool]:
    """The delimiter of the header, which comes next in `lines` then, and whether each row is in quotes as a whole."""
    header = _header_text(lines)
    delimiter = find_delimiter(header)
    if _has_phone(header, delimiter):
        return delimiter, False
    above: list[tuple[int, str]] = []
    found: tuple[str, bool] | None = None
    while found is None and len(above) <= MOST_TITLE_LINES and (line := lines.next_filled()) is not None:
        bare = line[1].rstrip("\r\n")
        quoted_whole = _WHOLE_ROW_QUOTED.fullmatch(bare)
        inner = quoted_whole[1].replace('""', '"') if quoted_whole else bare
        if _has_phone(inner, find_delimiter(inner)):
            within = quoted_whole is not None and '"' not in inner.replace('""', "")
            found = find_delimiter(inner), within
            lines.back([line])
        above.append(line)
    titles = above[:-1]
    if found is None or any(_filled(line, found[0]) > 1 for _, line in titles):
        lines.rewind(above, found is not None)
        return delimiter, False
    if titles:
        notes.warn(
            f"what stands above the header was left out: "
            f"{', '.join(quoted(line.strip()) for _, line in titles[:3])}"
        )
    return found


def _within(text: str, delimiter: str) -> list[str]:
    """The cells of a row that was in quotes as a whole."""
    cells: list[str] = []
    return cells if split_cells(text, 0, cells, delimiter, None) is None else [text]


def _has_phone(header: str, delimiter: str) -> bool:
    outside = _QUOTED_NAME.sub(lambda name: _DELIMITER.sub("", name[1]), header)
    return any(is_phone_column(cell) for cell in outside.split(delimiter))


def _filled(line: str, delimiter: str) -> int:
    return sum(1 for cell in line.split(delimiter) if cell.strip(' "\r\n'))


def find_delimiter(header: str) -> str:
    """The delimiter under which the header has a phone_number column, else the most frequent outside quotes."""
    outside = _QUOTED_NAME.sub(lambda name: _DELIMITER.sub("", name[1]), header)
    counted = sorted(DELIMITERS, key=outside.count, reverse=True)
    return next((one for one in counted if _has_phone(header, one)), counted[0])


class _Lines:
    """Physical lines with their numbers, which can be put back. A line past `most` characters is cut short."""

    def __init__(self, text: io.TextIOWrapper, limits: Limits, time_slice: TimeSlice) -> None:
        self._text = text
        self._time_slice = time_slice
        self._returned: deque[tuple[int, str]] = deque()
        self._number = 0
        self.most = limits.max_row
        self.most_in_quotes = MOST_IN_QUOTES * limits.max_cell

    def next(self) -> tuple[int, str] | None:
        if self._returned:
            return self._returned.popleft()
        line = self._text.readline(self.most + 2)
        self._time_slice.check()
        if not line:
            return None
        self._number += 1
        rest = line
        while len(rest) == self.most + 2 and rest[-1] not in "\r\n":
            rest = self._text.readline(self.most + 2)
            self._time_slice.check()
        return self._number, line

    def next_filled(self) -> tuple[int, str] | None:
        """The next line that is not blank."""
        line = self.next()
        while line is not None and not line[1].strip():
            line = self.next()
        return line

    def back(self, lines: list[tuple[int, str]]) -> None:
        """Put lines back, in front of all others."""
        self._returned.extendleft(reversed(lines))

    def rewind(self, lines: list[tuple[int, str]], last_is_back: bool) -> None:
        """Put back lines of which the last one may be back already."""
        self.back(lines[:-1] if last_is_back else lines)


def _header_text(lines: _Lines) -> str:
    """The header as far as its quotes go on, for finding the delimiter; the lines are put back."""
    taken: list[tuple[int, str]] = []
    text = ""
    while (line := lines.next()) is not None:
        taken.append(line)
        text += line[1]
        if text.count('"') % 2 == 0 or len(text) > lines.most:
            break
    lines.back(taken)
    return text if text.count('"') % 2 == 0 else taken[0][1]


def _row(started: tuple[int, str], lines: _Lines, delimiter: str) -> Row:
    """The row that starts with the line `started`, reading on while a quote is open.

    A quote that is never closed, or closed by another row's opening quote, costs its own line only: the lines
    after it are put back.
    """
    number, line = started
    bare = line.rstrip("\r\n")
    if len(bare) > lines.most:
        return Row(number, bare, [], "row_too_long")
    if '"' not in bare:
        return Row(number, bare, bare.split(delimiter))
    if (plain := plainly_quoted(bare, delimiter)) is not None:
        return Row(number, bare, plain)
    cells: list[str] = []
    taken: list[tuple[int, str]] = []
    open_cell = split_cells(line, 0, cells, delimiter, None)
    size = len(line)
    while isinstance(open_cell, list):
        following = lines.next()
        if following is None:
            break
        taken.append(following)
        size += len(following[1])
        if size > lines.most or sum(map(len, open_cell)) > lines.most_in_quotes:
            break
        open_cell = split_cells(following[1], 0, cells, delimiter, open_cell)
    if open_cell is None:
        text = line + "".join(more for _, more in taken)
        return Row(number, text.rstrip("\r\n"), cells)
    lines.back(taken)
    return Row(
        number, bare, [], "unterminated_quote" if taken or isinstance(open_cell, list) else "bad_quotes"
    )


def plainly_quoted(bare: str, delimiter: str) -> list[str] | None:
    """The cells of a line in which each pair of quotes is a whole cell, as nearly all have; None of another.

    What lies between two such cells then begins and ends with a delimiter, and so does what lies before and behind.
    """
    parts = f"{delimiter}{bare}{delimiter}".split('"')
    if len(parts) % 2 == 0:
        return None
    cells: list[str] = []
    for at, part in enumerate(parts):
        if at % 2:
            cells.append(part)
        elif part != delimiter:
            if len(part) < 2 or part[0] != delimiter or part[-1] != delimiter:
                return None
            cells += part[1:-1].split(delimiter)
    return cells


def split_cells(
    line: str, at: int, cells: list[str], delimiter: str, open_cell: list[str] | None
) -> list[str] | str | None:
    """Add the cells of `line` from `at` on to `cells`.

    Returns None where the row ends with the line, the pieces of a cell whose quote is still open, or a fault.
    """
    end = len(line.rstrip("\r\n"))
    while True:
        if open_cell is None and (opening := _OPENING.match(line, at)):
            open_cell, at = [], opening.end()
        if open_cell is None:
            stop = line.find(delimiter, at, end)
            cells.append(line[at : end if stop < 0 else stop])
            if stop < 0:
                return None
            at = stop + 1
            continue
        inside = _QUOTED.match(line, at)
        assert inside is not None
        open_cell.append(inside.group(1).replace('""', '"'))
        if not inside.group(2):
            return open_cell
        cells.append("".join(open_cell))
        open_cell = None
        at = inside.end()
        while at < end and line[at] == " ":
            at += 1
        if at >= end:
            return None
        if line[at] != delimiter:
            return "bad_quotes"
        at += 1
