"""One campaign's page, its people and their stories: the API's figures, in words; nothing runs that a list says."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from campaigns import contact_pages
from campaigns.contact_pages import BLOCK
from models import new_id
from tests.integration.api.site import OTHER, Site
from tests.integration.web import hostile
from tests.integration.web.browser import Browser, words
from tests.integration.web.statements import MOST_STATEMENTS, counted
from web import contact_pages as people_page

ENDED = """
    INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, state, generation, phone_number,
        caller_id, gateway_id, node, dialer_id, sent_by, created_at, sent_at, ring_at, progress_at, answered_at,
        ended_at, disposition, cause, q850, sip_status, hung_up_by, billsec, pdd_ms, ring_ms)
    SELECT %s, 'demo', campaign_id, id, %s, %s, 'ended', 1, phone_number, '+14155550199', %s, 'fs1', 'd1', 'd1',
        now() - interval '9 seconds', now() - interval '9 seconds', now() - interval '8 seconds',
        now() - interval '8 seconds', CASE WHEN %s THEN now() - interval '5 seconds' END, now(), %s, %s, 16, %s,
        'remote', CASE WHEN %s THEN 5 END, 1000, 3000
    FROM contact WHERE campaign_id = %s AND position = 1"""


def call(site: Site, campaign_id: str, seq: int, end: tuple[str, str, int], attempt: int | None) -> None:
    """A call to the first contact that ended with this disposition, cause and SIP status."""
    disposition, cause, sip = end
    answered = disposition == "answered"
    site.sql(
        ENDED, new_id(), seq, attempt, new_id(), answered, disposition, cause, sip, answered, campaign_id
    )


def told(site: Site) -> str:
    """A campaign whose first contact was busy, was refused for our fault, and then picked up."""
    campaign_id = site.in_state("running", 3)
    call(site, campaign_id, 1, ("busy", "USER_BUSY", 486), 1)
    call(site, campaign_id, 2, ("gateway_fault", "GATEWAY_DOWN", 503), None)
    call(site, campaign_id, 3, ("answered", "NORMAL_CLEARING", 200), 2)
    site.sql(
        "UPDATE contact SET status = 'completed', disposition = 'answered', attempts = 2"
        " WHERE campaign_id = %s AND position = 1", campaign_id)  # fmt: skip
    site.sql("UPDATE campaign_count SET pending = 2, completed = 1 WHERE campaign_id = %s", campaign_id)
    return campaign_id


def test_it_shows_what_the_api_says(site: Site) -> None:
    campaign_id = told(site)
    page = Browser(site, "read").get(f"/campaigns/{campaign_id}").text
    said = words(page)
    assert "33 % of 3 done" in said
    assert "33 % of calls answered 3 calls over" in said
    assert "reached 1 not reached 0 on a call now 0 to be called 2 cancelled 0" in said
    assert "gateway fault The carrier would not have us" in said
    assert "+14155550000 answered normal clearing 200 fs1 0:05" in said
    outcomes = site.get(f"/campaigns/{campaign_id}?include=outcomes").json["outcomes"]
    assert outcomes["dispositions"] == {"answered": 1, "busy": 1, "gateway_fault": 1}
    listed = site.get("/campaigns?include=figures&order=newest").json["campaigns"][0]
    assert listed["id"] == campaign_id
    for figure, number in (("calls_ended", 3), ("picked_up", 1)):
        assert outcomes[figure] == listed["figures"][figure] == number
    newest = site.get(f"/calls?campaign_id={campaign_id}&order=newest").json["calls"]
    assert [one["seq"] for one in newest] == sorted((one["seq"] for one in newest), reverse=True) or len(
        newest
    ) == 3
    assert f'data-stream="/api/v1/campaigns/{campaign_id}/events"' in page
    assert "Pause" not in page
    assert "Pause" in Browser(site).get(f"/campaigns/{campaign_id}/head").text
    assert "user busy" in Browser(site).text(f"/campaigns/{campaign_id}/last-calls")


def test_a_part_that_many_read_is_no_other_tenants(site: Site) -> None:
    """Whoever asks for it, and however soon after somebody who may see it."""
    campaign_id = told(site)
    ours, theirs = Browser(site), Browser(site, "operate", tenant=OTHER)
    for part in ("/last-calls", "/log/part"):
        path = f"/campaigns/{campaign_id}{part}"
        assert ours.get(path).status_code == 200
        assert ours.get(path).text == Browser(site, "read").get(path).text
        assert theirs.get(path).status_code == 404
        assert Browser(site, None).get(path).status_code == 303


def test_a_page_that_was_just_opened_shows_what_was_just_changed(site: Site) -> None:
    """A part that was made before the change is young still; who comes back from a form does not get that one."""
    campaign_id, browser = site.create(1), Browser(site)
    part = f"/campaigns/{campaign_id}/log/part"
    for calls in (7, 8, 9):
        assert f"to {calls}" not in browser.text(part)
        changed = site.request("PATCH", f"/campaigns/{campaign_id}", json={"max_concurrent_calls": calls})
        assert changed.status_code == 200
        assert f"to {calls}" in browser.text(f"{part}?now")


def test_stopping_for_good_takes_two_steps(site: Site) -> None:
    campaign_id, browser = site.in_state("running"), Browser(site)
    assert f'href="/campaigns/{campaign_id}/stop"' in browser.get(f"/campaigns/{campaign_id}").text
    assert "3 people who wait for a call are cancelled" in browser.text(f"/campaigns/{campaign_id}/stop")
    assert site.get(f"/campaigns/{campaign_id}").json["status"] == "running"
    assert Browser(site, "read").get(f"/campaigns/{campaign_id}/stop").status_code == 403


def test_people_are_found_by_state_and_number(site: Site) -> None:
    campaign_id, browser = told(site), Browser(site, "read")
    path = f"/campaigns/{campaign_id}/contacts"
    assert browser.text(path).count("+1415555000") == 3
    assert browser.text(path, status="pending").count("not called yet") == 2
    assert browser.text(path, status="completed").count("+1415555000") == 1
    assert browser.text(path, number="1 (415) 555-0001").count("+14155550001") == 1
    assert "Nobody here has the number 555" in browser.text(path, number="555")
    assert "Nobody is like this now" in browser.text(path, status="failed")
    assert browser.text(path, disposition="answered").count("+1415555000") == 1
    assert "Nobody is like this now" in browser.text(path, disposition="invalid")
    assert site.get(f"{path}?disposition=answered").json["looked_to"] is None
    newest = browser.text(path, order="newest")
    assert newest.index("+14155550002") < newest.index("+14155550000")
    called = browser.text(path, **{"from": "2020-01-01T00:00", "status": "failed"})
    assert (called.count("+1415555000"), "completed" in called) == (1, False)
    found = site.get(f"{path}?phone_number=%2B14155550000").json
    assert (found["total"], found["contacts"][0]["attempts"]) == (1, 2)
    assert site.get(f"{path}?phone_number=%2B1&status=pending").status_code == 400


def test_where_not_everybody_was_looked_at_the_page_says_so_and_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_pages, "MOST_PARTS", 1)
    monkeypatch.setattr(people_page, "PER_PAGE", 1)
    campaign_id, browser = site.create(2 * BLOCK), Browser(site, "read")
    for place, status in (
        (10, "failed"),
        (20, "completed"),
        (BLOCK, "failed"),
        (BLOCK + 20, "completed"),
    ):
        site.move_contact(campaign_id, place, status)
    site.sql("UPDATE contact SET disposition = 'busy' WHERE campaign_id = %s AND position = %s RETURNING id",
             campaign_id, BLOCK)  # fmt: skip
    site.sql("INSERT INTO contact_block (campaign_id, status, block) VALUES (%s, 'busy', 0)", campaign_id)
    path = f"/campaigns/{campaign_id}/contacts?status=failed&disposition=busy"
    page = browser.get(path).text
    assert "Nobody so far" in page
    assert "Nobody is like this now" not in page
    (further,) = re.findall(r'rel="next" href="([^"]+)"', page)
    assert f"+1415555{BLOCK - 1:04d}" in browser.text(html.unescape(further))


def test_a_contact_s_story_tells_every_call_and_what_was_decided(site: Site) -> None:
    campaign_id = told(site)
    (contact,) = site.get(f"/campaigns/{campaign_id}/contacts?limit=1").json["contacts"]
    path = f"/campaigns/{campaign_id}/contacts/{contact['id']}"
    assert site.get(path).json == contact
    said = Browser(site).text(path)
    for part in ("Reached: not called again.", "Call 1 busy", "It counted as attempt 1.", "Call 2 gateway fault",
                 "It used up no attempt: the fault was not his.", "Call 3 answered",
                 "Somebody picked up after 3.0 s.", "It counted as attempt 2.", "USER_BUSY", "486"):  # fmt: skip
        assert part in said, part
    for browser in (Browser(site, "operate", OTHER), Browser(site, "platform", OTHER)):
        assert browser.get(path).status_code == 404
    assert Browser(site).get(f"/campaigns/{campaign_id}/contacts/{new_id()}").status_code == 404


MINUTES = ("", "2026-01-31T09:00", "nonsense", "9999-12-31T23:59:59Z", "0001-01-01T00:00+14")


@pytest.mark.parametrize("at", MINUTES)
def test_any_minute_s_pace_is_drawn_and_told(site: Site, at: str) -> None:
    campaign_id, browser = site.in_state("running"), Browser(site, "read")
    site.sql(
        "INSERT INTO campaign_pace (campaign_id, second, dialer_id, offered, admitted, live_calls, cap)"
        " VALUES (%s, date_trunc('second', now()) - interval '1 minute', 'd1', 9, 4, 3, 'gateway_cps')",
        campaign_id,
    )
    path = f"/campaigns/{campaign_id}/pace"
    said = browser.text(path, at=at)
    if not at:
        assert "Its gateways start as many calls per second as they may. 1 s" in said
    assert re.search(r"\d\d:\d\d – \d\d:\d\d, UTC", said)
    assert "Calls a second that it may have" not in said
    for narrow in ({}, {"narrow": "1"}):
        image = browser.client.get(f"{path}.svg", query_string={"at": at, **narrow})
        assert (image.status_code, image.mimetype) == (200, "image/svg+xml")
        assert "<script" not in image.text
        assert not re.search(r"(?:href|src|url)[=(]", image.text)
        assert image.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_what_held_it_is_told_for_as_long_as_it_did(site: Site) -> None:
    """Of a campaign that asks for nothing it is written when that begins, and once a minute."""
    campaign_id, browser = site.in_state("running"), Browser(site, "read")
    (asked,) = site.sql("SELECT date_trunc('minute', now()) - interval '1 hour' AS at")
    at = asked["at"].isoformat()
    site.sql(
        "INSERT INTO campaign_pace (campaign_id, second, dialer_id, offered, admitted, live_calls, cap)"
        " SELECT %s, %s + later * interval '1 second', 'd1', 0, 0, 0, cap"
        " FROM (VALUES (-20, 'draining'), (40, 'draining'), (70, NULL), (90, 'no_node')) AS said (later, cap)",
        campaign_id,
        asked["at"],
    )
    said = browser.text(f"/campaigns/{campaign_id}/pace", at=at)
    assert "Every node that is connected is being drained. 70 s" in said
    # Until when that held it nobody wrote.
    assert "No node is connected. 1 s" in said
    image = browser.client.get(f"/campaigns/{campaign_id}/pace.svg", query_string={"at": at})
    assert "held back by" in image.text


def test_the_rates_that_hold_it_are_lines_of_its_plot_and_a_table_by_the_viewer_s_clocks(site: Site) -> None:
    campaign_id, browser = site.in_state("running"), Browser(site, "read")
    site.sql("INSERT INTO call_limits (tenant_id, calls_per_minute) VALUES ('demo', 480) ON CONFLICT (tenant_id)"
             " DO UPDATE SET calls_per_minute = 480 RETURNING tenant_id")  # fmt: skip
    site.sql("UPDATE gateway SET cps = 5 RETURNING id")
    site.sql(
        "INSERT INTO campaign_pace (campaign_id, second, dialer_id, offered, admitted, live_calls, cap)"
        " VALUES (%s, date_trunc('second', now()) - interval '1 minute', 'd1', 9, 5, 3, 'gateway_cps')",
        campaign_id,
    )
    try:
        path, zone = f"/campaigns/{campaign_id}/pace", {"zone": "Asia/Kathmandu"}
        said = browser.text(path, **zone)
        assert "the gateways’ pace 5 the tenant’s pace 8" in said
        assert "Asia/Kathmandu" in said
        image = browser.client.get(f"{path}.svg", query_string=zone).text
        for name in ("the gateways’ pace: 5/s", "the tenant’s pace: 8/s", "Asia/Kathmandu",
                     "held back by the gateways’ pace"):  # fmt: skip
            assert name in image
        assert browser.client.get(f"{path}.svg", query_string={"zone": "../no/where"}).status_code == 200
        assert "UTC" in browser.text(path, zone="Mars/Olympus")
    finally:
        site.sql("DELETE FROM call_limits RETURNING tenant_id")
        site.sql("UPDATE gateway SET cps = NULL RETURNING id")


def test_what_a_list_says_is_shown_and_does_nothing(site: Site) -> None:
    name, column = hostile.NAME.replace('"', '""'), hostile.COLUMN.replace('"', '""')
    csv = f'phone_number,"{column}",who\n+14155550000,"{name}","{name}"\n'
    response = site.post("/campaigns", data=site.form(csv, name=hostile.NAME))
    assert response.status_code == 201, response.text
    campaign_id = response.json["id"]
    call(site, campaign_id, 1, ("rejected", hostile.NAME, 603), 1)
    (contact,) = site.get(f"/campaigns/{campaign_id}/contacts").json["contacts"]
    browser, path = Browser(site), f"/campaigns/{campaign_id}"
    for page in ("", "/head", "/last-calls", "/stop", "/contacts", f"/contacts/{contact['id']}", "/pace"):
        found = browser.get(path + page).text
        assert hostile.written_as_it_is(found) == [], page
    assert hostile.written_as_it_is(browser.client.get(f"{path}/contacts", query_string={
        "number": hostile.NAME, "status": hostile.NAME}).text) == []  # fmt: skip
    assert "&lt;script&gt;alert(1)" in browser.get(f"{path}/contacts/{contact['id']}").text


def test_no_page_of_it_asks_more_than_a_dozen_questions(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign_id, browser = told(site), Browser(site)
    (contact,) = site.get(f"/campaigns/{campaign_id}/contacts?limit=1").json["contacts"]
    asked: list[Any] = counted(monkeypatch)
    for page in ("", "/head", "/last-calls", "/contacts", f"/contacts/{contact['id']}", "/pace"):
        asked.clear()
        site.app.extensions.pop("carillon-callers", None)
        assert browser.get(f"/campaigns/{campaign_id}{page}").status_code == 200
        assert 0 < len(asked) <= MOST_STATEMENTS, (page, asked)
