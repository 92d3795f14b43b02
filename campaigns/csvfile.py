"""Bytes of an uploaded list to rows of text: encoding, delimiter, quotes, line ends. No rule about contacts.

The standard csv module is not used for reading: it cannot tell a quote that is never closed from a long cell
(everything after it is swallowed), its limit on a field is one for the whole process, and a row is read in one
call that nothing can interrupt.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import re
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from campaigns.columns import PHONE_COLUMN, Limits
from campaigns.errors import ListRefused, ListTooLarge, shown

DELIMITERS = ",;\t|"
BLOCK = 64 * 1024

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Python's codecs that are text as spreadsheets write it; others (utf-7, punycode, hex) are not offered.
_OFFERED = re.compile(
    r"ascii|utf-8(-sig)?|utf-16(-[lb]e)?|utf-32(-[lb]e)?|cp(125[0-8]|437|850|852|866|874|932|949|950)"
    r"|iso8859-\d+|mac-roman|koi8-[rut]|shift_jis|euc_jp|euc_kr|gb2312|gbk|gb18030|big5|tis-620"
)
_NOT_CSV = (
    (b"PK\x03\x04", "a spreadsheet or zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF-", "a PDF"),
    (b"{\\rtf", "an RTF document"),
)
_ESCAPED = re.compile("[\udc80-\udcff]")
_OPENING = re.compile(' *"')
_QUOTED = re.compile('((?:[^"]++|"")*+)("?)')
_QUOTED_NAME = re.compile('"([^"]*)"')
_DELIMITER = re.compile(f"[{DELIMITERS}]")
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])")


class Readable(Protocol):
    """What an upload is read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(slots=True)
class Row:
    """One row: the line it starts on (1 is the first line of the file), its text, and its cells.

    `fault` is a code (unterminated_quote, bad_quotes, row_too_long) where the row has no cells to speak of.
    """

    line: int
    text: str
    cells: list[str]
    fault: str | None = None


