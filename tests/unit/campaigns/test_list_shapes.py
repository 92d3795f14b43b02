"""The shapes in which people export lists, in one table: what must come out of each, written from the rule.

A row goes in as the number that a person of that region means, or is refused with its column, the reason and what to
do; never as another number. All names and numbers are fictional.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import pytest

from campaigns.columns import Limits
from campaigns.errors import ListRefused
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import AcceptedRow, RejectedRow
from campaigns.importer import read_list

A, B = "+12025550101", "+12025550102"
OUTLOOK = [f"Business Street {n}" for n in range(88)] + [
    "First Name",
    "Mobile Phone",
    "phone_number",
    "Notes",
]


@dataclass(frozen=True)
class Shape:
    """A file: the numbers that go in, the codes of rows that do not, or the code of the list's refusal with words."""

    name: str
    text: str | bytes
    numbers: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    refused: str | None = None
    words: str = ""
    region: str = "US"
    columns: list[str] | None = None
    variables: list[str] | None = None
    warns: str = ""
    encoding: str | None = None


def cells(*numbers: str) -> str:
    """A list of one column."""
    return "phone_number,n\n" + "".join(f'"{number}",x\n' for number in numbers)


SHAPES = [
    Shape("a contacts export with two numbers in a cell", cells("+1 202-555-0101 ::: +1 202-555-0104", B), [B],
          ["several_numbers"]),
    Shape("numbers with extensions", cells("202-555-0121 ext. 5", "202-555-0123#5", "+1 202 555 0120 x1", B), [B],
          ["invalid_number"] * 3),
    Shape("what spreadsheets make of numbers", cells("2025550101.0", "'2025550102", '=""2025550103""', "2.03E+09"),
          [A, B, "+12025550103"], ["excel_scientific"]),
    Shape("dates, amounts and ranges", cells("2026-11-29", "29.11.2026", "20261129", "1234.56", "202-555-0106-1", A),
          [A], ["date", "date", "date", "amount", "number_range"]),
    Shape("decimals that are zeros", cells("+43 1 5123456.00", "+358 9 123456.00"), ["+4315123456", "+3589123456"],
          region="GB"),
    Shape("a second number behind a slash", cells("06 1234567 / 68", "06 12345678.00", "06 1234567-8"),
          ["+390612345678"], ["several_numbers", "number_range"], region="IT"),
    Shape("a country's code in brackets", cells("(+44) 20 7946 0101", "+44 (0)20 7946 0102", "+44 20 7946 0118 (0)"),
          ["+442079460101", "+442079460102"], ["invalid_number"], region="GB"),
    Shape("a dialer's own export with phone_code",
          "list_id,phone_code,phone_number,country_code\n1,1,2025550101,USA\n1,44,2079460018,GBR\n1,44,2025550102,GBR\n",
          [A, "+442079460018"], ["invalid_number"]),
    Shape("92 columns", ",".join(OUTLOOK) + "\n" + "," * 88 + f"Ann,,{A},x\n", [A]),
    Shape("201 columns", "phone_number," + ",".join(f"c{n}" for n in range(200)) + "\n", refused="too_many_columns",
          words="at most 200 are allowed: leave out some"),
    Shape("names in Cyrillic", f"phone_number;Имя;Год\n{A};Анна;1980\n", [A], columns=["Имя", "Год"],
          variables=["carillon_imya", "carillon_god"]),
    Shape("names in Arabic, Chinese and Korean", f"phone_number,الاسم,姓名,이름\n{A},ليلى,李雷,지수\n", [A],
          columns=["الاسم", "姓名", "이름"]),
    Shape("emoji for names", f"phone_number,👍,👎\n{A},y,n\n", [A], columns=["👍", "👎"]),
    Shape("names that are one variable", f"phone_number,E-mail,E mail\n{A},a,b\n", [A], columns=["E-mail", "E mail"],
          variables=["carillon_e_mail", "carillon_e_mail_2"]),
    Shape("repeated and unnamed names", f"phone_number,Notes,,Notes\n{A},a,b,c\n", [A],
          columns=["Notes", "column_3", "Notes 2"]),
    Shape("a title above the header", f"Table 1,,\nphone_number,name,\n{A},Ann,\n", [A], warns="Table 1"),
    Shape("a comment above the header", f"# exported\nphone_number,name\n{A},Ann\n", [A], warns="# exported"),
    Shape("rows quoted whole", f'"phone_number,name"\n"{A},Ann"\n"{B},""Bell, Bob"""\n', [A, B], columns=["name"]),
    Shape("sep= in capitals", f"SEP=;\r\nphone_number;name\r\n{A};Ann\r\n", [A], columns=["name"]),
    Shape("sep= with a blank", f"sep=; \r\nphone_number;name\r\n{A};Ann\r\n", [A], columns=["name"]),
    Shape("sep= in quotes behind a mark", f'\ufeff"sep=;"\r\nphone_number;name\r\n{A};Ann\r\n', [A]),
    Shape("sep= of a tab in UTF-16", f"sep=\t\r\nphone_number\tname\r\n{A}\tAnn\r\n".encode("utf-16"), [A]),
    Shape("sep= of a tilde", f"sep=~\nphone_number~name\n{A}~Ann\n", [A], columns=["name"]),
    Shape("the end of a DOS file", f"phone_number,name\r\n{A},Ann\r\n\x1a", [A]),
    Shape("wide and invisible signs in the header", f"phone\u200b＿number\u00a0,name\n{A},Ann\n", [A]),
    Shape("a letter of another script", f"рhone_number,name\n{A},Ann\n", refused="no_phone_column",
          words="letters of another script"),
    Shape("columns separated by a caret", f"phone_number^name\n{A}^Ann\n", refused="no_phone_column", words="'^'"),
    Shape("columns of fixed width", f"phone_number   name\n{A}   Ann\n", refused="no_phone_column", words="spaces"),
    *(
        Shape(f"numbers under {name}", f"Name,{name},Other\nAnn,{A},x\n", refused="no_phone_column",
              words=f"if the numbers are in '{name}' name that column phone_number")
        for name in ("Telefonnummer", "Celular", "Teléfono", "Телефон", "电话号码", "Handy", "Telefone", "טלפון",
                     "رقم الهاتف", "Phone Number", "phoneNumber", "Tel No.", "Cellphone", "lead_phone", "Number")
    ),
    Shape("fax first", f"Fax Number,Phone Type,Primary\n,mobile,{A}\n", refused="no_phone_column",
          words="in 'Primary' name"),
    Shape("an empty column first", f"Home Phone,Mobile Phone\n,{A}\n", refused="no_phone_column",
          words="in 'Mobile Phone' name"),
    Shape("no numbers at all", "Email,Microphone,Phone Type\na@example.com,yes,mobile\n", refused="no_phone_column",
          words="name the one that holds the numbers phone_number"),
    *(
        Shape(f"{text} in {codec}", f"phone_number;name\n{A};{text}\n".encode(codec), refused="encoding_needed",
              words=f"'{text}'")
        for text, codec in (("Москва", "cp1251"), ("Łukasz Żółć", "cp1250"), ("Işıl Şğ", "cp1254"), ("李雷", "gbk"),
                            ("王小明", "big5"), ("ヤマダ", "cp932"), ("김지수", "euc_kr"), ("Анна", "koi8_r"),
                            ("ליאת", "cp1255"))
    ),
    Shape("western text", f"phone_number;name\n{A};Jürgen\n".encode("cp1252"), [A], warns="windows-1252 ('Jürgen')"),
    Shape("text of the encoding that is named", f"phone_number;имя\n{A};Москва\n".encode("cp1251"), [A],
          encoding="windows-1251", columns=["имя"]),
    Shape("text of another than is named", f"phone_number;name\n{A};Москва\n".encode("cp1251"), [A],
          encoding="windows-1252", warns="'Ìîñêâà', which looks like another encoding's text"),
    Shape("text of another alphabet that was stored as western", f"phone_number,name\n{A},Ìîñêâà\n", [A],
          warns="'Ìîñêâà', which looks like 'Москва' read as Windows-1252"),
    Shape("such text below other names", f"phone_number,name\n{A},Zoë\n{B},Àííà Èâàíîâà\n", [A, B],
          warns="'Àííà Èâàíîâà', which looks like 'Анна'"),
    Shape("a header encoded twice", f"phone_number,PrÃ©nom\n{A},Ann\n", [A], warns="the header holds 'PrÃ©nom'"),
    Shape("text encoded twice", f"phone_number,name\n{A},ZoÃ«\n", [A], warns="'ZoÃ«', which looks like 'Zoë'"),
    Shape("a web page", "<!DOCTYPE html>\n<html><body>phone</body></html>", refused="not_csv", words="a web page"),
    Shape("JSON", '[{"phone_number": "+12025550101"}]', refused="not_csv", words="JSON"),
    Shape("a contact card", "BEGIN:VCARD\nTEL:+12025550101\n", refused="not_csv", words="a contact card"),
    Shape("XML", '<?xml version="1.0"?><Workbook/>', refused="not_csv", words="an XML file"),
    Shape("an archive", b"7z\xbc\xaf\x27\x1c" + b"\0" * 26, refused="not_csv", words="a 7z file"),
    Shape("totals below", f"phone_number,amount\n{A},5\nTotal,12\n", [A], ["invalid_number"]),
    Shape("a second header", f"phone_number,name\nphone_number,name\n{A},Ann\n", [A], ["invalid_number"]),
    Shape("a delimiter in a cell", f"phone_number,note\n{A},after 5, not before\n{B},ok\n", [B], ["too_many_cells"]),
]  # fmt: skip


