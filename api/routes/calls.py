"""Calls: one row for each send, whoever it was to and whatever became of it. `single_calls` places some."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired

from flask import Response

from api import schemas
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import not_found
from api.json_rows import json_answer
from api.paging import FilteredQuery, Page, PageValues, SpanQuery, SpanValues, list_schema, within
from api.resources import id_or_404, invalid
from api.schemas import identifier
from api.transactions import transaction
from campaigns import call_counts, single_calls
from campaigns.dispositions import CONTACT_MEANINGS, EXPIRED, Disposition
from models import CallState, rows

blp = Blueprint("calls", description="One row for each send")

NOT_FOUND = "Call not found"
QUEUED = "queued"
"""In the place of a state, of a single call that no dialer has placed yet."""
EXAMPLE: dict[str, object] = {
    "id": "019ab0c4-9000-7c00-8d00-00000000c001",
    "campaign_id": "019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01",
    "contact_id": "019ab0c4-7d2f-7c00-8d00-00000000a001",
    "phone_number": "+14155550123",
    "caller_id": "+14155550100",
    "seq": 1,
    "attempt": 1,
    "state": "ended",
    "node": "fs1",
    "gateway_id": "019ab0c4-3333-7aaa-8bbb-0123456789ab",
    "disposition": "answered",
    "cause": "NORMAL_CLEARING",
    "q850": 16,
    "sip_status": 200,
    "sip_phrase": "OK",
    "sip_603plus_reason": None,
    "hung_up_by": "remote",
    "created_at": "2026-01-31T09:00:00.000Z",
    "sent_at": "2026-01-31T09:00:00.010Z",
    "progress_at": "2026-01-31T09:00:01.200Z",
    "ring_at": "2026-01-31T09:00:01.200Z",
    "answered_at": "2026-01-31T09:00:09.000Z",
    "ended_at": "2026-01-31T09:01:10.000Z",
    "billsec": 61,
    "recovered": False,
    "certain_billsec": None,
    "duration_ms": 70000,
    "pdd_ms": 1190,
    "ring_ms": 7800,
    "failover": False,
    "retry_seconds": None,
}
EXAMPLE_LIST = {"calls": [EXAMPLE], "total": 1, "limit": 100, "offset": 0}


class CallSchema(schemas.Schema):
    """A call."""

    id = schemas.Id(required=True, metadata={"description": "The switch's channel uuid, too."})
    campaign_id = schemas.Id(required=True)
    contact_id = schemas.Id(required=True)
    phone_number = schemas.Text(
        required=True, metadata={"description": "Who was called, in E.164; `erased` once that was."}
    )
    caller_id = schemas.Text(required=True)
    seq = schemas.Integer(
        required=True,
        metadata={"description": "Numbers the sends of a contact from 1; 0: none."},
    )
    attempt = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Numbers the attempts that count from 1; null where it did not count."},
    )
    state = schemas.Choice(
        (*CallState, QUEUED),
        required=True,
        metadata={"description": "`queued` is a call of POST /calls/originate that was not placed yet."},
    )
    node = schemas.Text(
        required=True, allow_none=True, metadata={"description": "null where it was not placed."}
    )
    gateway_id = schemas.Id(required=True, allow_none=True)
    disposition = schemas.Word(
        CONTACT_MEANINGS, "How it ended; null until then.", required=True, allow_none=True
    )
    cause = schemas.Text(
        required=True, allow_none=True, metadata={"description": "The hangup cause, by name."}
    )
    q850 = schemas.Integer(required=True, allow_none=True)
    sip_status = schemas.Integer(required=True, allow_none=True)
    sip_phrase = schemas.Text(required=True, allow_none=True)
    sip_603plus_reason = schemas.Text(
        required=True,
        allow_none=True,
        metadata={
            "description": "The reason that a network which blocked the call gave, with its redress address."
        },
    )
    hung_up_by = schemas.Text(
        required=True, allow_none=True, metadata={"description": "remote or us; null where nobody can say."}
    )
    created_at = schemas.Time(required=True)
    sent_at = schemas.Time(required=True, allow_none=True)
    progress_at = schemas.Time(
        required=True, allow_none=True, metadata={"description": "The first 180 or 183."}
    )
    ring_at = schemas.Time(
        required=True,
        allow_none=True,
        metadata={"description": "The first 180; null where early media (183) is all that came."},
    )
    answered_at = schemas.Time(required=True, allow_none=True)
    ended_at = schemas.Time(required=True, allow_none=True)
    billsec = schemas.Integer(
        required=True, allow_none=True, metadata={"description": "Seconds from the answer to the end."}
    )
    recovered = schemas.Boolean(
        required=True,
        metadata={
            "description": "Its node died during it and took it up again: when the other side left meanwhile is not "
            "known, and billsec may be too long."
        },
    )
    certain_billsec = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "Of a recovered call: the seconds that it was surely up; null where nobody saw."
        },
    )
    duration_ms = schemas.Integer(required=True, allow_none=True)
    pdd_ms = schemas.Integer(
        required=True, allow_none=True, metadata={"description": "From the send to the first ring."}
    )
    ring_ms = schemas.Integer(
        required=True, allow_none=True, metadata={"description": "From the first ring to the answer or end."}
    )
    failover = schemas.Boolean(
        required=True,
        metadata={"description": "Nobody was reached, and the contact is sent again by another gateway."},
    )
    retry_seconds = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "So long after its end the contact was to be called again, within its hours; null where "
            "it was not, or at once."
        },
    )


class CallFilters(PageValues, SpanValues):
    """A loaded CallQuery."""

    phone_number: NotRequired[str]
    campaign_id: NotRequired[str]
    contact_id: NotRequired[str]
    disposition: NotRequired[str]
    state: NotRequired[str]
    order: str


class CallQuery(FilteredQuery, SpanQuery):
    """Which calls."""

    phone_number = schemas.Text(
        1, 32, metadata={"description": "To this number, in E.164.", "example": "+14155550123"}
    )
    campaign_id = schemas.Id()
    contact_id = schemas.Id()
    disposition = schemas.Choice(Disposition)
    state = schemas.Choice(CallState)
    order = schemas.Choice(("oldest", "newest"), load_default="oldest")


_COLUMNS = ", ".join(CallSchema().fields)
# What a filter names is looked up in the tenant's own first; the calls are then found by its index alone.
_OWN = {
    "campaign_id": "SELECT 1 FROM campaign WHERE tenant_id = %s AND id = %s",
    "contact_id": """
        SELECT 1 FROM contact JOIN campaign ON campaign.id = contact.campaign_id
        WHERE campaign.tenant_id = %s AND contact.id = %s""",
}
# By the number in each campaign: calls have no index of theirs, which each of them would pay for.
_OF_NUMBER = """
SELECT contact.id FROM campaign JOIN contact ON contact.campaign_id = campaign.id AND contact.phone_number = %s
WHERE campaign.tenant_id = %s
UNION
SELECT contact.id FROM contact JOIN campaign ON campaign.id = contact.campaign_id
WHERE contact.numbers @> ARRAY[%s::text] AND campaign.tenant_id = %s
"""


@blp.route("/calls")
@requires("read")
@blp.arguments(CallQuery, location="query")
@blp.response(200, list_schema("calls", CallSchema), example=EXAMPLE_LIST)
def list_calls(query: CallFilters) -> Response:
    """List calls

    Oldest first, so that calls which start meanwhile come at the end, unless another `order` is asked for. Calls of
    deleted campaigns are among them. With a `state` or `disposition`, go on by `starting_after`: calls that leave the
    list move the rest under an `offset`. `from` and `to` are about `created_at`.
    """
    page = Page.of(query)
    with transaction(writes=False):
        found, total = _calls(current_caller().tenant_id, query, page)
    return json_answer(page.body("calls", found, total))


@blp.route("/calls/<call_id>")
@requires("read", errors={404: NOT_FOUND})
@blp.response(200, CallSchema, example=EXAMPLE)
def get_call(call_id: str) -> Response:
    """Get a call

    Also by the id with which a call was taken (`POST /calls/originate`, a test call): its last send, or, while there
    is none, `queued`; `ended` where there never will be.
    """
    key, tenant_id = id_or_404(call_id, "Call"), current_caller().tenant_id
    with transaction(writes=False):
        found = _by_id(key, tenant_id)
        if found is None and (placed := single_calls.placed(key, tenant_id)) is not None:
            found = _unsent(placed) if placed.call_id is None else _by_id(placed.call_id, tenant_id)
    if found is None:
        raise not_found("Call")
    return json_answer(found)


def _by_id(call_id: uuid.UUID, tenant_id: str) -> Mapping[str, object] | None:
    found = rows(f"SELECT {_COLUMNS} FROM call WHERE id = %s AND tenant_id = %s", call_id, tenant_id)
    return found[0] if found else None


def _unsent(placed: single_calls.Placed) -> dict[str, object]:
    """A single call that there is no send of, as CallSchema tells it."""
    told: dict[str, object] = dict.fromkeys(CallSchema().fields)
    return told | {
        "id": placed.campaign_id,
        "campaign_id": placed.campaign_id,
        "contact_id": placed.contact_id,
        "phone_number": placed.phone_number,
        "caller_id": placed.caller_id,
        "seq": 0,
        "state": QUEUED if placed.waits else CallState.ENDED,
        "disposition": EXPIRED if placed.late else placed.disposition,
        "created_at": placed.created_at,
        "recovered": False,
        "failover": False,
    }


def _calls(tenant_id: str, query: CallFilters, page: Page) -> tuple[Sequence[Mapping[str, object]], int]:
    given: dict[str, object] = {}
    for name, text in (("campaign_id", query.get("campaign_id")), ("contact_id", query.get("contact_id"))):
        if text is not None:
            given[name] = _own(name, text, tenant_id)
            if given[name] is None:
                return [], 0
    if number := query.get("phone_number"):
        theirs = rows(_OF_NUMBER, number, tenant_id, number, tenant_id)
        given["contact_id = ANY"] = [row["id"] for row in theirs]
        given["phone_number"] = number
    given = given or {"tenant_id": tenant_id}
    given |= {name: value for name, value in query.items() if name in ("disposition", "state")}
    start = () if page.after is None else _start(page.after, tenant_id)
    span, moments = within(query)
    where, params = _where(given, start, newest=query["order"] == "newest")
    where, params = where + span, [*params, *moments]
    if _of_contacts(given):
        found = _page(where, params, tenant_id, query, page)
        # There are a few: mostly no more than one page has.
        whole = not start and not page.offset and len(found) < page.limit
        return found, len(found) if whole else _total(tenant_id, given, query)
    total = _total(tenant_id, given, query)
    return (_page(where, params, tenant_id, query, page) if total else []), total


def _where(
    given: Mapping[str, object], start: tuple[datetime, uuid.UUID] | tuple[()], *, newest: bool
) -> tuple[str, list[object]]:
    """The calls that match, behind where a page starts."""
    where, params = " AND ".join(_equal(name) for name in given), [*given.values()]
    if given.get("state", CallState.ENDED) != CallState.ENDED:
        # By the index of those that are up, however many are over.
        where += " AND ended_at IS NULL"
    if "disposition" in given:
        # By the index of those that ended so (decision 0083).
        where += " AND disposition IS NOT NULL"
    if start:
        where, params = f"{where} AND (created_at, id) {'<' if newest else '>'} (%s, %s)", [*params, *start]
    return where, params


def _page(
    where: str, params: Sequence[object], tenant_id: str, query: CallFilters, page: Page
) -> Sequence[Mapping[str, object]]:
    direction = " DESC" if query["order"] == "newest" else ""
    order = f"ORDER BY created_at{direction}, id{direction} LIMIT %s"
    if "disposition" in query and not query.keys() & {"campaign_id", "contact_id", "phone_number"}:
        # The index has them campaign by campaign: of each that has any, no more than the page can show.
        return rows(
            f"""
            SELECT {_COLUMNS} FROM unnest(%s::uuid[]) AS c (of_campaign) CROSS JOIN LATERAL (
                SELECT * FROM call WHERE campaign_id = of_campaign AND {where} {order}
            ) AS call {order} OFFSET %s""",
            call_counts.campaigns_with(tenant_id, query["disposition"]),
            *params,
            page.limit + page.offset,
            page.limit,
            page.offset,
        )
    return rows(
        f"SELECT {_COLUMNS} FROM call WHERE {where} {order} OFFSET %s", *params, page.limit, page.offset
    )


def _of_contacts(given: Mapping[str, object]) -> bool:
    """Whether it is about one contact, or those of a number."""
    return any(name.startswith("contact_id") for name in given)


def _equal(name: str) -> str:
    return f"{name}(%s::uuid[])" if name.endswith("ANY") else f"{name} = %s"


def _total(tenant_id: str, given: Mapping[str, Any], query: CallFilters) -> int:
    """How many calls match, without reading them all: of a contact or a number there are a few, of others it is
    kept, day by day."""
    span, moments = within(query)
    if _of_contacts(given):
        where = " AND ".join(_equal(name) for name in given) + span
        return int(rows(f"SELECT count(*) AS n FROM call WHERE {where}", *given.values(), *moments)[0]["n"])
    kept = {name: given.get(name) for name in ("campaign_id", "state", "disposition")}
    return call_counts.total(tenant_id, since=query.get("from_"), before=query.get("to"), **kept)


def _start(text: str, tenant_id: str) -> tuple[datetime, uuid.UUID] | tuple[()]:
    """Where the call that a page starts after stands. Raises ApiError 400 where it is none of the tenant's."""
    found_id = identifier(text)
    found = rows("SELECT created_at, id FROM call WHERE tenant_id = %s AND id = %s", tenant_id, found_id)
    if not found:
        raise invalid("starting_after", text, "it must be the id of a call of yours")
    return found[0]["created_at"], found[0]["id"]


def _own(name: str, text: str, tenant_id: str) -> uuid.UUID | None:
    found = identifier(text)
    return found if found is not None and rows(_OWN[name], tenant_id, found) else None
