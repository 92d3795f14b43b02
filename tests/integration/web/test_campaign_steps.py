"""What is done with a campaign in two steps: called whatever a breaker holds, deleted, tried on a number of ours."""

from __future__ import annotations

import re
from typing import Any

import pytest

from models import new_id
from tests.integration.api.resource_routes import call_of
from tests.integration.api.site import OTHER, TENANT, Site
from tests.integration.api.test_outcome_breakers import caller_id, gateway_id, held
from tests.integration.api.test_single_calls import limiter_state
from tests.integration.web import hostile
from tests.integration.web.browser import Browser, words
from tests.integration.web.statements import MOST_STATEMENTS, counted

NUMBER = "+14155550123"


@pytest.fixture
def ready(site: Site) -> Site:
    """Somebody dials, and one number may be called to try a campaign."""
    limiter_state(site)
    site.sql("UPDATE call_limits SET concurrent_max = NULL WHERE tenant_id = %s", TENANT)
    put = site.request("PUT", "/test-numbers", role="admin", json={"test_numbers": [NUMBER]})
    assert put.status_code == 200, put.text
    return site


def once(page: str) -> str:
    found = re.findall(r'name="once" value="([0-9a-f]{32})"', page)
    return str(found[0])


def test_what_a_breaker_holds_is_shown_with_why_and_called_all_the_same_in_two_steps(site: Site) -> None:
    campaign_id, browser, reader = site.in_state("running"), Browser(site), Browser(site, "read")
    path = f"/campaigns/{campaign_id}"
    assert f"{path}/breaker" not in browser.get(path).text
    held(site, caller_id=caller_id(site))
    held(site, gateway_id=gateway_id(site), prefix="+44")
    site.sql("UPDATE campaign SET blocked_reason = 'breaker' WHERE id = %s", campaign_id)
    for part in ("", "/head"):
        said = words(browser.get(path + part).text)
        for words_of_it in ("Calls from +14155550100 held since", "Calls to +44… by one gateway held since",
                            "unallocated number, SIP 404: 17 calls"):  # fmt: skip
            assert words_of_it in said, (part, words_of_it, said)
        assert f'href="{path}/breaker"' in browser.get(path + part).text
    theirs = reader.get(path).text
    assert "Calls to +44… by one gateway held since" in words(theirs)
    assert f"{path}/breaker" not in theirs
    assert reader.get(f"{path}/breaker").status_code == 403
    assert reader.post(f"{path}/breaker").status_code == 403
    assert Browser(site, "operate", OTHER).post(f"{path}/breaker").status_code == 404
    asked = browser.text(f"{path}/breaker")
    assert "Calls to +44… by the gateway trunk held since" in asked
    assert asked.count("unallocated number, SIP 404: 17 calls") == 2
    assert site.get(path).json["breaker"]["exempt_at"] is None
    let_go = browser.post(f"{path}/breaker")
    assert (let_go.status_code, let_go.headers["Location"]) == (303, f"{path}?done=exempt")
    assert site.get(path).json["breaker"]["exempt_by"] == "operate key"
    said = browser.text(path, done="exempt")
    assert "No breaker holds its calls: operate key said so" in said
    assert "held since" not in said


def test_what_is_over_is_not_called_all_the_same(site: Site) -> None:
    campaign_id, browser = site.in_state("completed"), Browser(site)
    refused = browser.post(f"/campaigns/{campaign_id}/breaker")
    assert (refused.status_code, "no breaker holds it" in refused.text) == (409, True)
    assert "<button" not in browser.get(f"/campaigns/{campaign_id}/breaker").text


