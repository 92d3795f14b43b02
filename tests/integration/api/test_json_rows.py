"""What is written straight from rows is what the schemas would have written, in their order."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
import pytest

from api.json_rows import json_answer
from api.paging import list_schema
from api.routes.calls import CallSchema
from api.routes.campaign_schemas import CampaignList, CampaignSchema, ContactList
from api.routes.campaigns import as_told
from campaigns import queries
from models import transaction
from tests.integration.api.resource_routes import call_of
from tests.integration.api.site import TENANT, Site
from tests.integration.api.test_calls import ENDED

MOMENTS = (
    "2026-01-31T09:00:00Z",
    "2026-01-31T09:00:00.000001Z",
    "2026-01-31T23:59:59.999999Z",
    "2026-07-31T11:00:00.5+02:00",
    "0099-12-31T00:00:00.100Z",
    None,
)
FIELDS = {"tab": "\t", "quote": '"', "slash": "\\", "zoë": "🙂 \u2028", "empty": "", "z": "1", "a": "2"}


def told(response: Any) -> Any:
    """The answer with its keys in their order."""
    assert response.status_code == 200, response.text
    assert response.content_type == "application/json"
    return in_order(orjson.loads(response.data))


def in_order(value: Any) -> Any:
    """A JSON value whose objects are lists of pairs."""
    if isinstance(value, dict):
        return [(key, in_order(inner)) for key, inner in value.items()]
    return [in_order(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_campaign_is_told_as_its_schema_tells_it(site: Site, moment: str | None) -> None:
    campaign_id = site.create(4)
    site.create(1, scheduled_at="2099-01-01T00:00:00.123456Z")
    site.move_contact(campaign_id, 2, "completed")
    site.sql(
        "UPDATE campaign SET started_at = %s, next_action_at = %s, blocked_since = %s, blocked_reason = 'paused',"
        " name = 'Zoë \"x\"', weight = 7, slow_start = true WHERE id = %s",
        moment,
        moment,
        moment,
        campaign_id,
    )
    with transaction():
        found, total = queries.campaigns(TENANT, 100, 0)
    with site.app.app_context():
        linked = [as_told(row) for row in found]
    assert told(site.get(f"/campaigns/{campaign_id}")) == in_order(CampaignSchema().dump(linked[0]))
    page = {"campaigns": linked, "total": total, "limit": 100, "offset": 0}
    assert told(site.get("/campaigns")) == in_order(CampaignList().dump(page))


@pytest.mark.parametrize("status", [None, "pending", "failed"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_contacts_are_told_as_their_schema_tells_them(
    site: Site, moment: str | None, status: str | None
) -> None:
    campaign_id = site.create(5)
    site.move_contact(campaign_id, 2, "failed")
    site.sql(
        "UPDATE contact SET next_attempt_at = %s, custom_fields = %s::jsonb, last_cause = 'USER_BUSY', disposition ="
        " 'busy', attempts = 2, created_at = coalesce(%s, created_at) WHERE campaign_id = %s AND position IN (2, 4)",
        moment,
        orjson.dumps(FIELDS).decode(),
        moment,
        campaign_id,
    )
    found = site.sql(
        "SELECT *, custom_fields ->> 'external_id' AS external_id, ARRAY[phone_number] AS phone_numbers,"
        " ARRAY['America/Los_Angeles'] AS time_zones FROM contact"
        " WHERE campaign_id = %s AND status = coalesce(%s, status) ORDER BY position",
        campaign_id,
        status,
    )
    assert FIELDS in [row["custom_fields"] for row in found]
    page = {"contacts": found, "total": len(found), "limit": 100, "offset": 0, "looked_to": None}
    query = {} if status is None else {"status": status}
    response = site.get(f"/campaigns/{campaign_id}/contacts", query_string=query)
    assert told(response) == in_order(ContactList().dump(page))


@pytest.mark.parametrize("moment", MOMENTS)
def test_calls_are_told_as_their_schema_tells_them(site: Site, moment: str | None) -> None:
    campaign_id = site.create(1)
    times = {"answered_at": moment, "ring_at": moment, "sent_at": moment, "progress_at": moment}
    call_of(site, campaign_id, **(ENDED | times))
    call_of(site, campaign_id, seq=2)
    found = site.sql("SELECT * FROM call ORDER BY created_at, id")
    page = {"calls": found, "total": 2, "limit": 100, "offset": 0}
    assert told(site.get("/calls")) == in_order(list_schema("calls", CallSchema)().dump(page))
    assert told(site.get(f"/calls/{found[0]['id']}")) == in_order(CallSchema().dump(found[0]))


def test_what_has_no_form_in_json_is_no_answer() -> None:
    with pytest.raises(TypeError):
        json_answer({"digest": b"secret"})
    assert json_answer({"id": uuid.UUID(int=1)}).data == b'{"id":"00000000-0000-0000-0000-000000000001"}'
