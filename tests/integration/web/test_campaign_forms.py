"""What is done with a campaign and its people by a form: settings, times, calling again, callbacks."""

from __future__ import annotations

import io
import json
import re
from typing import Any

from tests.integration.api.site import OTHER, Site
from tests.integration.web import hostile
from tests.integration.web.browser import Browser, words
from tests.integration.web.test_campaign_page import told

WORKDAYS = ["mon", "tue", "wed", "thu", "fri"]


def etag(page: str) -> str:
    found = re.search(r'name="etag" value="([^"]+)"', page)
    assert found is not None
    return found[1].replace("&#34;", '"')


def settings(site: Site, campaign_id: str, **changes: Any) -> dict[str, Any]:
    """The form as its page fills it in."""
    campaign = site.get(f"/campaigns/{campaign_id}").json
    form = {
        "etag": etag(Browser(site).get(f"/campaigns/{campaign_id}/settings").text),
        "hours": "any",
        **{name: campaign[name] for name in ("name", "max_concurrent_calls", "weight", "dial_order")},
        **{name: campaign[name] for name in ("retries_per_contact", "retry_delay_seconds")},
    }
    return form | changes


def test_settings_are_changed_and_nothing_else(site: Site) -> None:
    campaign_id, browser = site.create(2), Browser(site)
    path, before = f"/campaigns/{campaign_id}/settings", site.get(f"/campaigns/{campaign_id}").json
    assert browser.post(path, **settings(site, campaign_id)).status_code == 303
    assert site.get(f"/campaigns/{campaign_id}").json == before
    window = {"hours": "these", "windows.0.from": "9", "windows.0.to": "20:00", "windows.0.days": WORKDAYS,
              "windows.1.from": "", "windows.1.to": "", "windows.1.days": WORKDAYS, "time_zone": "Europe/Berlin",
              "holidays.country": "de", "holidays.dates": "2026-12-24"}  # fmt: skip
    rules = {
        "retry_rules.busy.delay_minutes": "5",
        "retry_rules.busy.retries": "3",
        "retry_rules.no_answer.growth": "linear",
    }
    named = {
        "name": "Renamed",
        "max_concurrent_calls": "7",
        "weight": "3",
        "slow_start": "on",
        "retries_per_contact": "2",
        "retry_delay_seconds": "600",
    }
    saved = browser.post(path, **settings(site, campaign_id, **window, **rules, **named))
    assert saved.status_code == 303, saved.text
    assert saved.headers["Location"] == f"/campaigns/{campaign_id}?done=saved"
    now = site.get(f"/campaigns/{campaign_id}").json
    assert now == before | {
        "name": "Renamed", "max_concurrent_calls": 7, "weight": 3, "slow_start": True, "time_zone": "Europe/Berlin",
        "retries_per_contact": 2, "retry_delay_seconds": 600,
        "windows": [{"from": "09:00", "to": "20:00", "days": WORKDAYS}],
        "holidays": {"country": "DE", "region": None, "dates": ["2026-12-24"]},
        "retry_rules": {"busy": {"delay_seconds": 300, "retries": 3}},
    }  # fmt: skip
    page = browser.get(path).text
    for part in (
        'name="windows.0.from" value="09:00"',
        'value="DE"',
        'name="retry_rules.busy.delay_minutes" value="5"',
    ):
        assert part in page, part
    said = browser.text(f"/campaigns/{campaign_id}")
    assert "Mon–Fri 09:00–20:00, by the clock where each person lives." in said
    log = browser.text(f"/campaigns/{campaign_id}/log")
    assert "calls at once: 5 → 7" in log
    assert log.index("operate key changed") < log.index("operate key made the campaign")
    assert "calls at once: 5 → 7" in browser.text(f"/campaigns/{campaign_id}/log/part")