@pytest.mark.parametrize("state", ["draft", "scheduled", "paused", "completed", "failed"])
def test_a_campaign_is_deleted_in_two_steps_where_it_may_be(site: Site, state: str) -> None:
    campaign_id, browser = site.in_state(state), Browser(site)
    path = f"/campaigns/{campaign_id}"
    assert f'href="{path}/delete"' in browser.get(path).text
    assert f"{path}/delete" not in Browser(site, "read").get(path).text
    assert "3 people are shown nowhere any more" in browser.text(f"{path}/delete")
    assert Browser(site, "read").post(f"{path}/delete").status_code == 403
    assert Browser(site, "operate", OTHER).post(f"{path}/delete").status_code == 404
    assert site.get(path).status_code == 200
    gone = browser.post(f"{path}/delete")
    assert (gone.status_code, gone.headers["Location"]) == (303, "/?done=deleted")
    assert "Deleted. Its calls stay counted." in browser.text("/", done="deleted")
    assert (site.get(path).status_code, browser.get(path).status_code) == (404, 404)


def test_one_that_runs_or_has_calls_up_is_not_deleted(site: Site) -> None:
    campaign_id, browser = site.in_state("running"), Browser(site)
    path = f"/campaigns/{campaign_id}"
    assert f"{path}/delete" not in browser.get(path).text
    assert "once it is paused or over" in browser.text(f"{path}/delete")
    refused = browser.post(f"{path}/delete")
    assert (refused.status_code, "it cannot be deleted" in refused.text) == (409, True)
    site.move_contact(campaign_id, 1, "connected")
    site.sql("UPDATE campaign SET status = 'paused' WHERE id = %s", campaign_id)
    assert f"{path}/delete" not in browser.get(path).text
    assert browser.post(f"{path}/delete").status_code == 409
    assert site.get(path).status_code == 200
    site.end_calls("completed")


@pytest.mark.parametrize("state", ["draft", "running", "paused"])
def test_a_test_number_is_called_and_told_of(ready: Site, state: str) -> None:
    campaign_id, browser = ready.in_state(state), Browser(ready)
    path = f"/campaigns/{campaign_id}"
    assert f'href="{path}/test-call"' in browser.get(path).text
    form = browser.get(f"{path}/test-call").text
    assert f"<option>{NUMBER}</option>" in form
    typed = {"once": once(form), "to_number": NUMBER}
    taken = browser.post(f"{path}/test-call", **typed)
    assert taken.status_code == 303, taken.text
    assert browser.post(f"{path}/test-call", **typed).headers["Location"] == taken.headers["Location"]
    told = taken.headers["Location"]
    assert told.startswith(f"{path}/test-calls/")
    call_id = told.rpartition("/")[2]
    assert ready.get(f"/calls/{call_id}").json["phone_number"] == NUMBER
    for part in ("", "/part"):
        page = browser.get(told + part).text
        assert ("waits for its turn" in words(page), "data-over" in page) == (True, False)
    ready.sql("UPDATE contact SET status = 'cancelled' WHERE campaign_id = %s", call_id)
    page = browser.get(f"{told}/part").text
    assert ("waits for its turn" in words(page), "data-over" in page) == (False, True)
    call_of(
        ready, call_id, phone_number=NUMBER, state="ended", ended_at="2026-01-31T09:00:00Z",
        disposition="busy", cause="USER_BUSY", sip_status=486)  # fmt: skip
    # It may be sent again; once it is over the page asks no more.
    assert "data-over" not in browser.get(f"{told}/part").text
    ready.sql("UPDATE call SET attempt = 1 WHERE campaign_id = %s", call_id)
    assert "data-over" in browser.get(f"{told}/part").text
    said = words(Browser(ready, "read").get(told).text)
    for part in ("Test call to +14155550123", "busy", "to leave by node fs1", "USER_BUSY"):
        assert part in said, (part, said)
    assert Browser(ready, "operate", OTHER).get(f"{told}/part").status_code == 404


