"""Usage: how much of their limits tenants and gateways use now, as the limiter itself counts it. The operator's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import fields

from api import schemas
from api.auth import requires
from api.blueprint import Blueprint
from api.paging import DEFAULT_LIMIT, Page, PageQuery, PageValues
from api.services import services
from api.transactions import transaction
from limits.caps import InUse
from limits.limiter import Limiter, LimiterUnavailable
from models import rows

blp = Blueprint("usage", description="How much of their limits is in use")

MOST_TENANTS = 200
"""On a page: while the limiter counts, nobody gets a permit."""
MOST_GATEWAYS = 200
EXAMPLE: dict[str, object] = {
    "known": True,
    "tenants": [
        {
            "tenant_id": "demo",
            "name": "Demo",
            "running_campaigns": 2,
            "concurrent": 92,
            "concurrent_max": 400,
            "last_minute": 2380,
            "calls_per_minute": 6000,
            "day_calls": 9573,
            "daily_calls_max": None,
            "day_minutes": 4211.5,
            "daily_minutes_max": None,
        }
    ],
    "gateways": [
        {
            "gateway_id": "019ab0c4-3333-7aaa-8bbb-0123456789ab",
            "name": "east",
            "concurrent": 92,
            "channels": 200,
            "last_second": 40,
            "cps": 60,
        }
    ],
    "total": 1,
    "limit": 100,
    "offset": 0,
}
# Whoever dials comes first.
_TENANTS = """
SELECT t.id AS tenant_id, t.name, coalesce(running.campaigns, 0)::int AS running_campaigns, l.concurrent_max,
    l.calls_per_minute, l.daily_calls_max, l.daily_minutes_max, count(*) OVER ()::int AS total
FROM tenant AS t LEFT JOIN call_limits AS l ON l.tenant_id = t.id LEFT JOIN (
    SELECT tenant_id, count(*) AS campaigns FROM campaign WHERE status = 'running' AND deleted_at IS NULL
    GROUP BY tenant_id
) AS running ON running.tenant_id = t.id
WHERE t.deleted_at IS NULL
ORDER BY running_campaigns DESC, t.id LIMIT %s OFFSET %s
"""
_GATEWAYS = """
SELECT id::text AS gateway_id, name, channels, cps FROM gateway WHERE deleted_at IS NULL ORDER BY name, id LIMIT %s
"""


def _used(description: str) -> schemas.Integer:
    return schemas.Integer(required=True, allow_none=True, metadata={"description": description})


def _limit(description: str) -> schemas.Integer:
    text = f"{description} null is unlimited."
    return schemas.Integer(required=True, allow_none=True, metadata={"description": text})


class UsageQuery(PageQuery):
    """Which tenants."""

    limit = schemas.Integer(
        1, MOST_TENANTS, load_default=DEFAULT_LIMIT, metadata={"description": "How many at most."}
    )


class TenantUsageSchema(schemas.Schema):
    """What a tenant uses. What is used is null while nobody knows it."""

    tenant_id = schemas.Id(required=True)
    name = schemas.Text(required=True)
    running_campaigns = schemas.Integer(required=True)
    concurrent = _used("Calls that are up, or about to leave.")
    concurrent_max = _limit("Calls at once.")
    last_minute = _used("Calls that left in the last 60 s.")
    calls_per_minute = _limit("Calls started in any 60 s.")
    day_calls = _used("Calls of this day of UTC.")
    daily_calls_max = _limit("Calls started in a UTC day.")
    day_minutes = fields.Float(
        required=True, allow_none=True, metadata={"description": "Minutes talked in this day of UTC."}
    )
    daily_minutes_max = _limit("Minutes talked in a UTC day.")


class GatewayUsageSchema(schemas.Schema):
    """What a gateway carries. What is used is null while nobody knows it."""

    gateway_id = schemas.Id(required=True)
    name = schemas.Text(required=True)
    concurrent = _used("Calls, and second legs of calls, that are up or about to leave.")
    channels = _limit("Calls at once.")
    last_second = _used("Calls that left in the last second.")
    cps = _limit("Calls started in any second.")


class UsageSchema(schemas.Schema):
    """What is in use."""

    known = schemas.Boolean(
        required=True,
        metadata={"description": "false while the limiter's state is built anew or away: nobody dials then."},
    )
    tenants = schemas.Items(schemas.Nested(TenantUsageSchema), required=True)
    gateways = schemas.Items(
        schemas.Nested(GatewayUsageSchema), required=True, metadata={"maxItems": MOST_GATEWAYS}
    )
    total = schemas.Integer(required=True, metadata={"description": "Of tenants."})
    limit = schemas.Integer(required=True)
    offset = schemas.Integer(required=True)


@blp.route("/usage")
@requires("platform")
@blp.arguments(UsageQuery, location="query")
@blp.response(200, UsageSchema, example=EXAMPLE)
def get_usage(query: PageValues) -> dict[str, object]:
    """Read what is in use

    Tenants with running campaigns come first, the most of them before the others; the gateways by name. Counted as
    permits are: by the very state that calls are granted by, in one look.
    """
    page = Page.of(query)
    with transaction(writes=False):
        tenants = rows(_TENANTS, page.limit, page.offset)
        gateways = rows(_GATEWAYS, MOST_GATEWAYS)
    used = _in_use(tenants, gateways)
    total = tenants[0]["total"] if tenants else 0
    told: list[object] = [_tenant(row, used) for row in tenants]
    return page.body("tenants", told, total) | {
        "known": used is not None,
        "gateways": [_gateway(row, used) for row in gateways],
    }


def _in_use(tenants: Sequence[Mapping[str, Any]], gateways: Sequence[Mapping[str, Any]]) -> InUse | None:
    """None while the state has to be rebuilt, or Redis is away."""
    found = services()
    if found.dialers.redis_is_away:
        return None
    try:
        return Limiter(found.redis, found.settings.redis_prefix, "").in_use(
            [row["tenant_id"] for row in tenants], [row["gateway_id"] for row in gateways]
        )
    except LimiterUnavailable:
        return None


def _tenant(row: Mapping[str, Any], used: InUse | None) -> dict[str, object]:
    now = None if used is None else used.tenants[row["tenant_id"]]
    told = {name: value for name, value in row.items() if name != "total"}
    return told | {
        "concurrent": None if now is None else now.concurrent,
        "last_minute": None if now is None else now.last_minute,
        "day_calls": None if now is None else now.day_calls,
        "day_minutes": None if now is None else round(now.day_seconds / 60, 1),
    }


def _gateway(row: Mapping[str, Any], used: InUse | None) -> dict[str, object]:
    now = None if used is None else used.gateways[row["gateway_id"]]
    return {
        **row,
        "concurrent": None if now is None else now.concurrent,
        "last_second": None if now is None else now.last_second,
    }
