"""Lists: `limit` and `offset`, or zero-based `page`s of 100, in an order that does not move under the reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from api import schemas

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
PAGE_SIZE = 100
MAX_OFFSET = 1_000_000_000


class PageQuery(schemas.Schema):
    """The parameters of a list; subclass it to add filters."""

    limit = schemas.Integer(
        1, MAX_LIMIT, load_default=DEFAULT_LIMIT, metadata={"description": "How many at most."}
    )
    offset = schemas.Integer(0, MAX_OFFSET, metadata={"description": "How many to pass over."})
    page = schemas.Integer(
        0,
        MAX_OFFSET // PAGE_SIZE,
        metadata={"description": "Zero-based page of 100; honoured when offset is absent."},
    )


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list are asked for."""

    limit: int
    offset: int

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> Page:
        """The page that a loaded PageQuery asks for."""
        offset = query.get("offset")
        if offset is None:
            offset = query.get("page", 0) * PAGE_SIZE
        return cls(query["limit"], offset)

    def body(self, name: str, items: list[dict[str, Any]], total: int) -> dict[str, Any]:
        """The list's body; `name` is the resource."""
        return {name: items, "total": total, "limit": self.limit, "offset": self.offset}


def list_schema(name: str, item: type[schemas.Schema]) -> type[schemas.Schema]:
    """The schema of a list of `item`s under the key `name`."""
    title = f"{name.title().replace('-', '').replace('_', '')}List"
    columns: dict[str, fields.Field[Any]] = {
        name: schemas.Items(schemas.Nested(item), required=True),
        "total": schemas.Integer(required=True),
        "limit": schemas.Integer(required=True),
        "offset": schemas.Integer(required=True),
    }
    return schemas.Schema.from_dict(columns, name=title)  # type: ignore[return-value]
