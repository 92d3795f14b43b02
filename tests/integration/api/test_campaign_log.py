"""A campaign's log: every change of it, by whom and why, for good."""

from __future__ import annotations

import uuid
from typing import Any

import peewee
import pytest

from campaigns import contact_changes, lifecycle, schedules
from campaigns.schedules import DueStart
from models import transaction
from tests.integration.api.site import Site

CRM = "operate key"


def log(site: Site, campaign_id: str, **query: Any) -> list[tuple[Any, ...]]:
    response = site.get(f"/campaigns/{campaign_id}/log", query_string=query)
    assert response.status_code == 200, response.text
    return [(one["action"], one["by"], one["reason"], one["details"]) for one in response.json["log"]]


def test_what_clients_do_is_told_with_who_did_it(site: Site) -> None:
    campaign_id = site.create(2)
    site.request("PATCH", f"/campaigns/{campaign_id}", json={"name": "Renamed", "weight": 1})
    for action in ("start", "pause", "resume"):
        assert site.post(f"/campaigns/{campaign_id}/{action}").status_code == 200
    site.post(f"/campaigns/{campaign_id}/contacts", json={"contacts": [{"phone_number": "+14155559001"}]})
    site.delete(f"/campaigns/{campaign_id}/breaker")
    assert site.post(f"/campaigns/{campaign_id}/stop", role="admin").status_code == 200
    # What changes nothing is not told: neither a repeat nor how its list is cancelled.
    assert site.post(f"/campaigns/{campaign_id}/stop").status_code == 200
    assert log(site, campaign_id) == [
        ("created", CRM, None, {}),
        ("changed", CRM, None, {"changes": {"name": ["Reminders", "Renamed"]}}),
        ("started", CRM, None, {}),
        ("paused", CRM, None, {}),
        ("resumed", CRM, None, {}),
        ("contacts_added", CRM, None, {"added": 1}),
        ("exempted", CRM, None, {}),
        ("stopped", "admin key", None, {}),
    ]
    page = site.get(f"/campaigns/{campaign_id}/log", query_string={"limit": 1, "offset": 2}).json
    assert (page["total"], [one["action"] for one in page["log"]]) == (8, ["started"])
    assert site.get(f"/campaigns/{campaign_id}/log", tenant="other").status_code == 404


def test_what_is_asked_of_contacts_is_told_with_who_asked(site: Site) -> None:
    campaign_id = site.in_state("running")
    site.move_contact(campaign_id, 1, "failed")
    site.sql("UPDATE contact SET disposition = 'busy' WHERE status = 'failed'")
    (contact,) = site.sql("SELECT id FROM contact WHERE status = 'failed'")
    path, again = f"/campaigns/{campaign_id}/contacts/{contact['id']}", f"/campaigns/{campaign_id}/retry"
    assert site.post(again, json={"dispositions": ["busy", "no_answer"]}).json == {"contacts": 1}
    assert site.post(again, json={"dispositions": ["busy"]}).json == {"contacts": 0}
    at = "2099-01-01T09:00:00Z"
    for asked in ({"next_attempt_at": at}, {}, {"status": "cancelled"}, {"status": "cancelled"}):
        assert site.request("PATCH", path, json=asked).status_code == 200
    one = {"contact_id": str(contact["id"])}
    told = "2099-01-01T09:00:00+00:00"
    assert log(site, campaign_id)[-3:] == [
        ("called_again", CRM, None, {"contacts": 1, "dispositions": ["busy", "no_answer"]}),
        ("contact_changed", CRM, None, one | {"changes": {"next_attempt_at": [None, told]}}),
        (
            "contact_changed",
            CRM,
            None,
            one | {"changes": {"status": ["pending", "cancelled"], "next_attempt_at": [told, None]}},
        ),
    ]


def test_of_a_long_list_what_came_back_before_the_campaign_ended_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_changes, "SLICE", 1)
    campaign_id = site.in_state("running")
    site.move_contact(campaign_id, 1, "failed")
    site.sql("UPDATE contact SET disposition = 'busy' WHERE status = 'failed'")
    call_again = contact_changes.call_again

    def ended(*asked: Any, by: str) -> Any:
        done = call_again(*asked, by=by)
        site.sql("UPDATE campaign SET status = 'completed', completed_at = now(), end_reason = 'exhausted'")
        return done

    monkeypatch.setattr(contact_changes, "call_again", ended)
    refused = site.post(f"/campaigns/{campaign_id}/retry", json={"dispositions": ["busy"]})
    assert (refused.status_code, "1 of them had been brought back" in refused.text) == (409, True)
    assert log(site, campaign_id)[-1] == (
        "called_again",
        CRM,
        None,
        {"contacts": 1, "dispositions": ["busy"]},
    )


def test_a_start_that_a_restored_database_keeps_back_is_told(site: Site) -> None:
    campaign_id = site.in_state("scheduled")
    with transaction():
        assert [str(one) for one in schedules.hold_restored()] == [campaign_id]
    assert log(site, campaign_id)[-1] == ("held", None, "restored", {})


def test_how_many_were_called_lately_is_no_setting(site: Site) -> None:
    campaign_id = site.create(1)
    site.sql("UPDATE campaign SET import_recent = 3")
    assert [one[0] for one in log(site, campaign_id)] == ["created"]


def test_what_the_service_does_by_itself_is_told_with_its_reason(site: Site) -> None:
    campaign_id = site.in_state("scheduled")
    site.sql("UPDATE campaign SET scheduled_at = now(), next_action_at = now() WHERE id = %s", campaign_id)
    found = uuid.UUID(campaign_id)
    schedules.block(found, "budget")
    assert schedules.start(DueStart(found, "demo"), "d1") is not None
    site.sql("UPDATE campaign SET blocked_reason = 'retry_wait' WHERE id = %s", campaign_id)
    site.sql("UPDATE campaign SET blocked_reason = 'breaker' WHERE id = %s", campaign_id)
    site.sql("UPDATE campaign SET blocked_reason = NULL WHERE id = %s", campaign_id)
    with transaction():
        lifecycle.pause_all("restored", "d1")
    site.post(f"/campaigns/{campaign_id}/resume")
    site.sql("UPDATE campaign SET end_at = now() WHERE id = %s", campaign_id)
    assert schedules.end(found) is not None
    told = [(action, by, reason) for action, by, reason, _ in log(site, campaign_id)]
    assert [one for one in told if one[0] not in ("created", "changed")] == [
        ("held", None, "budget"),
        ("started", None, "schedule"),
        ("held", None, "breaker"),
        ("let_go", None, "breaker"),
        ("paused", None, "restored"),
        ("resumed", CRM, None),
        ("completed", None, "deadline"),
    ]


def test_who_acts_in_one_transaction_is_not_said_to_act_in_the_next(site: Site) -> None:
    campaign_id = site.create(1)
    site.post(f"/campaigns/{campaign_id}/start")
    for _ in range(10):
        site.sql("UPDATE campaign SET weight = weight + 1 WHERE id = %s", campaign_id)
    assert {by for action, by, _, _ in log(site, campaign_id) if action == "changed"} == {None}


@pytest.mark.parametrize("statement", ["UPDATE campaign_log SET by = 'nobody'", "DELETE FROM campaign_log"])
def test_nothing_of_it_is_changed_or_deleted(site: Site, statement: str) -> None:
    site.create(1)
    with pytest.raises(peewee.DatabaseError, match="only added to"):
        site.sql(statement)
