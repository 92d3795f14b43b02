"""A campaign's calling window over HTTP: at its creation, from the tenant's default, by PATCH; zones of its list."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.windows import DAYS
from dialer.openings_ahead import OpeningsAhead
from tests.integration.api.site import Site, csv_of

WORKDAY = [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}]
AT_ANY_TIME = [{"from": "00:00", "to": "24:00"}]
HOLIDAYS = {"country": "DE", "region": "BY", "dates": ["2026-12-24"]}
COUNTRY = "it must be a country's two letters (ISO 3166) whose holidays are known"
LIST = b"phone_number,time_zone\r\n+14155550001,\r\n+493012345678,\r\n+14155550002,Asia/Tokyo\r\n"


def patch(site: Site, campaign_id: str, **body: Any) -> Any:
    return site.request("PATCH", f"/campaigns/{campaign_id}", json=body)


def with_list(site: Site, text: str | bytes, **fields: Any) -> Any:
    return site.post("/campaigns", data=site.form(text, **fields))


def openings(site: Site, campaign_id: str) -> dict[str, int]:
    found = site.sql(
        "SELECT zones::text AS zones, count(opens_at)::int AS openings FROM campaign_zone"
        " LEFT JOIN opening USING (campaign_id, zone_group) WHERE campaign_id = %s GROUP BY zones::text",
        campaign_id,
    )
    return {row["zones"]: row["openings"] for row in found}


def test_a_window_is_kept_and_open_in_the_zone_of_each_contact(site: Site) -> None:
    body = site.fields(windows=WORKDAY, holidays=HOLIDAYS, time_zone="Europe/Berlin") | {
        "contacts": [
            {"phone_number": "+14155550001"},
            {"phone_number": "+493012345678", "time_zone": "Asia/Tokyo"},
        ]
    }
    created = site.post("/campaigns", json=body)
    assert created.status_code == 201, created.text
    shown = site.get(f"/campaigns/{created.json['id']}").json
    assert (shown["windows"], shown["holidays"]) == (WORKDAY, HOLIDAYS)
    found = openings(site, shown["id"])
    assert set(found) == {'["America/Los_Angeles"]', '["Asia/Tokyo"]'}
    assert min(found.values()) >= 8


def test_a_clone_keeps_to_the_same_hours(site: Site) -> None:
    source = with_list(site, LIST, windows=json.dumps(AT_ANY_TIME), time_zone="UTC").json["id"]
    for position in (1, 3):
        site.move_contact(source, position, "failed")
    made = site.post(f"/campaigns/{source}/clone", query_string={"status": "failed"})
    assert made.status_code == 201, made.text
    assert (made.json["windows"], made.json["counts"]["pending"]) == (
        site.get(f"/campaigns/{source}").json["windows"],
        2,
    )
    assert openings(site, made.json["id"]) == openings(site, source)


def test_a_form_says_the_same_in_json(site: Site) -> None:

    fields = {"windows": json.dumps(AT_ANY_TIME), "holidays": json.dumps(HOLIDAYS), "time_zone": "UTC"}
    created = with_list(site, csv_of(1), **fields)
    assert created.status_code == 201, created.text
    (one,) = created.json["windows"]
    assert (one["from"], one["to"], len(one["days"])) == ("00:00", "24:00", 7)
    refused = with_list(site, csv_of(1), windows="9-17", time_zone="UTC")
    assert (refused.status_code, refused.text) == (400, "windows is '9-17'; it must be JSON of a list.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"windows": WORKDAY},
            "time_zone is null; windows need it: it is the zone of numbers that do not tell their own.",
        ),
        (
            {"windows": [], "time_zone": "UTC"},
            "windows is a list of 0; it must have 1 to 50 spans; null is no window.",
        ),
        (
            {"windows": [{"days": ["mo"], "from": "09:00", "to": "17:00"}], "time_zone": "UTC"},
            "windows.0.days.0 is 'mo'; it must be one of mon, tue, wed, thu, fri, sat, sun.",
        ),
        (
            {"windows": [{"days": [], "from": "09:00", "to": "17:00"}], "time_zone": "UTC"},
            "windows.0.days is []; it must have a day at least; left out, it is all.",
        ),
        ({"holidays": HOLIDAYS}, "holidays is given; it needs windows, which do not open on them."),
        (
            {"windows": WORKDAY, "holidays": {"country": "XX"}, "time_zone": "UTC"},
            f"holidays.country is 'XX'; {COUNTRY}, such as DE.",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_field_value_and_rule(
    site: Site, changes: dict[str, Any], message: str
) -> None:
    body = site.fields(**changes) | {"contacts": [{"phone_number": "+14155550001"}]}
    refused = site.post("/campaigns", json=body)
    assert (refused.status_code, refused.text) == (400, message)
    refused = patch(site, site.create(1), **changes)
    assert (refused.status_code, refused.text) == (400, message)


def test_a_zone_cell_that_is_none_is_refused_with_its_row_column_and_value(site: Site) -> None:
    created = with_list(site, LIST + b"+14155550003,Mars/Olympus\r\n+14155550004,est\r\n")
    assert created.status_code == 201, created.text
    assert (created.json["import"]["accepted"], created.json["import"]["invalid"]) == (3, 2)
    rejects = site.get(f"/campaigns/{created.json['id']}/rejects").text.splitlines()[1:]
    rule = "write one such as America/New_York, or none"
    assert [line.split(",")[:2] for line in rejects] == [["5", "bad_time_zone"], ["6", "bad_time_zone"]]
    assert f"time_zone is 'Mars/Olympus', which is no IANA time zone; {rule}" in rejects[0]
    assert rejects[0].endswith("time_zone")
    assert "'est'" in rejects[1]
    assert set(openings(site, created.json["id"])) == {
        '["America/Los_Angeles"]', '["Europe/Berlin"]', '["Asia/Tokyo"]'
    }  # fmt: skip


def test_contacts_whose_zones_are_never_open_at_once_are_cancelled_and_the_import_says_so(site: Site) -> None:
    toll_free = b"+18002345678\r\n+18002345679\r\n"
    body = site.fields(windows=WORKDAY, time_zone="UTC") | {
        "contacts": [{"phone_number": number.decode()} for number in (toll_free + b"+14155550001").split()]
    }
    created = site.post("/campaigns", json=body)
    assert created.status_code == 201, created.text
    shown = created.json
    assert (shown["counts"]["cancelled"], shown["counts"]["pending"], shown["counts"]["total"]) == (2, 1, 3)
    (warning,) = shown["import"]["warnings"]
    assert warning.startswith("2 contacts are cancelled, +18002345678 among them: they may be in any of ")
    cancelled = site.get(f"/campaigns/{shown['id']}/contacts?status=cancelled").json["contacts"]
    assert [one["phone_number"] for one in cancelled] == toll_free.decode().split()
    # Without a window nobody is out of reach.
    assert with_list(site, b"phone_number\r\n" + toll_free).json["counts"]["pending"] == 2


def test_a_campaign_that_says_nothing_of_windows_gets_the_tenant_s_default(site: Site) -> None:
    default = {"default_windows": WORKDAY, "default_holidays": HOLIDAYS, "default_time_zone": "Europe/Berlin"}
    told = site.request("PATCH", "/tenants/demo", role="platform", json=default)
    assert told.status_code == 200, told.text
    assert {name: told.json[name] for name in default} == default
    created = with_list(site, csv_of(1)).json
    assert {name.removeprefix("default_"): created[name.removeprefix("default_")] for name in default} == {
        name.removeprefix("default_"): value for name, value in default.items()
    }
    body = site.fields() | {"windows": None, "contacts": [{"phone_number": "+14155550001"}]}
    assert site.post("/campaigns", json=body).json["windows"] is None
    body = site.fields(windows=AT_ANY_TIME, time_zone="UTC") | {
        "contacts": [{"phone_number": "+14155550001"}]
    }
    own = site.post("/campaigns", json=body).json
    assert (own["holidays"], own["time_zone"]) == (None, "UTC")
    refused = site.request("PATCH", "/tenants/demo", role="platform", json={"default_time_zone": None})
    assert (refused.status_code, refused.text[:27]) == (400, "default_time_zone is null; ")


def test_a_changed_window_holds_for_what_is_claimed_already(site: Site) -> None:
    campaign_id = site.in_state("running")
    site.bus.messages.clear()
    (before,) = site.sql("SELECT generation FROM campaign WHERE id = %s", campaign_id)
    changed = patch(site, campaign_id, windows=WORKDAY, time_zone="UTC")
    assert changed.status_code == 200, changed.text
    generation = before["generation"] + 1
    assert site.bus.messages == [
        ("hold", {"campaign_id": campaign_id, "generation": generation}),
        ("wake", {"campaign_id": campaign_id}),
    ]
    assert min(openings(site, campaign_id).values()) >= 8
    # The zone of those who have none moves with the campaign's.
    site.sql("UPDATE campaign_zone SET zones = '[]'")
    was = site.sql("SELECT opens_at FROM opening ORDER BY opens_at")
    assert patch(site, campaign_id, time_zone="Asia/Tokyo").status_code == 200
    assert site.sql("SELECT opens_at FROM opening ORDER BY opens_at") != was
    refused = patch(site, campaign_id, time_zone=None)
    assert (refused.status_code, refused.text[:18]) == (400, "time_zone is null;")
    gone = patch(site, campaign_id, windows=None)
    assert (gone.status_code, gone.json["windows"], gone.json["holidays"]) == (200, None, None)
    assert site.sql("SELECT 1 AS one FROM opening") == []


def test_a_window_that_leaves_somebody_out_for_ever_is_looked_at_soon_and_nobody_is_brought_back(
    site: Site,
) -> None:
    campaign_id = with_list(site, b"phone_number\r\n+18002345678\r\n+14155550001\r\n").json["id"]
    assert patch(site, campaign_id, windows=AT_ANY_TIME, time_zone="UTC").status_code == 200
    assert patch(site, campaign_id, windows=WORKDAY).status_code == 200
    due = "SELECT openings_until <= now() AS due FROM campaign WHERE id = %s"
    assert site.sql(due, campaign_id) == [{"due": True}]
    for position, status, code in ((1, "cancelled", 409), (2, "cancelled", 200)):
        site.move_contact(campaign_id, position, status)
        (contact,) = site.sql(
            "SELECT id FROM contact WHERE campaign_id = %s AND position = %s", campaign_id, position
        )
        asked = site.request(
            "PATCH", f"/campaigns/{campaign_id}/contacts/{contact['id']}", json={"status": "pending"}
        )
        assert asked.status_code == code, asked.text


def test_retries_that_a_changed_window_leaves_outside_move_to_its_opening_soon(site: Site) -> None:
    """Else they are all due at once when it opens, and shown with a time at which nobody is called."""
    body = site.fields(windows=AT_ANY_TIME, time_zone="UTC") | {
        "contacts": [{"phone_number": "+493012345678"}]
    }
    campaign_id = site.post("/campaigns", json=body).json["id"]
    now = datetime.now(UTC)
    site.sql("UPDATE contact SET next_attempt_at = %s", now + timedelta(hours=2))
    day = DAYS[(now + timedelta(days=3)).weekday()]
    changed = patch(site, campaign_id, windows=[{"days": [day], "from": "09:00", "to": "17:00"}])
    assert changed.status_code == 200, changed.text
    ahead = OpeningsAhead("d", nudge=lambda: None, exhausted=lambda _campaign: None)
    assert ahead.round() == 1
    (moved,) = site.sql(
        "SELECT next_attempt_at >= opens_at AND next_attempt_at < opens_at + interval '30 min' AS within"
        " FROM contact, (SELECT min(opens_at) AS opens_at FROM opening) AS first"
    )
    assert moved["within"]


def test_no_window_is_taken_where_it_would_not_be_heeded(site: Site) -> None:
    campaign_id = site.create(1)
    site.sql("UPDATE campaign SET zones_read = false WHERE id = %s", campaign_id)
    refused = patch(site, campaign_id, windows=WORKDAY, time_zone="UTC")
    assert (refused.status_code, refused.text[:55]) == (
        409,
        "The campaign's list was imported by an older release, w",
    )
    site.sql("INSERT INTO dialer (id, knows) VALUES ('d0123456789ab', 43)")
    body = site.fields(windows=WORKDAY, time_zone="UTC") | {"contacts": [{"phone_number": "+14155550001"}]}
    refused = site.post("/campaigns", json=body)
    assert (refused.status_code, refused.text) == (
        409,
        "A dialer of an older release, which heeds no window, is still running.",
    )
    site.sql("UPDATE dialer SET settled_at = now()")
    assert site.post("/campaigns", json=body).status_code == 201


def test_contacts_that_are_added_are_called_within_the_window_of_their_own_zones(site: Site) -> None:
    body = site.fields(windows=WORKDAY, time_zone="UTC") | {"contacts": [{"phone_number": "+14155550001"}]}
    campaign_id = site.post("/campaigns", json=body).json["id"]
    more = [{"phone_number": "+493012345678"}, {"phone_number": "+14155550002", "time_zone": "Asia/Tokyo"}]
    added = site.post(f"/campaigns/{campaign_id}/contacts", json={"contacts": more})
    assert added.status_code in (200, 201), added.text
    found = openings(site, campaign_id)
    assert set(found) == {'["America/Los_Angeles"]', '["Europe/Berlin"]', '["Asia/Tokyo"]'}
    assert min(found.values()) >= 8
    before = site.sql("SELECT ctid::text AS row FROM opening ORDER BY 1")
    toll_free = site.post(
        f"/campaigns/{campaign_id}/contacts", json={"contacts": [{"phone_number": "+18002345678"}]}
    )
    assert toll_free.status_code in (200, 201), toll_free.text
    (result,), (warning,) = toll_free.json["results"], toll_free.json["warnings"]
    assert (result["result"], result["code"], toll_free.json["added"]) == ("cancelled", "never_open", 1)
    assert warning.startswith("1 contact is cancelled, +18002345678 among them: they may be in any of ")
    assert warning.endswith(result["reason"]), "the result says why, as the warning does"
    shown = site.get(f"/campaigns/{campaign_id}/contacts/{result['contact_id']}")
    assert shown.json["status"] == "cancelled"
    counts = site.get(f"/campaigns/{campaign_id}").json["counts"]
    assert (counts["pending"], counts["cancelled"], counts["total"]) == (3, 1, 4)
    assert site.sql("SELECT ctid::text AS row FROM opening ORDER BY 1") == before, (
        "what is known is not written anew"
    )
    again = site.post(
        f"/campaigns/{campaign_id}/contacts",
        json={"contacts": [{"phone_number": "+18002345679"}, {"phone_number": "+14155550003"}]},
    )
    assert again.status_code in (200, 201), again.text
    assert [one["result"] for one in again.json["results"]] == ["cancelled", "added"]
    assert (again.json["added"], len(again.json["warnings"])) == (2, 1)
    assert site.get(f"/campaigns/{campaign_id}").json["counts"]["cancelled"] == 2
