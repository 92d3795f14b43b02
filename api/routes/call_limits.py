"""Call limits: a tenant's four caps, which every one of its roles may read and only the operator sets."""

from __future__ import annotations

from typing import TypedDict

from api import notify, schemas
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.services import services
from api.transactions import transaction
from coordination.topics import Topic
from models import rows

blp = Blueprint("call-limits", description="A tenant's caps")

EXAMPLE: dict[str, object] = {
    "concurrent_max": 100,
    "calls_per_minute": 600,
    "daily_calls_max": 50_000,
    "daily_minutes_max": None,
}
NONE_SET: dict[str, object] = dict.fromkeys(EXAMPLE)


class CallLimitsValues(TypedDict):
    """The four caps; null is unlimited, 0 blocks."""

    concurrent_max: int | None
    calls_per_minute: int | None
    daily_calls_max: int | None
    daily_minutes_max: int | None


def _cap(description: str) -> schemas.Integer:
    return schemas.Integer(
        required=True,
        allow_none=True,
        metadata={"description": f"{description} 0 blocks, null is unlimited."},
    )


class CallLimitsSchema(schemas.Schema):
    """The four caps of a tenant. 0 blocks, null is unlimited."""

    concurrent_max = _cap("Calls at once, and what its running campaigns may have together.")
    calls_per_minute = _cap("Calls started in any 60 seconds.")
    daily_calls_max = _cap("Calls started in a UTC day.")
    daily_minutes_max = _cap("Minutes talked in a UTC day; they gate new calls and cut none.")


@blp.route("/call-limits")
@requires("read")
@blp.response(200, CallLimitsSchema, example=EXAMPLE)
def get_call_limits() -> dict[str, object]:
    """Read the call limits"""
    with transaction():
        found = rows(
            "SELECT concurrent_max, calls_per_minute, daily_calls_max, daily_minutes_max"
            " FROM call_limits WHERE tenant_id = %s",
            current_caller().tenant_id,
        )
    return found[0] if found else NONE_SET


@blp.route("/call-limits", methods=["PUT"])
@requires("platform")
@blp.arguments(CallLimitsSchema, example=EXAMPLE)
@blp.response(200, CallLimitsSchema, example=EXAMPLE)
def put_call_limits(body: CallLimitsValues) -> CallLimitsValues:
    """Set the call limits

    Of the tenant named by X-Tenant; all four are replaced. Calls in progress go on.
    """
    with transaction():
        rows(
            """
            INSERT INTO call_limits (tenant_id, concurrent_max, calls_per_minute, daily_calls_max, daily_minutes_max)
            VALUES (%s, %s, %s, %s, %s) ON CONFLICT (tenant_id) DO UPDATE SET
                concurrent_max = excluded.concurrent_max, calls_per_minute = excluded.calls_per_minute,
                daily_calls_max = excluded.daily_calls_max, daily_minutes_max = excluded.daily_minutes_max""",
            current_caller().tenant_id,
            body["concurrent_max"],
            body["calls_per_minute"],
            body["daily_calls_max"],
            body["daily_minutes_max"],
        )
    notify.dialers(services(), Topic.WAKE, {})
    return body
