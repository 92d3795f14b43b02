"""Contacts with several numbers through the API: uploaded, added, looked at before, repeated and found again."""

from __future__ import annotations

import io
from typing import Any

import pytest

from campaigns.number_hash import NumberHash
from tests.integration.api.site import PEPPER, Site
from tests.integration.api.test_additions import add, add_csv, listed, told

A, B, C, D, E, F, G = (f"+1415555010{last}" for last in range(7))
LONDON, SYDNEY = "+442079460018", "+61255501234"
LIST = f"phone_number,phone_number_2,phone_2_note,phone_3\n{A},{B},x,{C}\n{D},,y,\n"


def made(site: Site, text: str, **fields: Any) -> Any:
    answer = site.post("/campaigns", data=site.form(text, **fields))
    assert answer.status_code == 201, answer.text
    return answer.json


def numbers(site: Site, campaign_id: str) -> list[list[str]]:
    return [one["phone_numbers"] for one in listed(site, campaign_id)]


def suppress(site: Site, number: str, *, erased: bool = False) -> None:
    column, what = ("digest", NumberHash(PEPPER)(number)) if erased else ("number", number)
    site.sql(
        f"INSERT INTO suppression (id, scope, {column}, source, created_by)"
        " VALUES (gen_random_uuid(), 'demo', %s, 'test', 'x')",
        what,
    )


