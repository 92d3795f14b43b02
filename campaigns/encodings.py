"""Detects the encoding of an uploaded list, and decodes it."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from campaigns.errors import ListRefused, quoted
from campaigns.import_notes import ImportNotes
from campaigns.mojibake import looks_natural, looks_western, script_of, words_beyond_ascii
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
    (b"PK\x05\x06", "an empty zip file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z file"),
    (b"PAR1", "a Parquet file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"%PDF-", "a PDF"),
    (b"{\\rtf", "an RTF document"),
)
_NOT_CSV_TEXT = re.compile(
    rb"\s*(?:(?P<a_web_page><!doctype|<html|<table)|(?P<an_XML_file><\?xml)|(?P<a_contact_card>begin:vcard)"
    rb"|(?P<JSON>\[\s*\{|\{\s*\"))",
    re.IGNORECASE,
)
_WORKBOOK = b"PK\x03\x04"
ENOUGH_WORDS = 200
MOST_SUGGESTED = 4
_WESTERN = frozenset({"cp1252", "iso8859-1", "iso8859-15"})
_COMMON = ("cp1251", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "koi8-r", "cp852")
_DELIMITERS = re.compile('[,;|"]')
_ESCAPED = re.compile("[\udc80-\udcff]")


def is_workbook(file: BinaryIO) -> bool:
    """Whether a list, whose file is at its start then, is a zip, which an XLSX workbook is."""
    file.seek(0)
    head = file.read(len(_WORKBOOK))
    file.seek(0)
    return head == _WORKBOOK


def open_text(
    file: BinaryIO, encoding: str | None, time_slice: TimeSlice, notes: ImportNotes | None = None
) -> io.TextIOWrapper:
    """Find out how the file is encoded, make sure all of it decodes, and return a reader of its text.

    A byte order mark decides, then `encoding`, then what the bytes look like. UTF-8 in which some bytes are
    not UTF-8 is read with those as lone surrogates, so that only their rows are at fault. Bytes that are not UTF-8
    are taken for Windows-1252 where that makes words of a western language, which is noted; else the uploader is
    asked. What looks wrong of a named encoding is noted.
    Raises ListRefused: not_csv, unknown_encoding, encoding_needed, not_decodable.
    """
    notes = notes or ImportNotes()
    named = None if encoding is None else _codec_named(encoding)
    file.seek(0)
    head = file.read(4096)
    for magic, what in _NOT_CSV:
        if head.startswith(magic):
            raise ListRefused("not_csv", f"contacts is {what}, not CSV; save the list as CSV")
    if named is None and (found := _NOT_CSV_TEXT.match(head.removeprefix(codecs.BOM_UTF8))):
        what = (found.lastgroup or "").replace("_", " ")
        raise ListRefused("not_csv", f"contacts is {what}, not CSV; save the list as CSV")
    bom, marked = next(((bom, codec) for bom, codec in _BOMS if head.startswith(bom)), (b"", None))
    codec = marked or named or _unmarked_utf16(head) or _utf8_or_cp1252(file, time_slice)
    errors = "surrogateescape" if codec == "utf-8" and named is None else "strict"
    if not bom and named is None and codec == "cp1252":
        _check_guess(file, time_slice, notes)
    if errors == "strict":
        _all_decodes(file, len(bom), codec, time_slice)
    if named is not None and not bom:
        _check_named(file, named, time_slice, notes)
    notes.encoding = codec
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
            f"save it as UTF-8, or name its encoding in the field encoding",
        ) from failure


def _check_guess(file: BinaryIO, time_slice: TimeSlice, notes: ImportNotes) -> None:
    """Note that the list was read as Windows-1252. Raises ListRefused (encoding_needed) where it hardly is."""
    words = _words(file, "cp1252", time_slice)
    if looks_western(words):
        notes.warn(
            f"contacts is not UTF-8 and was read as windows-1252 ({quoted(_shown(words))}); if that is wrong, "
            f"name its encoding in the field encoding"
        )
        return
    file.seek(0)
    suggested = " or ".join(_suggestions(file.read(BLOCK)))
    raise ListRefused(
        "encoding_needed",
        f"contacts is not UTF-8, and as windows-1252 it says {quoted(_shown(words))}"
        + (f"; it may be {suggested}" if suggested else "")
        + ": save it as UTF-8, or name its encoding in the field encoding",
    )


def _check_named(file: BinaryIO, codec: str, time_slice: TimeSlice, notes: ImportNotes) -> None:
    words = _words(file, codec, time_slice)
    natural = looks_western(words) if codec in _WESTERN else looks_natural(words)
    if not natural:
        notes.warn(
            f"contacts was read as {codec}, as encoding says, and holds {quoted(_shown(words))}, which looks like "
            f"another encoding's text"
        )


def _words(file: BinaryIO, codec: str, time_slice: TimeSlice) -> list[str]:
    """Words with anything beyond ASCII in them, about the first 200."""
    decoder = codecs.getincrementaldecoder(codec)("replace")
    words: list[str] = []
    for block in _blocks(file, 0, time_slice):
        words += words_beyond_ascii(_DELIMITERS.sub(" ", decoder.decode(block)))
        if len(words) >= ENOUGH_WORDS:
            break
    return words


def _shown(words: list[str]) -> str:
    return " ".join(dict.fromkeys(words[:3]))


def _suggestions(data: bytes) -> list[str]:
    """Encodings in which these bytes are words of some script, one for each, with what they say; the detector's
    likeliest first."""
    import chardet

    found: dict[str, str] = {}
    guesses = [guess["encoding"] or "" for guess in chardet.detect_all(data, ignore_threshold=True)]
    for name in (*guesses, *_COMMON):
        try:
            codec = _codec_named(name)
            words = words_beyond_ascii(_DELIMITERS.sub(" ", data.decode(codec)))
        except (ListRefused, UnicodeDecodeError):
            continue
        script = script_of(words)
        western = codec in _WESTERN
        if words and looks_natural(words) and script not in found and not western and codec[:3] != "utf":
            found[script] = f"{codec} ({quoted(_shown(words))})"
    return list(found.values())[:MOST_SUGGESTED]
