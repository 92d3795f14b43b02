"""Files as people really upload them: each comes out right, or is refused in one precise sentence."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import pytest

from campaigns.columns import Limits
from campaigns.errors import ListRefused
from campaigns.import_rows import AcceptedRow, RejectedRow
from campaigns.importer import read_list

A = "+12125550100"
B = "+12125550101"
C = "+12125550102"


@dataclass(frozen=True)
class Nasty:
    """A file, and what must become of it."""

    name: str
    data: bytes
    accepted: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    refused: str | None = None
    encoding: str | None = None


ZOE = [(2, A, {"name": "Zoë €5"}), (3, B, {"name": "O'Brien"})]
ZOE_TEXT = f"phone_number,name\n{A},Zoë €5\n{B},O'Brien\n"
CYRILLIC = f"phone_number;имя\n{A};Пётр\n"
ADA = [(2, A, {"name": "Ada"})]

RIGHT = [
    Nasty("utf-8", ZOE_TEXT.encode(), ZOE),
    Nasty("utf-8 with a byte order mark", ZOE_TEXT.encode("utf-8-sig"), ZOE),
    Nasty("a mark before a quoted header", f'\ufeff"phone_number","name"\n{A},Ada\n'.encode(), ADA),
    Nasty("two marks", f"\ufeff\ufeffphone_number,name\n{A},Ada\n".encode(), ADA),
    Nasty("utf-16 little endian with a mark", ZOE_TEXT.encode("utf-16"), ZOE),
    Nasty("utf-16 big endian with a mark", b"\xfe\xff" + ZOE_TEXT.encode("utf-16-be"), ZOE),
    Nasty("utf-16 little endian without a mark", ZOE_TEXT.encode("utf-16-le"), ZOE),
    Nasty("utf-16 big endian without a mark", ZOE_TEXT.encode("utf-16-be"), ZOE),
    Nasty("utf-16 in Cyrillic", CYRILLIC.encode("utf-16-le"), [(2, A, {"имя": "Пётр"})]),
    Nasty("utf-32 with a mark", ZOE_TEXT.encode("utf-32"), ZOE),
    Nasty("windows-1252", ZOE_TEXT.encode("cp1252"), ZOE),
    Nasty(
        "windows-1252 with mostly accents",
        f"phone_number,name\n{A},Éléonore Müßig\n".encode("cp1252"),
        [(2, A, {"name": "Éléonore Müßig"})],
    ),
    Nasty(
        "windows-1252 with a pair that utf-8 has too",
        f"phone_number,name\n{A},BjörnÃ©\n{B},Zoë\n".encode("cp1252"),
        [(2, A, {"name": "BjörnÃ©"}), (3, B, {"name": "Zoë"})],
    ),
    Nasty(
        "latin-2 by name",
        f"phone_number,name\n{A},Łódź\n".encode("iso8859-2"),
        [(2, A, {"name": "Łódź"})],
        encoding="latin2",
    ),
    Nasty(
        "windows-1251 by name", CYRILLIC.encode("cp1251"), [(2, A, {"имя": "Пётр"})], encoding="windows-1251"
    ),
    Nasty("a mark outranks the named encoding", ZOE_TEXT.encode("utf-8-sig"), ZOE, encoding="cp1252"),
    Nasty("semicolons", f"phone_number;name\n{A};Doe, Jane\n".encode(), [(2, A, {"name": "Doe, Jane"})]),
    Nasty("tabs", f"phone_number\tname\n{A}\tAda\n".encode(), ADA),
    Nasty("pipes", f"phone_number|name\n{A}|Ada\n".encode(), ADA),
    Nasty(
        "a semicolon header with more commas than semicolons",
        f"phone_number;name, first, last, or any\n{A};Ada\n".encode(),
        [(2, A, {"name, first, last, or any": "Ada"})],
    ),
    Nasty(
        "delimiters of another kind inside a quoted name",
        f'phone_number,"a;b;c"\n{A},Ada\n'.encode(),
        [(2, A, {"a;b;c": "Ada"})],
    ),
    Nasty(
        "a spreadsheet's sep= line", f"sep=;\r\nphone_number;name\r\n{A};Ada\r\n".encode(), [(3, *ADA[0][1:])]
    ),
    Nasty("one column", f"phone_number\n{A}\n{B}\n".encode(), [(2, A, {}), (3, B, {})]),
    Nasty("CRLF", ZOE_TEXT.replace("\n", "\r\n").encode(), ZOE),
    Nasty("CR alone", ZOE_TEXT.replace("\n", "\r").encode(), ZOE),
    Nasty(
        "mixed line ends",
        f"phone_number,name\r{A},Ada\r\n{B},Bob\n{C},Cyd".encode(),
        [*ADA, (3, B, {"name": "Bob"}), (4, C, {"name": "Cyd"})],
    ),
    Nasty("no newline at the end", f"phone_number,name\n{A},Ada".encode(), ADA),
    Nasty("blank lines at the end", f"phone_number,name\n{A},Ada\n\n \n,\n\r\n".encode(), ADA),
    Nasty(
        "blank lines before the header and between",
        f"\n\nphone_number,name\n\n{A},Ada\n".encode(),
        [(5, *ADA[0][1:])],
    ),
    Nasty(
        "a delimiter and quotes in quotes",
        f'phone_number,name\r\n{A},"Doe, ""J"""\r\n'.encode(),
        [(2, A, {"name": 'Doe, "J"'})],
    ),
    Nasty("all quoted", f'"phone_number","name"\n"{A}","Ada"\n'.encode(), ADA),
    Nasty("a blank before a quote", f'phone_number, "name"\n{A}, "Ada" \n'.encode(), ADA),
    Nasty(
        "a quote in the middle", f'phone_number,name\n{A},5" pipe\n'.encode(), [(2, A, {"name": '5" pipe'})]
    ),
    Nasty("an empty quoted cell", f'phone_number,name\n{A},""\n'.encode(), [(2, A, {"name": ""})]),
    Nasty("a header with blanks", f" Phone_Number , name \n{A},Ada\n".encode(), ADA),
    Nasty("the number last", f"name,phone_number\nAda,{A}\n".encode(), ADA),
    Nasty("unnamed columns at the end", f"phone_number,name,,\n{A},Ada,,\n".encode(), ADA),
    Nasty("fewer cells than columns", f"phone_number,name\n{A}\n".encode(), [(2, A, {"name": ""})]),
    Nasty(
        "a name of spaces is kept", f"phone_number,name\n{A}, Ada \n".encode(), [(2, A, {"name": " Ada "})]
    ),
    Nasty(
        "form feeds and line separators are no line ends",
        f"phone_number,name\n{A},a\u2028b\x85c\n".encode(),
        [(2, A, {"name": "a\u2028b\x85c"})],
    ),
    Nasty("emoji", f"phone_number,name\n{A},🔔👩🏽‍🦰\n".encode(), [(2, A, {"name": "🔔👩🏽‍🦰"})]),
    Nasty("a formula around the number", f'phone_number,name\n"=""{A}""",Ada\n'.encode(), ADA),
    Nasty(
        "what looks dangerous and is not",
        f"phone_number|name\n{A}|a,b='c' \\n $5 {{x}} ^^:y\n".encode(),
        [(2, A, {"name": "a,b='c' \\n $5 {x} ^^:y"})],
    ),
]
RIGHT += [
    Nasty("a column twice", f"phone_number,n,n\n{A},a,b\n".encode(), [(2, A, {"n": "a", "n 2": "b"})]),
    Nasty(
        "two columns that are one variable",
        f"phone_number,Order ID,order-id\n{A},a,b\n".encode(),
        [(2, A, {"Order ID": "a", "order-id": "b"})],
    ),
    Nasty(
        "a column without a name",
        f"phone_number,,name\n{A},a,b\n".encode(),
        [(2, A, {"column_2": "a", "name": "b"})],
    ),
]
PARTLY = [
    Nasty(
        "a bad number",
        f"phone_number,name\nnone,Bob\n{A},Ada\n".encode(),
        [(3, *ADA[0][1:])],
        [(2, "invalid_number")],
    ),
    Nasty(
        "no number",
        f"phone_number,name\n,Bob\n{A},Ada\n".encode(),
        [(3, *ADA[0][1:])],
        [(2, "missing_number")],
    ),
    Nasty(
        "the same number written twice",
        f"phone_number,name\n{A},Ada\n(212) 555-0100,Ada again\n".encode(),
        ADA,
        [(3, "duplicate")],
    ),
    Nasty(
        "a spreadsheet's rounding",
        f"phone_number,name\n{A},Ada\n1.21256E+10,Bob\n".encode(),
        ADA,
        [(3, "excel_scientific")],
    ),
    Nasty(
        "more cells than columns",
        f"phone_number,name\n{A},Ada\n{B},Bob,x\n".encode(),
        ADA,
        [(3, "too_many_cells")],
    ),
    Nasty(
        "a quote never closed, at the end",
        f'phone_number,name\n{A},Ada\n{B},"Bob\n{C},Cyd\n'.encode(),
        [*ADA, (4, C, {"name": "Cyd"})],
        [(3, "unterminated_quote")],
    ),
    Nasty(
        "a quote closed by the next row's",
        f'phone_number,name\n{A},"Ada\n{B},"Bob"\n'.encode(),
        [(3, B, {"name": "Bob"})],
        [(2, "unterminated_quote")],
    ),
    Nasty(
        "a lone quote on the last line",
        f'phone_number,name\n{A},Ada\n"'.encode(),
        ADA,
        [(3, "unterminated_quote")],
    ),
    Nasty(
        "text after a closing quote",
        f'phone_number,name\n"{A}"5,Bob\n{B},Ada\n'.encode(),
        [(3, B, {"name": "Ada"})],
        [(2, "bad_quotes")],
    ),
    Nasty(
        "a newline in quotes",
        f'phone_number,name\n{A},Ada\n{B},"Bob\nSmith"\n{C},Cyd\n'.encode(),
        [*ADA, (3, B, {"name": "Bob\nSmith"}), (5, C, {"name": "Cyd"})],
    ),
    Nasty(
        "a newline in a quoted number is trimmed",
        f'phone_number,name\n"{A}\r\n",Ada\n{B},Bob\n'.encode(),
        [*ADA, (4, B, {"name": "Bob"})],
    ),
    Nasty("zero bytes", f"phone_number,name\n{A},Ada\n{B},B\x00b\n".encode(), ADA, [(3, "unsafe_value")]),
    Nasty(
        "zero bytes in a number",
        f"phone_number,name\n{A},Ada\n{B}\x00,Bob\n".encode(),
        ADA,
        [(3, "invalid_number")],
    ),
    Nasty(
        "a few bytes that are not utf-8",
        f"phone_number,name\n{A},Zoë €5\n{B},".encode() + b"Bj\xf6rn\n",
        [ZOE[0]],
        [(3, "undecodable")],
    ),
    Nasty(
        "a character cut off at the end",
        f"phone_number,name\n{A},Zoë €5\n{B},Zo".encode() + b"\xc3",
        [ZOE[0]],
        [(3, "undecodable")],
    ),
    Nasty("an open brace", f"phone_number,name\n{A},Ada\n{B},{{Bob\n".encode(), ADA, [(3, "unsafe_value")]),
    Nasty("an expansion", f"phone_number,name\n{A},Ada\n{B},${{x}}\n".encode(), ADA, [(3, "unsafe_value")]),
    Nasty(
        "a long cell", f"phone_number,name\n{A},Ada\n{B},{'x' * 1001}\n".encode(), ADA, [(3, "cell_too_long")]
    ),
    Nasty(
        "a very long line",
        f"phone_number,name\n{A},Ada\n{B},{'x' * 500_000}\n{C}\n".encode(),
        [
            *ADA,
            (4, C, {"name": ""}),
        ],
        [(3, "row_too_long")],
    ),
    Nasty(
        "a line of delimiters and one cell",
        f"phone_number,name\n{A},Ada\n{',' * 5000}x\n".encode(),
        ADA,
        [(3, "too_many_cells")],
    ),
    Nasty("emergency", f"phone_number,name\n{A},Ada\n911,Bob\n".encode(), ADA, [(3, "emergency_number")]),
    Nasty("premium", f"phone_number,name\n{A},Ada\n+19005551234,Bob\n".encode(), ADA, [(3, "premium")]),
    Nasty("a short code", f"phone_number,name\n{A},Ada\n411,Bob\n".encode(), ADA, [(3, "short_code")]),
]
REFUSED = [
    Nasty("nothing", b"", refused="no_rows"),
    Nasty("a mark and nothing", b"\xef\xbb\xbf", refused="no_rows"),
    Nasty("blank lines only", b"\n\r\n  \n", refused="no_rows"),
    Nasty("a header only", b"phone_number,name\n", refused="no_rows"),
    Nasty("no good row", b"phone_number,name\nx,Ada\n", refused="no_good_row"),
    Nasty("no header", f"{A},Ada\n{B},Bob\n".encode(), refused="no_phone_column"),
    Nasty("Phone", f"Phone,name\n{A},Ada\n".encode(), refused="no_phone_column"),
    Nasty("Mobile", f"name;Mobile\nAda;{A}\n".encode(), refused="no_phone_column"),
    Nasty("the number twice", f"phone_number,PHONE_NUMBER\n{A},{B}\n".encode(), refused="duplicate_column"),
    Nasty("a long column name", f"phone_number,{'n' * 65}\n{A},a\n".encode(), refused="bad_column"),
    Nasty("a zero byte in a column name", f"phone_number,a\x00b\n{A},a\n".encode(), refused="bad_column"),
    Nasty(
        "201 columns",
        ("phone_number," + ",".join(f"c{n}" for n in range(200)) + "\n").encode(),
        refused="too_many_columns",
    ),
    Nasty(
        "an open quote in the header", f'phone_number,"name\n{A},a\n'.encode(), refused="unterminated_quote"
    ),
    Nasty(
        "text after a quote in the header", f'"phone_number"s,name\n{A},a\n'.encode(), refused="bad_quotes"
    ),
    Nasty("an Excel workbook", b"PK\x03\x04\x14\x00\x06\x00", refused="not_csv"),
    Nasty("an old Excel file", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", refused="not_csv"),
    Nasty("a gzip file", b"\x1f\x8b\x08\x00", refused="not_csv"),
    Nasty(
        "neither utf-8 nor windows-1252", b"phone_number,name\n\x81\x8d\x8f,x\n", refused="encoding_needed"
    ),
    Nasty("utf-16 cut in the middle of a character", ZOE_TEXT.encode("utf-16")[:-1], refused="not_decodable"),
    Nasty(
        "not the encoding it was said to be",
        "phone_number\né".encode("cp1252"),
        refused="not_decodable",
        encoding="utf-8",
    ),
    Nasty("an unknown encoding", b"phone_number\n", refused="unknown_encoding", encoding="klingon"),
    Nasty("a codec that is not text", b"phone_number\n", refused="unknown_encoding", encoding="zlib_codec"),
    Nasty("a codec for evading filters", b"phone_number\n", refused="unknown_encoding", encoding="utf-7"),
]


def read(nasty: Nasty) -> tuple[list[AcceptedRow], list[RejectedRow]]:
    batches = list(
        read_list(io.BytesIO(nasty.data), default_region="US", limits=Limits(), encoding=nasty.encoding)
    )
    return [row for batch in batches for row in batch.accepted], [
        row for batch in batches for row in batch.rejected
    ]


@pytest.mark.parametrize("nasty", RIGHT + PARTLY, ids=lambda nasty: nasty.name)
def test_a_list_comes_out_as_it_was_meant(nasty: Nasty) -> None:
    accepted, rejected = read(nasty)

    assert [(row.line, row.phone_number, row.custom_fields) for row in accepted] == nasty.accepted
    assert [(row.line, row.code) for row in rejected] == nasty.rejected
    assert all(row.reason and "\x00" not in row.raw and len(row.raw) <= 1000 for row in rejected)
    assert all(row.raw.encode() or row.code == "missing_number" for row in rejected)


@pytest.mark.parametrize("nasty", REFUSED, ids=lambda nasty: nasty.name)
def test_a_list_that_cannot_be_used_is_refused_in_one_sentence(nasty: Nasty) -> None:
    with pytest.raises(ListRefused) as refused:
        read(nasty)
    assert refused.value.code == nasty.refused
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 400


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("Phone,name", "'Phone'"),
        ("name,MOBILE", "'MOBILE'"),
        ("Phone Number,name", "'Phone Number'"),
        ("phone-number,name", "'phone-number'"),
        ("phonenumber,name", "'phonenumber'"),
        ("phone_nubmer,name", "'phone_nubmer'"),
        ("name,Customer Mobile", "'Customer Mobile'"),
        ("Tel.,name", "'Tel.'"),
    ],
)
def test_the_column_that_was_probably_meant_is_named(header: str, meant: str) -> None:
    cells = [A if f"'{name}'" == meant else "x" for name in header.split(",")]
    with pytest.raises(ListRefused) as refused:
        read(Nasty("", f"{header}\n{','.join(cells)}\n".encode()))
    assert refused.value.message == (
        f"contacts has no phone_number column, which is required; "
        f"if the numbers are in {meant} name that column phone_number"
    )


def test_there_are_enough_of_them() -> None:
    assert len({nasty.data for nasty in RIGHT + PARTLY + REFUSED}) >= 40
