"""Who is not to be called, and whose data is erased: entered, found, let go and erased by whoever may."""

from __future__ import annotations

import html
import io
import re
from typing import Any

import pytest

from models import new_id
from tests.integration.api.site import OTHER, Site
from tests.integration.web import hostile
from tests.integration.web.browser import Browser
from tests.integration.web.statements import MOST_STATEMENTS, counted
from web import suppression_pages


@pytest.fixture(autouse=True)
def nobody_is_suppressed(site: Site) -> None:
    site.sql("DELETE FROM suppression")


def test_a_number_is_entered_found_and_let_go(site: Site) -> None:
    browser, campaign_id = Browser(site), site.create(2)
    assert "Nobody yet" in browser.text("/suppressions")
    entered = browser.post("/suppressions", number="+1 (415) 555-0000", reason="Asked for it")
    assert entered.headers["Location"] == "/suppressions?done=suppressed"
    prefix = {"number": "+1900*", "campaign_id": campaign_id, "expires_at": "2099-01-01T10:00"}
    assert browser.post("/suppressions", **prefix).status_code == 303
    entries = site.get("/suppressions").json["suppressions"]
    told = ("number", "prefix", "campaign_id", "expires_at", "source")
    assert [tuple(one[name] for name in told) for one in entries] == [
        ("+14155550000", None, None, None, "board"),
        (None, "+1900", campaign_id, "2099-01-01T10:00:00.000Z", "board"),
    ]
    said = browser.text("/suppressions")
    for part in ("+14155550000 all campaigns Asked for it", "+1900… Reminders", "for good", "2 entries"):
        assert part in said, part
    assert "+14155550000 all campaigns" in browser.text("/suppressions", number="1 415 555 0000")
    assert "Nothing keeps this number" in browser.text("/suppressions", number="+14155559999")
    assert "must be a phone number" in browser.text("/suppressions", number="12")
    (told_prefix, path) = (f"/suppressions/{one['id']}/remove" for one in reversed(entries))
    assert "Remove +1900…?" in browser.text(told_prefix)
    # It names what is removed, whatever its address says.
    assert "Remove +14155550000?" in browser.text(path, what="+14155559999")
    assert f'href="{path}"' in browser.get("/suppressions").text
    assert browser.post(path).status_code == 303
    assert site.get("/suppressions").json["total"] == 1


def test_what_was_just_entered_comes_first_and_the_rest_is_further_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppression_pages, "PER_PAGE", 2)
    for number in range(4):
        entered = site.post("/suppressions", json={"number": f"+1415555000{number}"})
        assert entered.status_code == 201
    browser, address, seen = Browser(site, "read"), "/suppressions", list[str]()
    while address:
        page = browser.get(html.unescape(address)).text
        assert "4 entries" in page.replace('<data value="4">4</data>', "4")
        seen += re.findall(r'<th scope="row" class="keep">\+1415555000(\d)', page)
        address = next(iter(re.findall(r'rel="next" href="([^"]+)"', page)), "")
    assert seen == ["3", "2", "1", "0"]
    monkeypatch.setattr("api.routes.suppressions.MOST_COUNTED", 3)
    assert "More than" in browser.text("/suppressions")


def test_what_is_wrong_is_said_and_what_was_typed_stays(site: Site) -> None:
    browser = Browser(site)
    for fields in ({"number": "12"}, {"number": ""}, {"number": "+14155550000", "expires_at": "2020-01-01T10:00"},
                   {"number": "+14155550000", "campaign_id": str(new_id())}):  # fmt: skip
        refused = browser.post("/suppressions", reason="Because", **fields)
        assert (refused.status_code, 'role="alert"' in refused.text) == (400, True), fields
        assert 'value="Because"' in refused.text
    assert site.get("/suppressions").json["total"] == 0


def test_no_country_is_guessed_for_a_number_that_is_entered_or_erased(site: Site) -> None:
    browser, admin = Browser(site), Browser(site, "admin")
    # By their digits alone they would be numbers of Norway and of Egypt.
    for typed in ("(479) 345-6789", "479 345 6789", "20 7946 0958", "479*"):
        refused = browser.post("/suppressions", number=typed)
        assert (refused.status_code, "country code" in refused.text) == (400, True), typed
        refused = admin.post("/privacy", number=typed, again=typed)
        assert (refused.status_code, "country code" in refused.text) == (400, True), typed
    # Nor is a number the same as one that says another country.
    refused = admin.post("/privacy", number="+4793456789", again="479 345 6789")
    assert (refused.status_code, "not the same" in refused.text) == (400, True)
    assert site.get("/suppressions").json["total"] == 0
    assert site.sql("SELECT id FROM erasure WHERE tenant_id = 'demo'") == []
    for typed in ("0047 93 45 67 89", "00 47 93*"):
        assert browser.post("/suppressions", number=typed).status_code == 303, typed
    entries = site.get("/suppressions").json["suppressions"]
    assert [(one["number"], one["prefix"]) for one in entries] == [("+4793456789", None), (None, "+4793")]


