"""The panic switch: a tenant's calls, or everyone's, end within 5 s and none starts until the halt is lifted."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from flask import Response

from api import notify, schemas
from api.auth import Caller, current_caller, requires
from api.blueprint import Blueprint
from api.errors import ApiError
from api.services import services
from api.transactions import transaction
from coordination.topics import Topic
from models import rows

blp = Blueprint("halt", description="Panic: end every call, start none")

EVERYONE = "*"
EXAMPLE: dict[str, object] = {
    "halted": True,
    "tenant": {"at": "2026-01-31T09:00:00.000Z", "by": "crm"},
    "all": None,
}


class HaltValues(TypedDict):
    """A loaded HaltBody."""

    all: bool


class HaltMark(TypedDict):
    """When a halt was set and by which key."""

    at: datetime
    by: str


class HaltState(TypedDict):
    """What is halted."""

    halted: bool
    tenant: HaltMark | None
    all: HaltMark | None


class HaltBody(schemas.Schema):
    """What to halt."""

    all = schemas.Boolean(
        load_default=False, metadata={"description": "Everything, not only this tenant; for role platform."}
    )


class MarkSchema(schemas.Schema):
    """When a halt was set and by which key."""

    at = schemas.Time(required=True)
    by = schemas.Text(required=True)


class HaltSchema(schemas.Schema):
    """What is halted. Calls start only while both parts are null."""

    halted = schemas.Boolean(required=True)
    tenant = schemas.Nested(MarkSchema, required=True, allow_none=True)
    all = schemas.Nested(MarkSchema, required=True, allow_none=True)


@blp.route("/halt")
@requires("read")
@blp.response(200, HaltSchema, example=EXAMPLE)
def get_halt() -> HaltState:
    """Read whether calls are halted"""
    with transaction():
        return _state(current_caller())


@blp.route("/halt", methods=["POST"])
@requires("operate")
@blp.arguments(HaltBody, required=False, example={"all": False})
@blp.response(200, HaltSchema, example=EXAMPLE)
def set_halt(body: HaltValues) -> HaltState:
    """Halt

    Ends every call of the tenant within 5 s; none starts until the halt is deleted. A halt that is already set is
    signalled again.
    """
    caller = current_caller()
    scope = _scope(caller, body)
    with transaction():
        rows(
            "INSERT INTO halt (scope, by) VALUES (%s, %s) ON CONFLICT (scope) DO NOTHING",
            scope,
            caller.key_name,
        )
        state = _state(caller)
    if not notify.block_until_acknowledged(services(), Topic.HALT, {"scope": scope}):
        raise notify.not_delivered("The halt stands")
    return state


@blp.route("/halt", methods=["DELETE"])
@requires("operate")
@blp.arguments(HaltBody, required=False, example={"all": False})
@blp.response(204)
def delete_halt(body: HaltValues) -> Response:
    """Lift the halt

    Running campaigns go on dialling. Lifting the tenant's own leaves one over everything in place.
    """
    scope = _scope(current_caller(), body)
    with transaction():
        rows("DELETE FROM halt WHERE scope = %s", scope)
    notify.dialers(services(), Topic.UNHALT, {"scope": scope})
    return Response(status=204)


def _scope(caller: Caller, body: HaltValues) -> str:
    if not body["all"]:
        return caller.tenant_id
    if not caller.may("platform"):
        raise ApiError(403, f"The key's role is {caller.role}; all: true needs platform.")
    return EVERYONE


def _state(caller: Caller) -> HaltState:
    marks = {
        row["scope"]: HaltMark(at=row["at"], by=row["by"])
        for row in rows("SELECT scope, at, by FROM halt WHERE scope IN (%s, %s)", EVERYONE, caller.tenant_id)
    }
    if EVERYONE in marks and not caller.may("platform"):
        marks[EVERYONE]["by"] = "platform"
    return {"halted": bool(marks), "tenant": marks.get(caller.tenant_id), "all": marks.get(EVERYONE)}