def test_what_is_refused_stays_in_its_fields_and_changes_nothing(site: Site) -> None:
    campaign_id, browser = site.create(1), Browser(site)
    path = f"/campaigns/{campaign_id}/settings"
    for changes, fault in (
        ({"max_concurrent_calls": "0"}, "Calls at once is 0"),
        ({"max_concurrent_calls": "many"}, "Calls at once is"),
        ({"hours": "these"}, "Give one row of hours"),
        (
            {"hours": "these", "windows.0.from": "20:00", "windows.0.to": "9", "windows.0.days": ["mon"]},
            "must be later than from",
        ),
        ({"retry_rules.busy.delay_minutes": "soon"}, "Who was busy: soon is no number."),
        ({"name": ""}, "Name is"),
    ):
        refused = browser.post(path, **settings(site, campaign_id, **{"weight": "9"} | changes))
        assert (refused.status_code, fault in refused.text) == (400, True), changes
        assert 'name="weight" value="9"' in refused.text
    assert site.get(f"/campaigns/{campaign_id}").json["weight"] == 1
    assert Browser(site, "read").get(path).status_code == 403
    assert Browser(site, "operate", OTHER).get(path).status_code == 404


def test_rules_hours_and_times_stay_as_they_were_typed_where_they_are_refused(site: Site) -> None:
    campaign_id = site.create(
        1,
        retry_rules=json.dumps({"busy": {"delay_seconds": 300, "retries": 3}, "no_answer": {"retries": 2}}),
        windows=json.dumps([{"from": "09:00", "to": "20:00", "days": WORKDAYS}]),
        time_zone="America/New_York",
    )
    browser, path = Browser(site), f"/campaigns/{campaign_id}/settings"
    typed = {"retry_rules.busy.delay_minutes": "7,5", "retry_rules.busy.growth": "linear",
             "retry_rules.no_answer.retries": ""}  # fmt: skip
    refused = browser.post(path, **settings(site, campaign_id, hours="these", **typed))
    assert refused.status_code == 400
    for part in ('name="retry_rules.busy.delay_minutes" value="7,5"', 'name="retry_rules.busy.retries" value=""',
                 '<option value="linear" selected>', '<details class="rules" open>',
                 'name="retry_rules.no_answer.retries" value=""'):  # fmt: skip
        assert part in refused.text, part
    assert 'value="09:00"' not in refused.text
    assert 'name="retry_rules.busy.retries" value="3"' in browser.get(path).text
    site.request("PATCH", f"/campaigns/{campaign_id}", json={"end_at": "2099-01-02T10:00:00Z"})
    path = f"/campaigns/{campaign_id}/schedule"
    refused = browser.post(
        path, etag=etag(browser.get(path).text), scheduled_at="2020-01-01T10:00", end_at=""
    )
    assert refused.status_code == 400
    assert re.search('id="end_at"[^>]* value=""', refused.text)
    assert re.search('id="scheduled_at"[^>]* value="2020-01-01T10:00"', refused.text)


def test_nothing_is_saved_over_somebody_else_s_change(site: Site) -> None:
    campaign_id, browser = site.create(1), Browser(site)
    path = f"/campaigns/{campaign_id}/settings"
    old = settings(site, campaign_id, weight="5")
    site.request("PATCH", f"/campaigns/{campaign_id}", json={"weight": 2})
    refused = browser.post(path, **old)
    assert (refused.status_code, "Somebody else has changed this campaign" in refused.text) == (412, True)
    assert site.get(f"/campaigns/{campaign_id}").json["weight"] == 2
    # What the page now shows may be saved: it carries what the other one made of it.
    assert browser.post(path, **old | {"etag": etag(refused.text)}).status_code == 303
    assert site.get(f"/campaigns/{campaign_id}").json["weight"] == 5


def test_a_form_that_was_refused_still_changes_nothing_over_somebody_else_s_change(site: Site) -> None:
    campaign_id, browser = site.create(1), Browser(site)
    path = f"/campaigns/{campaign_id}/settings"
    for wrong in ({"max_concurrent_calls": "0"}, {"retry_rules.busy.delay_minutes": "soon"}):
        old = settings(site, campaign_id)
        weight = site.get(f"/campaigns/{campaign_id}").json["weight"] + 1
        site.request("PATCH", f"/campaigns/{campaign_id}", json={"weight": weight})
        # What it shows is what was opened before that: the other's change is not on it.
        refused = browser.post(path, **old | wrong)
        assert refused.status_code == 400, refused.text
        assert browser.post(path, **old | {"etag": etag(refused.text)}).status_code == 412, wrong
        assert site.get(f"/campaigns/{campaign_id}").json["weight"] == weight
    path = f"/campaigns/{campaign_id}/schedule"
    opened = etag(browser.get(path).text)
    site.request("PATCH", f"/campaigns/{campaign_id}", json={"end_at": "2099-01-02T10:00:00Z"})
    refused = browser.post(path, etag=opened, scheduled_at="tomorrow", end_at="")
    assert refused.status_code == 400, refused.text
    assert browser.post(path, etag=etag(refused.text), scheduled_at="", end_at="").status_code == 412
    assert site.get(f"/campaigns/{campaign_id}").json["end_at"] == "2099-01-02T10:00:00.000Z"