class Pace:
    """Lets others run: calls `breathe` when `interval` seconds have passed since it last did, by the clock `now`."""

    def __init__(
        self,
        breathe: Callable[[], None],
        interval: float = 0.003,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._breathe = breathe
        self._interval = interval
        self._now = now
        self._next = now() + interval

    def check(self) -> None:
        """Call `breathe` if it is time."""
        if self._now() >= self._next:
            self._breathe()
            self._next = self._now() + self._interval


def no_breath() -> None:
    """For callers that have nobody else to let run."""


def spool(
    stream: Readable, limits: Limits, chunk: int = BLOCK, breathe: Callable[[], None] = no_breath
) -> tuple[BinaryIO, str]:
    """Copy an upload to a temporary file, which is gone once closed; return it, at its start, and its SHA-256.

    Raises ListTooLarge as soon as more than `limits.max_bytes` have been read.
    """
    pace = Pace(breathe)
    digest = hashlib.sha256()
    size = 0
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        while block := stream.read(chunk):
            size += len(block)
            if size > limits.max_bytes:
                raise ListTooLarge(
                    "too_large", f"contacts has more than {limits.max_bytes} bytes, the most a list may have"
                )
            digest.update(block)
            file.write(block)
            pace.check()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, digest.hexdigest()


def open_text(file: BinaryIO, encoding: str | None, pace: Pace) -> io.TextIOWrapper:
    """Find out how the file is encoded, make sure all of it decodes, and return a reader of its text.

    A byte order mark decides, then `encoding`, then what the bytes look like. UTF-8 in which some bytes are
    not UTF-8 is read with those as lone surrogates, so that only their rows are at fault.
    Raises ListRefused: not_csv, unknown_encoding, not_decodable.
    """
    named = None if encoding is None else _named(encoding)
    file.seek(0)
    head = file.read(4096)
    for magic, what in _NOT_CSV:
        if head.startswith(magic):
            raise ListRefused("not_csv", f"contacts is {what}, not CSV; save the list as CSV")
    bom, marked = next(((bom, codec) for bom, codec in _BOMS if head.startswith(bom)), (b"", None))
    codec = marked or named or _wide(head) or _utf8_or_cp1252(file, pace)
    errors = "surrogateescape" if codec == "utf-8" and named is None else "strict"
    if errors == "strict":
        _all_decodes(file, len(bom), codec, pace)
    file.seek(len(bom))
    return io.TextIOWrapper(file, encoding=codec, errors=errors, newline="")


def _named(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        name = ""
    if not _OFFERED.fullmatch(name):
        raise ListRefused(
            "unknown_encoding", f"encoding is {shown(encoding)}, which is not a known text encoding"
        )
    return name


def _wide(head: bytes) -> str | None:
    """UTF-16 without a byte order mark shows in the zero bytes of its ASCII characters, all on one side."""
    pairs = len(head) // 2
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd * 10 >= pairs * 3 and even * 10 <= odd and odd:
        return "utf-16-le"
    if even * 10 >= pairs * 3 and odd * 10 <= even and even:
        return "utf-16-be"
    return None


def _blocks(file: BinaryIO, start: int, pace: Pace) -> Iterator[bytes]:
    file.seek(start)
    while block := file.read(BLOCK):
        yield block
        pace.check()


def _utf8_or_cp1252(file: BinaryIO, pace: Pace) -> str:
    """UTF-8 unless most of what is not ASCII says otherwise: Windows-1252 text hardly ever is valid UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    wrong = right = 0
    for block in _blocks(file, 0, pace):
        text = decoder.decode(block)
        if not text.isascii():
            escaped = len(_ESCAPED.findall(text))
            wrong += escaped
            right += len(text) - len(text.encode("ascii", "ignore")) - escaped
    wrong += len(decoder.decode(b"", True))
    return "cp1252" if wrong > right else "utf-8"


def _all_decodes(file: BinaryIO, start: int, codec: str, pace: Pace) -> None:
    decoder = codecs.getincrementaldecoder(codec)("strict")
    line = 1
    try:
        for block in _blocks(file, start, pace):
            line += decoder.decode(block).count("\n")
        decoder.decode(b"", True)
    except UnicodeDecodeError as failure:
        line += failure.object[: failure.start].decode(codec, "ignore").count("\n")
        shown_bytes = failure.object[failure.start : failure.end][:4].hex(" ")
        raise ListRefused(
            "not_decodable",
            f"contacts is not {codec} text (bytes {shown_bytes} near line {line}); "
            f"save it as UTF-8 or name its encoding",
        ) from failure


def read_rows(text: io.TextIOWrapper, limits: Limits, pace: Pace) -> Iterator[Row]:
    """The rows of a list, its header first, without blank ones.

    The delimiter is found in the header, or in a spreadsheet's `sep=;` line before it.
    Raises ListRefused (no_rows) for a list without any text.
    """
    lines = _Lines(text, limits.max_row, pace)
    first = lines.next()
    while first is not None and not first[1].strip():
        first = lines.next()
    if first is None:
        raise ListRefused(
            "no_rows", "contacts is empty; it must have a header row and a row for each contact"
        )
    named = _SEPARATOR_LINE.fullmatch(first[1].rstrip("\r\n").strip('"'))
    if named is None:
        lines.back([first])
        delimiter = find_delimiter(_header_text(lines))
    else:
        delimiter = named.group(1)
    while (started := lines.next()) is not None:
        row = _row(started, lines, delimiter)
        if row.fault is not None or any(cell and not cell.isspace() for cell in row.cells):
            yield row


def find_delimiter(header: str) -> str:
    """The delimiter under which the header has a phone_number column, else the most frequent outside quotes."""
    outside = _QUOTED_NAME.sub(lambda name: _DELIMITER.sub("", name[1]), header)
    counted = sorted(DELIMITERS, key=outside.count, reverse=True)
    for delimiter in counted:
        if PHONE_COLUMN in (cell.strip().lower() for cell in outside.split(delimiter)):
            return delimiter
    return counted[0]


class _Lines:
    """Physical lines with their numbers, which can be put back. A line past `most` characters is cut short."""

    def __init__(self, text: io.TextIOWrapper, most: int, pace: Pace) -> None:
        self._text = text
        self._pace = pace
        self._returned: deque[tuple[int, str]] = deque()
        self._number = 0
        self.most = most

    def next(self) -> tuple[int, str] | None:
        if self._returned:
            return self._returned.popleft()
        line = self._text.readline(self.most + 2)
        self._pace.check()
        if not line:
            return None
        self._number += 1
        rest = line
        while len(rest) == self.most + 2 and rest[-1] not in "\r\n":
            rest = self._text.readline(self.most + 2)
            self._pace.check()
        return self._number, line

    def back(self, lines: list[tuple[int, str]]) -> None:
        self._returned.extendleft(reversed(lines))


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
    cells: list[str] = []
    taken: list[tuple[int, str]] = []
    open_cell = _split(line, 0, cells, delimiter, None)
    size = len(line)
    while isinstance(open_cell, list):
        following = lines.next()
        if following is None:
            break
        taken.append(following)
        size += len(following[1])
        if size > lines.most:
            break
        open_cell = _split(following[1], 0, cells, delimiter, open_cell)
    if open_cell is None:
        text = line + "".join(more for _, more in taken)
        return Row(number, text.rstrip("\r\n"), cells)
    lines.back(taken)
    return Row(
        number, bare, [], "unterminated_quote" if taken or isinstance(open_cell, list) else "bad_quotes"
    )


def _split(
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