def test_a_reader_looks_and_changes_nothing(site: Site) -> None:
    Browser(site).post("/suppressions", number="+14155550000")
    reader, (entry,) = Browser(site, "read"), site.get("/suppressions").json["suppressions"]
    page = reader.get("/suppressions").text
    assert "+14155550000" in page
    assert "Enter a number" not in page
    assert "/remove" not in page
    assert reader.post("/suppressions", number="+14155550001").status_code == 403
    assert reader.post(f"/suppressions/{entry['id']}/remove").status_code == 403
    stranger = Browser(site, "operate", OTHER)
    assert "Nobody yet" in stranger.text("/suppressions")
    assert stranger.get(f"/suppressions/{entry['id']}/remove").status_code == 404
    assert stranger.post(f"/suppressions/{entry['id']}/remove").status_code == 404


def test_a_list_goes_to_the_api_under_the_session_and_is_downloaded(site: Site) -> None:
    browser = Browser(site)
    page = browser.get("/suppressions").text
    assert 'data-target="/api/v1/suppressions/import"' in page
    for field in ("entries", "source", "default_region"):
        assert f'name="{field}"' in page
    sent = {"headers": {"X-CSRF-Token": browser.csrf(), "Accept": "application/json"}}
    data = {"source": "upload", "entries": (io.BytesIO(b"phone_number\n+14155550000\nx\n"), "list.csv")}
    told: Any = browser.client.post("/api/v1/suppressions/import", data=data, **sent)
    assert (told.status_code, told.json["added"], told.json["invalid"]) == (200, 1, 1)
    (export,) = re.findall(r'href="([^"]+)" download', page)
    assert "'+14155550000" in browser.get(export).text


def test_an_admin_erases_a_person_whose_number_he_types_twice(site: Site) -> None:
    admin = Browser(site, "admin")
    assert Browser(site).get("/privacy").status_code == 403
    assert "Erase a person" not in Browser(site).text("/suppressions")
    refused = admin.post("/privacy", number="+14155550000", again="+14155550001")
    assert (refused.status_code, "not the same" in refused.text) == (400, True)
    assert admin.post("/privacy", number="12", again="12").status_code == 400
    assert site.sql("SELECT id FROM erasure WHERE tenant_id = 'demo'") == []
    done = admin.post("/privacy", number="+1 415 555 0000", again="+14155550000")
    path = done.headers["Location"].partition("?")[0]
    assert "Asked for" in admin.text(path)
    assert re.search("going on|done", admin.text(f"{path}/part"))
    assert Browser(site, "admin", OTHER).get(path).status_code == 404
    assert "an erased number" in admin.text("/suppressions")
    assert "/remove" not in Browser(site).get("/suppressions").text
    (left,) = site.get("/suppressions").json["suppressions"]
    assert "Remove an erased number?" in admin.text(f"/suppressions/{left['id']}/remove")
    site.sql("DELETE FROM erasure")


def test_hostile_words_do_nothing_and_the_page_asks_little(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.create(1, name=hostile.NAME)
    browser = Browser(site, "admin")
    for number in range(3):
        body = {"number": f"+1415555000{number}", "reason": hostile.NAME, "source": hostile.NAME[:40]}
        assert site.post("/suppressions", json=body).status_code == 201
    asked = counted(monkeypatch)
    page = browser.get("/suppressions")
    assert (page.status_code, hostile.written_as_it_is(page.text)) == (200, [])
    assert 0 < len(asked) <= MOST_STATEMENTS
    found = browser.client.get("/suppressions", query_string={"number": hostile.NAME})
    assert hostile.written_as_it_is(found.text) == []
    removed = browser.client.get("/suppressions/x/remove", query_string={"what": hostile.NAME})
    assert (removed.status_code, hostile.written_as_it_is(removed.text)) == (404, [])
    fields = dict.fromkeys(("number", "reason", "campaign_id", "expires_at"), hostile.NAME)
    refused = browser.post("/suppressions", **fields)
    assert (refused.status_code, hostile.written_as_it_is(refused.text)) == (400, [])
    refused = browser.post("/privacy", number=hostile.NAME, again="x")
    assert (refused.status_code, hostile.written_as_it_is(refused.text)) == (400, [])