def test_when_it_starts_and_ends_is_set_and_taken_back(site: Site) -> None:
    campaign_id, browser = site.create(1), Browser(site)
    path = f"/campaigns/{campaign_id}/schedule"

    def save(**times: str) -> Any:
        return browser.post(path, etag=etag(browser.get(path).text), **times)

    assert save(scheduled_at="2099-01-01T10:00", end_at="2099-01-02T10:00:00Z").status_code == 303
    now = site.get(f"/campaigns/{campaign_id}").json
    assert (now["status"], now["scheduled_at"], now["end_at"]) == (
        "scheduled", "2099-01-01T10:00:00.000Z", "2099-01-02T10:00:00.000Z")  # fmt: skip
    assert 'value="2099-01-01T10:00"' in browser.get(path).text
    assert "Starts" in browser.text(f"/campaigns/{campaign_id}")
    for wrong in ("2020-01-01T10:00", "tomorrow", "2099-13-01T10:00"):
        refused = save(scheduled_at=wrong, end_at="2099-01-02T10:00")
        assert (refused.status_code, 'role="alert"' in refused.text) == (400, True), wrong
    assert save(scheduled_at="", end_at="").status_code == 303
    now = site.get(f"/campaigns/{campaign_id}").json
    assert (now["status"], now["scheduled_at"], now["end_at"]) == ("draft", None, None)


def test_who_was_busy_is_called_again_at_a_time(site: Site) -> None:
    campaign_id, browser = told(site), Browser(site)
    site.sql(
        "UPDATE contact SET status = 'failed', disposition = 'busy' WHERE campaign_id = %s AND position = 1",
        campaign_id,
    )
    site.sql("UPDATE campaign_count SET completed = 0, failed = 1 WHERE campaign_id = %s", campaign_id)
    path = f"/campaigns/{campaign_id}/again"
    page = browser.get(path).text
    assert 'value="busy" checked' in page
    once = re.findall(r'name="once" value="([0-9a-f]{32})"', page)[0]
    form = {"who": "ended", "ends": ["busy"], "when": "at", "scheduled_at": "2099-01-01T10:00:00.000Z",
            "name": "Busy ones", "once": once}  # fmt: skip
    made = browser.post(path, **form)
    assert made.status_code == 303, made.text
    new_id = re.findall(r"/campaigns/([^?]+)\?done=scheduled", made.headers["Location"])[0]
    new = site.get(f"/campaigns/{new_id}").json
    assert (new["name"], new["status"], new["scheduled_at"], new["counts"]["total"], new["cloned_from"]) == (
        "Busy ones", "scheduled", "2099-01-01T10:00:00.000Z", 1, campaign_id)  # fmt: skip
    # The same form sent twice makes one campaign.
    assert f"/campaigns/{new_id}?" in browser.post(path, **form).headers["Location"]
    assert site.get("/campaigns").json["total"] == 2
    # Another form of the same page, as after going back, is asked about, and makes another once it is sent again.
    changed = form | {"name": "Busy ones, too"}
    asked = browser.post(path, **changed)
    assert (asked.status_code, "has made a campaign already" in asked.text) == (409, True)
    assert 'value="Busy ones, too"' in asked.text
    (again,) = re.findall(r'name="once" value="([0-9a-f]{32})"', asked.text)
    assert again != once
    other = browser.post(path, **changed | {"once": again}).headers["Location"]
    assert f"/campaigns/{new_id}?" not in other
    assert browser.post(path, **changed | {"once": again}).headers["Location"] == other
    assert site.get("/campaigns").json["total"] == 3
    back = browser.post(path, who="ended", ends=["busy"], when="here")
    assert back.headers["Location"] == f"/campaigns/{campaign_id}?done=again&n=1"
    assert "People: 1." in browser.text(f"/campaigns/{campaign_id}", done="again", n="1")


