"""Dialers: who dials, for how long each one's lease still runs, and from whom it took over. The operator's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import fields

from api import schemas
from api.auth import requires
from api.blueprint import Blueprint
from api.errors import ApiError
from api.paging import Page, PageQuery, PageValues, list_schema
from api.routes.dialer_reports import DialerReport, Dialers, living_dialers
from api.services import services
from api.transactions import transaction
from coordination.errors import CoordinationError
from models import rows

blp = Blueprint("dialers", description="The processes that dial")

MOST_TAKEN_OVER = 10
UNAVAILABLE = "Redis is not reachable; try again."
STATES = {
    "alive": "Its lease runs.",
    "dead": "Its lease has lapsed, and what it left is not settled yet: `heir` sees to that.",
}
EXAMPLE: dict[str, object] = {
    "id": "d0192f3a4b5c6",
    "state": "alive",
    "started_at": "2026-01-31T08:00:00.000Z",
    "lease_seconds": 4.2,
    "calls": 47,
    "calls_per_second": 20.1,
    "nodes": 2,
    "nodes_connected": 2,
    "errors": [{"node": "fs2", "error": "no answer for 3 s"}],
    "heir": None,
    "took_over": [
        {
            "id": "d0192f3a4a111",
            "started_at": "2026-01-30T08:00:00.000Z",
            "settled_at": "2026-01-31T08:00:06.000Z",
        }
    ],
}
OPEN = """
SELECT id, started_at, heir, (
    SELECT count(*) FROM call WHERE dialer_id = dialer.id AND ended_at IS NULL)::int AS calls
FROM dialer WHERE settled_at IS NULL OR id = ANY(%s) ORDER BY id
"""
"""Every dialer that is not settled, and those named beside them, with how many calls are theirs."""
_TAKEN_OVER = """
SELECT heir, id, started_at, settled_at FROM (
    SELECT heir, id, started_at, settled_at,
        row_number() OVER (PARTITION BY heir ORDER BY settled_at DESC NULLS FIRST, id DESC) AS n
    FROM dialer WHERE heir = ANY(%s)
) AS each WHERE n <= %s ORDER BY n
"""


class TakenOverSchema(schemas.Schema):
    """A dialer that another took over from."""

    id = schemas.Id(required=True)
    started_at = schemas.Time(required=True, allow_none=True)
    settled_at = schemas.Time(
        required=True,
        allow_none=True,
        metadata={"description": "When nothing of it was left open; null until then."},
    )


class DialerErrorSchema(schemas.Schema):
    """What is wrong with a node, as one dialer sees it."""

    node = schemas.Text(required=True)
    error = schemas.Text(required=True)


class DialerSchema(schemas.Schema):
    """A dialer: one that lives, or that died and left something open."""

    id = schemas.Id(
        required=True, metadata={"description": "New with each start and each lapse of its lease."}
    )
    state = schemas.Word(STATES, "", required=True)
    started_at = schemas.Time(required=True, allow_none=True)
    lease_seconds = fields.Float(
        required=True,
        metadata={"description": "So long it may send without renewing its lease; 0 where that has lapsed."},
    )
    calls = schemas.Integer(required=True, metadata={"description": "Its calls that are not over."})
    calls_per_second = fields.Float(required=True, metadata={"description": "Started in the last 5 s."})
    nodes = schemas.Integer(required=True, metadata={"description": "How many it knows."})
    nodes_connected = schemas.Integer(required=True)
    errors = schemas.Items(schemas.Nested(DialerErrorSchema), required=True)
    heir = schemas.Id(
        required=True, allow_none=True, metadata={"description": "Who takes over from it; null: nobody."}
    )
    took_over = schemas.Items(
        schemas.Nested(TakenOverSchema),
        required=True,
        metadata={
            "description": f"From whom it took over, the last {MOST_TAKEN_OVER}: what is not settled first, then the "
            "latest. A dialer is remembered for 30 days after it was settled."
        },
    )


@blp.route("/dialers")
@requires("platform", errors={503: UNAVAILABLE})
@blp.arguments(PageQuery, location="query")
@blp.response(
    200,
    list_schema("dialers", DialerSchema),
    example={"dialers": [EXAMPLE], "total": 1, "limit": 100, "offset": 0},
)
def list_dialers(query: PageValues) -> dict[str, object]:
    """List dialers

    Those that live, and those that died and left something open; by id, so by age.
    """
    page = Page.of(query)
    try:
        living = living_dialers()
        leases = services().membership.leases(living)
    except CoordinationError as error:
        raise ApiError(503, UNAVAILABLE) from error
    with transaction(writes=False):
        known = rows(OPEN, sorted(living))
        taken = rows(_TAKEN_OVER, sorted({row["id"] for row in known} | set(living)), MOST_TAKEN_OVER)
    found = _told(living, leases, known, taken)
    return page.body("dialers", found[page.offset : page.offset + page.limit], len(found))


def _told(
    living: Dialers,
    leases: Mapping[str, float],
    known: Sequence[Mapping[str, Any]],
    taken: Sequence[Mapping[str, Any]],
) -> list[dict[str, object]]:
    """All of them: one that has come up a moment ago may have no row yet."""
    by_id: dict[str, Mapping[str, Any]] = {row["id"]: row for row in known}
    each = []
    for dialer_id in sorted(by_id.keys() | living.keys()):
        row = by_id.get(dialer_id, {})
        took_over = [
            {name: one[name] for name in ("id", "started_at", "settled_at")}
            for one in taken
            if one["heir"] == dialer_id
        ]
        report = living.get(dialer_id)
        each.append(
            {
                "id": dialer_id,
                "state": "dead" if report is None else "alive",
                "started_at": row.get("started_at"),
                "lease_seconds": round(leases.get(dialer_id, 0.0), 1),
                "heir": row.get("heir"),
                "took_over": took_over,
            }
            | _reported(report or {}, row.get("calls", 0))
        )
    return each


def _reported(report: DialerReport, calls: int) -> dict[str, object]:
    nodes = report.get("nodes", [])
    errors = [(node["name"], node.get("last_error")) for node in nodes]
    return {
        "calls": calls,
        "calls_per_second": round(sum(node.get("calls_per_second", 0.0) for node in nodes), 1),
        "nodes": len(nodes),
        "nodes_connected": sum(bool(node.get("connected")) for node in nodes),
        "errors": [{"node": node, "error": error} for node, error in errors if error],
    }
