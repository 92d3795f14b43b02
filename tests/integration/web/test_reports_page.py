"""The pages of reports: what the API says, as plots with their tables, for whoever may look."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from xml.etree import ElementTree

import pytest

from tests.integration.api.site import Site
from tests.integration.api.test_reports import GATEWAY, call
from tests.integration.web import hostile, statements
from tests.integration.web.browser import Browser, words

PAGES = ("hours", "routes", "lengths", "attempts", "abandoned", "lists")


@pytest.fixture
def campaign(site: Site) -> str:
    """A campaign of which three calls were placed an hour ago: answered, abandoned at once, and busy."""
    site.sql("DELETE FROM call")
    for table in ("report_total", "report_route", "report_outcome", "report_change"):
        site.sql(f"DELETE FROM {table}")
    made: str = site.create(5, name="Spring recall")
    now = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    call(site, made, created_at=now)
    call(site, made, created_at=now, billsec=0, disposition="abandoned")
    call(site, made, created_at=now, billsec=0, answered_at=None, disposition="busy", attempt=2)
    return made


def test_the_pages_say_what_the_api_says(site: Site, campaign: str) -> None:
    browser = Browser(site, "read")
    assert browser.get("/reports", query_string={"days": "7"}).headers["Location"] == "/reports/hours?days=7"
    hours = browser.text("/reports/hours", zone="Asia/Kathmandu")
    local = datetime.now(UTC) - timedelta(hours=1) + timedelta(hours=5, minutes=45)
    assert f"{local:%H}:00" in hours
    assert "by the clocks of Asia/Kathmandu" in hours
    assert "66.7 % of 3" in hours
    routes = browser.text("/reports/routes")
    for said in (
        "+1212 3 2 66.7 % 0:20 1.25 s 1.25 s",
        "+14155550100 3",
        GATEWAY,
        "all of them 3 1 1 33.3 %",
        "beyond it",
    ):
        assert said in routes
    (gateway,) = site.sql("SELECT id::text AS id, name FROM gateway WHERE name = 'trunk'")
    site.sql("UPDATE report_route SET gateway_id = %s", gateway["id"])
    site.sql("UPDATE report_change SET gateway_id = %s", gateway["id"])
    assert "trunk 3 2 66.7 %" in Browser(site, "operate").text("/reports/routes")
    assert gateway["id"] in browser.text("/reports/routes")
    lengths = browser.text("/reports/lengths")
    assert "1.25 s or less with half of 3 calls" in lengths
    assert "0 s or less with half of 2 calls, 45 s or less with 95 of 100." in lengths
    attempts = browser.text("/reports/attempts")
    assert "1 2 2 100.0 % 100.0 % 2 1 0 0.0 % 0.0 %" in attempts
    assert "Every call was somebody’s attempt" in attempts
    abandoned = browser.text("/reports/abandoned")
    assert abandoned.count("Spring recall") == 3  # in the choice of campaigns, too
    assert "1 2 50.0 %" in abandoned
    assert abandoned.count("A rate above 3.0 % is marked, as the policy pack has it.") == 2
    assert len(re.findall('chip bad">.*?50.0', browser.get("/reports/abandoned").text)) == 2
    assert "Spring recall 5 2 0 40.0 %" in browser.text("/reports/lists")


@pytest.mark.parametrize("days", [1, 7, 30, 90, 365])
def test_the_rate_of_thirty_days_is_over_thirty_days_whichever_are_chosen(
    site: Site, campaign: str, days: int
) -> None:
    earlier = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    call(site, campaign, created_at=earlier)
    call(site, campaign, created_at=earlier)
    page = Browser(site, "read").get("/reports/abandoned", query_string={"days": days}).text
    of_us, of_uk = page.split("<h2>United States")[1].split("<h2>United Kingdom")
    rows = re.findall(r"<tr><th scope.*?</tr>", of_us)
    assert rows
    for row in rows:
        start, end = (datetime.fromisoformat(at) for at in re.findall(r'datetime="([^"]+)"', row))
        assert end - start == timedelta(days=30)
    assert "1 4 25.0 %" in words(rows[-1])
    for part, shown, formula in (
        (of_us, rows, "us_30_days"),
        (of_uk, re.findall("<tr><th scope", of_uk), "uk_day"),
    ):
        (link,) = re.findall(r'href="([^"]+abandon-rate[^"]+)" download', part)
        # What is downloaded is what is shown.
        table = list(csv.DictReader(io.StringIO(Browser(site, "read").get(unescape(link)).text)))
        assert (len(table), {row["formula"] for row in table}) == (len(shown), {formula})
    assert len(re.findall("<tr><th scope", of_uk)) == (1 if days < 9 else 2)


def test_a_plot_is_an_image_without_scripts_and_its_table_is_beneath_it(site: Site, campaign: str) -> None:
    browser = Browser(site, "read")
    found = 0
    for show in PAGES:
        page = browser.get(f"/reports/{show}").text
        for narrow, wide in re.findall(r'srcset="([^"]+)".*?src="([^"]+)"', page):
            for address in (narrow, wide):
                image = browser.get(unescape(address))
                assert (image.status_code, image.mimetype) == (200, "image/svg+xml")
                assert (
                    image.headers["Content-Security-Policy"]
                    == "default-src 'none'; style-src 'unsafe-inline'"
                )
                assert "<script" not in image.text
                ElementTree.fromstring(image.text)
            assert page.index(wide) < page.rindex("<table")
            found += 1
        assert "style=" not in page
    assert found == 6
    assert browser.get("/reports/lengths/nothing.svg").status_code == 404
    assert browser.get("/reports/routes/gateways.svg").status_code == 404


def test_the_tables_are_to_be_had_under_the_session(site: Site, campaign: str) -> None:
    browser = Browser(site, "read")
    for show in PAGES:
        for address in re.findall(r'href="([^"]+)" download', browser.get(f"/reports/{show}").text):
            table = browser.get(unescape(address))
            assert (table.status_code, table.mimetype) == (200, "text/csv"), address
            assert len(list(csv.reader(io.StringIO(table.text)))) > 0


@pytest.mark.parametrize("show", PAGES)
def test_a_page_asks_little_of_the_database(
    site: Site, campaign: str, show: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(site, "operate")
    asked = statements.counted(monkeypatch)
    assert browser.get(f"/reports/{show}").status_code == 200
    assert 0 < len(asked) <= statements.MOST_STATEMENTS, asked


def test_a_page_with_nothing_says_so(site: Site) -> None:
    browser = Browser(site, "read")
    other = site.create(1, name="Not called yet")
    for show in ("hours", "routes", "lengths", "attempts"):
        assert "No call was placed then" in browser.text(f"/reports/{show}", campaign=other), show
    assert "Nobody answered then" in browser.text("/reports/abandoned", campaign=other)
    assert "Not called yet 1 0 0 0.0 %" in browser.text("/reports/lists", campaign=other)


def test_what_cannot_be_asked_is_refused_in_words(site: Site, campaign: str) -> None:
    browser = Browser(site, "read")
    refused = browser.get("/reports/hours", query_string={"zone": "Mars/Base"})
    assert (refused.status_code, "it must be an IANA time zone" in refused.text) == (400, True)
    assert browser.get("/reports/hours", query_string={"campaign": "x"}).status_code == 404
    assert browser.get("/reports/nothing").status_code == 404
    assert "30 days" in browser.text("/reports/hours", days="7000")
    assert Browser(site, None).get("/reports/hours").status_code == 303
    assert "Spring recall" not in Browser(site, "read", tenant="other").text("/reports/lists")


def test_hostile_words_do_nothing(site: Site, campaign: str) -> None:
    browser = Browser(site, "read")
    site.sql("UPDATE campaign SET name = %s WHERE id = %s", hostile.NAME, campaign)
    site.sql("UPDATE call SET caller_id = %s, phone_number = %s", hostile.NAME, "+<b>\"'")
    for show in PAGES:
        page = browser.get(f"/reports/{show}", query_string={"days": hostile.NAME, "page": hostile.NAME})
        assert (page.status_code, hostile.written_as_it_is(page.text)) == (200, []), show
        for refused in ({"zone": hostile.NAME}, {"campaign": hostile.NAME}):
            page = browser.get(f"/reports/{show}", query_string=refused)
            assert hostile.written_as_it_is(page.text) == [], show
    image = browser.get("/reports/routes/prefixes.svg")
    assert (image.status_code, hostile.written_as_it_is(image.text)) == (200, [])
    ElementTree.fromstring(image.text)
