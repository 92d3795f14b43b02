"""In which time zones a contact may be, as its API tells: what the list says, or its number, or its campaign."""

from __future__ import annotations

import pytest

from tests.integration.api.site import Site
from tests.integration.api.test_contacts import contacts
from tests.integration.api.test_further_numbers import LONDON
from tests.integration.web.statements import counted

LIST = (
    "phone_number,time_zone,phone_number_2\r\n+12125550001,,\r\n+12125550002,Asia/Tokyo,\r\n"
    f"+17025550003,,{LONDON}\r\n+12135550004,,\r\n"
)
NEW_YORK, TOKYO, NEVADA = ["America/New_York"], ["Asia/Tokyo"], ["America/Los_Angeles"]


def made(site: Site, csv: str = LIST, **fields: object) -> str:
    response = site.post("/campaigns", data=site.form(csv, **fields))
    assert response.status_code == 201, response.text
    campaign_id: str = response.json["id"]
    # Of whom nothing is known.
    site.sql("UPDATE contact SET zone_group = 0 WHERE campaign_id = %s AND position = 4", campaign_id)
    return campaign_id


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_a_contact_tells_the_zones_by_which_it_is_called(site: Site, zone: str | None) -> None:
    campaign_id = made(site, time_zone=zone)
    listed = contacts(site, campaign_id)
    told = [one["time_zones"] for one in listed]
    assert told == [NEW_YORK, TOKYO, NEVADA, [zone] if zone else []]
    path = f"/campaigns/{campaign_id}/contacts"
    for one in listed:
        assert site.get(f"{path}/{one['id']}").json == one
        number = one["phone_number"].replace("+", "%2B")
        assert site.get(f"{path}?phone_number={number}").json["contacts"] == [one]
        assert site.get(f"/contacts?phone_number={number}").json["contacts"][0]["contact"] == one
    assert site.get(f"{path}?status=pending&order=newest").json["contacts"] == listed[::-1]
    patched = site.request("PATCH", f"{path}/{listed[0]['id']}", json={"status": "cancelled"})
    assert patched.json["time_zones"] == NEW_YORK


def test_of_several_numbers_it_is_the_zone_of_the_next(site: Site) -> None:
    campaign_id = made(site)
    site.sql(
        "UPDATE contact SET phone_number = numbers[2], zone_group = zone_groups[2]"
        " WHERE campaign_id = %s AND numbers IS NOT NULL", campaign_id)  # fmt: skip
    assert contacts(site, campaign_id)[2]["time_zones"] == ["Europe/London"]


def test_a_page_of_contacts_asks_no_more_for_their_zones(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign_id = made(site)
    asked = counted(monkeypatch)
    assert len(contacts(site, campaign_id)) == 4
    assert len([sql for sql in asked if "campaign_zone" in sql]) == 1
    assert len([sql for sql in asked if "FROM contact" in sql]) == 1


def test_why_a_number_has_to_wait_is_told(site: Site) -> None:
    campaign_id = made(site)
    site.sql(
        "UPDATE contact SET next_attempt_at = '2099-01-01', wait_reason = 'number_cap'"
        " WHERE campaign_id = %s AND position = 1", campaign_id)  # fmt: skip
    assert [one["wait_reason"] for one in contacts(site, campaign_id)] == ["number_cap", None, None, None]
