"""The list of campaigns: what the API says of each, in words; found, sorted, started, paused and stopped."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from campaigns import queries
from models import db
from tests.integration.api.site import OTHER, Site
from tests.integration.api.test_window_waits import outside
from tests.integration.web import hostile
from tests.integration.web.browser import Browser
from tests.integration.web.statements import MOST_STATEMENTS, counted


def names(page: str) -> list[str]:
    return re.findall(r'class="name"[^>]*>([^<]+)<', page)


def test_it_is_empty_at_first_and_says_what_a_campaign_is(site: Site) -> None:
    assert "A campaign is a list of people" in Browser(site).text("/")
    assert "Somebody with a key of role operate" in Browser(site, "read").text("/")
    assert "No campaign is like this" in Browser(site).text("/", status="running")


def test_it_shows_the_figures_of_the_api_and_why_each_is_not_dialling(site: Site) -> None:
    held = site.in_state("running", 4)
    site.sql("UPDATE campaign SET blocked_reason = 'no_dialer' WHERE id = %s", held)
    for disposition, calls in (("answered", 2), ("abandoned", 1), ("busy", 3), ("not_sent", 4)):
        site.sql(
            "INSERT INTO call_count (tenant_id, campaign_id, day, disposition, calls, sent, seconds)"
            " VALUES ('demo', %s, current_date, %s, %s, %s, 0)", held, disposition, calls, calls)  # fmt: skip
    (told,) = site.get("/campaigns?include=figures").json["campaigns"]
    assert told["figures"] == {"calls_ended": 6, "picked_up": 3, "calls_per_second": 0.0}
    assert "figures" not in site.get("/campaigns").json["campaigns"][0]
    said = Browser(site).text("/")
    assert "Not dialling. No dialer is alive. 4 people left to call." in said
    assert "50 % of calls answered" in said
    assert "0 % of 4" in said


def test_whoever_can_do_something_about_it_is_led_there(site: Site) -> None:
    held = site.in_state("running", 4)
    for reason, role, other, path in (
        ("draining", "platform", "admin", "/cluster"),
        ("tenant_minute", "platform", "admin", "/limits"),
        ("agent", "admin", "operate", "/agents"),
        ("halted", "operate", "read", "/halt"),
    ):
        site.sql("UPDATE campaign SET blocked_reason = %s WHERE id = %s", reason, held)
        for page in ("/", f"/campaigns/{held}"):
            shown = f'id="to-help-{held}" href="{path}"' if page == "/" else f'id="to-help" href="{path}"'
            assert shown in Browser(site, role).get(page).text, (reason, page)
            assert "to-help" not in Browser(site, other).get(page).text, (reason, page)


def test_calls_of_the_future_are_not_among_those_of_the_last_seconds(site: Site) -> None:
    """As of a database whose clock was set back: a campaign that stands still must not seem to call."""
    campaign_id = site.in_state("running", 3)
    site.sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, state, generation, phone_number, caller_id,"
        " gateway_id, node, dialer_id, sent_by, ended_at, created_at)"
        " SELECT gen_random_uuid(), 'demo', campaign_id, id, 1, 'ended', 1, phone_number, '+12025550199',"
        " (SELECT id FROM gateway LIMIT 1), 'fs1', 'd1', 'd1', now(),"
        " CASE position WHEN 1 THEN now() ELSE now() + interval '1 day' END FROM contact WHERE campaign_id = %s",
        campaign_id)  # fmt: skip
    (told,) = site.get("/campaigns?include=figures").json["campaigns"]
    assert told["figures"]["calls_per_second"] == 0.2
    with db.connection_context():
        snapshot = queries.snapshot(uuid.UUID(str(campaign_id)))
    assert snapshot is not None
    assert snapshot["calls_per_second"] == 0.2


def test_it_is_found_by_state_and_name_in_any_order(site: Site) -> None:
    site.create(1, name="Beta 100 % sure")
    site.create(1, name="alpha_one")
    site.sql("UPDATE campaign SET status = 'paused' WHERE id = %s", site.create(1, name="Gamma"))
    browser = Browser(site, "read")

    def listed(query: str) -> list[str]:
        return names(browser.get(f"/?{query}").text)

    assert (
        listed("")
        == listed("order=nothing&status=nobody&page=x")
        == ["Gamma", "alpha_one", "Beta 100 % sure"]
    )
    assert listed("order=oldest") == ["Beta 100 % sure", "alpha_one", "Gamma"]
    assert listed("order=name") == ["alpha_one", "Beta 100 % sure", "Gamma"]
    assert (listed("status=paused"), listed("name=ALPHA_"), listed("name=%25")) == (
        ["Gamma"], ["alpha_one"], ["Beta 100 % sure"])  # fmt: skip
    assert names(browser.get("/campaigns/part?status=paused").text) == ["Gamma"]
    assert site.get("/campaigns?name=a&status=draft&limit=1&order=name").json["total"] == 2


def test_another_tenant_sees_and_moves_none_of_it(site: Site) -> None:
    campaign_id = site.create(1, name="Ours")
    stranger = Browser(site, "operate", OTHER)
    assert names(stranger.get("/").text) == []
    assert stranger.get(f"/campaigns/{campaign_id}").status_code == 404
    assert stranger.post(f"/campaigns/{campaign_id}/start").status_code == 404
    assert "draft" in site.get(f"/campaigns/{campaign_id}").text


def test_it_is_started_paused_resumed_and_stopped_by_whoever_may(site: Site) -> None:
    campaign_id, browser, reader = site.create(2), Browser(site), Browser(site, "read")
    assert "/start" not in reader.get("/").text
    assert reader.post(f"/campaigns/{campaign_id}/start").status_code == 403

    def done(action: str, **fields: Any) -> str:
        response = browser.post(f"/campaigns/{campaign_id}/{action}", **fields)
        assert response.status_code == 303, response.text
        where: str = response.headers["Location"]
        return where

    assert done("start", back="list") == "/?done=started"
    assert "Started." in browser.text("/", done="started")
    assert done("pause") == f"/campaigns/{campaign_id}?done=paused"
    assert done("resume", back="list") == "/?done=resumed"
    assert done("stop", hangup="true") == f"/campaigns/{campaign_id}?done=stopped-hangup"
    assert site.get(f"/campaigns/{campaign_id}").json["end_reason"] == "stopped"
    refused = browser.post(f"/campaigns/{campaign_id}/start")
    assert (refused.status_code, "it cannot be started" in refused.text) == (409, True)


def test_the_panic_button_is_everywhere_and_takes_two_steps(site: Site) -> None:
    campaign_id, browser = site.create(1), Browser(site)
    for path in ("/", f"/campaigns/{campaign_id}", "/sessions", "/campaigns/nothing"):
        assert 'class="panic" href="/halt"' in browser.get(path).text, path
    assert 'class="panic"' not in Browser(site, "read").get("/").text
    assert "End every call of demo now" in browser.text("/halt")
    assert site.sql("SELECT * FROM halt") == []
    assert browser.post("/halt").headers["Location"] == "/halt"
    assert "halt" in site.bus.topics()
    assert "nobody is on the line any more" in browser.text("/halt")
    assert "All calls are halted." in browser.text("/")
    assert browser.post("/halt/lift", which="tenant").status_code == 303
    assert site.sql("SELECT * FROM halt") == []


def test_who_is_still_up_after_a_halt_is_told_node_by_node(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.calls_to_end.ANSWER_SECONDS", 0.0)
    campaign_id, browser = site.in_state("running", 2), Browser(site)
    site.move_contact(campaign_id, 1, "connected")
    assert browser.post("/halt").status_code == 303
    assert "Still up: 1 at node fs1." in browser.text("/halt/now")
    site.end_calls("completed")
    assert "nobody is on the line" in browser.text("/halt/now")


def test_only_the_platform_halts_everybody_and_lifts_its_own_marks(site: Site) -> None:
    platform, browser = Browser(site, "platform"), Browser(site)
    assert "every tenant" not in browser.text("/halt")
    browser.post("/halt", all="true")
    platform.post("/halt", all="true")
    platform.post("/halt")
    assert {row["scope"] for row in site.sql("SELECT scope FROM halt")} == {"*", "demo"}
    assert browser.post("/halt/lift", which="all").status_code == 403
    assert "Lift the halt over everybody" not in browser.text("/halt")
    for which in ("tenant", "platform", "all"):
        assert platform.post("/halt/lift", which=which).status_code == 303
    assert site.sql("SELECT * FROM halt") == []


def test_a_hostile_name_is_shown_and_does_nothing(site: Site) -> None:
    campaign_id = site.create(1, name=hostile.NAME)
    browser = Browser(site)
    for path in ("/", f"/campaigns/{campaign_id}", "/campaigns/part"):
        page = browser.get(path)
        assert "&lt;script&gt;alert(1)" in page.text, path
        assert hostile.written_as_it_is(page.text) == [], path
    found = browser.client.get(
        "/", query_string={"name": hostile.NAME, "status": hostile.NAME, "done": hostile.NAME}
    )
    assert hostile.written_as_it_is(found.text) == []


def test_a_line_says_its_hours_and_who_waits_for_them_where(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id, browser = outside(site), Browser(site, "read")
    site.sql("UPDATE campaign SET next_action_at = '2099-01-01T08:00:00Z' WHERE id = %s", campaign_id)
    hours = "every day 09:00–18:00, by the clock where each person lives."
    first = "1 person waits for 09:00 in Europe/Berlin; 1 person waits for 09:00 in America/New_York; "
    rest = {"/": "2 people later", f"/campaigns/{campaign_id}": "2 people wait for 09:00 in America/Denver"}
    asked = counted(monkeypatch)
    for page, last in rest.items():
        asked.clear()
        site.app.extensions["carillon-callers"].clear()
        said = browser.text(page)
        assert hours in said, page
        assert f"Not dialling. {first}{last}; next call 2099-01-01 08:00:00 UTC." in said, (page, said)
        assert len(asked) <= MOST_STATEMENTS, page
    assert 'data-zone="America/Denver"' in browser.get(f"/campaigns/{campaign_id}/head").text


def test_a_page_of_campaigns_asks_no_more_for_many_than_for_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(site)
    asked = counted(monkeypatch)

    def cost() -> int:
        asked.clear()
        site.app.extensions.pop("carillon-callers", None)
        assert browser.get("/").status_code == 200
        return len(asked)

    site.create(1)
    few = cost()
    for _ in range(5):
        site.create(1)
    assert 0 < few == cost() <= MOST_STATEMENTS, asked