def test_calling_again_says_what_is_missing_or_cannot_be(site: Site) -> None:
    campaign_id, browser = told(site), Browser(site)
    path = f"/campaigns/{campaign_id}/again"
    # Whom a tick that the page hides would bring back.
    site.sql(
        "UPDATE contact SET status = 'failed', disposition = 'no_answer' WHERE campaign_id = %s AND position = 2",
        campaign_id,
    )
    site.sql("UPDATE campaign_count SET pending = 1, failed = 1 WHERE campaign_id = %s", campaign_id)
    for form, status, fault in (
        ({"who": "ended", "when": "draft"}, 400, "Choose whom to call again"),
        ({"who": "ended", "ends": ["busy"], "when": "at", "scheduled_at": ""}, 400, "Say when"),
        ({"who": "ended", "ends": ["busy"], "when": "draft"}, 409, "there is nobody to call again"),
        ({"who": "ended", "ends": ["nonsense"], "when": "here"}, 400, "nonsense"),
        ({"who": "ended", "when": "here"}, 400, "Choose whom to call again"),
        (
            {"who": "cancelled", "ends": ["no_answer"], "when": "here"},
            400,
            "Only people whose last call ended",
        ),
        (
            {"who": "everybody", "ends": ["no_answer"], "when": "here"},
            400,
            "Only people whose last call ended",
        ),
        ({"ends": ["no_answer"], "when": "here"}, 400, "Only people whose last call ended"),
        ({"who": "everybody", "when": "here"}, 400, "Only people whose last call ended"),
    ):
        refused = browser.post(path, **form)
        assert (refused.status_code, fault in refused.text) == (status, True), (form, refused.text)
    assert site.get("/campaigns").json["total"] == 1
    assert site.get(f"/campaigns/{campaign_id}").json["counts"]["failed"] == 1
    past = browser.post(path, who="everybody", when="at", scheduled_at="2020-01-01T10:00")
    assert (past.status_code, "It waits as a draft" in past.text) == (400, True)
    assert Browser(site, "read").get(path).status_code == 403
    assert Browser(site, "operate", OTHER).post(path, who="everybody", when="draft").status_code == 404


def test_a_draft_is_cloned_with_its_whole_list_and_a_clone_starts_at_once_where_asked(site: Site) -> None:
    campaign_id, browser = site.create(3), Browser(site)
    made = browser.post(f"/campaigns/{campaign_id}/again", who="everybody", when="now", name="")
    new_id = re.findall(r"/campaigns/([^?]+)\?done=started", made.headers["Location"])[0]
    new = site.get(f"/campaigns/{new_id}").json
    assert (new["status"], new["counts"]["total"]) == ("running", 3)
    ended = site.create(2)
    site.post(f"/campaigns/{ended}/start")
    site.post(f"/campaigns/{ended}/stop")
    assert "People who were cancelled: 2" in browser.text(f"/campaigns/{ended}/again")
    made = browser.post(f"/campaigns/{ended}/again", who="cancelled", when="draft")
    assert "done=cloned" in made.headers["Location"]


def test_somebody_is_called_back_taken_out_and_put_back(site: Site) -> None:
    campaign_id, browser = told(site), Browser(site)
    contacts = {
        one["phone_number"]: one["id"]
        for one in site.get(f"/campaigns/{campaign_id}/contacts").json["contacts"]
    }
    path = f"/campaigns/{campaign_id}/contacts/{contacts['+14155550001']}"

    def now() -> Any:
        return site.get(path).json

    assert (
        browser.post(f"{path}/callback", at="2099-01-01T10:00").headers["Location"]
        == f"{path}?done=person-callback"
    )
    assert now()["next_attempt_at"] == "2099-01-01T10:00:00.000Z"
    assert "Call as soon as may be" in browser.text(path)
    assert browser.post(f"{path}/retry").status_code == 303
    assert now()["next_attempt_at"] is None
    assert browser.post(f"{path}/out").status_code == 303
    assert now()["status"] == "cancelled"
    assert "Call again" in browser.text(path)
    assert browser.post(f"{path}/back").status_code == 303
    assert now()["status"] == "pending"
    for at in ("", "2020-01-01T10:00", "soon"):
        refused = browser.post(f"{path}/callback", at=at)
        assert (refused.status_code, 'role="alert"' in refused.text) == (400, True), at
    # Who was reached may only be called back at a time.
    reached = f"/campaigns/{campaign_id}/contacts/{contacts['+14155550000']}"
    assert browser.post(f"{reached}/back").status_code == 409
    assert browser.post(f"{reached}/callback", at="2099-01-01T10:00").status_code == 303
    assert Browser(site, "read").post(f"{path}/out").status_code == 403
    assert "Take out" not in Browser(site, "read").text(path)
    assert Browser(site, "operate", OTHER).post(f"{path}/out").status_code == 404