@pytest.fixture(params=["csv", "process", "json"])
def upload(request: pytest.FixtureRequest, site: Site, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a campaign of these columns, in each way in which a list can come."""
    if request.param == "process":
        monkeypatch.setattr("api.routes.list_body.SHORT_BYTES", 0)

    def create(*contacts: dict[str, str], path: str = "/campaigns", **fields: Any) -> Any:
        if request.param == "json":
            body = {"contacts": list(contacts)} | (site.fields(**fields) if path == "/campaigns" else {})
            return site.post(path, json=body)
        names = list(dict.fromkeys(name for one in contacts for name in one))
        lines = [",".join(names)] + [",".join(one.get(name, "") for name in names) for one in contacts]
        text = "".join(f"{line}\n" for line in lines)
        if path == "/campaigns":
            return site.post(path, data=site.form(text, **fields))
        return site.post(path, data={"contacts": (io.BytesIO(text.encode()), "more.csv")})

    return create


def test_a_contact_has_the_numbers_of_its_list_in_their_order(site: Site, upload: Any) -> None:
    answer = upload(
        {"phone_number": A, "phone_number_2": B, "phone_3": C, "name": "Ada"}, {"phone_number": D}
    )
    assert answer.status_code == 201, answer.text
    campaign = answer.json
    assert numbers(site, campaign["id"]) == [[A, B, C], [D]]
    first = listed(site, campaign["id"])[0]
    assert (first["phone_number"], first["custom_fields"]) == (A, {"name": "Ada"})
    (warning,) = campaign["import"]["warnings"]
    assert warning.startswith(
        "contacts have up to 3 numbers, and each attempt is to one of them: with retries"
    )
    zones = site.sql("SELECT zone_groups[1] = zone_group AS n FROM contact WHERE numbers IS NOT NULL")
    assert [row["n"] for row in zones] == [True]


def test_a_number_that_must_not_be_called_is_left_out_and_the_contact_stays(site: Site, upload: Any) -> None:
    suppress(site, A)
    for number in (C, E, F, G):
        suppress(site, number, erased=number != F)
    answer = upload(
        {"phone_number": A, "phone_number_2": B, "phone_number_3": C},
        {"phone_number": E, "phone_number_2": F},
        {"phone_number": D, "phone_number_2": G},
        retries_per_contact=3,
    )
    assert answer.status_code == 201, answer.text
    campaign = answer.json
    assert numbers(site, campaign["id"]) == [[B], [D]]
    counted = {name: campaign["import"][name] for name in ("rows", "accepted", "suppressed")}
    assert counted == {"rows": 3, "accepted": 2, "suppressed": 1}
    assert campaign["import"]["warnings"] == [
        "3 further numbers are left out of contacts that have another: on a do-not-call list"
    ]
    assert site.sql("SELECT count(*)::int AS n FROM contact WHERE numbers IS NOT NULL") == [{"n": 0}]
    rejects = site.get(f"/campaigns/{campaign['id']}/rejects").text
    assert ("suppressed" in rejects, E in rejects, C in rejects) == (True, False, False)


def test_added_contacts_obey_the_same_rules(site: Site, upload: Any) -> None:
    campaign_id = made(site, LIST)["id"]
    suppress(site, E)
    suppress(site, F)
    more = f"/campaigns/{campaign_id}/contacts"
    answer = upload(
        {"phone_number": "+14155550111", "phone_number_2": E},
        {"phone_number": "+14155550112", "phone_number_2": C},
        {"phone_number": F},
        {"phone_number": D, "phone_number_2": "+14155550113"},
        {"phone_number": "+14155550114", "phone_number_2": "+14155550115"},
        path=more,
    )
    assert answer.status_code == 201, answer.text
    figures = {name: answer.json[name] for name in ("added", "duplicates", "invalid")}
    assert figures == {"added": 2, "duplicates": 2, "invalid": 1}
    assert numbers(site, campaign_id)[2:] == [["+14155550111"], ["+14155550114", "+14155550115"]]
    assert any("on a do-not-call list" in one for one in answer.json["warnings"])
    # And what is added is there for whoever comes next, by any of its numbers.
    again = upload({"phone_number": "+14155550115"}, path=more)
    assert (again.json["added"], again.json["duplicates"]) == (0, 1)


def test_an_added_row_is_refused_with_that_one_of_its_numbers_that_is_there_already(site: Site) -> None:
    campaign_id = made(site, f"phone_number\n{A}\n{B}\n")["id"]
    answer = add_csv(site, campaign_id, f"phone_number,phone_number_2\n{C},{B}\n{A},{D}\n")
    rejects = site.get(answer.json["rejects_url"].removeprefix("/api/v1")).text
    assert [f"{number} is in the campaign already" in rejects for number in (A, B, C)] == [True, True, False]


def test_a_token_stands_for_the_contact_whichever_number_is_its_next(site: Site) -> None:
    campaign_id = made(site, LIST)["id"]
    lead = {"phone_number": E, "phone_number_2": "+14155550111", "client_token": "a"}
    assert told(add(site, campaign_id, lead)) == ["added"]
    site.sql("UPDATE contact SET phone_number = numbers[2] WHERE %s = ANY(numbers)", E)
    assert told(add(site, campaign_id, lead)) == ["repeated"]
    assert told(add(site, campaign_id, {"phone_number": "+14155550119", "client_token": "a"})) == ["rejected"]


def test_a_contact_is_found_by_any_of_its_numbers(site: Site) -> None:
    campaign_id = made(site, LIST)["id"]
    for number in (A, B, C):
        found = site.get(f"/campaigns/{campaign_id}/contacts", query_string={"phone_number": number}).json
        assert (found["total"], [one["phone_number"] for one in found["contacts"]]) == (1, [A])
    assert site.get(f"/campaigns/{campaign_id}/contacts", query_string={"phone_number": E}).json["total"] == 0


def test_a_call_is_found_by_the_number_that_was_called_alone(site: Site) -> None:
    campaign_id = made(site, LIST)["id"]
    site.sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, generation, phone_number, caller_id,"
        " gateway_id, node, dialer_id, sent_by) SELECT gen_random_uuid(), 'demo', campaign_id, id, 1, 1, numbers[2],"
        " '+1', gen_random_uuid(), 'fs1', 'd', 'd' FROM contact WHERE campaign_id = %s AND numbers IS NOT NULL",
        campaign_id,
    )
    totals = {
        number: site.get("/calls", query_string={"phone_number": number}).json["total"]
        for number in (A, B, C, D)
    }
    assert totals == {A: 0, B: 1, C: 0, D: 0}


def test_a_look_at_the_list_says_what_an_import_would(site: Site) -> None:
    suppress(site, A)
    text = f"phone_number,phone_2,phone_number_3\n{A},{B},12\n{B},{C},\n{D},{LONDON},\n"
    answer = site.post("/campaigns/preview", data=site.form(text))
    assert answer.status_code == 200, answer.text
    found = answer.json
    assert [one["used_for"] for one in found["columns"]] == ["number", "further_number", "further_number"]
    assert (found["accepted"], found["duplicates"], found["suppressed"]) == (2, 1, 0)
    assert [one["phone_number"] for one in found["first_rows"]] == [B, None, D]
    assert found["first_rows"][2]["cells"]["phone_number_2"] == LONDON
    assert [one.split(" ", 1)[0] for one in found["warnings"]] == ["1", "1"]
    corrected = site.post("/campaigns/preview", query_string={"format": "csv"}, data=site.form(text)).text
    assert corrected.splitlines()[1:] == [f"'{A},'{B},", f"'{D},'{LONDON},"]
    # Nothing but what the import itself leaves out again.
    assert numbers(site, made(site, corrected)["id"]) == [[B], [D, LONDON]]


def test_for_whom_the_window_never_opens_has_another_number_called(site: Site) -> None:
    """On Mondays from 9 to 10 in London, and nowhere that may be two zones so far apart."""
    toll_free = "+18005550199"
    windows = '[{"days": ["mon"], "from": "09:00", "to": "10:00"}]'
    fields = {"windows": windows, "time_zone": "Europe/London", "retries_per_contact": 1}
    text = f"phone_number,phone_number_2\n{toll_free},{LONDON}\n"
    looked = site.post("/campaigns/preview", data=site.form(text, **fields)).json
    assert (looked["accepted"], looked["cancelled"]) == (1, 0)
    campaign = made(site, text, **fields)
    (contact,) = listed(site, campaign["id"])
    assert (contact["status"], contact["phone_number"]) == ("pending", LONDON)
    assert contact["phone_numbers"] == [toll_free, LONDON]
    assert campaign["counts"]["pending"] == 1


def test_a_clone_begins_with_the_first_number_that_may_be_called(site: Site) -> None:
    campaign_id = made(site, LIST)["id"]
    site.sql("UPDATE contact SET phone_number = numbers[2], struck = 1 WHERE numbers IS NOT NULL")
    site.sql("UPDATE contact SET status = 'failed'")
    suppress(site, B)
    site.post(f"/campaigns/{campaign_id}/stop")
    cloned = site.post(f"/campaigns/{campaign_id}/clone")
    assert cloned.status_code == 201, cloned.text
    assert numbers(site, cloned.json["id"]) == [[A, C], [D]]
    assert [one["phone_number"] for one in listed(site, cloned.json["id"])] == [A, D]
    for number in (A, C):
        suppress(site, number, erased=number == C)
    site.post(f"/campaigns/{cloned.json['id']}/stop")
    again = site.post(f"/campaigns/{campaign_id}/clone").json
    assert numbers(site, again["id"]) == [[D]]
    assert (again["counts"]["total"], again["import"]["accepted"]) == (1, 1)


def test_a_number_that_is_there_twice_in_a_row_is_one(site: Site) -> None:
    csv = add_csv(site, made(site, LIST)["id"], f"phone_number,phone_number_2\n{E},{E}\n")
    assert csv.json["added"] == 1
    found = site.sql("SELECT count(*)::int AS n FROM contact WHERE phone_number = %s AND numbers IS NULL", E)
    assert found == [{"n": 1}]
