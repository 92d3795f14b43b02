"""Contacts that somebody changes: callbacks, taken out, back in, and all that ended so called again."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import gevent

from campaigns import contact_changes
from campaigns.contact_changes import ContactChanges
from campaigns.lifecycle import complete_if_exhausted
from models import db, rows, transaction
from tests.integration.api.site import Site
from tests.integration.dialer.one_campaign import due
from tests.waiting import HANG_SECONDS, wait_until

AT = "2099-01-31T14:00:00.000Z"


def contacts(site: Site, campaign_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.get(f"/campaigns/{campaign_id}/contacts").json["contacts"]
    return found


def patch(site: Site, campaign_id: str, contact_id: str, **body: Any) -> Any:
    return site.request("PATCH", f"/campaigns/{campaign_id}/contacts/{contact_id}", json=body)


def fail(site: Site, campaign_id: str, **dispositions: int) -> None:
    """So many contacts, in the order of the list, failed so."""
    position = 0
    for disposition, count in dispositions.items():
        for _ in range(count):
            position += 1
            site.move_contact(campaign_id, position, "failed")
            site.sql(
                "UPDATE contact SET disposition = %s, attempts = 1, sends = 1, free_sends = 20 WHERE campaign_id = %s"
                " AND position = %s",
                disposition,
                campaign_id,
                position,
            )


def told(site: Site, campaign_id: str) -> list[tuple[int, str]]:
    """Its changes of state; those of one contact are numbered."""
    found = site.sql(
        "SELECT version, status FROM transition WHERE campaign_id = %s AND version > 0 ORDER BY id",
        campaign_id,
    )
    return [(row["version"], row["status"]) for row in found]


def counts(site: Site, campaign_id: str) -> dict[str, int]:
    shown = site.get(f"/campaigns/{campaign_id}").json["counts"]
    return {name: number for name, number in shown.items() if number}


def test_a_contact_is_called_back_taken_out_and_brought_back(site: Site) -> None:
    campaign_id = site.in_state("running")
    first, second, _ = contacts(site, campaign_id)
    callback = patch(site, campaign_id, first["id"], next_attempt_at=AT)
    assert (callback.status_code, callback.json) == (
        200,
        first | {"next_attempt_at": AT, "updated_at": callback.json["updated_at"]},
    )
    assert ("wake", {"campaign_id": campaign_id}) in site.bus.messages
    out = patch(site, campaign_id, second["id"], status="cancelled")
    assert out.json["status"] == "cancelled"
    assert counts(site, campaign_id) == {"total": 3, "pending": 2, "cancelled": 1}
    assert [item.contact_id for item in due(campaign_id, 10)] == [contacts(site, campaign_id)[2]["id"]]
    assert patch(site, campaign_id, second["id"], status="cancelled").json["status"] == "cancelled"
    assert patch(site, campaign_id, second["id"], status="pending").json["status"] == "pending"
    assert patch(site, campaign_id, first["id"], next_attempt_at=None).json["next_attempt_at"] is None
    assert counts(site, campaign_id) == {"total": 3, "pending": 3}
    assert told(site, campaign_id) == [(1, "cancelled"), (2, "pending")]
    assert len(due(campaign_id, 10)) == 3


def test_a_callback_that_is_due_goes_first_also_of_who_was_reached(site: Site) -> None:
    campaign_id = site.in_state("paused")
    site.move_contact(campaign_id, 3, "completed")
    third = contacts(site, campaign_id)[2]
    assert patch(site, campaign_id, third["id"], next_attempt_at=AT).json["status"] == "pending"
    site.sql("UPDATE contact SET next_attempt_at = now() WHERE id = %s", third["id"])
    assert due(campaign_id, 10)[0].contact_id == third["id"]
    assert counts(site, campaign_id) == {"total": 3, "pending": 3}


def test_nobody_brings_back_who_was_erased(site: Site) -> None:
    """Nobody would be called, and the campaign would not end before the time of a callback."""
    campaign_id = site.in_state("running")
    fail(site, campaign_id, busy=2)
    first, second, _ = contacts(site, campaign_id)
    site.sql("UPDATE contact SET phone_number = 'erased:' || id WHERE id = %s", first["id"])
    for body in ({"next_attempt_at": AT}, {"status": "pending"}):
        refused = patch(site, campaign_id, first["id"], **body)
        assert (refused.status_code, refused.text[:20]) == (409, "Contact was erased; ")
    again = site.post(f"/campaigns/{campaign_id}/retry", json={"dispositions": ["busy"]})
    assert again.json == {"contacts": 1}
    assert [one["status"] for one in contacts(site, campaign_id)] == ["failed", "pending", "pending"]
    assert patch(site, campaign_id, second["id"], next_attempt_at=AT).status_code == 200


def test_busy_and_no_answer_again_in_one_request(site: Site, monkeypatch: Any) -> None:
    monkeypatch.setattr(contact_changes, "SLICE", 2)
    campaign_id = site.in_state("running", 6)
    fail(site, campaign_id, busy=2, no_answer=1, invalid=1, rejected=1)
    answer = site.post(f"/campaigns/{campaign_id}/retry", json={"dispositions": ["busy", "no_answer"]})
    assert (answer.status_code, answer.json) == (200, {"contacts": 3})
    assert counts(site, campaign_id) == {"total": 6, "pending": 4, "failed": 2}
    kept = site.sql(
        "SELECT attempts, free_sends FROM contact WHERE campaign_id = %s AND position < 4", campaign_id
    )
    assert kept == [{"attempts": 1, "free_sends": 0}] * 3
    again = site.post(f"/campaigns/{campaign_id}/retry", json={"dispositions": ["busy", "no_answer"]})
    assert again.json == {"contacts": 0}


def test_whoever_asks_again_for_all_is_told_how_many_came_back_before_the_campaign_ended(
    site: Site, monkeypatch: Any
) -> None:
    monkeypatch.setattr(contact_changes, "SLICE", 2)
    campaign_id = site.in_state("running", 6)
    fail(site, campaign_id, busy=5)
    slice_of_them = contact_changes.call_again

    def ends_meanwhile(*asked: Any, by: str) -> tuple[int, int | None]:
        after = asked[-1]
        if after:
            rows("UPDATE campaign SET status = 'completed', end_reason = 'stopped', completed_at = now()")
        return slice_of_them(*asked, by=by)

    monkeypatch.setattr(contact_changes, "call_again", ends_meanwhile)
    site.bus.messages.clear()
    answer = site.post(f"/campaigns/{campaign_id}/retry", json={"dispositions": ["busy"]})
    assert (answer.status_code, answer.text) == (
        409,
        "Campaign is completed; its contacts cannot be changed. 2 of them had been brought back by then.",
    )
    assert counts(site, campaign_id) == {"total": 6, "pending": 3, "failed": 3}
    assert site.bus.messages == [("wake", {"campaign_id": campaign_id})], "what was changed is told"


def test_who_is_in_a_call_or_whose_campaign_has_ended_is_left_alone(site: Site) -> None:
    campaign_id = site.in_state("running")
    first, *_ = contacts(site, campaign_id)
    site.move_contact(campaign_id, 1, "originated")
    response = patch(site, campaign_id, first["id"], status="cancelled")
    assert (response.status_code, response.text) == (
        409,
        "Contact is in a call; it can be changed when that is over.",
    )
    ended = site.in_state("completed")
    rule = "Campaign is completed; its contacts cannot be changed."
    response = patch(site, ended, contacts(site, ended)[0]["id"], status="cancelled")
    assert (response.status_code, response.text) == (409, rule)
    response = site.post(f"/campaigns/{ended}/retry", json={"dispositions": ["busy"]})
    assert (response.status_code, response.text) == (409, rule)
    nobody = patch(site, campaign_id, contacts(site, ended)[0]["id"], status="cancelled")
    assert (nobody.status_code, nobody.text) == (404, "Contact not found")
    bodies: tuple[dict[str, list[str]], ...] = ({"dispositions": []}, {"dispositions": ["bored"]}, {})
    for body in bodies:
        assert site.post(f"/campaigns/{campaign_id}/retry", json=body).status_code == 400
    assert patch(site, campaign_id, first["id"], next_attempt_at="2020-01-01T00:00:00Z").status_code == 400


def test_a_campaign_does_not_end_while_somebody_is_brought_back(site: Site) -> None:
    campaign_id = site.in_state("running", 1)
    (only,) = contacts(site, campaign_id)
    fail(site, campaign_id, busy=1)
    key, contact_id = uuid.UUID(campaign_id), uuid.UUID(only["id"])
    back: ContactChanges = {"status": "pending"}
    with db.connection_context(), transaction():
        contact_changes.change(key, "demo", contact_id, back, datetime.now(UTC), by="maria")
        ending = gevent.spawn(complete_if_exhausted, key)
        wait_until(lambda: rows("SELECT 1 FROM pg_locks WHERE NOT granted"), what="the end of the campaign")
    assert ending.get(timeout=HANG_SECONDS) is False
    assert site.get(f"/campaigns/{campaign_id}").json["status"] == "running"
