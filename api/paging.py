"""Paging of lists: `limit` and `offset`, or zero-based `page`s of 100, in an order that holds still under the reader.

Where a list has filters on what changes, rows that leave it would move the rest under an offset: such a list is read
with `starting_after`, the last row seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NotRequired, TypedDict

import marshmallow as ma
from marshmallow import fields

from api import schemas

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
PAGE_SIZE = 100
MAX_OFFSET = 1_000_000_000


class PageQuery(schemas.Schema):
    """The parameters of a list."""

    limit = schemas.Integer(
        1, MAX_LIMIT, load_default=DEFAULT_LIMIT, metadata={"description": "How many at most."}
    )
    offset = schemas.Integer(0, MAX_OFFSET, metadata={"description": "How many to pass over."})
    page = schemas.Integer(
        0,
        MAX_OFFSET // PAGE_SIZE,
        metadata={"description": "Zero-based page of 100; honoured when offset is absent."},
    )


class FilteredQuery(PageQuery):
    """The parameters of a list with filters; subclass it to add them."""

    starting_after = schemas.Id(
        metadata={
            "description": "The id of the last row seen, instead of offset or page. No row that stays within the "
            "filters is skipped or repeated, whatever enters or leaves them meanwhile."
        }
    )

    @ma.validates_schema
    def check_start(self, data: Mapping[str, object], **_: object) -> None:
        """There is one start at most."""
        if "starting_after" in data and data.keys() & {"offset", "page"}:
            raise ma.ValidationError("it must not be given with offset or page", "starting_after")


class SpanQuery(schemas.Schema):
    """A list of what was made within a time."""

    from_ = schemas.Time(data_key="from", metadata={"description": "Made then, or later."})
    to = schemas.Time(metadata={"description": "Made before then."})

    @ma.validates_schema
    def check_span(self, data: Mapping[str, datetime], **_: object) -> None:
        """It has a length."""
        if "from_" in data and "to" in data and data["from_"] >= data["to"]:
            raise ma.ValidationError("it must be before to", "from")


class SpanValues(TypedDict):
    """A loaded SpanQuery."""

    from_: NotRequired[datetime]
    to: NotRequired[datetime]


def within(query: SpanValues, column: str = "created_at") -> tuple[str, list[datetime]]:
    """What is asked of the time, as conditions that each begin with AND, and their parameters."""
    asked = ((">=", query.get("from_")), ("<", query.get("to")))
    given = [(sign, value) for sign, value in asked if value is not None]
    return "".join(f" AND {column} {sign} %s" for sign, _ in given), [value for _, value in given]


class PageValues(TypedDict):
    """A loaded PageQuery, or FilteredQuery."""

    limit: int
    offset: NotRequired[int]
    page: NotRequired[int]
    starting_after: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list are asked for; `after` is the id of the row before them, which may have left the list."""

    limit: int
    offset: int
    after: str | None = None

    @classmethod
    def of(cls, query: PageValues) -> Page:
        """The page that a loaded PageQuery asks for."""
        offset = query.get("offset")
        if offset is None:
            offset = query.get("page", 0) * PAGE_SIZE
        return cls(query["limit"], offset, query.get("starting_after"))

    def body(self, name: str, items: object, total: int | None) -> dict[str, object]:
        """The list's body; `name` is the resource, `items` a list, or the JSON of one, `total` None where nobody
        counts them."""
        return {name: items, "total": total, "limit": self.limit, "offset": self.offset}


def list_schema(
    name: str, item: type[schemas.Schema], *, uncounted: str = "", **more: fields.Field[Any]
) -> type[schemas.Schema]:
    """The schema of a list of `item`s under the key `name`; `uncounted` says when there is no total, and `more` is
    what is told of this list beside that."""
    title = f"{name.title().replace('-', '').replace('_', '')}List"
    columns: dict[str, fields.Field[Any]] = {
        name: schemas.Items(schemas.Nested(item), required=True),
        "total": (
            schemas.Integer(required=True, allow_none=True, metadata={"description": uncounted})
            if uncounted
            else schemas.Integer(required=True)
        ),
        "limit": schemas.Integer(required=True),
        "offset": schemas.Integer(required=True),
        **more,
    }
    return schemas.Schema.from_dict(columns, name=title)  # type: ignore[return-value]
