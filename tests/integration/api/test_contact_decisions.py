"""What was decided of a contact beside its calls: by whom, when and why."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from campaigns import expiry, never_open, stopping, suppressed_contacts
from campaigns.campaign_state import WEB
from models import new_id
from tests.integration.api.site import OTHER, Site
from tests.integration.api.test_contacts import AT, contacts, fail, patch
from tests.waiting import wait_until

ASKED: dict[str, Any] = {"reason": "asked", "by": "operate key", "next_attempt_at": None}
NOBODY: dict[str, Any] = {"by": None, "next_attempt_at": None}


def decisions(site: Site, campaign_id: str, place: int = 0, query: str = "") -> list[dict[str, Any]]:
    """Of the contact at this place of the list, without their times, which are in order."""
    contact = contacts(site, campaign_id)[place]["id"]
    answer = site.get(f"/campaigns/{campaign_id}/contacts/{contact}/decisions{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json["decisions"]
    times = [one.pop("at") for one in found]
    assert times == sorted(times, reverse="newest" in query)
    return found


def test_who_takes_somebody_out_or_back_in_or_sets_a_callback_is_kept(site: Site) -> None:
    campaign_id = site.in_state("running")
    first, second, _ = (one["id"] for one in contacts(site, campaign_id))
    patch(site, campaign_id, second, status="cancelled")
    assert decisions(site, campaign_id, 0) == []
    for body in (
        {"next_attempt_at": AT},
        {"next_attempt_at": AT},
        {"next_attempt_at": None},
        {"status": "cancelled"},
        {"status": "pending"},
    ):
        assert patch(site, campaign_id, first, **body).status_code == 200
    kept = [
        {"status": "pending"} | ASKED | {"next_attempt_at": AT},
        {"status": "pending"} | ASKED,
        {"status": "cancelled"} | ASKED,
        {"status": "pending"} | ASKED,
    ]
    assert decisions(site, campaign_id) == kept
    assert decisions(site, campaign_id, 0, "?order=newest&limit=2") == kept[:1:-1]
    assert decisions(site, campaign_id, 1) == [{"status": "cancelled"} | ASKED]


def test_a_callback_of_somebody_who_waits_is_told_to_no_listener(site: Site) -> None:
    """His state is what it was. What is told is told in order: the first that is heard is what came behind it."""
    campaign_id = site.in_state("running", 1)
    (contact,) = contacts(site, campaign_id)
    for body in ({"next_attempt_at": AT}, {"status": "cancelled"}):
        patch(site, campaign_id, contact["id"], **body)
    stream = f"carillon:live:{campaign_id}"
    wait_until(lambda: site.services.redis.xlen(stream), what="somebody who was taken out")
    entries: Any = site.services.redis.xrange(stream)
    (entry,) = entries
    assert '"cancelled"' in str(entry)


def test_who_calls_many_again_is_kept_of_each(site: Site) -> None:
    campaign_id = site.in_state("running")
    fail(site, campaign_id, busy=2)
    site.post(f"/campaigns/{campaign_id}/retry", json={"dispositions": ["busy"]})
    for place, kept in ((0, [{"status": "pending"} | ASKED]), (1, [{"status": "pending"} | ASKED]), (2, [])):
        assert decisions(site, campaign_id, place) == kept


def test_why_somebody_is_called_no_more_is_told(site: Site) -> None:
    campaign_id = site.in_state("running", 4)
    site.sql("UPDATE contact SET expires_at = now() WHERE campaign_id = %s AND position = 1", campaign_id)
    expiry.expire_slice("d1")
    number = contacts(site, campaign_id)[1]["phone_number"]
    site.post("/suppressions", json={"number": number, "source": "phone"})
    suppressed_contacts.cancel_slice("d1", suppressed_contacts.InCalls())
    site.sql("UPDATE contact SET zone_group = 7 WHERE campaign_id = %s AND position = 3", campaign_id)
    site.sql("UPDATE campaign SET windows = '[]'")
    never_open.cancel_slice(uuid.UUID(campaign_id), [7], "d1")
    site.post(f"/campaigns/{campaign_id}/stop")
    said = [decisions(site, campaign_id, place) for place in range(4)]
    assert said == [
        [{"status": "cancelled", "reason": reason} | NOBODY | {"by": by}]
        for reason, by in (
            ("expired", None),
            ("suppressed", None),
            ("never_open", None),
            ("campaign_ended", "operate key"),
        )
    ]


def test_who_was_suppressed_once_and_brought_back_is_cancelled_by_the_end_of_the_campaign(site: Site) -> None:
    campaign_id = site.in_state("running", 1)
    (contact,) = contacts(site, campaign_id)
    entry = site.post("/suppressions", json={"number": contact["phone_number"], "source": "phone"}).json["id"]
    suppressed_contacts.cancel_slice("d1", suppressed_contacts.InCalls())
    site.delete(f"/suppressions/{entry}")
    assert patch(site, campaign_id, contact["id"], status="pending").status_code == 200
    site.sql("UPDATE campaign SET status = 'completed', end_reason = 'deadline', completed_at = now(),"
             " stopping_at = now() WHERE id = %s", campaign_id)  # fmt: skip
    stopping.cancel_slice(uuid.UUID(campaign_id), WEB)
    assert [one["reason"] for one in decisions(site, campaign_id)] == [
        "suppressed",
        "asked",
        "campaign_ended",
    ]
    assert decisions(site, campaign_id)[-1]["by"] is None, "its time had come"


def test_what_an_older_release_noted_is_told_without_why(site: Site) -> None:
    campaign_id = site.in_state("running", 1)
    site.sql(
        "INSERT INTO transition (campaign_id, contact_id, version, status, owner)"
        " SELECT campaign_id, id, 1, said, 'web' FROM contact, unnest(ARRAY['cancelled', 'pending']) AS was (said)"
        " WHERE campaign_id = %s", campaign_id)  # fmt: skip
    assert decisions(site, campaign_id) == [
        {"status": status, "reason": None} | NOBODY for status in ("cancelled", "pending")
    ]


@pytest.mark.parametrize("gone", ["deleted_at", "purged_at"])
def test_they_are_their_tenants_and_of_a_contact_that_there_is(site: Site, gone: str) -> None:
    campaign_id = site.in_state("running", 1)
    path = f"/campaigns/{campaign_id}/contacts/{contacts(site, campaign_id)[0]['id']}/decisions"
    assert site.get(path, role="read").json == {"decisions": [], "total": 0, "limit": 100, "offset": 0}
    other = f"/campaigns/{site.create(1)}{path[path.index('/contacts') :]}"
    for answer in (
        site.get(path, tenant=OTHER),
        site.get(other),
        site.get(f"/campaigns/{campaign_id}/contacts/{new_id()}/decisions"),
    ):
        assert (answer.status_code, answer.text) == (404, "Contact not found")
    site.sql(f"UPDATE campaign SET {gone} = now()")
    assert site.get(path).status_code == 404
