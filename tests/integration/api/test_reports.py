"""Reports over HTTP: what they tell, as JSON and as a table, of whose calls, and what they refuse."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import pytest

from models import new_id
from tests.integration.api.site import TENANT, Site

REPORTS = (
    "hours", "gateways", "caller-ids", "prefixes", "distributions", "short-calls", "attempts", "uncounted",
    "abandon-rate",
)  # fmt: skip
SPAN = {"from": "2026-01-31T00:00:00Z", "to": "2026-02-02T00:00:00Z"}
GATEWAY = str(new_id())


def call(site: Site, campaign_id: str, **columns: Any) -> None:
    """A call of the next contact, over since, with these columns."""
    given = {
        "disposition": "answered",
        "created_at": "2026-01-31T09:00:00Z",
        "sent_at": "2026-01-31T09:00:00Z",
        "progress_at": "2026-01-31T09:00:01Z",
        "answered_at": "2026-01-31T09:00:05Z",
        "billsec": 40,
        "pdd_ms": 1200,
        "ring_ms": 4000,
        "attempt": 1,
        "caller_id": "+14155550100",
        "phone_number": "+12125550123",
    } | columns
    names = ", ".join(given)
    site.sql(
        f"INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, generation, gateway_id, node, dialer_id,"
        f" sent_by, state, ended_at, {names}) SELECT gen_random_uuid(), %s, campaign_id, id, 1, 1, %s, 'fs1', 'd',"
        f" 'd', 'ended', now(), {', '.join(['%s'] * len(given))} FROM contact WHERE campaign_id = %s"
        " AND NOT EXISTS (SELECT FROM call WHERE contact_id = contact.id) ORDER BY position LIMIT 1",
        TENANT,
        GATEWAY,
        *given.values(),
        campaign_id,
    )


def report(site: Site, name: str, **query: object) -> Mapping[str, Any]:
    response = site.get(f"/reports/{name}", role="read", query_string=SPAN | query)
    assert response.status_code == 200, response.text
    told: Mapping[str, Any] = response.json
    return told


@pytest.fixture
def dialled(site: Site) -> str:
    """A campaign with four calls: answered, over at once, busy after a first attempt, and one that never counted."""
    campaign_id = site.create(5)
    call(site, campaign_id)
    call(
        site,
        campaign_id,
        billsec=0,
        disposition="abandoned",
        phone_number="+442079460123",
        caller_id="+14155550199",
    )
    unanswered = {"answered_at": None, "billsec": 0}
    call(site, campaign_id, **unanswered, disposition="busy", attempt=2, created_at="2026-02-01T20:10:00Z")
    call(site, campaign_id, **unanswered, disposition="congestion", attempt=None, progress_at=None)
    return campaign_id


def test_every_report_tells_what_became_of_the_calls(site: Site, dialled: str) -> None:
    hours = [row for row in report(site, "hours", time_zone="America/Denver")["hours"] if row["placed"]]
    assert hours == [
        {"weekday": 6, "hour": 2, "placed": 3, "picked_up": 2, "answer_rate": 0.6667},
        {"weekday": 7, "hour": 13, "placed": 1, "picked_up": 0, "answer_rate": 0.0},
    ]
    (gateway,) = report(site, "gateways")["gateways"]
    assert gateway == {
        "gateway_id": GATEWAY,
        "placed": 4,
        "picked_up": 2,
        "answer_rate": 0.5,
        "average_seconds": 20.0,
        "pdd_p50_ms": 1250,
        "pdd_p95_ms": 1250,
    }
    assert [(row["caller_id"], row["placed"]) for row in report(site, "caller-ids")["caller_ids"]] == [
        ("+14155550100", 3),
        ("+14155550199", 1),
    ]
    assert [(row["prefix"], row["placed"]) for row in report(site, "prefixes")["prefixes"]] == [
        ("+1212", 3),
        ("+4420", 1),
    ]
    lengths = {row["measure"]: row for row in report(site, "distributions")["distributions"]}
    assert {measure: row["calls"] for measure, row in lengths.items()} == {
        "post_dial_delay": 3,
        "ring_time": 3,
        "call_length": 2,
    }
    assert [row["p50"] for row in lengths.values()] == [1250, 4000, 0]
    every, one = report(site, "short-calls")["short_calls"]
    assert every | {"gateway_id": GATEWAY} == one
    assert (one["zero_seconds"], one["six_seconds"], one["zero_seconds_share"], one["over_line"]) == (
        1,
        1,
        0.25,
        True,
    )
    assert [
        (row["attempt"], row["calls"], row["picked_up"]) for row in report(site, "attempts")["attempts"]
    ] == [
        (1, 2, 2),
        (2, 1, 0),
    ]
    assert report(site, "uncounted")["uncounted"] == [{"reason": "congestion", "calls": 1, "share": 0.25}]
    months, days = report(site, "abandon-rate", time_zone="America/Denver")["abandon_rate"]
    assert (months["formula"], months["numerator"], months["denominator"], months["rate"]) == (
        "us_30_days",
        1,
        2,
        0.5,
    )
    assert (months["line"], months["over_line"]) == (0.03, True)
    assert (days["formula"], days["from"], days["to"]) == (
        "uk_day",
        "2026-01-31T07:00:00.000Z",
        "2026-02-01T07:00:00.000Z",
    )


def test_how_far_a_list_was_called_is_told_of_each_campaign(site: Site, dialled: str) -> None:
    other = site.create(3)
    answer = site.get("/reports/penetration", role="read").json
    assert [
        (row["campaign_id"], row["contacts"], row["called"], row["penetration"])
        for row in answer["penetration"]
    ] == [
        (other, 3, 0, 0.0),
        (dialled, 5, 2, 0.4),
    ]
    assert answer["total"] == 2
    (row,) = site.get("/reports/penetration", role="read", query_string={"limit": 1, "offset": 1}).json[
        "penetration"
    ]
    assert row["campaign_id"] == dialled
    site.move_contact(dialled, 0, "completed")
    (row,) = site.get("/reports/penetration", role="read", query_string={"campaign_id": dialled}).json[
        "penetration"
    ]
    assert row["reached"] == 1


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_of_one_campaign_where_one_is_asked_for_and_of_no_other_tenant(
    site: Site, dialled: str, name: str
) -> None:
    key = name.replace("-", "_")
    other = site.create(1)
    assert report(site, name, campaign_id=dialled) == report(site, name)
    of_other = report(site, name, campaign_id=other)
    assert of_other[key] != report(site, name)[key]
    site.sql("UPDATE campaign SET deleted_at = now() WHERE id = %s", dialled)
    assert report(site, name, campaign_id=dialled)[key] == report(site, name)[key] != of_other[key]
    strange = site.get(f"/reports/{name}", tenant="other", query_string=SPAN | {"campaign_id": dialled})
    assert (strange.status_code, strange.text) == (404, "Campaign not found")
    assert site.get(f"/reports/{name}", tenant="other", query_string=SPAN).json[key] == of_other[key]


@pytest.mark.parametrize("name", [*REPORTS, "penetration"])
def test_a_report_is_a_table_that_no_spreadsheet_runs(site: Site, dialled: str, name: str) -> None:
    site.sql("UPDATE campaign SET name = '=HYPERLINK(\"x\")' WHERE id = %s", dialled)
    query = {} if name == "penetration" else SPAN
    response = site.get(f"/reports/{name}", role="read", query_string=query | {"format": "csv"})
    assert (response.status_code, response.content_type) == (200, "text/csv; charset=utf-8")
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name.replace("-", "_")}.csv"'
    accepted = site.get(
        f"/reports/{name}", role="read", query_string=query, headers={"Accept": "text/csv, */*;q=0.1"}
    )
    assert accepted.text == response.text
    head, *lines = csv.reader(io.StringIO(response.text, newline=""))
    told = site.get(f"/reports/{name}", role="read", query_string=query).json[name.replace("-", "_")]
    if name != "distributions":
        assert head == list(told[0])
        assert len(lines) == len(told)
    for line in lines:
        assert not any(cell.startswith(("=", "@", "-")) for cell in line)
    if "campaign_name" in head:
        assert {line[head.index("campaign_name")] for line in lines} == {'\'=HYPERLINK("x")'}
    if name == "prefixes":
        assert [line[0] for line in lines] == ["+1212", "+4420"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            {"from": "2026-01-31T00:07:00Z"},
            "from is '2026-01-31T00:07:00.000Z'; it must be at a whole quarter of an hour.",
        ),
        ({"to": "2026-01-31T00:00:00Z"}, "from is '2026-01-31T00:00:00.000Z'; it must be before to."),
        (
            {"from": "2020-01-01T00:00:00Z"},
            "to is '2026-02-02T00:00:00.000Z'; it must be at most 366 days after from.",
        ),
        (
            {"time_zone": "Mars/Base"},
            "time_zone is 'Mars/Base'; it must be an IANA time zone, such as Europe/Berlin.",
        ),
        ({"format": "xml"}, "format is 'xml'; it must be one of json, csv."),
        ({"zone": "UTC"}, "zone is not known here; known are"),
    ],
)
def test_what_a_report_cannot_be_about_is_refused_by_name(
    site: Site, query: dict[str, str], message: str
) -> None:
    response = site.get("/reports/hours", role="read", query_string=SPAN | query)
    assert response.status_code == 400
    assert response.text.startswith(message), response.text


def test_a_report_is_of_the_last_thirty_days_where_nothing_is_said(site: Site, dialled: str) -> None:
    site.sql("UPDATE call SET created_at = now() - interval '1 hour' WHERE disposition = 'busy'")
    told = site.get("/reports/attempts", role="read").json
    assert [(row["attempt"], row["calls"]) for row in told["attempts"]] == [(2, 1)]
