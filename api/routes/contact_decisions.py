"""What was decided of a contact beside its calls."""

from __future__ import annotations

from flask import Response

from api import schemas
from api.auth import current_caller, requires
from api.errors import not_found
from api.json_rows import json_answer, stored_json
from api.paging import Page, list_schema
from api.resources import id_or_404
from api.routes.campaign_log import LogFilters, LogQuery
from api.routes.contacts import blp
from api.transactions import transaction
from campaigns import contact_decisions
from models import ContactStatus

__all__ = ["blp"]

EXAMPLE_DECISION = {
    "at": "2026-01-31T09:05:00.000Z",
    "status": "pending",
    "reason": "asked",
    "by": "crm",
    "next_attempt_at": "2026-02-01T14:00:00.000Z",
}
EXAMPLE = {"decisions": [EXAMPLE_DECISION], "total": 1, "limit": 100, "offset": 0}


class DecisionSchema(schemas.Schema):
    """Something that was decided of a contact."""

    at = schemas.Time(required=True)
    status = schemas.Choice(
        (ContactStatus.PENDING, ContactStatus.CANCELLED),
        required=True,
        metadata={"description": "What the contact was from then on."},
    )
    reason = schemas.Word(
        contact_decisions.REASONS, "null of what an older release decided.", required=True, allow_none=True
    )
    by = schemas.Text(
        required=True,
        allow_none=True,
        metadata={"description": "The key of who asked for it, or stopped the campaign, by name."},
    )
    next_attempt_at = schemas.Time(
        required=True, allow_none=True, metadata={"description": "When somebody wants it to be called."}
    )


@blp.route("/campaigns/<campaign_id>/contacts/<contact_id>/decisions")
@requires("read", errors={404: "Contact not found"})
@blp.arguments(LogQuery, location="query")
@blp.response(200, list_schema("decisions", DecisionSchema), example=EXAMPLE)
def list_decisions(query: LogFilters, campaign_id: str, contact_id: str) -> Response:
    """List what was decided of a contact

    Beside its calls, each of which says by itself what followed: who took it out, brought it back or wants it to be
    called at a time, and why it is not called any more. Of the last 90 days, the oldest first, unless another `order`
    is asked for.
    """
    page = Page.of(query)
    with transaction(writes=False):
        found = contact_decisions.page(
            id_or_404(campaign_id, "Campaign"),
            current_caller().tenant_id,
            id_or_404(contact_id, "Contact"),
            limit=page.limit,
            offset=page.offset,
            order=query["order"],
        )
    if found is None:
        raise not_found("Contact")
    return json_answer(page.body("decisions", stored_json(found.decisions), found.total))
