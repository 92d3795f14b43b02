"""Campaigns: create, list and read. What moves or deletes one is in `api.routes.campaign_actions`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from flask import Response

from api import notify
from api.auth import current_caller, requires
from api.blueprint import PREFIX, Blueprint
from api.csv_out import csv_row
from api.errors import not_found
from api.json_rows import json_answer
from api.paging import Page
from api.resources import id_or_404
from api.routes.campaign_body import create_from_request
from api.routes.campaign_fields import EXAMPLE_BODY, CampaignBody, CampaignForm
from api.routes.campaign_outcome_schemas import EXAMPLE_OUTCOMES
from api.routes.campaign_query_schemas import (
    CampaignFilters,
    CampaignQuery,
    OneCampaignQuery,
    RejectOptions,
    RejectQuery,
)
from api.routes.campaign_schemas import (
    EXAMPLE_CAMPAIGN,
    CampaignList,
    CampaignSchema,
    OneCampaignSchema,
)
from api.routes.client_keys import client_keys
from api.routes.policy_schemas import EXAMPLE_POLICY
from api.services import services
from api.transactions import transaction
from campaigns import (
    call_outcomes,
    changes,
    families,
    outcome_breakers,
    policy_shown,
    queries,
    store,
    window_waits,
)
from campaigns.campaign_state import ActionResult
from campaigns.queries import CampaignRow
from coordination.topics import Topic

blp = Blueprint("campaigns", description="Lists being dialled")

NOT_FOUND = "Campaign not found"
WINDOW = "window"
"""The `blocked_reason` of one that is outside its hours."""
REJECT_PAGE = 1000
ETAG_HEADER = {
    "ETag": {"description": "Names what PATCH can change, as it is now.", "schema": {"type": "string"}}
}
EXAMPLE_LIST = {"campaigns": [EXAMPLE_CAMPAIGN], "total": 1, "limit": 100, "offset": 0}

_CAMPAIGN_FIELDS = tuple(name for name in CampaignSchema().fields if name != "import_")

T = TypeVar("T")
Action = Callable[[uuid.UUID, str], ActionResult]


@blp.route("/campaigns")
@requires("read")
@blp.arguments(CampaignQuery, location="query")
@blp.response(200, CampaignList, example=EXAMPLE_LIST)
def list_campaigns(query: CampaignFilters) -> Response:
    """List campaigns

    Oldest first, unless another `order` is asked for. `from` and `to` are about `created_at`.
    """
    keys = client_keys(query)
    page = Page.of(query)
    with transaction(writes=False):
        found, total = queries.campaigns(
            current_caller().tenant_id,
            page.limit,
            page.offset,
            keys,
            status=query.get("status"),
            name=query.get("name"),
            order=query["order"],
            made_from=query.get("from_"),
            made_before=query.get("to"),
        )
        more = _figures(found) if "include" in query else {}
    told = [_told(row) | more.get(row.id, {}) for row in found]
    return json_answer(page.body("campaigns", told, total))


@blp.route("/campaigns", methods=["POST"])
@requires(
    "operate",
    errors={
        400: "max_concurrent_calls is 0; it must be a whole number from 1 to 100.",
        409: "Idempotency-Key 'k1' was used for another request.",
        413: "contacts has more than 10485760 bytes, the most a list may have.",
        415: "The content type is text/csv; it must be multipart/form-data or application/json.",
    },
    once=True,
)
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": CampaignForm,
                "example": {**EXAMPLE_BODY, "contacts": "phone_number,first_name\n+14155550123,Ada\n"},
            },
            "application/json": {"schema": CampaignBody, "example": EXAMPLE_BODY},
        },
    },
)
@blp.response(201, CampaignSchema, example=EXAMPLE_CAMPAIGN | {"status": "draft"})
def create_campaign() -> Response:
    """Create a campaign

    The list is a CSV file with a header row and a phone_number column; every other column becomes a custom field of
    the contact. Rows that cannot be dialled are counted in `import` and can be downloaded. Nothing is dialled before
    start.
    """
    answer, campaign_id = create_from_request(services(), current_caller(), campaign_json)
    if campaign_id is not None:
        notify.dialers(services(), Topic.WAKE, {"campaign_id": str(campaign_id)})
    return answer.response()


@blp.route("/campaigns/<campaign_id>")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(OneCampaignQuery, location="query")
@blp.response(
    200,
    OneCampaignSchema,
    example=EXAMPLE_CAMPAIGN
    | {
        "status": "completed",
        "end_reason": "exhausted",
        "policy": EXAMPLE_POLICY,
        "outcomes": EXAMPLE_OUTCOMES,
    },
    headers=ETAG_HEADER,
)
def get_campaign(query: dict[str, str], campaign_id: str) -> Response:
    """Get a campaign

    Of one that has ended, with what became of its calls; of one that a breaker holds, or that is exempt from it, with
    what is held and why. The ETag names what PATCH can change, and is the same while only calls are made.
    """
    with transaction(writes=False):
        found = campaign_or_404(id_or_404(campaign_id, "Campaign"))
        return tagged(one_campaign(found, outcomes="include" in query), found)


@blp.route("/campaigns/<campaign_id>/rejects")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(RejectQuery, location="query")
@blp.response(
    200,
    {"type": "string"},
    content_type="text/csv",
    example="line,code,reason,raw,column\r\n7,invalid_number,it is too short,555,phone_number\r\n",
)
def download_rejects(query: RejectOptions, campaign_id: str) -> Response:
    """Download the rejected rows

    A CSV of every row of the list that was not accepted: its line, a stable code, the reason, its text and the column
    that is at fault, where one is. A cell that a spreadsheet would run as a formula is preceded by an apostrophe.
    """
    found_id, addition = id_or_404(campaign_id, "Campaign"), query["addition"]
    with transaction():
        campaign_or_404(found_id)
        first = store.rejects(found_id, 0, REJECT_PAGE, addition)
    name = f"rejects-{found_id}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    lines = _reject_lines(found_id, first, addition)
    return Response(lines, content_type="text/csv; charset=utf-8", headers=headers)


def _figures(found: Sequence[CampaignRow]) -> dict[uuid.UUID, dict[str, object]]:
    """How the calls of these campaigns go, and who waits for their hours."""
    figures = call_outcomes.figures([row.id for row in found])
    outside = [row.id for row in found if _blocked(row) == WINDOW]
    waits = window_waits.waits(outside, window_waits.GROUPS_LISTED, window_waits.MOST_LISTED)
    told: dict[uuid.UUID, dict[str, object]] = {one: {"figures": of_one} for one, of_one in figures.items()}
    for campaign_id, of_one in waits.items():
        told[campaign_id]["waits"] = of_one
    return told


def campaign_or_404(campaign_id: uuid.UUID) -> CampaignRow:
    """The caller's campaign, within a transaction. Raises ApiError 404."""
    found = queries.campaign(campaign_id, current_caller().tenant_id)
    if found is None:
        raise not_found("Campaign")
    return as_told(found)


