"""The panic switch: a tenant's calls, or everyone's, end within 5 s and none starts until the halt is lifted.

Those at a node that cannot be reached end when it can, and are told until then.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TypedDict

from flask import Response

from api import hangups, notify, schemas
from api.auth import Caller, current_caller, requires
from api.blueprint import Blueprint
from api.errors import ApiError
from api.services import services
from api.transactions import transaction
from campaigns.hangups import EVERYBODY, StillUp, mark_tenant, still_up
from coordination.topics import Topic
from models import rows

blp = Blueprint("halt", description="Panic: end every call, start none")

EXAMPLE: dict[str, object] = {
    "halted": True,
    "tenant": {"at": "2026-01-31T09:00:00.000Z", "by": "crm"},
    "all": None,
    "still_up": hangups.EXAMPLE,
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
    still_up: list[StillUp]


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
    still_up = schemas.Items(
        schemas.Nested(hangups.StillUpSchema),
        required=True,
        metadata={
            "description": "Nodes that have not ended calls which have to end, by a halt or by `stop?hangup=true`,"
            " with how many: they could not be reached. Their calls end as soon as a dialer reaches them, also when"
            " the halt is lifted meanwhile."
        },
    )


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

    Ends every call of the tenant within 5 s; none starts until the halt is deleted. Calls at a node that cannot be
    reached end when it can; `still_up` names it. Who was hung up before an answer is pending again, no attempt used,
    due no earlier than the campaign's retry delay. A halt that is already set is signalled again.
    """
    caller = current_caller()
    scope = _scope(caller, body)
    with transaction():
        rows(
            "INSERT INTO halt (scope, by) VALUES (%s, %s) ON CONFLICT (scope) DO NOTHING",
            scope,
            caller.key_name,
        )
    hangups.mark(partial(mark_tenant, scope))
    delivered = notify.block_until_acknowledged(services(), Topic.HALT, {"scope": scope})
    # No call of it can leave any more: those that did meanwhile, beside the mark, have to end too.
    hangups.mark(partial(mark_tenant, scope))
    if not delivered:
        raise notify.not_delivered("The halt stands")
    hangups.wait_until_over(scope)
    with transaction():
        return _state(caller)


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
    return EVERYBODY


def _state(caller: Caller) -> HaltState:
    marks = {
        row["scope"]: HaltMark(at=row["at"], by=row["by"])
        for row in rows("SELECT scope, at, by FROM halt WHERE scope IN (%s, %s)", EVERYBODY, caller.tenant_id)
    }
    scope = caller.tenant_id
    if EVERYBODY in marks and caller.may("platform"):
        scope = EVERYBODY
    elif EVERYBODY in marks:
        marks[EVERYBODY]["by"] = "platform"
    return {
        "halted": bool(marks),
        "tenant": marks.get(caller.tenant_id),
        "all": marks.get(EVERYBODY),
        "still_up": still_up(scope),
    }
