"""CSV export, safe against formula injection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from api.times import to_rfc3339
from campaigns.text_marks import marked


class Dialled(str):
    """A phone number, or what numbers begin with, that the service wrote: a plus and digits, which is no formula."""

    __slots__ = ()


def csv_table(columns: Sequence[str], table: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """The lines of a table with its header; what a row has no value for is empty."""
    yield csv_row(*columns)
    for row in table:
        yield csv_row(*(_plain(row[column]) for column in columns))


def _plain(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return to_rfc3339(value) if isinstance(value, datetime) else value


def csv_row(*cells: object) -> str:
    """One line of RFC 4180; text that would be a formula gets an apostrophe in front (OWASP, CSV injection)."""
    return ",".join(_cell(cell) for cell in cells) + "\r\n"


def _cell(cell: object) -> str:
    if isinstance(cell, int | float | Dialled):
        return str(cell)
    text = marked(str(cell))
    if any(character in text for character in ',"\r\n;\t') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text
