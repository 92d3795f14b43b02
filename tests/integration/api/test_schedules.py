"""A campaign's start, end and zone over HTTP: at its creation and by PATCH, and what is shown of them."""

from __future__ import annotations

from typing import Any

import pytest

from api.routes.stream_access import snapshot
from tests.integration.api.site import Site, csv_of

BERLIN = {
    "scheduled_at": "2099-03-29T02:30:00",
    "end_at": "2099-03-29T17:00:00",
    "time_zone": "Europe/Berlin",
}
INSTANTS = {
    "scheduled_at": "2099-03-29T01:00:00.000Z",
    "end_at": "2099-03-29T15:00:00.000Z",
    "time_zone": "Europe/Berlin",
}
A_TIME = "it must be a time like 2026-01-31T09:00:00Z, or like 2026-01-31T09:00:00 with a time_zone"
LATER = "2099-01-01T00:00:00.000Z"


def patch(site: Site, campaign_id: str, **body: Any) -> Any:
    return site.request("PATCH", f"/campaigns/{campaign_id}", json=body)


def told(site: Site, campaign_id: str) -> list[tuple[int, str]]:
    found = site.sql(
        "SELECT version, status FROM transition WHERE campaign_id = %s AND contact_id IS NULL ORDER BY id",
        campaign_id,
    )
    return [(row["version"], row["status"]) for row in found]


def test_local_times_are_kept_as_instants_with_their_zone_by_form_and_json(site: Site) -> None:
    form = site.post("/campaigns", data=site.form(csv_of(1), **BERLIN))
    body = site.fields(**BERLIN) | {"contacts": [{"phone_number": "+14155550001"}]}
    for response in (form, site.post("/campaigns", json=body)):
        assert response.status_code == 201, response.text
        shown = site.get(f"/campaigns/{response.json['id']}").json
        assert {name: shown[name] for name in INSTANTS} == INSTANTS
        assert (shown["status"], shown["next_action_at"]) == ("scheduled", INSTANTS["scheduled_at"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"scheduled_at": "2099-01-01T09:00:00"},
            "scheduled_at is '2099-01-01T09:00:00'; a time without an offset needs a time_zone.",
        ),
        (
            {"end_at": "2020-01-01T00:00:00Z"},
            "end_at is 2020-01-01T00:00:00.000Z; it must not be in the past.",
        ),
        (
            {"scheduled_at": LATER, "end_at": LATER},
            f"end_at is {LATER}; it must be later than scheduled_at, {LATER}.",
        ),
        (
            {"time_zone": "Mars/Olympus"},
            "time_zone is 'Mars/Olympus'; it must be an IANA time zone, such as Europe/Berlin.",
        ),
        (
            {"end_at": "2099-02-30T00:00:00", "time_zone": "UTC"},
            f"end_at is '2099-02-30T00:00:00'; {A_TIME}.",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_field_value_and_rule(
    site: Site, changes: dict[str, Any], message: str
) -> None:
    response = site.post("/campaigns", data=site.form(csv_of(1), **changes))
    assert (response.status_code, response.text) == (400, message)
    response = patch(site, site.create(1), **changes)
    assert (response.status_code, response.text) == (400, message)


def test_a_draft_becomes_scheduled_and_a_draft_again(site: Site) -> None:
    campaign_id = site.create(1)
    site.bus.messages.clear()
    changed = patch(site, campaign_id, scheduled_at="2099-01-01T01:00:00+01:00")
    assert changed.status_code == 200, changed.text
    assert (changed.json["status"], changed.json["scheduled_at"]) == ("scheduled", LATER)
    assert changed.json["next_action_at"] == LATER
    assert site.bus.messages == [("wake", {"campaign_id": campaign_id})]
    site.sql(
        "UPDATE campaign SET blocked_reason = 'budget', blocked_since = now() WHERE id = %s", campaign_id
    )
    moved = patch(site, campaign_id, scheduled_at="2099-06-01T00:00:00Z").json
    assert (moved["status"], moved["next_action_at"]) == ("scheduled", "2099-06-01T00:00:00.000Z")
    assert (moved["blocked_reason"], moved["blocked_since"]) == (None, None)
    taken = patch(site, campaign_id, scheduled_at=None).json
    assert (taken["status"], taken["scheduled_at"], taken["next_action_at"]) == ("draft", None, None)
    assert told(site, campaign_id) == [(1, "scheduled"), (2, "draft")]
    assert site.post(f"/campaigns/{campaign_id}/start").status_code == 200


@pytest.mark.parametrize("state", ["draft", "scheduled", "running", "paused"])
def test_an_end_may_be_set_moved_and_taken_away_in_any_unfinished_state(site: Site, state: str) -> None:
    campaign_id = site.in_state(state)
    for end_at in ("2099-05-01T00:00:00.000Z", "2099-06-01T00:00:00.000Z", None):
        changed = patch(site, campaign_id, end_at=end_at)
        assert (changed.status_code, changed.json["end_at"], changed.json["status"]) == (200, end_at, state)
    refused = patch(site, campaign_id, end_at="2020-01-01T00:00:00Z")
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("state", "what"),
    [("running", "pause it to have nobody called"), ("paused", "resume it when it is to go on")],
)
def test_a_start_is_fixed_once_it_was_started(site: Site, state: str, what: str) -> None:
    campaign_id = site.in_state(state)
    response = patch(site, campaign_id, scheduled_at=LATER)
    told = (
        f"Campaign is {state}: it has started, and nothing starts it at another scheduled_at. Leave that as it is, "
        f"or take it away (null), and {what}."
    )
    assert (response.status_code, response.text) == (409, told)


