"""Changing a campaign until it has ended: what, in which states, against whose changes, and within which budget."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns import changes
from campaigns.queries import CampaignRow
from dialer.dispatch import plan_rows
from tests.integration.api.site import TENANT, Site

STALE = "The campaign was changed meanwhile; get it again and repeat what is still wanted."


def patch(site: Site, campaign_id: str, if_match: str | None = None, **body: Any) -> Any:
    headers = {} if if_match is None else {"If-Match": if_match}
    return site.request("PATCH", f"/campaigns/{campaign_id}", json=body, headers=headers)


def budget(site: Site, calls: int) -> None:
    site.sql("UPDATE call_limits SET concurrent_max = %s WHERE tenant_id = %s", calls, TENANT)


def cap(site: Site, campaign_id: str) -> int:
    found: int = site.get(f"/campaigns/{campaign_id}").json["max_concurrent_calls"]
    return found


@pytest.mark.parametrize("state", ["draft", "scheduled", "running", "paused"])
def test_name_and_cap_may_be_changed_in_any_unfinished_state(site: Site, state: str) -> None:
    campaign_id = site.in_state(state)
    changed = patch(site, campaign_id, name="Renamed", max_concurrent_calls=20)
    assert changed.status_code == 200, changed.text
    for told in (changed.json, site.get(f"/campaigns/{campaign_id}").json):
        assert (told["name"], told["max_concurrent_calls"], told["status"]) == ("Renamed", 20, state)


@pytest.mark.parametrize("calls", [0, 101, -1])
def test_a_cap_keeps_the_platforms_bounds(site: Site, calls: int) -> None:
    response = patch(site, site.create(), max_concurrent_calls=calls)
    text = f"max_concurrent_calls is {calls}; it must be a whole number from 1 to 100."
    assert (response.status_code, response.text) == (400, text)


def test_a_cap_cannot_be_taken_away(site: Site) -> None:
    """What a new campaign may leave out: null asks for nothing there."""
    campaign_id = site.create()
    before = cap(site, campaign_id)
    response = patch(site, campaign_id, max_concurrent_calls=None)
    assert (response.status_code, response.text) == (
        400,
        "max_concurrent_calls is null; it must not be null.",
    )
    assert cap(site, campaign_id) == before


def test_what_may_not_be_changed_is_refused_by_name(site: Site) -> None:
    response = patch(site, site.create(), agent_id=site.agent_id)
    assert response.status_code == 400
    assert response.text.startswith("agent_id is not known here; known are ")


def test_a_raised_cap_of_a_running_campaign_must_fit_into_the_budget(site: Site) -> None:
    budget(site, 10)
    campaign_id, other = site.in_state("running"), site.in_state("running")
    refused = patch(site, campaign_id, max_concurrent_calls=6, name="not kept")
    assert refused.status_code == 409
    assert "is 6 and running campaigns hold 5 of the tenant's concurrent_max of 10: Reminders (5, " in (
        refused.text
    )
    assert (cap(site, campaign_id), site.get(f"/campaigns/{campaign_id}").json["name"]) == (5, "Reminders")
    assert patch(site, other, max_concurrent_calls=4).status_code == 200
    assert patch(site, campaign_id, max_concurrent_calls=6).status_code == 200
    # Less is always free, and what does not run takes nothing.
    budget(site, 1)
    assert patch(site, campaign_id, max_concurrent_calls=5).status_code == 200
    assert patch(site, site.in_state("paused"), max_concurrent_calls=50).status_code == 200


def test_a_campaign_that_is_kept_open_no_more_ends_where_nobody_is_left(site: Site) -> None:
    campaign_id = site.create(1, keep_open=True)
    assert site.post(f"/campaigns/{campaign_id}/start").json["keep_open"]
    site.move_contact(campaign_id, 1, "failed")
    assert patch(site, campaign_id, keep_open=True).json["status"] == "running"
    closed = patch(site, campaign_id, keep_open=False).json
    assert (closed["status"], closed["end_reason"]) == ("completed", "exhausted")


def test_dialers_go_by_what_was_changed_at_their_next_look(site: Site) -> None:
    campaign_id = site.in_state("running")
    (before,) = site.sql(f"SELECT {plan_rows.VERSION} AS version")
    site.bus.messages.clear()
    assert patch(site, campaign_id, max_concurrent_calls=7).status_code == 200
    assert site.bus.messages == [("wake", {"campaign_id": campaign_id})]
    (after,) = site.sql(f"SELECT {plan_rows.VERSION} AS version")
    assert before != after
    assert plan_rows.running()[campaign_id].max_concurrent_calls == 7


@pytest.mark.parametrize(
    ("field", "value", "wrong", "rule"),
    [
        ("retries_per_contact", 3, 6, "it must be a whole number from 0 to 5"),
        ("retry_delay_seconds", 900, 59, "it must be a whole number from 60 to 2592000"),
    ],
)
def test_how_often_and_when_somebody_is_called_again_may_be_changed(
    site: Site, field: str, value: int, wrong: int, rule: str
) -> None:
    campaign_id = site.in_state("running")
    seen = site.get(f"/campaigns/{campaign_id}").headers["ETag"]
    few: dict[str, Any] = {field: value}
    refused = patch(site, campaign_id, **few | {field: wrong})
    assert (refused.status_code, refused.text) == (400, f"{field} is {wrong}; {rule}.")
    changed = patch(site, campaign_id, seen, **few)
    assert (changed.status_code, changed.json[field]) == (200, value)
    assert changed.headers["ETag"] != seen
    assert patch(site, campaign_id, seen, **few).status_code == 412
    assert getattr(plan_rows.running()[campaign_id], field) == value, "what dialers read at their next look"
    logged = site.get(f"/campaigns/{campaign_id}/log").json["log"][-1]
    assert logged["details"]["changes"][field][1] == value


def test_an_etag_is_that_of_the_settings_and_a_stale_one_changes_nothing(site: Site) -> None:
    campaign_id = site.in_state("running")
    seen = site.get(f"/campaigns/{campaign_id}").headers["ETag"]
    site.move_contact(campaign_id, 1, "originated")
    assert site.get(f"/campaigns/{campaign_id}").headers["ETag"] == seen
    first = patch(site, campaign_id, seen, weight=3)
    assert (first.status_code, first.headers["ETag"] == seen) == (200, False)
    stale = patch(site, campaign_id, seen, weight=9)
    assert (stale.status_code, stale.text) == (412, STALE)
    assert (
        stale.headers["ETag"]
        == first.headers["ETag"]
        == site.get(f"/campaigns/{campaign_id}").headers["ETag"]
    )
    assert site.get(f"/campaigns/{campaign_id}").json["weight"] == 3
    # One of several, one that a proxy made weak, and whichever there is.
    for tag in (f'"other", {stale.headers["ETag"]}', f"W/{stale.headers['ETag']}", "*"):
        assert patch(site, campaign_id, tag, weight=3).status_code == 200
    empty = patch(site, campaign_id, "  ", weight=3)
    assert (empty.status_code, empty.text.startswith("If-Match is ")) == (400, True)


def test_a_start_that_clears_the_schedule_is_a_change(site: Site) -> None:
    campaign_id = site.in_state("scheduled")
    seen = site.get(f"/campaigns/{campaign_id}").headers["ETag"]
    assert site.post(f"/campaigns/{campaign_id}/start").status_code == 200
    assert patch(site, campaign_id, seen, name="late").status_code == 412


def test_every_field_that_may_be_changed_is_told(site: Site) -> None:
    assert set(changes.FIELDS) <= set(CampaignRow.__dataclass_fields__)
