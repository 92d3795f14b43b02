"""The panic switch: a tenant's calls, or everyone's, end within 5 s and none starts until the halt is lifted.

Those at a node that cannot be reached end when it can, and are told until then. A tenant and the platform each halt
by a mark of their own, which nobody else lifts.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TypedDict

from flask import Response

from api import calls_to_end, notify, schemas
from api.auth import Caller, current_caller, requires
from api.blueprint import Blueprint
from api.errors import ApiError
from api.services import services
from api.transactions import transaction
from campaigns.calls_to_end import EVERYBODY, StillUp, mark_tenant, still_up
from coordination.topics import Topic
from models import rows

blp = Blueprint("halt", description="Panic: end every call, start none")

EXAMPLE: dict[str, object] = {
    "halted": True,
    "tenant": {"at": "2026-01-31T09:00:00.000Z", "by": "crm"},
    "platform": None,
    "all": None,
    "still_up": calls_to_end.EXAMPLE,
}


_SET = """
    INSERT INTO halt (scope, by) VALUES (%s, %s) ON CONFLICT (scope) DO UPDATE SET own = true,
        at = CASE WHEN halt.own THEN halt.at ELSE excluded.at END,
        by = CASE WHEN halt.own THEN halt.by ELSE excluded.by END"""
_SET_BY_PLATFORM = """
    INSERT INTO halt (scope, by, own, platform_at, platform_by) VALUES (%s, %s, false, now(), %s)
    ON CONFLICT (scope) DO UPDATE SET platform_at = coalesce(halt.platform_at, excluded.platform_at),
        platform_by = coalesce(halt.platform_by, excluded.platform_by)"""
_LIFT = "UPDATE halt SET own = false WHERE scope = %s"
_LIFT_BY_PLATFORM = "UPDATE halt SET platform_at = NULL, platform_by = NULL WHERE scope = %s"
# Without a mark the row goes, and with it the halt.
_CLEAR = "DELETE FROM halt WHERE scope = %s AND NOT own AND platform_at IS NULL"
_STANDS = "SELECT 1 FROM halt WHERE scope = %s"
_STATE = "SELECT scope, at, by, own, platform_at, platform_by FROM halt WHERE scope IN (%s, %s)"


class HaltValues(TypedDict):
    """A loaded HaltBody."""

    all: bool


class LiftValues(HaltValues):
    """A loaded LiftBody."""

    tenant: bool


class HaltMark(TypedDict):
    """When a halt was set and by which key."""

    at: datetime
    by: str


class HaltState(TypedDict):
    """What is halted."""

    halted: bool
    tenant: HaltMark | None
    platform: HaltMark | None
    all: HaltMark | None
    still_up: list[StillUp]


class HaltBody(schemas.Schema):
    """What to halt."""

    all = schemas.Boolean(
        load_default=False, metadata={"description": "Everything, not only this tenant; for role platform."}
    )


class LiftBody(HaltBody):
    """Which halt to lift."""

    tenant = schemas.Boolean(
        load_default=False,
        metadata={
            "description": "For role platform: the mark that the tenant's own keys set, in place of the platform's."
        },
    )


class MarkSchema(schemas.Schema):
    """When a halt was set and by which key."""

    at = schemas.Time(required=True)
    by = schemas.Text(required=True)


class HaltSchema(schemas.Schema):
    """What is halted. Calls start only while none of the three marks stands."""

    halted = schemas.Boolean(required=True)
    tenant = schemas.Nested(
        MarkSchema, required=True, allow_none=True, metadata={"description": "By a key of the tenant."}
    )
    platform = schemas.Nested(
        MarkSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Of this tenant, by a key of role platform."},
    )
    all = schemas.Nested(MarkSchema, required=True, allow_none=True)
    still_up = schemas.Items(
        schemas.Nested(calls_to_end.StillUpSchema),
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
@requires("operate", limited=False)
@blp.arguments(HaltBody, required=False, example={"all": False})
@blp.response(200, HaltSchema, example=EXAMPLE)
def set_halt(body: HaltValues) -> HaltState:
    """Halt

    Ends every call of the tenant within 5 s; none starts until the halt is deleted. Calls at a node that cannot be
    reached end when it can; `still_up` names it. Who was hung up before an answer is pending again, no attempt used,
    due no earlier than the campaign's retry delay. A halt that is already set is signalled again; an Idempotency-Key
    is not looked at. A key of role platform sets a mark of the platform's own, which no key of the tenant lifts.
    While Redis is away the answer is 503 at once: the halt stands, calls may start for another 5 s, and calls in
    progress end when it is back.
    """
    caller = current_caller()
    scope = _scope(caller, body)
    with transaction():
        if scope != EVERYBODY and caller.may("platform"):
            rows(_SET_BY_PLATFORM, scope, caller.key_name, caller.key_name)
        else:
            rows(_SET, scope, caller.key_name)
    calls_to_end.mark(partial(mark_tenant, scope))
    told = notify.block_until_acknowledged(services(), Topic.HALT, {"scope": scope})
    # No call of it can leave any more: those that did meanwhile, beside the mark, have to end too.
    calls_to_end.mark(partial(mark_tenant, scope))
    if not told:
        raise notify.nobody_told(services(), "The halt stands", notify.END_LATER)
    calls_to_end.wait_until_over(scope)
    with transaction():
        return _state(caller)


@blp.route("/halt", methods=["DELETE"])
@requires("operate")
@blp.arguments(LiftBody, required=False, example={"all": False})
@blp.response(204)
def delete_halt(body: LiftValues) -> Response:
    """Lift the halt

    Running campaigns go on dialling, where no other mark stands: any key of role operate lifts what keys of the
    tenant set, and only one of role platform what the platform set, of this tenant or over everything.
    """
    caller = current_caller()
    scope = _scope(caller, body)
    if body["tenant"] and not caller.may("platform"):
        raise ApiError(403, f"The key's role is {caller.role}; tenant: true needs platform.")
    if body["tenant"] and body["all"]:
        raise ApiError(400, "tenant is true; it cannot be given with all: true.")
    platforms = scope != EVERYBODY and caller.may("platform") and not body["tenant"]
    with transaction():
        rows(_LIFT_BY_PLATFORM if platforms else _LIFT, scope)
        rows(_CLEAR, scope)
        stands = bool(rows(_STANDS, scope))
    if not stands:
        notify.dialers(services(), Topic.UNHALT, {"scope": scope})
    return Response(status=204)


def _scope(caller: Caller, body: HaltValues) -> str:
    if not body["all"]:
        return caller.tenant_id
    if not caller.may("platform"):
        raise ApiError(403, f"The key's role is {caller.role}; all: true needs platform.")
    return EVERYBODY


def _state(caller: Caller) -> HaltState:
    found = {row["scope"]: row for row in rows(_STATE, EVERYBODY, caller.tenant_id)}
    own, everybody, platforms = found.get(caller.tenant_id), found.get(EVERYBODY), caller.may("platform")

    def by_platform(at: datetime | None, by: str) -> HaltMark | None:
        return None if at is None else HaltMark(at=at, by=by if platforms else "platform")

    return {
        "halted": bool(found),
        "tenant": HaltMark(at=own["at"], by=own["by"]) if own and own["own"] else None,
        "platform": by_platform(own["platform_at"], own["platform_by"]) if own else None,
        "all": by_platform(everybody["at"], everybody["by"]) if everybody else None,
        "still_up": still_up(EVERYBODY if everybody and platforms else caller.tenant_id),
    }
