"""What was done with a gateway. The operator's."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response

from api import schemas
from api.auth import requires
from api.blueprint import Blueprint
from api.json_rows import json_answer
from api.paging import Page, PageQuery, PageValues, list_schema
from api.resources import get_or_404
from api.transactions import transaction
from campaigns import gateway_log
from models import Gateway

blp = Blueprint("gateway-log", description="What was done with a gateway, when and by whom")

EXAMPLE_ENTRY: dict[str, object] = {
    "id": "17",
    "at": "2026-01-31T09:01:00.000Z",
    "by": "operations",
    "action": "changed",
    "changes": {"cps": [40, 20]},
}
EXAMPLE = {"gateway_log": [EXAMPLE_ENTRY], "total": 1, "limit": 100, "offset": 0}


class GatewayLogEntrySchema(schemas.Schema):
    """One thing that was done with a gateway."""

    id = schemas.Text(required=True)
    at = schemas.Time(required=True)
    by = schemas.Text(required=True, metadata={"description": "The key, by name."})
    action = schemas.Word(gateway_log.ACTIONS, "", required=True)
    changes = schemas.Object(
        required=True,
        metadata={
            "description": "Each setting that changed, with what it was before and what it is now. Of dial_string,"
            " which may hold a password, both are null."
        },
    )


GatewayLogList = list_schema("gateway_log", GatewayLogEntrySchema)


@blp.route("/gateways/<gateway_id>/log")
@requires("platform", errors={404: "Gateway not found"})
@blp.arguments(PageQuery, location="query")
@blp.response(200, GatewayLogList, example=EXAMPLE)
def get_gateway_log(query: PageValues, gateway_id: str) -> Response:
    """Get a gateway's log

    Every change of it that somebody asked for: when, by whom, and from what to what. Newest first. What was done
    before there was a log is not in it.
    """
    page = Page.of(query)
    with transaction(writes=False):
        found = get_or_404(Gateway, gateway_id, "Gateway")
        entries, total = gateway_log.page(found.id, page.limit, page.offset)
    return json_answer(page.body("gateway_log", [asdict(entry) for entry in entries], total))
