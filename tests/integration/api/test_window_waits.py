"""Who waits for which opening of a campaign outside its hours, by zone; counted no further than to a bound."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from campaigns import window_waits
from models import db, rows
from tests.integration.api.site import Site
from tests.integration.dialer.test_large_lists import cost
from tests.integration.web.statements import counted

DAY = '[{"from": "09:00", "to": "18:00"}]'
DENVER, NEW_YORK, OWN = ["America/Denver"], ["America/New_York"], ["Europe/Berlin"]
AT = {
    "denver": "2099-01-01T16:00:00.000Z",
    "new_york": "2099-01-01T14:00:00.000Z",
    "own": "2099-01-01T08:00:00.000Z",
}


def outside(site: Site, people: int = 4) -> str:
    """A running campaign outside its hours: half of its people in Denver, a quarter in New York, and a quarter in the
    campaign's own zone, of whom one was reached."""
    zones = [("Denver", "America/Denver")] * (people // 2) + [("NY", "America/New_York")] * (people // 4)
    lines = ["phone_number,time_zone", *(f"+1202556{n:04},{zone}" for n, (_, zone) in enumerate(zones))]
    lines += [f"+1202557{n:04}," for n in range(people // 4 + 1)]
    made = site.post("/campaigns", data=site.form("\n".join(lines), windows=DAY, time_zone="Europe/Berlin"))
    assert made.status_code == 201, made.text
    campaign_id: str = made.json["id"]
    site.sql("DELETE FROM opening WHERE campaign_id = %s", campaign_id)
    site.sql("INSERT INTO campaign_zone VALUES (%s, 0, '[]') ON CONFLICT DO NOTHING", campaign_id)
    site.sql(
        "UPDATE contact SET zone_group = 0 WHERE campaign_id = %s AND phone_number LIKE '+1202557%%'",
        campaign_id,
    )
    site.move_contact(campaign_id, len(lines) - 1, "completed")
    for zone, at in ((DENVER, AT["denver"]), (NEW_YORK, AT["new_york"]), ([], AT["own"])):
        opens(site, campaign_id, zone, at)
    site.sql(
        "UPDATE campaign SET status = 'running', started_at = now(), blocked_reason = 'window' WHERE id = %s",
        campaign_id,
    )
    return campaign_id


def opens(site: Site, campaign_id: str, zones: list[str], at: str) -> None:
    """An opening of an hour of those who may be in these zones."""
    site.sql(
        "INSERT INTO opening (campaign_id, zone_group, opens_at, closes_at) SELECT %s, zone_group, %s::timestamptz,"
        " %s::timestamptz + interval '1 hour' FROM campaign_zone WHERE campaign_id = %s AND zones @> %s::jsonb"
        " AND jsonb_array_length(zones) = %s",
        campaign_id, at, at, campaign_id, str(zones).replace("'", '"'), len(zones))  # fmt: skip


def told(zones: list[str], at: str, contacts: int, *, more: bool = False) -> dict[str, Any]:
    return {"time_zones": zones, "opens_at": AT[at], "contacts": contacts, "more": more}


def test_who_waits_is_told_by_zone_the_first_to_open_first(site: Site) -> None:
    campaign_id = outside(site)
    every = [told(OWN, "own", 1), told(NEW_YORK, "new_york", 1), told(DENVER, "denver", 2)]
    assert site.get(f"/campaigns/{campaign_id}").json["waits"] == every
    (listed,) = site.get("/campaigns?include=figures").json["campaigns"]
    assert listed["waits"] == every[:2]
    assert "waits" not in site.get("/campaigns").json["campaigns"][0]
    site.sql("UPDATE campaign SET blocked_reason = NULL")
    assert "waits" not in site.get(f"/campaigns/{campaign_id}").json
    assert "waits" not in site.get("/campaigns?include=figures").json["campaigns"][0]


def test_groups_that_are_open_or_have_nobody_left_are_left_out(site: Site) -> None:
    campaign_id = outside(site)
    site.sql("UPDATE opening SET opens_at = now() - interval '1 minute' WHERE opens_at = %s", AT["own"])
    opens(site, campaign_id, [], "2099-01-02T08:00:00.000Z")
    (waiting,) = site.sql("SELECT position FROM contact JOIN campaign_zone USING (campaign_id, zone_group)"
                          " WHERE zones @> '[\"America/New_York\"]'")  # fmt: skip
    site.move_contact(campaign_id, waiting["position"], "failed")
    assert site.get(f"/campaigns/{campaign_id}").json["waits"] == [told(DENVER, "denver", 2)]


def test_no_further_is_counted_than_to_the_bound(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign_id = outside(site, 40)
    found = window_waits.waits
    monkeypatch.setattr(window_waits, "waits", lambda ids: found(ids, most=10))
    waits = site.get(f"/campaigns/{campaign_id}").json["waits"]
    assert [(one["contacts"], one["more"]) for one in waits] == [(10, True), (10, True), (10, True)]


def test_a_long_list_is_not_read_for_it(site: Site) -> None:
    campaign_id = uuid.UUID(outside(site, 2000))
    with db.connection_context():
        rows("ANALYZE contact")
        rows("ANALYZE opening")
    assert cost(window_waits.WAITS, [campaign_id], 10, 6) < 200
    assert cost(window_waits.WAITS, [campaign_id], 10, 1) < 150


def test_a_list_asks_once_for_all_that_are_outside(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        outside(site)
    asked = counted(monkeypatch)
    listed = site.get("/campaigns?include=figures").json["campaigns"]
    assert [len(one["waits"]) for one in listed] == [2, 2, 2]
    assert len([sql for sql in asked if sql is window_waits.WAITS]) == 1
