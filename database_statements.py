"""A statement's placeholders as the server knows them, worked out once for each statement, and arrays of ids.

psycopg does so for the statements that it keeps, none of which is longer than 4,096 bytes; a longer one is read anew
each time, by expressions, which for a claim or an outcome takes as long as sending it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

import psycopg

MOST: Final = 1024
"""Statements that are kept. Their texts are ours, and few; a part that is put together counts once for each way."""
_PLACEHOLDER: Final = re.compile(r"%(?:(?P<sign>[%s])|\((?P<name>\w+)\)s)?")

Parameters = Sequence[object] | Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Statement:
    """The text with $1 and so on; `names` says in which order a mapping's values stand, None where there are none."""

    text: bytes
    names: tuple[str, ...] | None

    def values(self, given: Parameters) -> Sequence[object]:
        """The values in the order of the text. Raises ProgrammingError where they are not what it asks for."""
        if isinstance(given, Mapping):
            if self.names is None:
                raise psycopg.ProgrammingError("the statement has no names, and was given some")
            try:
                return [given[name] for name in self.names]
            except KeyError as error:
                raise psycopg.ProgrammingError(
                    f"the statement asks for {error}, which was not given"
                ) from error
        if self.names:
            raise psycopg.ProgrammingError(
                f"the statement asks for {self.names[0]!r}, and was given no names"
            )
        return given


@lru_cache(maxsize=MOST)
def statement(sql: str) -> Statement:
    """`sql` with its %s or %(name)s, and %% for a sign of its own. Raises ProgrammingError for any other % in it."""
    places: dict[str, int] = {}
    unnamed = 0

    def placed(found: re.Match[str]) -> str:
        nonlocal unnamed
        if found["sign"] == "%":
            return "%"
        if found["sign"] == "s":
            unnamed += 1
            return f"${unnamed}"
        if found["name"] is None:
            raise psycopg.ProgrammingError(f"not a placeholder: {sql[found.start() : found.start() + 10]!r}")
        return f"${places.setdefault(found['name'], len(places) + 1)}"

    text = _PLACEHOLDER.sub(placed, sql).encode()
    if places and unnamed:
        raise psycopg.ProgrammingError("the statement has placeholders with names and without")
    return Statement(text, tuple(places) if places or not unnamed else None)


def plain_array(values: Iterable[str | int | None]) -> str:
    """An array as the server reads it, of ids, integers and nulls: what needs no quotes. The driver, which looks at
    each value of a list, takes ten times as long."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


class StatementCursor(psycopg.RawCursor[Any]):
    """A cursor whose statements are written with %s or %(name)s."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        """Run a statement, which is text; without `params` as it stands."""
        if params is None:
            return super().execute(query, None, **options)
        made = statement(query)
        return super().execute(made.text, made.values(params), **options)
