"""Figures and the table they are shown in. Nothing here measures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

PASS, SHORT, UNMEASURED = "PASS", "FALLS SHORT", "NOT MEASURED"
REACHED, NOT_YET, BROKEN = "REACHED", "NOT YET", "WORSE THAN IT WAS"
HEADINGS = ("what", "figure", "bound", "beside", "verdict")


class Bound(StrEnum):
    """On which side of its bound a figure has to be."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, where it has to be, and what it was compared with: a peer in the same run, or a
    promise that is made to users.

    With `goal` the bound is where it is to get: not to be there yet fails nobody. `keeps` is where such a figure has
    come to already: beyond it something was made worse, and the run fails. Without a `bound` it is only shown.
    """

    what: str
    value: float
    unit: str
    side: Bound
    bound: float | None
    beside: str
    goal: bool = False
    keeps: float | None = None

    @property
    def reached(self) -> bool:
        """Whether it is where it has to be; a figure that is no number is not."""
        return self.bound is None or self._within(self.bound)

    @property
    def broken(self) -> bool:
        """Whether a goal's figure is beyond what had been reached."""
        return self.keeps is not None and not self._within(self.keeps)

    @property
    def passes(self) -> bool:
        """Whether the run may pass."""
        return not self.broken and (self.goal or self.reached)

    @property
    def verdict(self) -> str:
        """One word for its row."""
        if self.broken:
            return BROKEN
        if self.bound is None:
            return ""
        if self.goal:
            return REACHED if self.reached else NOT_YET
        return PASS if self.reached else SHORT

    def _within(self, bound: float) -> bool:
        return self.value <= bound if self.side is Bound.AT_MOST else self.value >= bound


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A line that ended without its figures, and why. `passes` where it could not be run here, and needs not."""

    what: str
    why: str
    passes: bool = False


Row = Figure | Unmeasured


def shown(what: str, value: float, unit: str, beside: str) -> Figure:
    """A figure that nothing is asked of."""
    return Figure(what, value, unit, Bound.AT_MOST, None, beside)


def goal_at_most(what: str, value: float, bound: float, beside: str, unit: str = "×") -> Figure:
    """A figure that is to come down to its bound."""
    return Figure(what, value, unit, Bound.AT_MOST, bound, beside, goal=True)


def goal_at_least(what: str, value: float, bound: float, beside: str, unit: str = "×") -> Figure:
    """A figure that is to come up to its bound."""
    return Figure(what, value, unit, Bound.AT_LEAST, bound, beside, goal=True)


def as_json(row: Row) -> dict[str, Any]:
    """What `from_json` reads."""
    return asdict(row)


def from_json(found: Mapping[str, Any]) -> Row:
    """The row that another process wrote."""
    if "why" in found:
        return Unmeasured(**found)
    return Figure(**{**found, "side": Bound(found["side"])})


def render(rows: Sequence[Row]) -> str:
    """A table in Markdown that is also one to the eye."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def all_pass(rows: Sequence[Row]) -> bool:
    """Whether nothing falls short that must not, and there is a figure for every line."""
    return all(row.passes for row in rows)


def _cells(row: Row) -> tuple[str, ...]:
    if isinstance(row, Unmeasured):
        return (row.what, "", "", row.why.replace("|", "/"), UNMEASURED)
    return (row.what, f"{number(row.value)} {row.unit}".rstrip(), _bound(row), row.beside, row.verdict)


def _bound(row: Figure) -> str:
    if row.bound is None:
        return ""
    text = f"{row.side} {number(row.bound)} {row.unit}".rstrip()
    text = f"goal: {text}" if row.goal else text
    return text if row.keeps is None else f"{text}, keeps {number(row.keeps)}"


def number(value: float) -> str:
    """Three digits that count, and whole numbers from a hundred on; a dash where there is no number."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
