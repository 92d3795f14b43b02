"""Reports on a tenant's calls, or one campaign's, over a stretch of time: read from cells that are kept by the
quarter of an hour and the day of UTC in which the calls were begun (`migrations/0046_reports.py`).

Triggers note what ends or is corrected, a dialer folds that into the cells every few seconds, and each read adds what
is not folded yet, in one statement: so a figure is what the rows of calls say at that moment. On the connection that
the caller holds. Decision 0076.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from campaigns.report_buckets import LENGTH_SECONDS, PDD_MS, RING_MS, Distribution
from campaigns.report_spans import LocalStep, Span
from models import db

FOLD = "SELECT report_fold() WHERE EXISTS (SELECT FROM report_change)"
"""Adds what was noted since the last time to the cells, where there is anything."""


class Route(StrEnum):
    """What calls differ by in the way that they take."""

    GATEWAY = "gateway_id"
    CALLER_ID = "caller_id"
    PREFIX = "prefix"
    """The plus and the first four digits of the number; empty of one that was erased."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose calls: a tenant's, or those of one campaign of its."""

    tenant_id: str
    campaign_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """Calls that left for a node, and those of them that somebody picked up."""

    placed: int
    picked_up: int


@dataclass(frozen=True, slots=True)
class RouteFigures:
    """Of the calls that took one way: how many were placed and picked up, for how many seconds those were up, how
    many of them for less than one and for at most six, and how long it took until it rang, in ms."""

    key: str
    placed: int
    picked_up: int
    seconds: int
    zero_seconds: int
    six_seconds: int
    pdd: Distribution


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long it took until it rang and how long it rang, in ms, and for how many seconds calls were up that
    somebody picked up."""

    pdd: Distribution
    ring: Distribution
    length: Distribution


@dataclass(frozen=True, slots=True)
class Outcome:
    """Calls that ended with one disposition (empty: with none), as the same attempt (0: they did not count), and
    whether they left for a node."""

    disposition: str
    attempt: int
    placed: bool
    calls: int


@dataclass(frozen=True, slots=True)
class PickedUp:
    """Of the calls of a campaign that somebody picked up in a step of the span, which is numbered from 0: whom the
    agent spoke to, for whom nobody was there in time, and whose agent failed."""

    campaign_id: uuid.UUID
    step: int
    answered: int
    abandoned: int
    agent_failed: int


@dataclass(frozen=True, slots=True)
class _Figures:
    """Figures of a table of cells, each with what a change adds to it."""

    table: str
    adds: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, table: str, adds: Mapping[str, str]) -> _Figures:
        return cls(table, tuple(adds.items()))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.adds)


_PDD = {f"pdd_{number}": f"n * (pdd = {number})::int" for number in range(len(PDD_MS) + 1)}
_RING = {f"ring_{number}": f"n * (ring = {number})::int" for number in range(len(RING_MS) + 1)}
_LENGTH = {f"length_{number}": f"n * (length = {number})::int" for number in range(len(LENGTH_SECONDS) + 1)}
_PLACED = {"placed": "n * placed::int", "picked_up": "n * picked_up::int"}
_PICKED_UP = {
    name: f"n * (disposition = '{name}')::int" for name in ("answered", "abandoned", "agent_failed")
}
_ROUTE = {
    **_PLACED,
    "seconds": "n * seconds",
    "zero_seconds": "n * (length = 0)::int",
    "six_seconds": f"n * (length <= {LENGTH_SECONDS.index(6)})::int",
    **_PDD,
}
ANSWERS: Final = _Figures.of("report_total", _PLACED)
PICKED_UP: Final = _Figures.of("report_total", _PICKED_UP)
LENGTHS: Final = _Figures.of("report_total", {**_PDD, **_RING, **_LENGTH})
ROUTES: Final = _Figures.of("report_route", _ROUTE)
OUTCOMES: Final = _Figures.of("report_outcome", {"calls": "n"})
OUTCOME_KEYS: Final = ("disposition", "attempt", "placed")
"""By what the cells of outcomes differ."""

_QUARTERS: Final = ("minutes = 15 AND start_at >= %(start)s AND start_at < %(end)s",)
# The days that are whole, and the quarters before the first and after the last.
_DAYS: Final = (
    "minutes = 1440 AND start_at >= %(first_day)s AND start_at < %(after_days)s",
    "minutes = 15 AND start_at >= %(start)s AND start_at < %(first_day)s",
    "minutes = 15 AND start_at >= %(after_days)s AND start_at < %(end)s",
)
TENANT: Final = "tenant_id = %(tenant)s"
"""A condition: the cells of a tenant."""
CAMPAIGN: Final = "tenant_id = %(tenant)s AND campaign_id = %(campaign)s"
"""A condition: the cells of one campaign of a tenant's."""
_STEP: Final = "width_bucket(start_at, %(steps)s::timestamptz[]) - 1 AS step"


