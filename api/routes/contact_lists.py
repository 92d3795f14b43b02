"""Lists of the contacts of a campaign."""

from __future__ import annotations

import uuid
from typing import TypedDict

from flask import Response

from api import schemas
from api.auth import current_caller, requires
from api.errors import not_found
from api.json_rows import json_answer, stored_json
from api.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from api.resources import id_or_404, invalid
from api.routes.campaign_contacts import blp
from api.routes.campaign_query_schemas import ContactFilters, ContactQuery
from api.routes.campaign_schemas import ContactList
from api.routes.campaigns import NOT_FOUND, campaign_or_404
from api.routes.client_keys import client_keys
from api.routes.contact_schemas import EXAMPLE_CONTACT, ContactSchema
from api.schemas import identifier
from api.transactions import transaction
from campaigns import contact_queries
from campaigns.contact_pages import Called, Start, Wanted
from campaigns.contact_queries import ContactPage
from models import CampaignStatus

__all__ = ["blp"]


class NumberValues(TypedDict):
    """A loaded NumberQuery."""

    phone_number: str
    limit: int


class NumberQuery(schemas.Schema):
    """Whose number."""

    phone_number = schemas.Text(
        1, 32, required=True, metadata={"description": "In E.164.", "example": "+14155550123"}
    )
    limit = schemas.Integer(
        1, MAX_LIMIT, load_default=DEFAULT_LIMIT, metadata={"description": "How many at most."}
    )


class FoundContactSchema(schemas.Schema):
    """Somebody, and where he is."""

    campaign_id = schemas.Id(required=True)
    campaign_name = schemas.Text(required=True)
    campaign_status = schemas.Choice(CampaignStatus, required=True)
    end_reason = schemas.Text(
        required=True, allow_none=True, metadata={"description": "Of the campaign; null until it has ended."}
    )
    contact = schemas.Nested(ContactSchema, required=True)


class FoundSchema(schemas.Schema):
    """Everybody of a number."""

    contacts = schemas.Items(schemas.Nested(FoundContactSchema), required=True)


EXAMPLE_FOUND = {
    "contacts": [
        {
            "campaign_id": "019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01",
            "campaign_name": "Spring reminders",
            "campaign_status": "running",
            "end_reason": None,
            "contact": EXAMPLE_CONTACT,
        }
    ]
}
EXAMPLE = {"contacts": [EXAMPLE_CONTACT], "total": 1, "limit": 100, "offset": 0, "looked_to": None}


@blp.route("/campaigns/<campaign_id>/contacts")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(ContactQuery, location="query")
@blp.response(200, ContactList, example=EXAMPLE)
def list_contacts(query: ContactFilters, campaign_id: str) -> Response:
    """List contacts in a campaign

    In the order in which they came onto the list, or with `order=newest` from its end. With a `status` or
    `disposition`, go on by `starting_after`: contacts that leave the list move the rest under an `offset`. `from` and
    `to` ask for those who were called then, in the order of their last calls within that time. With a `disposition`
    a page may end before it is full: then `looked_to` is what to go on by.
    """
    page, keys = Page.of(query), client_keys(query)
    if keys and page.after is not None:
        raise invalid(
            "starting_after", page.after, "with external_id or metadata a page is asked for by offset"
        )
    with transaction(writes=False):
        found_id, tenant_id = id_or_404(campaign_id, "Campaign"), current_caller().tenant_id
        part = {"limit": page.limit, "offset": page.offset}
        if "phone_number" in query:
            campaign_or_404(found_id)
            theirs = contact_queries.contacts_by_number(found_id, tenant_id, query["phone_number"], **part)
            return _told(page, theirs)
        wanted = _wanted(query)
        if keys:
            found = contact_queries.contacts_by_key(found_id, tenant_id, wanted, keys, **part)
        else:
            start = Start() if page.after is None else _start(found_id, page.after, wanted.called)
            found = contact_queries.contacts(found_id, tenant_id, wanted, start=start, **part)
    if found is None:
        raise not_found("Campaign")
    return _told(page, found)


def _told(page: Page, found: ContactPage) -> Response:
    body = page.body("contacts", stored_json(found.contacts), found.total)
    return json_answer({**body, "looked_to": found.looked_to})


@blp.route("/contacts")
@requires("read")
@blp.arguments(NumberQuery, location="query")
@blp.response(200, FoundSchema, example=EXAMPLE_FOUND)
def find_contacts(query: NumberValues) -> Response:
    """Find a number in all campaigns

    Everybody of this number, with the campaign that he is in, the newest campaign first.
    """
    with transaction(writes=False):
        found = contact_queries.contacts_of_tenant(
            current_caller().tenant_id, query["phone_number"], query["limit"]
        )
    told = [{**row, "contact": stored_json(str(row["contact"]))} for row in found]
    return json_answer({"contacts": told})


def _wanted(query: ContactFilters) -> Wanted:
    since, before = query.get("from_"), query.get("to")
    called = None if since is before is None else Called(since, before)
    return Wanted(query.get("status"), query.get("disposition"), query["order"] == "newest", called)


def _start(campaign_id: uuid.UUID, text: str, called: Called | None) -> Start:
    """Where a page starts. Raises ApiError: 404 for a campaign that is not the caller's, 400 for no contact of it, or
    for one that was not called then."""
    campaign_or_404(campaign_id)
    contact_id = identifier(text)
    found = None if contact_id is None else contact_queries.start_of(campaign_id, contact_id, called)
    if found is None:
        then = "" if called is None else " that was called then"
        raise invalid("starting_after", text, f"it must be the id of a contact of this campaign{then}")
    return found