def one_campaign(found: CampaignRow, *, outcomes: bool = False) -> Response:
    """A campaign as OneCampaignSchema tells it, within a transaction; with its `outcomes` before it has ended too."""
    told = _told(found)
    policy = policy_shown.of_campaign(found.id, found.policy_packs, found.purpose)
    if policy is not None:
        told["policy"] = policy
    if outcomes or found.end_reason is not None:
        told["outcomes"] = call_outcomes.of_campaign(found.id)
    if found.end_reason is not None:
        told |= {} if found.purged_at is None else {"purged_at": found.purged_at}
    if told["blocked_reason"] == WINDOW:
        told["waits"] = window_waits.waits([found.id]).get(found.id, [])
    if found.of_family:
        told["family"] = families.of_campaign(found.id)
    held = outcome_breakers.held(found.id) if found.may_be_held else []
    if held or found.breaker_exempt_at is not None:
        told["breaker"] = {
            "held": held,
            "exempt_at": found.breaker_exempt_at,
            "exempt_by": found.breaker_exempt_by,
        }
    return json_answer(told)


def campaign_json(campaign_id: uuid.UUID) -> dict[str, object]:
    """The caller's campaign as JSON, within a transaction."""
    body: dict[str, object] = CampaignSchema().dump(campaign_or_404(campaign_id))
    return body


def campaign_answer(row: CampaignRow) -> Response:
    """A campaign as CampaignSchema tells it, with its ETag."""
    return tagged(json_answer(_told(row)), row)


def tagged(response: Response, row: CampaignRow) -> Response:
    """`response` with the ETag of a campaign: of what may be changed, not of its counts, which always do."""
    response.set_etag(changes.version({name: getattr(row, name) for name in changes.FIELDS}))
    return response


def _told(row: CampaignRow) -> dict[str, object]:
    """A campaign as CampaignSchema tells it, in its order."""
    told = {name: getattr(row, name) for name in _CAMPAIGN_FIELDS}
    told["blocked_reason"] = _blocked(row)
    told["import"] = _linked(row)
    return told


def as_told(row: CampaignRow) -> CampaignRow:
    """`row` with the address of its rejected rows, and with what no dialer can say of it any more."""
    return replace(row, blocked_reason=_blocked(row), import_=_linked(row))


def _blocked(row: CampaignRow) -> str | None:
    return services().dialers.blocked_reason(row.status, row.blocked_reason)


def _linked(row: CampaignRow) -> dict[str, object]:
    return {**row.import_, "rejects_url": f"{PREFIX}/campaigns/{row.id}/rejects"}


def _reject_lines(campaign_id: uuid.UUID, page: list[store.RejectRow], addition: int) -> Iterator[str]:
    """The CSV, page by page. A database lost on the way ends the download short, as any broken connection does."""
    yield csv_row("line", "code", "reason", "raw", "column")
    while page:
        yield "".join(csv_row(row.line, row.code, row.reason, row.raw, row.column or "") for row in page)
        with transaction():
            page = store.rejects(campaign_id, page[-1].line, REJECT_PAGE, addition)