def test_hostile_words_do_nothing_in_these_forms(site: Site) -> None:
    campaign_id, browser = site.create(1, name=hostile.NAME), Browser(site)
    site.sql("UPDATE campaign_log SET by = %s, reason = %s WHERE false", hostile.NAME, hostile.NAME)
    for page in ("settings", "schedule", "again", "log", "log/part"):
        found = browser.get(f"/campaigns/{campaign_id}/{page}")
        assert (found.status_code, hostile.written_as_it_is(found.text)) == (200, []), page
    fields = dict.fromkeys(
        ("name", "time_zone", "dial_order", "max_concurrent_calls", "windows.0.from", "windows.0.to", "etag",
         "holidays.country", "holidays.region", "holidays.dates", "retry_rules.busy.retries", "scheduled_at",
         "end_at"),
        hostile.NAME,
    )  # fmt: skip
    for page in ("settings", "schedule"):
        refused = browser.post(f"/campaigns/{campaign_id}/{page}", **fields, hours="these")
        assert (refused.status_code, hostile.written_as_it_is(refused.text)) == (400, []), page
    again = {
        "who": "ended",
        "ends": [hostile.NAME],
        "when": "draft",
        "name": hostile.NAME,
        "once": hostile.NAME,
    }
    refused = browser.post(f"/campaigns/{campaign_id}/again", **again)
    assert (refused.status_code, hostile.written_as_it_is(refused.text)) == (400, [])


def test_rules_of_law_are_chosen_shown_and_let_go(site: Site) -> None:
    browser = Browser(site)
    assert 'name="purpose"' in browser.get("/campaigns/new").text
    campaign_id = site.create(2, purpose="service", time_zone="America/New_York", name=hostile.NAME)
    path = f"/campaigns/{campaign_id}"
    assert "Rules of law bind it too" in browser.text(path)
    page = browser.get(f"{path}/rules").text
    said = browser.text(f"{path}/rules")
    assert "Not legal advice" in said
    assert "Calls to" in said
    assert "It calls for serving one’s own customers." in said
    assert hostile.written_as_it_is(page) == []
    off = settings(site, campaign_id, policy_packs="off", purpose="service", hours="these",
                   **{"windows.0.from": "9", "windows.0.to": "20", "windows.0.days": WORKDAYS,
                      "time_zone": "America/New_York"})  # fmt: skip
    saved = browser.post(f"{path}/settings", **off)
    assert saved.status_code == 303, saved.text
    assert site.get(path).json["policy_packs"] == "off"
    assert "No pack binds it" in browser.text(f"{path}/rules")
    refused = browser.post(f"{path}/settings", **off | {"policy_packs": "on", "etag": "*"})
    assert (refused.status_code, "Rules of law is" in refused.text) == (409, True)


def once(page: str) -> str:
    (found,) = re.findall(r'name="once" value="([0-9a-f]{32})"', page)
    assert isinstance(found, str)
    return found


def test_somebody_is_added_by_a_form_and_told_why_not(site: Site) -> None:
    campaign_id, browser = site.create(2, duplicates="off"), Browser(site)
    path = f"/campaigns/{campaign_id}/contacts"
    assert f'href="{path}#add"' in browser.get(f"/campaigns/{campaign_id}").text
    page = browser.get(path).text
    for part in (
        f'data-target="/api/v1{path}"',
        'data-file="contacts"',
        'name="column.first_name"',
        "{added} added",
    ):
        assert part in page, part
    person = {"once": once(page), "phone_number": "(415) 555-9001", "column.first_name": "Ada"}
    for _ in range(2):
        # Sent twice, it is done once.
        added = browser.post(path, **person)
        assert (added.status_code, added.headers["Location"]) == (
            303,
            f"{path}?order=newest&done=person-added",
        )
    contacts = site.get(path).json["contacts"]
    assert [one["phone_number"] for one in contacts[2:]] == ["+14155559001"]
    assert contacts[2]["custom_fields"] == {"first_name": "Ada"}
    said = browser.text(path, order="newest", done="person-added")
    assert "Added to the list" in said
    assert said.index("+14155559001") < said.index("+14155550001")
    spent = browser.post(path, **person | {"phone_number": "+14155559002"})
    assert (spent.status_code, "has added somebody already" in spent.text) == (409, True)
    person["once"] = once(spent.text)
    for number, reason in (
        ("12", "phone_number &#39;12&#39; has too few digits"),
        ("", "the phone_number cell is empty"),
    ):
        refused = browser.post(path, **person | {"phone_number": number})
        assert (refused.status_code, f"Not added: {reason}" in refused.text) == (400, True), refused.text
        assert 'value="Ada"' in refused.text
        person["once"] = once(refused.text)
    assert len(site.get(path).json["contacts"]) == 3


