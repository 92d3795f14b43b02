"""CSV export, safe against formula injection."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_row(*cells: object) -> str:
    """One line of RFC 4180; text that would be a formula gets an apostrophe in front (OWASP, CSV injection)."""
    return ",".join(_cell(cell) for cell in cells) + "\r\n"


def _cell(cell: object) -> str:
    if isinstance(cell, int):
        return str(cell)
    text = str(cell)
    if text.lstrip(" \n\v\f").startswith(FORMULA):
        text = "'" + text
    if any(character in text for character in ',"\r\n;\t') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text
