"""What happened to a campaign."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response

from api import schemas
from api.auth import requires
from api.blueprint import Blueprint
from api.json_rows import json_answer
from api.paging import Page, PageQuery, PageValues, list_schema
from api.resources import id_or_404
from api.routes.campaigns import NOT_FOUND, campaign_or_404
from api.transactions import transaction
from campaigns import campaign_log

blp = Blueprint("log", description="What happened to a campaign, when, by whom and why")

EXAMPLE_ENTRY: dict[str, object] = {
    "id": "4711",
    "at": "2026-01-31T09:01:00.000Z",
    "by": "crm",
    "action": "changed",
    "reason": None,
    "details": {"changes": {"max_concurrent_calls": [5, 20]}},
}
EXAMPLE = {"log": [EXAMPLE_ENTRY], "total": 1, "limit": 100, "offset": 0}


class LogEntrySchema(schemas.Schema):
    """One thing that happened to a campaign."""

    id = schemas.Text(required=True)
    at = schemas.Time(required=True)
    by = schemas.Text(
        required=True,
        allow_none=True,
        metadata={"description": "The key, by name; null for what the service did by itself."},
    )
    action = schemas.Word(campaign_log.ACTIONS, "", required=True)
    reason = schemas.Text(required=True, allow_none=True)
    details = schemas.Object(required=True)


class LogFilters(PageValues):
    """A loaded LogQuery."""

    order: str


class LogQuery(PageQuery):
    """Which entries, and in which order."""

    order = schemas.Choice(campaign_log.ORDERS, load_default="oldest")


LogList = list_schema("log", LogEntrySchema)


@blp.route("/campaigns/<campaign_id>/log")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(LogQuery, location="query")
@blp.response(200, LogList, example=EXAMPLE)
def get_log(query: LogFilters, campaign_id: str) -> Response:
    """Get a campaign's log

    Every start, pause, end, change and hold of it: when, by whom and why. Oldest first, unless another `order` is
    asked for. Nothing of it is ever changed or deleted.
    """
    page = Page.of(query)
    with transaction(writes=False):
        found = campaign_or_404(id_or_404(campaign_id, "Campaign"))
        entries, total = campaign_log.page(found.id, page.limit, page.offset, query["order"])
    return json_answer(page.body("log", [asdict(entry) for entry in entries], total))
