"""Privacy: a person's data is erased, and nobody calls that number again."""

from __future__ import annotations

from typing import TypedDict

from flask import Response

from api import idempotency, schemas
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import not_found
from api.json_rows import json_answer
from api.resources import id_or_404
from api.routes.suppressions import number_hash, number_of, promise
from api.transactions import transaction
from campaigns import erasure
from campaigns.erasure import Erasure

blp = Blueprint("privacy", description="Erasing a person's data")

WHAT = "Erasure"
EXAMPLE: dict[str, object] = {
    "id": "019ab0c4-9999-7aaa-8bbb-0123456789ab",
    "status": "pending",
    "created_by": "crm",
    "created_at": "2026-01-31T09:00:00.000Z",
    "done_at": None,
}


class EraseValues(TypedDict):
    """A loaded EraseBody."""

    number: str


class EraseBody(schemas.Schema):
    """Whose data is to be erased."""

    number = schemas.Text(1, 40, required=True, metadata={"description": "With + and its country code."})


class ErasureSchema(schemas.Schema):
    """What was asked for; the number is not told, and is kept until it is done alone."""

    id = schemas.Id(required=True)
    status = schemas.Choice(("pending", "done"), required=True)
    created_by = schemas.Text(required=True)
    created_at = schemas.Time(required=True)
    done_at = schemas.Time(required=True, allow_none=True)


@blp.route("/privacy/erase", methods=["POST"])
@requires("admin", once=True)
@blp.arguments(EraseBody, example={"number": "+14155550123"})
@blp.response(202, ErasureSchema, example=EXAMPLE)
def erase(body: EraseValues) -> Response:
    """Erase a person's data

    Once answered, no call leaves to the number any more, and no list that has it gets it dialled: it is known by a
    keyed hash alone. Within seconds, or once a call that is up has ended, the tenant's contacts, calls, rejected
    rows, call records, events that can be replayed and stored answers lose the number and the fields of whoever has
    it. Counts stay. While Redis is away the answer is 503: it is done all the same, and calls that were under way may
    leave for another 5 s.
    """
    caller, hashed = current_caller(), number_hash()
    number = number_of("number", body["number"])

    def work() -> object:
        asked = erasure.get(erasure.ask(caller.tenant_id, number, caller.key_name, hashed), caller.tenant_id)
        assert asked is not None
        return ErasureSchema().dump(_told(asked))

    # Nothing of the number is kept with the answer.
    answer = idempotency.once(work, hashed(number).hex(), status=202)
    promise(caller.tenant_id, None, number=number)
    return answer.response()


@blp.route("/privacy/erasures/<erasure_id>")
@requires("admin", errors={404: "Erasure not found"})
@blp.response(200, ErasureSchema, example=EXAMPLE | {"status": "done", "done_at": "2026-01-31T09:00:01.000Z"})
def get_erasure(erasure_id: str) -> Response:
    """Get an erasure

    Whether it is done.
    """
    with transaction(writes=False):
        found = erasure.get(id_or_404(erasure_id, WHAT), current_caller().tenant_id)
    if found is None:
        raise not_found(WHAT)
    return json_answer(_told(found))


def _told(found: Erasure) -> dict[str, object]:
    return {
        "id": found.id,
        "status": "pending" if found.done_at is None else "done",
        "created_by": found.created_by,
        "created_at": found.created_at,
        "done_at": found.done_at,
    }
