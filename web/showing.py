"""How the board writes times, durations, shares and bars, and the links from page to page of a list. Pure.

What a browser makes of times in its own zone and language is in board.js.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup

from web.sentences import figure, sentence

PER_PAGE: Final = 50
BAR: Final = 1000
SECOND: Final = "%Y-%m-%d %H:%M:%S UTC"
PLAIN: Final = {"clock": "%H:%M:%S UTC", "day": "%Y-%m-%d", "dated": SECOND, "second": SECOND}


def moment(value: datetime | str) -> datetime:
    """A time as the API or a row tells it."""
    return datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value


def rfc3339(value: datetime | str) -> str:
    """For `<time datetime>`."""
    return moment(value).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain_time(value: datetime | str, kind: str) -> str:
    """What stands there until the browser has written it in the viewer's zone, and where it runs no scripts."""
    at = moment(value).astimezone(UTC)
    return at.strftime(PLAIN.get(kind, "%Y-%m-%d %H:%M UTC"))


def timed(value: datetime | str, kind: str = "moment") -> Markup:
    """A time, as the browser is to write it: a `moment`, or that to the `second`, each with its day where that is not
    today; its `clock`, its `day`, or both of these (`dated`)."""
    return Markup('<time datetime="{}" data-show="{}">{}</time>').format(
        rfc3339(value), kind, plain_time(value, kind)
    )


def share(part: int, whole: int) -> Markup:
    """`46 %`; a dash of nothing. Neither rounds a part away nor up to the whole."""
    if not whole:
        return Markup("–")
    percent = round(100 * part / whole)
    if part and not percent:
        return sentence("{} {} %", "<", figure(1))
    if part < whole and percent == 100:
        return sentence("{} {} %", ">", figure(99))
    return sentence("{} %", figure(percent))


def lasting(seconds: float | None) -> str:
    """`0:41`, `1:02:03`; a dash where there is none."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass(frozen=True, slots=True)
class BarPart:
    """A part of a bar of BAR units: its place, and what it is of."""

    id: str
    kind: str
    x: float
    width: float


def bar_parts(counts: list[tuple[str, str, int]]) -> list[BarPart]:
    """(id, kind, number) → the parts of one bar, as long as their numbers; what is not nothing is seen."""
    whole = sum(number for _, _, number in counts) or 1
    found, x = [], 0.0
    for name, kind, number in counts:
        width = round(max(BAR * number / whole, 3.0 if number else 0.0), 1)
        found.append(BarPart(name, kind, round(x, 1), width))
        x += width
    return found


@dataclass(frozen=True, slots=True)
class Paging:
    """Where a page of a list stands, and the addresses of those beside it."""

    total: int
    first: int
    last: int
    pages: int
    before: str | None
    after: str | None


def address(path: str, query: Mapping[str, str], page: int = 0) -> str:
    """Of a list below `path` with the filters in `query`, those that are not empty, and a zero-based page."""
    asked = {name: value for name, value in query.items() if value} | ({"page": str(page)} if page else {})
    return f"{path}?{urlencode(asked)}" if asked else path


def paging(path: str, query: Mapping[str, str], page: int, total: int, per_page: int = PER_PAGE) -> Paging:
    """The zero-based `page` of a list of `total`, below `path` with the filters in `query`."""
    count = -(-total // per_page)
    return Paging(
        total,
        min(total, page * per_page + 1),
        min(total, (page + 1) * per_page),
        count,
        address(path, query, page - 1) if page > 0 else None,
        address(path, query, page + 1) if page + 1 < count else None,
    )


def page_number(text: str | None) -> int:
    """Of an address; the first page for what is none."""
    return min(int(text), 10_000_000) if text and text.isascii() and text.isdigit() and len(text) < 9 else 0