@pytest.mark.parametrize("state", ["running", "paused"])
def test_of_what_was_started_the_start_that_it_had_is_taken_and_so_is_none(site: Site, state: str) -> None:
    """As by a client that sends back what it has read, or wants to be sure that nothing starts by itself."""
    campaign_id = site.in_state(state)
    site.sql(
        "UPDATE campaign SET scheduled_at = '2026-01-31T08:00:00.123456Z', blocked_reason = 'paused',"
        " time_zone = 'Europe/Berlin' WHERE id = %s",
        campaign_id,
    )
    before = site.get(f"/campaigns/{campaign_id}").json
    for same in (before["scheduled_at"], "2026-01-31T09:00:00.123+01:00", "2026-01-31T09:00:00.123"):
        told = patch(site, campaign_id, scheduled_at=same, weight=7, end_at=LATER)
        assert told.status_code == 200, told.text
        assert (told.json["status"], told.json["scheduled_at"]) == (state, before["scheduled_at"])
        assert (told.json["weight"], told.json["end_at"]) == (7, LATER)
    assert patch(site, campaign_id, scheduled_at="2026-01-31T08:00:01Z").status_code == 409
    for _ in range(2):
        told = patch(site, campaign_id, scheduled_at=None)
        assert (told.status_code, told.json["status"], told.json["scheduled_at"]) == (200, state, None)
        assert told.json["blocked_reason"] == before["blocked_reason"]
    assert patch(site, campaign_id, scheduled_at=before["scheduled_at"]).status_code == 409


@pytest.mark.parametrize("state", ["completed", "failed"])
def test_nothing_is_changed_of_what_has_ended(site: Site, state: str) -> None:
    response = patch(site, site.in_state(state), end_at=LATER)
    assert (response.status_code, response.text) == (409, f"Campaign is {state}; it cannot be changed.")


def test_what_is_refused_changes_nothing_beside_it(site: Site) -> None:
    campaign_id = site.create(1)
    assert patch(site, campaign_id, weight=7, end_at="2020-01-01T00:00:00Z").status_code == 400
    assert site.get(f"/campaigns/{campaign_id}").json["weight"] == 1


def test_the_stream_shows_both_times_and_why_it_was_not_started(site: Site) -> None:
    campaign_id = site.post("/campaigns", data=site.form(csv_of(1), **BERLIN)).json["id"]
    site.sql("UPDATE campaign SET blocked_reason = 'budget' WHERE id = %s", campaign_id)
    with site.app.app_context():
        figures = snapshot(site.services.dialers, campaign_id)
    shown = {name: figures[name] for name in ("scheduled_at", "end_at", "blocked_reason", "status")}
    assert shown == {
        "scheduled_at": INSTANTS["scheduled_at"],
        "end_at": INSTANTS["end_at"],
        "blocked_reason": "budget",
        "status": "scheduled",
    }
