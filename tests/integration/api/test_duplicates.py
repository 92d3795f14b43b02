"""`duplicates` of a campaign: each row a contact, each number once, or whom the tenant did not call lately."""

from __future__ import annotations

import io
from typing import Any

import pytest

from models import rows, transaction
from tests.integration.api.site import Site
from tests.integration.api.test_additions import add, add_csv, listed, told

A, B, C, D = (f"+1415555010{last}" for last in range(4))
RECENT: dict[str, Any] = {"duplicates": "recent", "duplicates_hours": 24, "retries_per_contact": 4}


def upload(site: Site, *numbers: str, **fields: Any) -> Any:
    text = "phone_number,phone_number_2\n" + "".join(
        f"{one if ',' in one else one + ','}\n" for one in numbers
    )
    return site.post("/campaigns", data=site.form(text, **fields))


def made(site: Site, *numbers: str, **fields: Any) -> Any:
    answer = upload(site, *numbers, **fields)
    assert answer.status_code == 201, answer.text
    return answer.json


def called(site: Site, number: str, hours: float, *, sent: bool = True, tenant: str = "demo") -> None:
    """A call of another campaign of the tenant's, so many hours ago, that is over."""
    (found,) = site.sql("SELECT campaign_id, id FROM contact WHERE phone_number = %s LIMIT 1", number)
    site.sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, generation, phone_number, caller_id,"
        " gateway_id, node, dialer_id, sent_by, state, created_at, sent_at, ended_at)"
        " SELECT gen_random_uuid(), %s, %s, %s, 1, 1, %s, '+1', gen_random_uuid(), 'fs1', 'd', 'd', 'ended', at,"
        " CASE WHEN %s THEN at END, at FROM (SELECT now() - make_interval(secs => %s) AS at) AS was",
        tenant,
        found["campaign_id"],
        found["id"],
        number,
        sent,
        hours * 3600,
    )


def numbers(site: Site, campaign_id: str) -> list[str]:
    return [one["phone_number"] for one in listed(site, campaign_id)]


def codes(site: Site, campaign_id: str, **query: Any) -> list[str]:
    text = site.get(f"/campaigns/{campaign_id}/rejects", query_string=query).text
    return [line.split(",")[1] for line in text.splitlines()[1:]]


def test_a_campaign_has_each_number_once_where_nothing_is_said(site: Site) -> None:
    campaign = made(site, A, B, A)
    assert (campaign["duplicates"], campaign["duplicates_hours"]) == ("list", None)
    assert (campaign["import"]["accepted"], campaign["import"]["duplicates"]) == (2, 1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"duplicates": "all"}, "duplicates is 'all'"),
        ({"duplicates": "recent"}, "duplicates_hours"),
        ({"duplicates_hours": 24}, "it can only be given where duplicates is recent"),
        ({"duplicates": "off", "duplicates_hours": 24}, "it can only be given where duplicates is recent"),
        ({"duplicates": "recent", "duplicates_hours": 0}, "from 1 to 720"),
        ({"duplicates": "recent", "duplicates_hours": 721}, "from 1 to 720"),
    ],
)
def test_hours_go_with_recent_alone(site: Site, fields: dict[str, Any], words: str) -> None:
    answer = upload(site, A, **fields)
    assert (answer.status_code, words in answer.text) == (400, True), answer.text


def test_where_they_are_off_each_row_is_a_contact_by_csv_and_json_and_when_added(site: Site) -> None:
    campaign_id = made(site, A, A, f"{B},{A}", duplicates="off", retries_per_contact=1)["id"]
    assert numbers(site, campaign_id) == [A, A, B]
    assert told(add(site, campaign_id, {"phone_number": A}, {"phone_number": A})) == ["added", "added"]
    answer = add_csv(site, campaign_id, f"phone_number\n{B}\n{B}\n")
    assert (answer.json["added"], answer.json["duplicates"]) == (2, 0)
    assert numbers(site, campaign_id) == [A, A, B, A, A, B, B]
    found = site.get(f"/campaigns/{campaign_id}/contacts", query_string={"phone_number": A, "limit": 2}).json
    assert (found["total"], len(found["contacts"])) == (5, 2)
    body = site.fields(duplicates="off") | {"contacts": [{"phone_number": A}, {"phone_number": A}]}
    assert site.post("/campaigns", json=body).json["import"]["accepted"] == 2
    # A token stands for one contact all the same.
    lead = {"phone_number": C, "client_token": "t"}
    assert told(add(site, campaign_id, lead)) == ["added"]
    assert told(add(site, campaign_id, lead)) == ["repeated"]


