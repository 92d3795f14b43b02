"""Figures and the table they are shown in. Nothing here measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

PASS, SHORT, UNMEASURED = "PASS", "FALLS SHORT", "NOT MEASURED"
HEADINGS = ("what", "figure", "bound", "beside", "verdict")


class Bound(StrEnum):
    """On which side of its bound a figure has to be."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, where it has to be, and what it was compared with: a peer in the same run, or a
    promise that is made to users."""

    what: str
    value: float
    unit: str
    side: Bound
    bound: float
    beside: str

    @property
    def passes(self) -> bool:
        """Whether it is where it has to be; a figure that is no number is not."""
        return self.value <= self.bound if self.side is Bound.AT_MOST else self.value >= self.bound

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Self:
        """The figure that another process wrote."""
        return cls(**{**found, "side": Bound(found["side"])})


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A line that ended without its figures, and why."""

    what: str
    why: str


def render(rows: Sequence[Figure | Unmeasured]) -> str:
    """A table in Markdown that is also one to the eye."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def all_pass(rows: Sequence[Figure | Unmeasured]) -> bool:
    """Whether every figure is where it has to be, and there is one for every line."""
    return all(isinstance(row, Figure) and row.passes for row in rows)


def _cells(row: Figure | Unmeasured) -> tuple[str, ...]:
    if isinstance(row, Unmeasured):
        return (row.what, "", "", row.why.replace("|", "/"), UNMEASURED)
    bound = f"{row.side} {_number(row.bound)} {row.unit}"
    return (
        row.what,
        f"{_number(row.value)} {row.unit}",
        bound,
        row.beside,
        PASS if row.passes else SHORT,
    )


def _number(value: float) -> str:
    """Three digits that count, and whole numbers from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