def read(shape: Shape, notes: ImportNotes) -> tuple[list[AcceptedRow], list[RejectedRow]]:
    data = shape.text.encode() if isinstance(shape.text, str) else shape.text
    batches = list(
        read_list(
            io.BytesIO(data),
            default_region=shape.region,
            limits=Limits(),
            encoding=shape.encoding,
            notes=notes,
        )
    )
    return [row for one in batches for row in one.accepted], [row for one in batches for row in one.rejected]


@pytest.mark.parametrize("shape", [one for one in SHAPES if not one.refused], ids=lambda one: one.name)
def test_a_shape_goes_in_as_its_people_mean_it(shape: Shape) -> None:
    notes = ImportNotes()
    accepted, rejected = read(shape, notes)
    assert [row.phone_number for row in accepted] == shape.numbers
    assert [row.code for row in rejected] == shape.rejected
    for row in rejected:
        assert row.column == "phone_number" or row.code == "too_many_cells"
        assert ";" in row.reason, "what to do stands behind what is wrong"
    if shape.columns is not None:
        assert [column.name for column in notes.custom] == shape.columns
        assert [list(row.custom_fields) for row in accepted] == [shape.columns] * len(accepted)
    if shape.variables is not None:
        assert [column.variable for column in notes.custom] == shape.variables
    variables = [column.variable for column in notes.custom]
    assert len(set(variables)) == len(variables)
    assert any(shape.warns in warning for warning in notes.warnings) if shape.warns else notes.warnings == []


@pytest.mark.parametrize("shape", [one for one in SHAPES if one.refused], ids=lambda one: one.name)
def test_a_shape_that_cannot_be_read_is_refused_with_what_to_do(shape: Shape) -> None:
    with pytest.raises(ListRefused) as refused:
        read(shape, ImportNotes())
    assert refused.value.code == shape.refused
    assert shape.words in refused.value.message
    assert refused.value.message.isprintable()
