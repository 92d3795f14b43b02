"""A number wherever it is, taken out of all lists at once; and the calls of a campaign, page by page."""

from __future__ import annotations

import re
from html import unescape

from tests.integration.api.site import OTHER, Site
from tests.integration.api.test_calls import many
from tests.integration.web import hostile
from tests.integration.web.browser import Browser, words
from tests.integration.web.test_campaign_page import told

NUMBER = "+14155550000"


def test_a_number_is_found_in_every_campaign_and_taken_out_of_all(site: Site) -> None:
    first, second = told(site), site.create(2)
    browser = Browser(site)
    assert "Type the whole number" in browser.text("/people")
    said = browser.text("/people", number="1 (415) 555-0000")
    assert f"{NUMBER} may be called" in said
    # Everywhere he is, and each of his calls.
    assert said.count("Reminders") == 2 + 3
    page = browser.get("/people", query_string={"number": NUMBER}).text
    for campaign_id in (first, second):
        assert f'href="/campaigns/{campaign_id}/contacts/' in page
    assert "In no campaign" in browser.text("/people", number="+14155559999")
    wrong = browser.get("/people", query_string={"number": "12"})
    assert (wrong.status_code, "Number is" in wrong.text) == (200, True)
    assert Browser(site, "read").post("/people/suppress", number=NUMBER).status_code == 403
    assert browser.post("/people/suppress", number="0", reason="").status_code == 400
    done = browser.post("/people/suppress", number=NUMBER, reason="Asked by phone")
    assert done.status_code == 303
    after = browser.text(done.headers["Location"])
    assert "No campaign calls it. Asked by phone." in after
    assert "not to be called" in after
    assert "any more Do not call" not in after
    (entry,) = site.get("/suppressions").json["suppressions"]
    assert (entry["number"], entry["campaign_id"], entry["reason"]) == (NUMBER, None, "Asked by phone")
    assert "In no campaign" in Browser(site, "platform", tenant=OTHER).text("/people", number=NUMBER)
    # An entry whose time is over stays, and keeps nobody from being called.
    site.sql("UPDATE suppression SET expires_at = now() - interval '1 s' RETURNING id")
    again = browser.get("/people", query_string={"number": NUMBER}).text
    assert (f"{NUMBER} may be called" in words(again), 'action="/people/suppress"' in again) == (True, True)
    listed = browser.text("/suppressions", number=NUMBER)
    assert (f"What kept {NUMBER} from being called" in listed, " over " in listed) == (True, True), listed
    assert site.delete(f"/suppressions/{entry['id']}").status_code == 204


def test_contacts_of_a_number_are_told_with_their_campaigns(site: Site) -> None:
    older, newer, gone = (site.create(2, name=name) for name in ("Older", "Newer", "Gone"))
    assert site.delete(f"/campaigns/{gone}").status_code == 204
    found = site.get("/contacts", role="read", query_string={"phone_number": NUMBER}).json["contacts"]
    assert [one["campaign_id"] for one in found] == [newer, older]
    assert [one["campaign_name"] for one in found] == ["Newer", "Older"]
    for one in found:
        assert (one["campaign_status"], one["end_reason"]) == ("draft", None)
        path = f"/campaigns/{one['campaign_id']}/contacts/{one['contact']['id']}"
        assert site.get(path).json == one["contact"]
    one = site.get("/contacts", query_string={"phone_number": NUMBER, "limit": 1}).json["contacts"]
    assert one == found[:1]
    assert site.get("/contacts", tenant="other", query_string={"phone_number": NUMBER}).json == {
        "contacts": []
    }
    assert site.get("/contacts").status_code == 400


def test_calls_of_a_campaign_are_read_page_by_page_the_newest_first(site: Site) -> None:
    campaign_id = site.create(40)
    many(site, [campaign_id], sends=3)
    browser, path = Browser(site, "read"), f"/campaigns/{campaign_id}/calls"
    seen: list[str] = []
    address: str | None = path
    while address is not None:
        page = browser.get(unescape(address)).text
        assert "120 calls, the newest first" in words(page)
        seen += re.findall(r"<time datetime=\"([^\"]+)\"", page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        address = found[1] if found else None
    assert len(seen) == 120
    assert seen == sorted(seen, reverse=True)
    busy = browser.text(path, disposition="busy")
    assert ("busy" in busy, "39 calls" in busy or "42 calls" in busy) == (True, True)
    assert "no answer" not in busy.split("the newest first")[1]
    assert "No call is like this" in browser.text(path, **{"to": "2020-01-01T00:00"})
    assert "3 calls, the newest first" in browser.text(path, number="+1 415 555 0001")
    for name in ("disposition", "number", "from", "to", "after"):
        answer = browser.get(path, query_string={name: hostile.NAME})
        assert hostile.written_as_it_is(answer.text) == []
