"""Detects the encoding of an uploaded list, and decodes it."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from campaigns.errors import ListRefused, quoted
from campaigns.time_slice import TimeSlice

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


def open_text(file: BinaryIO, encoding: str | None, time_slice: TimeSlice) -> io.TextIOWrapper:
    """Find out how the file is encoded, make sure all of it decodes, and return a reader of its text.

    A byte order mark decides, then `encoding`, then what the bytes look like. UTF-8 in which some bytes are
    not UTF-8 is read with those as lone surrogates, so that only their rows are at fault.
    Raises ListRefused: not_csv, unknown_encoding, not_decodable.
    """
    named = None if encoding is None else _codec_named(encoding)
    file.seek(0)
    head = file.read(4096)
    for magic, what in _NOT_CSV:
        if head.startswith(magic):
            raise ListRefused("not_csv", f"contacts is {what}, not CSV; save the list as CSV")
    bom, marked = next(((bom, codec) for bom, codec in _BOMS if head.startswith(bom)), (b"", None))
    codec = marked or named or _unmarked_utf16(head) or _utf8_or_cp1252(file, time_slice)
    errors = "surrogateescape" if codec == "utf-8" and named is None else "strict"
    if errors == "strict":
        _all_decodes(file, len(bom), codec, time_slice)
    file.seek(len(bom))
    return io.TextIOWrapper(file, encoding=codec, errors=errors, newline="")


def _codec_named(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        name = ""
    if not _OFFERED.fullmatch(name):
        raise ListRefused(
            "unknown_encoding", f"encoding is {quoted(encoding)}, which is not a known text encoding"
        )
    return name


def _unmarked_utf16(head: bytes) -> str | None:
    """UTF-16 without a byte order mark shows in the zero bytes of its ASCII characters, all on one side."""
    pairs = len(head) // 2
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd * 10 >= pairs * 3 and even * 10 <= odd and odd:
        return "utf-16-le"
    if even * 10 >= pairs * 3 and odd * 10 <= even and even:
        return "utf-16-be"
    return None


def _blocks(file: BinaryIO, start: int, time_slice: TimeSlice) -> Iterator[bytes]:
    file.seek(start)
    while block := file.read(BLOCK):
        yield block
        time_slice.check()


def _utf8_or_cp1252(file: BinaryIO, time_slice: TimeSlice) -> str:
    """UTF-8 unless most of what is not ASCII says otherwise: Windows-1252 text hardly ever is valid UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    wrong = right = 0
    for block in _blocks(file, 0, time_slice):
        text = decoder.decode(block)
        if not text.isascii():
            escaped = len(_ESCAPED.findall(text))
            wrong += escaped
            right += len(text) - len(text.encode("ascii", "ignore")) - escaped
    wrong += len(decoder.decode(b"", True))
    return "cp1252" if wrong > right else "utf-8"


def _all_decodes(file: BinaryIO, start: int, codec: str, time_slice: TimeSlice) -> None:
    decoder = codecs.getincrementaldecoder(codec)("strict")
    line = 1
    try:
        for block in _blocks(file, start, time_slice):
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
