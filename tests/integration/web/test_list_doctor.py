"""The list doctor: what an upload would do, as the API says it, with nothing kept."""

from __future__ import annotations

import io
from typing import Any

from tests.integration.api.site import OTHER, Site
from tests.integration.web import hostile
from tests.integration.web.browser import Browser, words

LIST = (
    "phone_number;first_name;plan\n+14155550000;Ada;a\n+14155550000;Grace;b\n12;Edsger;c\n+14155550001;Li;d\n"
)


def looked_at(browser: Browser, csv: str, **fields: str) -> Any:
    """What the page's script would get for a form with this list."""
    data = fields | {"contacts": (io.BytesIO(csv.encode()), "list.csv")}
    headers = {"X-CSRF-Token": browser.csrf(), "Accept": "text/html"}
    return browser.client.post("/campaigns/doctor", data=data, headers=headers)


def test_it_says_what_would_become_of_each_row_and_keeps_nothing(site: Site) -> None:
    browser = Browser(site)
    page = browser.get("/campaigns/new").text
    assert 'data-doctor="/campaigns/doctor"' in page
    assert 'data-corrected="/api/v1/campaigns/preview?format=csv"' in page
    found = looked_at(browser, LIST, default_region="US")
    said = words(found.text)
    assert found.status_code == 200
    for part in ("2 people would be called, of 4 rows: 1 repeated, 1 that cannot be called left out.",
                 "with semicolons between its cells", "Nothing is kept yet.", "first_name travels with the call",
                 "phone_number the number that is called", "Line 4:", "US 2"):  # fmt: skip
        assert part in said, (part, said)
    assert site.get("/campaigns").json["total"] == 0


def test_a_list_that_cannot_be_taken_is_told_why_and_what_it_may_mean(site: Site) -> None:
    refused = looked_at(Browser(site), "mobile,name\n+14155550000,Ada\n").text
    said = words(refused)
    assert "The list cannot be taken:" in said
    assert "if the numbers are in 'mobile' name that column phone_number." in said
    assert "Below it is read as if its column “mobile” were named phone_number" in said
    # One step from there to a list that is taken; none where it is taken as it is, or has no number at all.
    assert 'id="use-corrected"' in refused
    for csv in (LIST, "name\nAda\n"):
        assert 'id="use-corrected"' not in looked_at(Browser(site), csv).text, csv
    wrong = words(looked_at(Browser(site), LIST, max_concurrent_calls="0").text)
    assert "Calls at once is 0" in wrong


def test_the_rules_that_would_bind_the_campaign_are_told_with_their_sources(site: Site) -> None:
    browser = Browser(site)
    form = browser.get("/campaigns/new").text
    for part in ("The rules that are known: Australia, Canada, Deutschland, France, United Kingdom, United States",
                 "Only to US-FL", "Not legal advice"):  # fmt: skip
        assert part in words(form), part
    csv = "phone_number,consent_at\n+13055550100,2026-01-31\n+4532123456,2026-01-31\n"
    fields = {"phone_number_id": site.phone_number_id, "time_zone": "UTC", "purpose": "sales"}
    found = looked_at(browser, csv, **fields)
    said = words(found.text)
    for part in ("Calls to US-FL", "Called every day 08:00–20:00, by the clock where each person lives.",
                 "Florida Telephone Solicitation Act, Fla. Stat. 501.616, (6)(a)", "as read 2026-",
                 "Calls to everybody else No rule of a pack is about them.", "Not legal advice"):  # fmt: skip
        assert part in said, (part, said)
    # In the very words of the campaign's own page of rules.
    body = {"name": "x", "agent_id": site.agent_id, "contacts": [
        {"phone_number": "+13055550100", "consent_at": "2026-01-31"}]}  # fmt: skip
    made = site.post("/campaigns", json=fields | body).json
    rules = browser.get(f"/campaigns/{made['id']}/rules").text
    florida = rules[rules.index('<ul class="lines">') : rules.index("</ul>")]
    assert florida in found.text
    off = words(looked_at(browser, csv, **fields | {"policy_packs": "off"}).text)
    assert "None: say what the calls are for" in off


def test_only_a_page_of_the_session_may_ask(site: Site) -> None:
    browser = Browser(site)
    data = {"contacts": (io.BytesIO(LIST.encode()), "list.csv")}
    for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": Browser(site, "operate", OTHER).csrf()}):
        refused = browser.client.post("/campaigns/doctor", data=dict(data), headers=headers)
        assert refused.status_code == 403, headers
        data = {"contacts": (io.BytesIO(LIST.encode()), "list.csv")}
    assert looked_at(Browser(site, "read"), LIST).status_code == 403


def test_a_hostile_list_does_nothing(site: Site) -> None:
    cell, header = hostile.NAME.replace('"', '""'), hostile.COLUMN.replace('"', '""')
    csv = f'phone_number,"{header}"\n+14155550000,"{cell}"\n"{cell}","{cell}"\n'
    for text in (csv, csv.replace("phone_number", f'"{cell}"')):
        bound = {"phone_number_id": site.phone_number_id, "time_zone": "UTC", "purpose": "service"}
        found = looked_at(Browser(site), text, **bound)
        assert (found.status_code, hostile.written_as_it_is(found.text)) == (200, [])