def test_a_test_call_that_is_refused_is_told_why(ready: Site) -> None:
    campaign_id, browser = ready.in_state("running"), Browser(ready)
    path = f"/campaigns/{campaign_id}/test-call"
    assert Browser(ready, "read").post(path, to_number=NUMBER).status_code == 403
    assert Browser(ready, "operate", OTHER).post(path, to_number=NUMBER).status_code == 404
    elsewhere = browser.post(path, once="a", to_number="+14155550199")
    assert (elsewhere.status_code, "The number is" in elsewhere.text) == (400, True), elsewhere.text
    assert "test numbers" in elsewhere.text
    ready.sql("UPDATE call_limits SET concurrent_max = 0 WHERE tenant_id = %s", TENANT)
    full = browser.post(path, once="b", to_number=NUMBER)
    assert (full.status_code, "Concurrent call limit reached" in full.text) == (429, True)
    assert f"<option selected>{NUMBER}</option>" in full.text
    ready.sql("UPDATE call_limits SET concurrent_max = NULL WHERE tenant_id = %s", TENANT)
    fresh = once(full.text)
    assert browser.post(path, once=fresh, to_number=NUMBER).status_code == 303
    other = browser.post(path, once=fresh, to_number="+14155550199")
    assert (other.status_code, "has called a number already" in other.text) == (409, True)
    ready.post(f"/campaigns/{campaign_id}/stop")
    over = browser.post(path, once="c", to_number=NUMBER)
    assert (over.status_code, "has ended" in over.text) == (409, True)
    assert "/test-call" not in browser.get(f"/campaigns/{campaign_id}").text
    assert ready.request("PUT", "/test-numbers", role="admin", json={"test_numbers": []}).status_code == 200
    draft = f"/campaigns/{ready.create(1)}/test-call"
    assert "An admin says which numbers" in browser.text(draft)
    assert 'href="/limits"' in Browser(ready, "admin").get(draft).text


def test_hostile_words_do_nothing_and_the_pages_ask_little(
    ready: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = hostile.NAME
    campaign_id = ready.create(1, name=name, purpose="service", time_zone="America/New_York")
    ready.sql("UPDATE campaign SET status = 'running', started_at = now() WHERE id = %s", campaign_id)
    ready.sql("UPDATE gateway SET name = %s", name)
    held(ready, gateway_id=gateway_id(ready), prefix="+44")
    held(ready, caller_id=caller_id(ready))
    ready.sql('UPDATE breaker SET top_causes = jsonb_build_array(jsonb_build_object('
              "'cause', %s::text, 'sip_status', 404, 'calls', 17))", name)  # fmt: skip
    ready.sql("UPDATE campaign SET blocked_reason = 'breaker' WHERE id = %s", campaign_id)
    call_id = call_of(
        ready, campaign_id, state="ended", ended_at="2026-01-31T09:00:00Z", disposition="busy", cause=name,
        sip_phrase=name, sip_status=486)  # fmt: skip
    browser, path = Browser(ready, "admin"), f"/campaigns/{campaign_id}"
    asked: list[Any] = counted(monkeypatch)
    for part in ("", "/head", "/breaker", "/delete", "/test-call", f"/test-calls/{call_id}",
                 f"/test-calls/{call_id}/part"):  # fmt: skip
        asked.clear()
        ready.app.extensions.pop("carillon-callers", None)
        page = browser.get(path + part)
        assert (page.status_code, hostile.written_as_it_is(page.text)) == (200, []), part
        assert 0 < len(asked) <= MOST_STATEMENTS, (part, [" ".join(one.split())[:150] for one in asked])
    refused = browser.post(f"{path}/test-call", to_number=name, once=name)
    assert (refused.status_code, hostile.written_as_it_is(refused.text)) == (400, [])
    refused = browser.post(f"{path}/delete")
    assert (refused.status_code, hostile.written_as_it_is(refused.text)) == (409, [])
    ready.sql("UPDATE campaign SET breaker_exempt_at = now(), breaker_exempt_by = %s", name)
    page = browser.get(path)
    assert (page.status_code, hostile.written_as_it_is(page.text)) == (200, [])
    assert browser.get(f"{path}/test-calls/{new_id()}").status_code == 404
    ready.sql("UPDATE gateway SET name = 'trunk'")
