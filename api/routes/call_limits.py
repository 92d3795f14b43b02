"""Call limits: a tenant's caps, which every one of its roles may read and only the operator sets."""

from __future__ import annotations

from typing import NotRequired, TypedDict

import marshmallow as ma
from marshmallow import validate
from phonenumbers import SUPPORTED_REGIONS

from api import notify, schemas
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import conflict
from api.number_waits import let_go
from api.services import services
from api.transactions import transaction
from campaigns import older_dialers
from campaigns.number_waits import open_campaigns
from coordination.topics import Topic
from models import rows

blp = Blueprint("call-limits", description="A tenant's caps")

EXAMPLE: dict[str, object] = {
    "concurrent_max": 100,
    "calls_per_minute": 600,
    "daily_calls_max": 50_000,
    "daily_minutes_max": None,
    "number_gap_seconds": 600,
    "number_calls_24h": 3,
    "number_calls_7d": 7,
    "number_calls_30d": None,
    "reserved_concurrency": 2,
    "allowed_countries": ["US", "CA"],
    "premium_allowed": False,
}
NUMBER_CAPS = tuple(name for name in EXAMPLE if name.startswith("number_"))
NONE_SET: dict[str, object] = dict.fromkeys(EXAMPLE) | {
    "number_gap_seconds": 0,
    "reserved_concurrency": 0,
    "premium_allowed": False,
}
COLUMNS = ", ".join(EXAMPLE)
GAP_MAX = 30 * 86_400
CALLS_MAX = 1000
MOST_COUNTRIES = 250
KNOWS = 40
"""The migration that a dialer has to know to heed caps on numbers."""
KNOWS_RESERVED = 48
"""Likewise what is kept for single calls."""
OLDER = "A dialer of an older release runs; caps on numbers can be set when it has ended."
OLDER_RESERVED = "A dialer of an older release runs; reserved_concurrency can be set when it has ended."


class CallLimitsValues(TypedDict):
    """The caps; null is unlimited, and of the first four 0 blocks."""

    concurrent_max: int | None
    calls_per_minute: int | None
    daily_calls_max: int | None
    daily_minutes_max: int | None
    number_gap_seconds: NotRequired[int]
    number_calls_24h: NotRequired[int | None]
    number_calls_7d: NotRequired[int | None]
    number_calls_30d: NotRequired[int | None]
    reserved_concurrency: NotRequired[int]
    allowed_countries: NotRequired[list[str] | None]
    premium_allowed: NotRequired[bool]


def _is_country(text: str) -> None:
    if text not in SUPPORTED_REGIONS:
        raise ma.ValidationError("it must be a country's two letters (ISO 3166), such as GB")


def _calls(days: str) -> schemas.Integer:
    return schemas.Integer(
        1,
        CALLS_MAX,
        allow_none=True,
        metadata={
            "description": f"Calls to one number in any {days}, over all campaigns: those that rang, were answered, "
            "or of which nobody knows. null is unlimited; left out, it stays as it is."
        },
    )


def _cap(description: str) -> schemas.Integer:
    return schemas.Integer(
        required=True,
        allow_none=True,
        metadata={"description": f"{description} 0 blocks, null is unlimited."},
    )


class CallLimitsSchema(schemas.Schema):
    """The caps of a tenant."""

    concurrent_max = _cap("Calls at once, and what its running campaigns may have together.")
    calls_per_minute = _cap("Calls started in any 60 seconds.")
    daily_calls_max = _cap("Calls started in a UTC day.")
    daily_minutes_max = _cap("Minutes talked in a UTC day; they gate new calls and cut none.")
    number_gap_seconds = schemas.Integer(
        0,
        GAP_MAX,
        metadata={
            "description": "From the end of a call to a number to the next one to it, from whichever campaigns; "
            "a call that did not ring does not count. 0 is none; left out, it stays as it is."
        },
    )
    number_calls_24h = _calls("24 hours")
    number_calls_7d = _calls("7 days")
    number_calls_30d = _calls("30 days")
    reserved_concurrency = schemas.Integer(
        0,
        metadata={
            "description": "So many of concurrent_max are kept for calls that are asked for by themselves "
            "(POST /calls/originate and test calls): campaigns take no more than the rest. Of no effect where "
            "concurrent_max is null. Left out, it stays as it is."
        },
    )
    allowed_countries = schemas.Items(
        schemas.Text(2, 2, validate=[_is_country]),
        allow_none=True,
        validate=[validate.Length(1, MOST_COUNTRIES, error=f"it must have 1 to {MOST_COUNTRIES} countries")],
        metadata={
            "description": "Numbers of no other countries go into lists, by their own country and not by their "
            "code's; who is in one already stays. null is any; left out, it stays as it is.",
            "example": ["US", "CA"],
        },
    )
    premium_allowed = schemas.Boolean(
        metadata={"description": "Premium-rate numbers may be called. Left out, it stays as it is."}
    )


@blp.route("/call-limits")
@requires("read")
@blp.response(200, CallLimitsSchema, example=EXAMPLE)
def get_call_limits() -> dict[str, object]:
    """Read the call limits"""
    with transaction():
        return _limits(current_caller().tenant_id)


@blp.route("/call-limits", methods=["PUT"])
@requires("platform", errors={409: OLDER})
@blp.arguments(CallLimitsSchema, example=EXAMPLE)
@blp.response(200, CallLimitsSchema, example=EXAMPLE)
def put_call_limits(body: CallLimitsValues) -> dict[str, object]:
    """Set the call limits

    Of the tenant named by X-Tenant; the first four are replaced. Calls in progress go on. Caps on numbers count the
    calls of before they were set, too, and are refused while a dialer of an older release runs, which would not heed
    them. Contacts that wait for a cap on their number are judged anew.
    """
    tenant_id = current_caller().tenant_id
    with transaction():
        if any(body.get(name) for name in NUMBER_CAPS) and older_dialers.may_run(KNOWS):
            raise conflict(OLDER)
        if body.get("reserved_concurrency") and older_dialers.may_run(KNOWS_RESERVED):
            raise conflict(OLDER_RESERVED)
        limits = _limits(tenant_id) | body
        rows(
            f"""
            INSERT INTO call_limits (tenant_id, {COLUMNS}) VALUES ({", ".join(["%s"] * (len(EXAMPLE) + 1))})
            ON CONFLICT (tenant_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in EXAMPLE)}""",
            tenant_id,
            *(limits[name] for name in EXAMPLE),
        )
    notify.dialers(services(), Topic.WAKE, {})
    with transaction():
        campaigns = open_campaigns(tenant_id)
    let_go(services(), campaigns)
    return limits


def _limits(tenant_id: str) -> dict[str, object]:
    found = rows(f"SELECT {COLUMNS} FROM call_limits WHERE tenant_id = %s", tenant_id)
    return found[0] if found else NONE_SET