def test_who_is_there_or_must_not_be_called_is_not_added(site: Site) -> None:
    campaign_id, browser = site.create(1), Browser(site)
    path = f"/campaigns/{campaign_id}/contacts"
    twice = browser.post(path, once="a", phone_number="+14155550000")
    assert (twice.status_code, "This number is on the list already." in twice.text) == (409, True)
    site.post("/suppressions", json={"number": "+14155559001", "source": "phone"})
    barred = browser.post(path, once="b", phone_number="+14155559001")
    assert barred.status_code == 400
    assert "Not added: The number is on a do-not-call list." in words(barred.text)
    site.sql("DELETE FROM suppression")
    assert Browser(site, "read").post(path, phone_number="+14155559001").status_code == 403
    assert Browser(site, "operate", OTHER).post(path, phone_number="+14155559001").status_code == 404
    reader = Browser(site, "read").get(path).text
    assert ("Add a person" in reader, "upload.js" in reader) == (False, False)
    site.post(f"/campaigns/{campaign_id}/stop")
    assert "Add a person" not in browser.get(path).text
    over = browser.post(path, once="c", phone_number="+14155559001")
    assert (over.status_code, "no contacts can be added" in over.text) == (409, True)


def test_who_can_never_be_called_is_added_and_told_so(site: Site) -> None:
    hours = [{"from": "10:00", "to": "11:00", "days": ["mon"]}]
    campaign_id = site.create(1, windows=json.dumps(hours), time_zone="America/New_York")
    browser, path = Browser(site), f"/campaigns/{campaign_id}/contacts"
    added = browser.post(path, once="never", phone_number="+18002345678")
    assert (added.status_code, "Added, and cancelled at once: they may be in any of" in added.text) == (
        200,
        True,
    )
    assert site.get(path).json["contacts"][1]["status"] == "cancelled"


def test_a_list_is_added_under_the_session(site: Site) -> None:
    campaign_id, browser = site.create(1), Browser(site)
    sent = {"headers": {"X-CSRF-Token": browser.csrf(), "Accept": "application/json"}}
    data = {"contacts": (io.BytesIO(b"phone_number\n+14155559001\nx\n"), "list.csv")}
    path = f"/api/v1/campaigns/{campaign_id}/contacts"
    told: Any = browser.client.post(path, data=data, **sent)
    assert (told.status_code, told.json["added"], told.json["invalid"]) == (201, 1, 1)
    assert [one["line"] for one in told.json["results"]] == [3]
    assert "\r\n3,invalid_number," in browser.get(told.json["rejects_url"]).text


def test_hostile_words_of_who_is_added_do_nothing(site: Site) -> None:
    name, column = hostile.NAME, hostile.COLUMN.replace('"', '""')
    csv = f'phone_number,"{column}"\n+14155550000,x\n'
    campaign_id = site.post("/campaigns", data=site.form(csv, name=name)).json["id"]
    browser, path = Browser(site), f"/campaigns/{campaign_id}/contacts"
    page = browser.get(path)
    assert (page.status_code, hostile.written_as_it_is(page.text)) == (200, [])
    fields = {"once": name, "phone_number": name, f"column.{hostile.COLUMN}": name}
    for changes in ({}, {"once": "a"}, {"once": "b", "phone_number": "+14155550000"}):
        refused = browser.post(path, **fields | changes)
        assert refused.status_code in (400, 409), changes
        assert hostile.written_as_it_is(refused.text) == [], changes
    assert browser.post(path, **fields | {"once": "c", "phone_number": "+14155559001"}).status_code == 303
    assert hostile.written_as_it_is(browser.get(f"{path}?order=newest").text) == []