def fold() -> None:
    """Fold what was noted since the last time into the cells. Raises what a database that is away raises."""
    with db.connection_context():
        db.execute_sql(FOLD)


@cache
def statement(figures: _Figures, keys: tuple[str, ...], *, whose: str, stepwise: bool = False) -> str:
    """What reads the sums of figures by `keys`, and by the `steps` of the span; `whose` is a condition on a cell."""
    columns = ", ".join(("start_at", *keys, *figures.names))
    noted = ", ".join(("quarter AS start_at", *keys, *(f"{added} AS {name}" for name, added in figures.adds)))
    times = _QUARTERS if stepwise else _DAYS
    parts = [f"SELECT {columns} FROM {figures.table} WHERE {whose} AND {time}" for time in times]
    parts.append(
        f"SELECT {noted} FROM report_change WHERE {whose} AND quarter >= %(start)s AND quarter < %(end)s"
    )
    by = (*keys, "step") if stepwise else keys
    sums = (f"coalesce(sum({name}), 0)::int8 AS {name}" for name in figures.names)
    chosen = ", ".join((*keys, *([_STEP] if stepwise else []), *sums))
    grouped = f" GROUP BY {', '.join(by)} ORDER BY {', '.join(by)}" if by else ""
    return f"SELECT {chosen} FROM ({' UNION ALL '.join(parts)}) AS kept{grouped}"


def parameters(scope: Scope, asked: Span, steps: Sequence[LocalStep] = ()) -> dict[str, object]:
    """Those of a statement."""
    first_day, after_days = asked.days()
    return {
        "tenant": scope.tenant_id,
        "campaign": scope.campaign_id,
        "start": asked.start,
        "end": asked.end,
        "first_day": first_day,
        "after_days": after_days,
        "steps": [step.start for step in steps],
    }


def _read(
    scope: Scope,
    asked: Span,
    figures: _Figures,
    keys: tuple[str, ...] = (),
    steps: Sequence[LocalStep] | None = None,
) -> list[dict[str, Any]]:
    whose = TENANT if scope.campaign_id is None else CAMPAIGN
    sql = statement(figures, keys, whose=whose, stepwise=steps is not None)
    return dicts(db.execute_sql(sql, parameters(scope, asked, steps or ())))


def dicts(cursor: Any) -> list[dict[str, Any]]:
    """What a statement with named parameters found."""
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def by_step(scope: Scope, asked: Span, steps: Sequence[LocalStep]) -> Mapping[int, Answers]:
    """How many calls were placed and picked up in each of the steps, numbered from 0, that the span falls into; those
    in which none was are not there."""
    found = _read(scope, asked, ANSWERS, steps=steps)
    return {row["step"]: Answers(row["placed"], row["picked_up"]) for row in found if row["placed"]}


def by_route(scope: Scope, asked: Span, route: Route) -> list[RouteFigures]:
    """The figures of each gateway, caller id or prefix by which calls were placed; the most used first."""
    found = [
        RouteFigures(
            str(row[route]),
            row["placed"],
            row["picked_up"],
            row["seconds"],
            row["zero_seconds"],
            row["six_seconds"],
            _distribution(row, _PDD, PDD_MS),
        )
        for row in _read(scope, asked, ROUTES, (route.value,))
        if row["placed"]
    ]
    return sorted(found, key=lambda figures: (-figures.placed, figures.key))


def lengths(scope: Scope, asked: Span) -> Lengths:
    """How long calls took to ring, rang, and were up."""
    (row,) = _read(scope, asked, LENGTHS)
    return Lengths(
        _distribution(row, _PDD, PDD_MS),
        _distribution(row, _RING, RING_MS),
        _distribution(row, _LENGTH, LENGTH_SECONDS),
    )


def outcomes(scope: Scope, asked: Span) -> list[Outcome]:
    """How calls ended, and as which attempt."""
    found = _read(scope, asked, OUTCOMES, OUTCOME_KEYS)
    return [Outcome(**row) for row in found if row["calls"]]


def picked_up(scope: Scope, asked: Span, steps: Sequence[LocalStep]) -> list[PickedUp]:
    """The calls that somebody picked up, by campaign and by the step of the span that they were begun in."""
    found = _read(scope, asked, PICKED_UP, ("campaign_id",), steps)
    return [PickedUp(**row) for row in found if row["answered"] or row["abandoned"] or row["agent_failed"]]


def _distribution(row: Mapping[str, int], figures: Mapping[str, str], bounds: Sequence[int]) -> Distribution:
    return Distribution(bounds, [row[name] for name in figures])
