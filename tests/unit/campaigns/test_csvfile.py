"""Bytes to rows: whatever a list was written with, its cells come back the same."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.columns import Limits
from campaigns.csvfile import Row, find_delimiter, plainly_quoted, read_rows, split_cells
from campaigns.encodings import open_text
from campaigns.errors import ListTooLarge
from campaigns.spooling import spool
from campaigns.time_slice import TimeSlice, nobody_else
from tests.examples import examples
from tests.strategies import joined

BOMS = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])
NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])
SPECIAL = tuple("\",;\t|\r\n '\\{}é€")
UNICODE_CELL = joined(SPECIAL, most=8, other=st.text(st.characters(codec="utf-8"), max_size=8))
WESTERN_CELL = joined(SPECIAL, most=8, other=st.text(st.characters(codec="cp1252"), max_size=8))


def read(data: bytes, encoding: str | None = None) -> list[Row]:
    time_slice = TimeSlice(nobody_else)
    return list(read_rows(open_text(io.BytesIO(data), encoding, time_slice), Limits(), time_slice))


def written(rows: list[list[str]], delimiter: str, newline: str, *, quote_all: bool) -> str:
    """A list as RFC 4180 has it: cells in quotes that have a delimiter, a quote or a line break."""
    if len(rows[0]) == 1:
        delimiter = ","  # nothing in the header of a single column says otherwise

    def cell(text: str) -> str:
        plain = not quote_all and not any(special in text for special in (delimiter, '"', "\r", "\n"))
        return text if plain else '"' + text.replace('"', '""') + '"'

    return "".join(delimiter.join(map(cell, row)) + newline for row in rows)


@st.composite
def tables(draw: st.DrawFn, cell: st.SearchStrategy[str]) -> list[list[str]]:
    """A header and up to six rows as wide, none of them blank."""
    width = draw(st.integers(1, 4))
    row = st.lists(cell, min_size=width, max_size=width).filter(lambda cells: any(c.strip() for c in cells))
    return [["phone_number", "name", "city", "order"][:width], *draw(st.lists(row, max_size=6))]


class Dribble:
    """An upload that arrives in pieces of its own size, whatever is asked for."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._data = io.BytesIO(data)
        self._piece = piece
        self.taken = 0

    def read(self, size: int, /) -> bytes:
        block = self._data.read(min(size, self._piece))
        self.taken += len(block)
        return block


@examples(300)
@given(
    tables(UNICODE_CELL),
    st.tuples(st.sampled_from(list(BOMS)), st.booleans()),
    DELIMITERS,
    NEWLINES,
    st.booleans(),
)
def test_unicode_rows_come_back_the_same(
    rows: list[list[str]], encoding: tuple[str, bool], delimiter: str, newline: str, quote_all: bool
) -> None:
    codec, marked = encoding
    data = written(rows, delimiter, newline, quote_all=quote_all).encode(codec)
    # Text with hardly any ASCII in it cannot be told for sure without a mark: then its encoding is named.
    found = read(BOMS[codec] + data) if marked else read(data, codec)
    assert [row.cells for row in found] == rows
    assert [row.fault for row in found] == [None] * len(rows)


@examples(150)
@given(tables(WESTERN_CELL), DELIMITERS, NEWLINES)
def test_western_rows_come_back_the_same(rows: list[list[str]], delimiter: str, newline: str) -> None:
    data = written(rows, delimiter, newline, quote_all=False).encode("cp1252")
    assert [row.cells for row in read(data, "windows-1252")] == rows


@examples(150)
@given(
    st.lists(st.sampled_from(["Zoë", "Łukasz", "Пётр", "Ada", "名前", "Jürgen €5"]), min_size=1, max_size=8),
    st.sampled_from(list(BOMS)),
)
def test_encodings_without_a_mark_are_told_apart(names: list[str], codec: str) -> None:
    rows = [["phone_number", "name"], *(["+12125550100", name] for name in names)]
    assert [row.cells for row in read(written(rows, ",", "\n", quote_all=False).encode(codec))] == rows


@given(st.lists(st.sampled_from(["Zoë", "Björn €5", "Ada", "José"]), min_size=1, max_size=8))
def test_western_text_is_not_taken_for_utf8(names: list[str]) -> None:
    rows = [["phone_number", "name"], *(["+12125550100", name] for name in names)]
    assert [
        row.cells for row in read(written(rows, ";", "\r\n", quote_all=False).encode("cp1252"), "cp1252")
    ] == rows


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("before", range(8))
def test_characters_that_a_block_cuts_in_two_are_whole(codec: str, before: int) -> None:
    name = "x" * before + "é€" * 300
    rows = [["phone_number", "name"], *(["+12125550100", name] for _ in range(300))]
    data = written(rows, ",", "\r\n", quote_all=False).encode(codec)
    assert [row.cells for row in read(data, "cp1252" if codec == "cp1252" else None)] == rows


