"""Writes XLSX workbooks as spreadsheets do, and as nobody should."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from xml.sax.saxutils import escape

Cell = str | int | float | bool | date | None
Rows = Sequence[Sequence[Cell]]

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/>'
    "</cellXfs></styleSheet>"
)
_STATE = {True: 'state="hidden"', False: ""}
EPOCH = date(1899, 12, 30)


def workbook(
    sheets: Mapping[str, Rows | str],
    *,
    hidden: Sequence[str] = (),
    parts: Mapping[str, str | bytes] | None = None,
) -> bytes:
    """A workbook of these sheets, by name: rows, or the XML of a `sheetData`; `parts` are put in place of its own."""
    strings: list[str] = []
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{at}" r:id="rId{at}" {_STATE[name in hidden]}/>'
        for at, name in enumerate(sheets, 1)
    )
    rels = "".join(
        f'<Relationship Id="rId{at}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{at}.xml"/>'
        for at in range(1, len(sheets) + 1)
    )
    rels += f'<Relationship Id="rS" Type="{OFFICE}/styles" Target="styles.xml"/>'
    rels += f'<Relationship Id="rT" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    made: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{TYPES}"/>',
        "_rels/.rels": f'<Relationships xmlns="{RELS}"><Relationship Id="r" Type="{OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{RELS}">{rels}</Relationships>',
        "xl/styles.xml": STYLES,
    }
    for at, rows in enumerate(sheets.values(), 1):
        data = rows if isinstance(rows, str) else _rows(rows, strings)
        made[f"xl/worksheets/sheet{at}.xml"] = (
            f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'
        )
    shared = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in strings)
    made["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">{shared}</sst>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in (made | dict(parts or {})).items():
            packed.writestr(name, text)
    return out.getvalue()


def _rows(rows: Rows, strings: list[str]) -> str:
    found = ""
    for at, row in enumerate(rows, 1):
        cells = (_cell(cell, f"{chr(64 + place)}{at}", strings) for place, cell in enumerate(row, 1))
        found += f'<row r="{at}">{"".join(cells)}</row>'
    return found


def _cell(cell: Cell, name: str, strings: list[str]) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        strings.append(cell)
        return f'<c r="{name}" t="s"><v>{len(strings) - 1}</v></c>'
    if isinstance(cell, bool):
        return f'<c r="{name}" t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, date):
        return f'<c r="{name}" s="1"><v>{(cell - EPOCH).days}</v></c>'
    return f'<c r="{name}"><v>{cell!r}</v></c>'