def test_a_clone_of_such_a_campaign_has_them_all(site: Site) -> None:
    campaign_id = made(site, A, A, B, duplicates="off")["id"]
    site.post(f"/campaigns/{campaign_id}/stop")
    cloned = site.post(f"/campaigns/{campaign_id}/clone").json
    assert (cloned["duplicates"], numbers(site, cloned["id"])) == ("off", [A, A, B])
    assert told(add(site, cloned["id"], {"phone_number": A})) == ["added"]


def test_the_database_keeps_a_number_of_a_campaign_once_whoever_writes_it(site: Site) -> None:
    campaign_id = made(site, A)["id"]
    with pytest.raises(Exception, match="contact_number_once"), transaction():
        rows(
            "INSERT INTO contact (id, campaign_id, position, phone_number) VALUES (gen_random_uuid(), %s, 9, %s)",
            campaign_id,
            A,
        )


def test_whom_the_tenant_called_lately_is_left_out(site: Site) -> None:
    made(site, A, B, C, D, duplicates="off")
    called(site, A, 23)
    called(site, B, 25)
    called(site, C, 1, sent=False)
    campaign = made(site, A, B, C, **RECENT)
    assert numbers(site, campaign["id"]) == [B, C]
    assert (campaign["duplicates"], campaign["duplicates_hours"]) == ("recent", 24)
    figures = {name: campaign["import"][name] for name in ("rows", "accepted", "recent", "invalid")}
    assert figures == {"rows": 3, "accepted": 2, "recent": 1, "invalid": 0}
    assert codes(site, campaign["id"]) == ["recently_called"]
    # A page that begins within the list passes nobody over, though a place is empty.
    page = site.get(f"/campaigns/{campaign['id']}/contacts", query_string={"offset": 1}).json["contacts"]
    assert [one["phone_number"] for one in page] == [C]
    assert numbers(site, made(site, A, duplicates="list")["id"]) == [A]
    only = upload(site, A, **RECENT)
    assert (only.status_code, "every number in it was called lately" in only.text) == (400, True)


def test_whoever_was_called_by_one_of_his_numbers_is_left_out(site: Site) -> None:
    made(site, A, duplicates="off")
    called(site, A, 1)
    campaign = made(site, f"{B},{A}", C, **RECENT)
    assert (numbers(site, campaign["id"]), campaign["import"]["recent"]) == ([C], 1)


def test_another_tenants_calls_are_none_of_it(site: Site) -> None:
    made(site, A, duplicates="off")
    called(site, A, 1, tenant="other")
    assert numbers(site, made(site, A, **RECENT)["id"]) == [A]


def test_added_contacts_are_judged_likewise(site: Site) -> None:
    made(site, A, B, duplicates="off")
    called(site, A, 1)
    campaign_id = made(site, C, **RECENT)["id"]
    answer = add(site, campaign_id, {"phone_number": D, "phone_number_2": A}, {"phone_number": B})
    assert told(answer) == ["rejected", "added"]
    assert [one["code"] for one in answer.json["results"]] == ["recently_called", None]
    assert told(add(site, campaign_id, {"phone_number": A})) == ["rejected"]
    text = f"phone_number,phone_number_2\n{A},\n{D},{A}\n"
    added = site.post(
        f"/campaigns/{campaign_id}/contacts", data={"contacts": (io.BytesIO(text.encode()), "l.csv")}
    ).json
    assert (added["added"], added["duplicates"], added["invalid"]) == (0, 1, 1)
    assert codes(site, campaign_id, addition=1) == ["recently_called", "duplicate"]


def test_a_look_at_the_list_tells_it_too(site: Site) -> None:
    made(site, A, duplicates="off")
    called(site, A, 1)
    form = site.form(f"phone_number\n{A}\n{B}\n{B}\n", **RECENT)
    found = site.post("/campaigns/preview", data=form).json
    assert (found["accepted"], found["recent"], found["duplicates"], found["invalid"]) == (1, 1, 1, 0)
    assert {one["code"]: one["rows"] for one in found["codes"]} == {"recently_called": 1, "duplicate": 1}
    off = site.form(f"phone_number\n{A}\n{B}\n{B}\n", duplicates="off")
    assert site.post("/campaigns/preview", data=off).json["accepted"] == 3