@given(joined(("a", "b", '"', '""', ",", "\n", "\r\n", "\r", " "), most=30, other=st.just("")))
def test_no_text_is_swallowed(text: str) -> None:
    rows = read(("phone_number,b\n" + text).encode())
    lines = ("phone_number,b\n" + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    covered: list[int] = []
    for row in rows:
        length = len(row.text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        covered.extend(range(row.line, row.line + length))
    assert len(covered) == len(set(covered)), "a line is in two rows"
    missing = [line for number, line in enumerate(lines, 1) if number not in covered]
    assert [line for line in missing if line.strip(', "')] == []


@given(joined(tuple('ab", '), most=20, other=st.just("")).filter(lambda line: line.strip(', "')))
def test_a_line_is_read_as_the_standard_module_reads_it_or_is_at_fault(line: str) -> None:
    row = read(f"phone_number,b\n{line}\n".encode())[1]
    if row.fault is None and not any(' "' in part for part in ("," + line).split(",")):
        trailing_blanks_dropped = [cell.rstrip(" ") for cell in next(csv.reader([line]))]
        assert [cell.rstrip(" ") for cell in row.cells] == trailing_blanks_dropped


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("phone_number\n", ","),
        ("phone_number,name;title\n", ","),
        ("phone_number;a,b,c\n", ";"),
        ('"phone_number";"a,b,c,d"\n', ";"),
        ("a|b|phone_number\n", "|"),
        ("Mobile;name\n", ";"),
        ('Mobile;"a,b,c"\n', ";"),
        ("Mobile\tname, first, last\tx\ty\n", "\t"),
    ],
)
def test_the_delimiter_is_the_header_s(header: str, delimiter: str) -> None:
    assert find_delimiter(header) == delimiter


def test_a_quote_never_closed_costs_one_row_of_a_long_list() -> None:
    rest = "".join(f"+1212555{number:04d},x\n" for number in range(20_000))
    rows = read(f'phone_number,name\n+12125550100,"oops\n{rest}'.encode())
    assert [row.line for row in rows if row.fault == "unterminated_quote"] == [2]
    assert len(rows) == 20_002


def test_a_quote_closed_much_too_late_costs_one_row_too() -> None:
    rest = "".join(f"+1212555{number:04d},x\n" for number in range(9_000))
    rows = read(f'phone_number,name\n+12125550100,"oops\n{rest}+12125550101,y"\n'.encode())
    assert [row.line for row in rows if row.fault == "unterminated_quote"] == [2]
    assert [row.cells for row in rows[-2:]] == [["+12125558999", "x"], ["+12125550101", 'y"']]


HOSTILE = [
    b'1,"x\n' * 100_000,
    b'1,"""\n' * 100_000,
    b'1,"' + b'""\n' * 100_000,
    b'1,"\n' + b"x\n" * 100_000,
    b'"' + b"\n" * 300_000,
    b"," * 1_000_000,
    b"x" * 3_000_000,
    b'"x' * 500_000,
    b'"x\r' * 100_000,
]
"""What would take for ever were each quote looked for again and again; what they take:
`bench/lines/lists/hostile_lists.py`."""


@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: repr(data[:12]))
def test_hostile_quotes_are_read_to_the_end(data: bytes) -> None:
    header, *rows = read(b"phone_number,name\n" + data)
    assert header.cells == ["phone_number", "name"]
    assert rows


def test_an_upload_is_refused_while_it_arrives() -> None:
    upload = Dribble(b"x" * 1_000_000, 1000)
    with pytest.raises(ListTooLarge, match="more than 5000 bytes"):
        spool(upload, Limits(max_bytes=5000), chunk=100)
    assert upload.taken <= 5100


@given(st.binary(max_size=3000), st.integers(1, 4000), st.integers(1, 4000))
def test_an_upload_within_the_limit_is_kept_as_it_came(data: bytes, chunk: int, piece: int) -> None:
    file, size, digest = spool(Dribble(data, piece), Limits(max_bytes=len(data)), chunk=chunk)
    with file:
        assert file.read() == data
    assert size == len(data)
    assert digest == hashlib.sha256(data).hexdigest()


def test_an_upload_that_breaks_off_leaves_no_file_behind() -> None:
    class Broken:
        def read(self, size: int, /) -> bytes:
            raise ConnectionResetError

    # A temporary file that is left open is a ResourceWarning, and so an error here.
    with pytest.raises(ConnectionResetError):
        spool(Broken(), Limits())


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "cp1252"])
def test_others_may_run_after_each_block_of_a_file(codec: str) -> None:
    data = ("phone_number,name\n" + '+12125550100,"Zoë"\n' * 50_000).encode(codec)
    calls: list[None] = []
    time_slice = TimeSlice(lambda: calls.append(None), interval=0)
    text = open_text(io.BytesIO(data), None, time_slice)
    blocks = len(calls)
    assert blocks >= len(data) // 65_536
    assert len(list(read_rows(text, Limits(), time_slice))) == 50_001
    assert len(calls) - blocks >= 50_000


def test_others_run_every_few_milliseconds() -> None:
    """By a clock that goes on by a millisecond with each look: the third look is late enough."""
    looks = itertools.count()
    turns: list[int] = []
    time_slice = TimeSlice(lambda: turns.append(1), now=lambda: next(looks) / 1000)
    after_each = []
    for _ in range(9):
        time_slice.check()
        after_each.append(len(turns))
    assert after_each == [0, 0, 1, 1, 1, 2, 2, 2, 3]


QUOTED_CELLS = st.sampled_from(['""', '"a"', '"a,b"', 'a"b', '"a""b"', ' "a"', '"a" ', '"', "a", "", " "])


@given(st.lists(QUOTED_CELLS | st.text('ab ",', max_size=4), min_size=1, max_size=6))
def test_a_plainly_quoted_row_has_the_cells_that_reading_it_quote_by_quote_gives(written: list[str]) -> None:
    line = ",".join(written)
    quick = plainly_quoted(line, ",")
    cells: list[str] = []
    fault = split_cells(line, 0, cells, ",", None)
    assert quick is None or (quick, None) == (cells, fault)


def test_most_quoted_rows_are_plainly_quoted() -> None:
    assert plainly_quoted('"a","b, c",,d,""', ",") == ["a", "b, c", "", "d", ""]
    assert plainly_quoted('a,"b""c"', ",") is None
