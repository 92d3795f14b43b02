"""A person's page: what was decided beside his calls and by whom, by which gateway they left, and his own time."""

from __future__ import annotations

import pytest

from tests.integration.api.site import Site
from tests.integration.api.test_contacts import AT, contacts, patch
from tests.integration.web.browser import Browser
from tests.integration.web.statements import MOST_STATEMENTS, counted
from tests.integration.web.test_campaign_page import call, told

BACK = "2099-01-31 14:00:00 UTC"


def path_of(site: Site, campaign_id: str, place: int = 0) -> str:
    return f"/campaigns/{campaign_id}/contacts/{contacts(site, campaign_id)[place]['id']}"


def test_what_was_decided_beside_calls_is_told_with_who(site: Site) -> None:
    campaign_id = told(site)
    path = path_of(site, campaign_id, 1)
    contact_id = path.rsplit("/", 1)[1]
    for body in ({"status": "cancelled"}, {"status": "pending"}, {"next_attempt_at": AT}):
        assert patch(site, campaign_id, contact_id, **body).status_code == 200
    said = Browser(site, "read").text(path)
    parts = (
        "To be called back, as operate key wants: 0 of 1 attempts used up. Not before 2099-01-31 14:00 UTC",
        "Not called any more: operate key took this person out.",
        "To be called as soon as the turn comes: operate key wants it.",
        f"To be called back at {BACK}: operate key wants it.",
    )
    places = [said.index(part) for part in parts]
    assert places == sorted(places), "in the order in which it was"
    assert "Not called yet" in said
    patch(site, campaign_id, contact_id, status="cancelled")
    assert (
        "Not called any more: operate key took this person out."
        in Browser(site).text(path).split("Call back")[0]
    )


def test_whoever_stopped_the_campaign_is_told_to_whom_it_ended_for(site: Site) -> None:
    campaign_id = site.in_state("running", 1)
    site.post(f"/campaigns/{campaign_id}/stop")
    assert "Not called any more: operate key stopped the campaign." in Browser(site).text(
        path_of(site, campaign_id)
    )


def test_which_gateway_a_call_left_by_is_told_by_name_to_who_may_know(site: Site) -> None:
    campaign_id = told(site)
    (gateway,) = site.sql("SELECT id::text AS id, name FROM gateway")
    site.sql("UPDATE call SET gateway_id = %s WHERE campaign_id = %s", gateway["id"], campaign_id)
    path = path_of(site, campaign_id)
    assert f"Gateway {gateway['name']} Call" in Browser(site).text(path)
    assert f"Gateway {gateway['id']} Call" in Browser(site, "read").text(path)


def test_the_contact_s_own_time_stands_beside_the_viewer_s(site: Site) -> None:
    campaign_id = told(site)
    site.sql(
        "UPDATE contact SET next_attempt_at = '2099-01-31T14:00:00Z' WHERE campaign_id = %s AND position = 2",
        campaign_id,
    )
    beside = '<time datetime="2099-01-31T14:00:00.000Z" data-zone="America/Los_Angeles">06:00</time>'
    browser, number = Browser(site, "read"), contacts(site, campaign_id)[1]["phone_number"]
    for page in (path_of(site, campaign_id, 1), f"/campaigns/{campaign_id}/contacts"):
        assert beside in browser.get(page).text, page
    assert beside in browser.client.get("/people", query_string={"number": number}).text
    first = browser.text(path_of(site, campaign_id))
    assert first.count(" in America/Los_Angeles") == 4, "of each of three calls, and of now"


def test_the_page_asks_no_more_than_a_dozen_questions_also_of_a_campaign_that_is_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id, browser = told(site), Browser(site)
    call(site, campaign_id, 4, ("busy", "USER_BUSY", 486), 3)
    path = path_of(site, campaign_id)
    site.post(f"/campaigns/{campaign_id}/stop")
    assert site.post(f"/campaigns/{campaign_id}/clone").status_code == 201
    asked = counted(monkeypatch)
    site.app.extensions["carillon-callers"].clear()
    assert browser.get(path).status_code == 200
    assert 0 < len(asked) <= MOST_STATEMENTS, [" ".join(one.split())[:150] for one in asked]
