"""Helpers of simple resources: rows by id, pages, partial bodies."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import marshmallow as ma
import peewee
import psycopg

from api.errors import ApiError, conflict, not_found
from api.paging import Page
from api.schemas import Schema, identifier, quoted
from models import Agent, PhoneNumber, Table, rows

T = TypeVar("T", bound=Table)

# Against whoever changes the row or holds on to it, not against a dialer's rows that only refer to it.
LOCK = "FOR NO KEY UPDATE"
UNFINISHED = """
    SELECT id, name, status FROM campaign
    WHERE tenant_id = %s AND deleted_at IS NULL AND NOT single_call AND status NOT IN ('completed', 'failed')"""
USED_BY = {Agent: f"{UNFINISHED} AND agent_id = %s", PhoneNumber: f"{UNFINISHED} AND phone_number_id = %s"}


class Patch(Schema):
    """Mixed in before the schema of a new thing: the same fields, each of which may be left out."""

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Nothing is required, and what is left out stays as it is."""
        field_obj.required = False
        field_obj.load_default = ma.missing


def id_or_404(text: str, what: str) -> uuid.UUID:
    """The id that a path names. Raises ApiError 404 where it cannot be one."""
    found = identifier(text)
    if found is None:
        raise not_found(what)
    return found


def invalid(field: str, value: object, rule: str) -> ApiError:
    """The 400 for a value that is well formed and yet not allowed; `rule` reads on from "<field> is <value>; "."""
    return ApiError(400, f"{field} is {quoted(value)}; {rule}.")


def get_or_404(
    model: type[T], text: str, what: str, *, tenant_id: str | None = None, lock: bool = False
) -> T:
    """The row that a path names, of `tenant_id` where it belongs to one; `lock` locks it until the transaction ends.

    Raises ApiError 404.
    """
    fields: Any = model
    query: Any = model.select().where(fields.id == id_or_404(text, what), fields.deleted_at.is_null())
    if tenant_id is not None:
        query = query.where(fields.tenant == tenant_id)
    found: T | None = (query.for_update(LOCK) if lock else query).first()
    if found is None:
        raise not_found(what)
    return found


def insert(model: type[T], **values: object) -> T:
    """A new row as it was stored."""
    (row,) = model.insert(created_at=peewee.fn.now(), **values).returning(model).execute()
    new: T = row
    return new


def update(row: T, values: Mapping[str, object]) -> T:
    """`row` with `values`, as they were stored."""
    if not values:
        return row
    model: Any = type(row)
    (stored,) = model.update(values).where(model.id == cast("Any", row).id).returning(model).execute()
    new: T = stored
    return new


def page_of(query: peewee.ModelSelect[T], page: Page) -> tuple[list[T], int]:
    """The rows of a select that stand on `page`, oldest first, and how many it has in all."""
    model: Any = query.model
    found = list(query.order_by(model.created_at, model.id).limit(page.limit).offset(page.offset))
    if len(found) < page.limit and (found or not page.offset):
        # It is the last page: how many there are is known.
        return found, page.offset + len(found)
    return found, query.count()


@contextmanager
def unique(message: str) -> Iterator[None]:
    """Turn the violation of a unique index into a 409 with `message`; the transaction is lost with it."""
    try:
        yield
    except peewee.IntegrityError as error:
        if isinstance(getattr(error, "orig", None), psycopg.errors.UniqueViolation):
            raise conflict(message, "already_exists") from error
        raise


def refuse_in_use(row: Agent | PhoneNumber, what: str) -> None:
    """Raise the 409 for an agent or number, locked by the caller, that an unfinished campaign uses.

    Whoever creates a campaign holds on to both until it is stored, so none is missed.
    """
    used = rows(f"{USED_BY[type(row)]} ORDER BY created_at, id LIMIT 1", row.tenant.id, row.id)
    if used:
        raise conflict(f"{what} is used by {campaign_words(used[0])}; it cannot be deleted.", "in_use")


def campaign_words(row: dict[str, object]) -> str:
    """A campaign as a message names it."""
    return f"campaign {quoted(row['name'])} ({row['id']}, {row['status']})"
