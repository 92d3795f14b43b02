"""Campaigns over HTTP: what is stored, what is shown, and every refusal by its words."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from api.routes import list_body
from api.schemas import quoted
from api.times import from_rfc3339
from campaigns.columns import Limits
from tests.integration.api.site import Site, csv_of

THIRTEEN = [
    "id", "name", "agent_id", "phone_number_id", "status", "max_concurrent_calls", "retries_per_contact",
    "retry_delay_seconds", "scheduled_at", "started_at", "completed_at", "created_at", "created_by",
]  # fmt: skip
ADDED = [
    "counts",
    "end_reason",
    "blocked_reason",
    "blocked_since",
    "next_action_at",
    "weight",
    "slow_start",
    "dial_order",
    "retry_rules",
    "keep_open",
    "end_at",
    "time_zone",
    "external_id",
    "metadata",
    "cloned_from",
    "windows",
    "holidays",
    "policy_packs",
    "purpose",
    "key_column",
    "duplicates",
    "duplicates_hours",
    "import",
]
LIST = csv_of(3)


def test_a_new_campaign_is_a_draft_with_the_defaults(site: Site) -> None:
    response = site.post("/campaigns", data=site.form(LIST + "nonsense,x\n+14155550000,twice\n"))
    assert response.status_code == 201
    body = response.json
    assert list(body) == THIRTEEN + ADDED
    assert from_rfc3339(body["created_at"])
    rejects_url = f"/api/v1/campaigns/{body['id']}/rejects"
    assert {name: body[name] for name in THIRTEEN + ADDED if name not in ("id", "created_at")} == {
        "name": "Reminders",
        "agent_id": site.agent_id,
        "phone_number_id": site.phone_number_id,
        "status": "draft",
        "max_concurrent_calls": 5,
        "retries_per_contact": 0,
        "retry_delay_seconds": 300,
        "scheduled_at": None,
        "started_at": None,
        "completed_at": None,
        "created_by": "operate key",
        "counts": {
            "total": 3, "pending": 3, "originated": 0, "connected": 0, "completed": 0, "failed": 0, "cancelled": 0,
        },
        "end_reason": None,
        "blocked_reason": None,
        "blocked_since": None,
        "next_action_at": None,
        "weight": 1,
        "slow_start": False,
        "dial_order": "retries_first",
        "retry_rules": {},
        "end_at": None,
        "time_zone": None,
        "keep_open": False,
        "external_id": None,
        "metadata": {},
        "cloned_from": None,
        "windows": None,
        "holidays": None,
        "policy_packs": "off",
        "purpose": None,
        "key_column": None,
        "duplicates": "list",
        "duplicates_hours": None,
        "import": {
            "rows": 5, "accepted": 3, "duplicates": 1, "invalid": 1, "suppressed": 0,
            "recent": 0, "warnings": [],
            "columns": [{"header": "first_name", "column": "first_name", "variable": "carillon_first_name"}],
            "rejects_url": rejects_url,
        },
    }  # fmt: skip
    assert site.get(f"/campaigns/{body['id']}").json == body
    assert site.bus.messages == [("wake", {"campaign_id": body["id"]})]


def test_every_field_is_kept(site: Site) -> None:
    fields = {
        "name": "Élan 🎉",
        "max_concurrent_calls": 100,
        "retries_per_contact": 5,
        "retry_delay_seconds": 60,
        "scheduled_at": "2099-01-31T10:00:00+01:00",
        "weight": 100,
        "slow_start": True,
        "dial_order": "new_first",
    }
    body = site.post("/campaigns", data=site.form(LIST, **fields)).json
    assert {name: body[name] for name in fields} == fields | {"scheduled_at": "2099-01-31T09:00:00.000Z"}
    assert (body["status"], body["next_action_at"]) == ("scheduled", "2099-01-31T09:00:00.000Z")


def test_json_with_inline_contacts_is_the_same(site: Site) -> None:
    contacts = [{"phone_number": "+14155550001", "first_name": "Ada", "age": 36}, {"phone_number": "x"}]
    response = site.post("/campaigns", json=site.fields(max_concurrent_calls=7) | {"contacts": contacts})
    assert response.status_code == 201
    assert response.json["import"]["invalid"] == 1
    found = site.get(f"/campaigns/{response.json['id']}/contacts").json["contacts"]
    assert [(contact["phone_number"], contact["custom_fields"]) for contact in found] == [
        ("+14155550001", {"first_name": "Ada", "age": "36"})
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "name is required."),
        ({"name": "x" * 201}, None),
        ({"agent_id": None}, "agent_id is required."),
        ({"agent_id": "nobody"}, "agent_id is 'nobody'; it must be the id of an agent of yours."),
        ({"phone_number_id": "x"}, "phone_number_id is 'x'; it must be the id of a phone number of yours."),
        (
            {"max_concurrent_calls": 0},
            "max_concurrent_calls is 0; it must be a whole number from 1 to 100.",
        ),
        (
            {"max_concurrent_calls": 101},
            "max_concurrent_calls is 101; it must be a whole number from 1 to 100.",
        ),
        ({"retries_per_contact": 6}, "retries_per_contact is 6; it must be a whole number from 0 to 5."),
        ({"retries_per_contact": -1}, "retries_per_contact is -1; it must be a whole number from 0 to 5."),
        ({"retry_delay_seconds": 59}, None),
        (
            {"scheduled_at": "2020-01-01T00:00:00Z"},
            "scheduled_at is 2020-01-01T00:00:00.000Z; it must not be in the past.",
        ),
        ({"scheduled_at": "soon"}, None),
        ({"weight": 0}, "weight is 0; it must be a whole number from 1 to 100."),
        ({"weight": 101}, "weight is 101; it must be a whole number from 1 to 100."),
        ({"slow_start": "yes"}, "slow_start is 'yes'; it must be true or false."),
        ({"color": "red"}, None),
    ],
)
def test_a_wrong_field_is_refused_by_name(site: Site, changes: dict[str, Any], message: str | None) -> None:
    (name,) = changes
    as_json = site.fields(**changes) | {"contacts": [{"phone_number": "+14155550001"}]}
    for options in ({"data": site.form(LIST, **changes)}, {"json": as_json}):
        response = site.post("/campaigns", **options)
        assert response.status_code == 400
        assert response.content_type == "text/plain; charset=utf-8"
        assert response.text.startswith(name)
        assert message is None or response.text == message
    assert site.sql("SELECT id FROM campaign") == []


def test_what_belongs_to_another_tenant_may_not_be_used(site: Site) -> None:
    response = site.post("/campaigns", data=site.form(LIST), tenant="other")
    assert response.status_code == 400
    assert "it must be the id of an agent of yours" in response.text
    site.sql("UPDATE phone_number SET outbound_enabled = false")
    response = site.post("/campaigns", data=site.form(LIST))
    assert response.text.endswith("that number is not enabled for outbound calls.")


@pytest.mark.parametrize(
    ("csv_text", "words"),
    [
        (None, "contacts is required."),
        ("", "contacts is empty"),
        ("phone_number\n", "no rows"),
        ("name,phone\nAda,+14155550001\n", "if the numbers are in 'phone' name that column phone_number."),
        ("phone_number\nnonsense\n", "no good row"),
        ("phone_number\n" + "+14155550001\n" * 4, "more than 3 rows"),
    ],
)
def test_a_list_that_nobody_can_be_called_from_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, csv_text: str | None, words: str
) -> None:
    monkeypatch.setattr(list_body, "LIMITS", Limits(max_rows=3))
    response = site.post("/campaigns", data=site.form(csv_text), content_type="multipart/form-data")
    assert response.status_code == 400
    assert words in response.text
    assert re.search(r"[^.?][.?]\Z", response.text)
    assert site.sql("SELECT id FROM campaign UNION SELECT id FROM contact") == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "The body is not a JSON object."),
        (b"{}", "name is required."),
        (b"[]", "The body is not a JSON object."),
        (b'{"name": ', "The body is not a JSON object."),
        (b"\xff", "The body is not a JSON object."),
        (b'{"name": "a", "agent_id": "b", "phone_number_id": "c"}', "contacts is required."),
        (
            b'{"name": "a", "agent_id": "b", "phone_number_id": "c", "contacts": {}}',
            "contacts is {}; it must be a list of objects.",
        ),
    ],
)
def test_a_json_body_that_is_none_is_refused(site: Site, body: bytes, words: str) -> None:
    response = site.post("/campaigns", data=body, content_type="application/json")
    assert (response.status_code, response.text) == (400, words)


def test_a_list_past_the_limit_is_413(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_body, "LIMITS", Limits(max_bytes=1000))
    response = site.post("/campaigns", data=site.form(csv_of(100)))
    assert response.status_code == 413
    assert response.text == "contacts has more than 1000 bytes, the most a list may have."
    contacts = [{"phone_number": "+14155550001", "note": "x" * 1000}]
    response = site.post("/campaigns", json=site.fields() | {"contacts": contacts})
    assert response.status_code == 413
    assert response.text == "The body has more than 1000 bytes, the most it may have."


@pytest.mark.parametrize("content_type", ["text/csv", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_415(site: Site, content_type: str) -> None:
    response = site.post("/campaigns", data=b"a=b", content_type=content_type)
    assert response.status_code == 415
    assert response.text.endswith("it must be multipart/form-data or application/json.")


def test_campaigns_are_listed_oldest_first_in_pages_that_stay(site: Site) -> None:
    ids = [site.create(1, name=f"Campaign {number}") for number in range(5)]
    body = site.get("/campaigns").json
    assert [campaign["id"] for campaign in body["campaigns"]] == ids
    assert (body["total"], body["limit"], body["offset"]) == (5, 100, 0)
    seen = []
    for offset in (0, 2, 4):
        seen += site.get("/campaigns", query_string={"limit": 2, "offset": offset}).json["campaigns"]
        site.sql("UPDATE campaign SET status = 'paused', version = version + 1 WHERE id = %s", ids[offset])
    assert [campaign["id"] for campaign in seen] == ids
    assert site.get("/campaigns?page=1").json["campaigns"] == []
    site.delete(f"/campaigns/{ids[1]}")
    after = site.get("/campaigns").json
    assert after["total"] == 4
    assert ids[1] not in [campaign["id"] for campaign in after["campaigns"]]


def test_contacts_are_listed_in_the_order_of_the_list(site: Site) -> None:
    campaign_id = site.create(5)
    for position, status in ((1, "completed"), (2, "originated"), (4, "failed")):
        site.move_contact(campaign_id, position, status)
    body = site.get(f"/campaigns/{campaign_id}/contacts").json
    assert (body["total"], body["limit"], body["offset"]) == (5, 100, 0)
    assert [contact["custom_fields"]["first_name"] for contact in body["contacts"]] == [
        f"Person {number}" for number in range(5)
    ]
    assert list(body["contacts"][0]) == [
        "id", "phone_number", "status", "disposition", "attempts", "next_attempt_at", "last_cause",
        "priority", "expires_at", "external_id", "metadata", "custom_fields", "consent_at", "consent_source",
        "created_at", "updated_at", "phone_numbers", "time_zones", "wait_reason",
    ]  # fmt: skip
    page = site.get(f"/campaigns/{campaign_id}/contacts?limit=2&offset=1").json
    assert page["contacts"] == body["contacts"][1:3]
    pending = site.get(f"/campaigns/{campaign_id}/contacts?status=pending").json
    assert (pending["total"], pending["contacts"]) == (2, [body["contacts"][2], body["contacts"][4]])
    last = site.get(f"/campaigns/{campaign_id}/contacts?status=pending&offset=1").json
    assert (last["total"], last["contacts"]) == (2, [body["contacts"][4]])


def test_no_contact_is_skipped_or_repeated_while_statuses_change_under_the_filter(site: Site) -> None:
    campaign_id = site.create(9)
    path = f"/campaigns/{campaign_id}/contacts"
    ids = [contact["id"] for contact in site.get(path).json["contacts"]]
    query = {"status": "pending", "limit": 3}
    seen = site.get(path, query_string=query).json["contacts"]
    # The last one seen is among those that are called before the next page is asked for.
    for position in (1, 3, 5):
        site.move_contact(campaign_id, position, "originated")
    page = site.get(path, query_string=query | {"starting_after": seen[-1]["id"]}).json
    assert (page["total"], page["limit"], page["offset"]) == (6, 3, 0)
    seen += page["contacts"]
    site.sql("UPDATE contact SET status = 'pending', call_id = NULL WHERE id = %s", ids[0])
    seen += site.get(path, query_string=query | {"starting_after": seen[-1]["id"]}).json["contacts"]
    assert [contact["id"] for contact in seen] == ids[:4] + ids[5:]
    assert site.get(path, query_string=query | {"starting_after": ids[-1]}).json["contacts"] == []
    rest = site.get(path, query_string={"starting_after": ids[6]}).json
    assert ([contact["id"] for contact in rest["contacts"]], rest["total"]) == (ids[7:], 9)


def test_a_page_starts_after_a_contact_of_this_campaign_or_at_an_offset(site: Site) -> None:
    campaign_id, other_id = site.create(1), site.create(1)
    (other,) = site.get(f"/campaigns/{other_id}/contacts").json["contacts"]
    path = f"/campaigns/{campaign_id}/contacts"
    for start in (other["id"], campaign_id, "x", "1" * 64):
        response = site.get(path, query_string={"starting_after": start})
        assert (response.status_code, response.text) == (
            400,
            f"starting_after is {quoted(start)}; it must be the id of a contact of this campaign.",
        )
    for also in ("offset", "page"):
        response = site.get(path, query_string={"starting_after": "x", also: 0})
        assert (response.status_code, response.text) == (
            400,
            "starting_after is 'x'; it must not be given with offset or page.",
        )


def test_an_unknown_contact_status_is_400_and_names_the_known(site: Site) -> None:
    response = site.get(f"/campaigns/{site.create(1)}/contacts?status=done")
    assert response.status_code == 400
    assert response.text == (
        "status is 'done'; it must be one of pending, originated, connected, completed, failed, cancelled."
    )


def test_rejected_rows_are_downloaded_with_formulas_disarmed(site: Site) -> None:
    rows = '=cmd(),"Ada, Countess"\n+14155550001,ok\n+14155550001,again\n'
    campaign_id = site.post("/campaigns", data=site.form("phone_number,name\n" + rows)).json["id"]
    response = site.get(f"/campaigns/{campaign_id}/rejects")
    assert response.status_code == 200
    assert response.content_type == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == f'attachment; filename="rejects-{campaign_id}.csv"'
    header, *found = csv.reader(io.StringIO(response.text, newline=""))
    assert header == ["line", "code", "reason", "raw", "column"]
    assert [(row[0], row[3], row[4]) for row in found] == [
        ("2", '\'=cmd(),"Ada, Countess"', "phone_number"),
        ("4", "'+14155550001,again", "phone_number"),
    ]
    assert found[1][1] == "duplicate"


def test_a_long_list_of_rejects_comes_whole(site: Site) -> None:
    rows = "".join(f"bad {number}\n" for number in range(2500))
    campaign_id = site.post("/campaigns", data=site.form("phone_number\n+14155550001\n" + rows)).json["id"]
    found = site.get(f"/campaigns/{campaign_id}/rejects").text.splitlines()
    assert [line.partition(",")[0] for line in found[1:]] == [str(line) for line in range(3, 2503)]


ROUTES = [
    ("GET", "/campaigns/{id}"),
    ("DELETE", "/campaigns/{id}"),
    ("GET", "/campaigns/{id}/contacts"),
    ("GET", "/campaigns/{id}/rejects"),
    ("POST", "/campaigns/{id}/start"),
    ("POST", "/campaigns/{id}/pause"),
    ("POST", "/campaigns/{id}/resume"),
    ("POST", "/campaigns/{id}/stop"),
    ("GET", "/campaigns/{id}/events"),
    ("POST", "/campaigns/{id}/events/token"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_another_tenants_campaign_is_404_and_left_alone(site: Site, method: str, path: str) -> None:
    campaign_id = site.in_state("paused")
    for role in ("operate", "admin", "platform"):
        response = site.request(method, path.format(id=campaign_id), tenant="other", role=role)
        assert (response.status_code, response.text) == (404, "Campaign not found")
    assert site.get(f"/campaigns/{campaign_id}").json["status"] == "paused"
    assert site.get("/campaigns", tenant="other").json["campaigns"] == []


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("GET", "/campaigns"), ("POST", "/campaigns")])
def test_every_route_refuses_what_it_does_not_know(site: Site, method: str, path: str) -> None:
    path = path.format(id=site.create(1))
    response = site.request(method, path, query_string={"colour": "red"})
    assert response.status_code == 400
    assert "colour" in response.text
    if method == "POST" and path != "/campaigns":
        response = site.request(method, path, json={"colour": "red"})
        assert response.status_code == 400
        assert "'colour' is not known here" in response.text
        assert site.request(method, path, data=b"x", content_type="text/plain").status_code == 400


def agent_that_says(site: Site, text: str) -> str:
    """The site's agent, which now speaks `text`."""
    site.sql(
        "UPDATE agent SET action = %s::jsonb WHERE id = %s RETURNING id",
        json.dumps({"type": "playback", "say": text}),
        site.agent_id,
    )
    return site.agent_id


def test_a_list_is_read_in_the_encoding_and_country_that_its_form_names(site: Site) -> None:
    text = "phone_number;Город\n020 7946 0018;Москва\n"
    form = site.form(text.encode("cp1251"), encoding="windows-1251", default_region="gb")
    body = site.post("/campaigns", data=form).json
    assert body["import"]["columns"] == [{"header": "Город", "column": "Город", "variable": "carillon_gorod"}]
    (contact,) = site.get(f"/campaigns/{body['id']}/contacts").json["contacts"]
    assert (contact["phone_number"], contact["custom_fields"]) == ("+442079460018", {"Город": "Москва"})

    refused = site.post("/campaigns", data=site.form(text.encode("cp1251")))
    assert refused.status_code == 400
    assert "windows-1251" in refused.text or "cp1251 ('Город" in refused.text
    assert "field encoding" in refused.text


def test_what_was_read_otherwise_than_it_stands_is_told(site: Site) -> None:
    text = "My list;;\nphone_number;name;name\n+14155550001;Jürgen;x\n"
    told = site.post("/campaigns", data=site.form(text.encode("cp1252"))).json["import"]
    assert [column["column"] for column in told["columns"]] == ["name", "name 2"]
    assert [warning.partition(" ")[0] for warning in told["warnings"]] == ["contacts", "what"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoding": "klingon"}, "encoding is 'klingon'"),
        ({"default_region": "XX"}, "default_region is 'XX'; it must be a country's two letters, such as GB."),
        ({"default_region": "Britain"}, "default_region"),
    ],
)
def test_a_wrong_encoding_or_country_is_refused_by_name(
    site: Site, changes: dict[str, Any], words: str
) -> None:
    response = site.post("/campaigns", data=site.form(LIST, **changes))
    assert response.status_code == 400
    assert response.text.startswith(words)


def test_a_column_that_the_agent_speaks_and_the_list_lacks_is_refused_at_create_and_at_start(
    site: Site,
) -> None:
    agent_that_says(site, "Hello {last_name}.")
    refused = site.post("/campaigns", data=site.form(LIST))
    assert refused.status_code == 400
    assert refused.text.startswith(
        "contacts has no column 'last_name', which the agent's action.say.text needs"
    )
    as_json = site.fields() | {"contacts": [{"phone_number": "+14155550001"}]}
    assert site.post("/campaigns", json=as_json).status_code == 400

    agent_that_says(site, "Hello {first_name}.")
    campaign_id = site.post("/campaigns", data=site.form(LIST)).json["id"]
    agent_that_says(site, "Hello {last_name}.")
    refused = site.post(f"/campaigns/{campaign_id}/start")
    assert refused.status_code == 409
    assert "no column 'last_name'" in refused.text
    site.sql("UPDATE campaign SET import_columns = NULL RETURNING id")
    assert site.post(f"/campaigns/{campaign_id}/start").status_code == 409
    agent_that_says(site, "Hello {First Name}.")
    assert site.post(f"/campaigns/{campaign_id}/start").status_code == 200


def test_a_row_that_its_agent_could_not_use_is_rejected_with_its_column(site: Site) -> None:
    site.sql(
        "UPDATE agent SET action = %s::jsonb WHERE id = %s RETURNING id",
        json.dumps({"type": "conference", "room": "{room}"}),
        site.agent_id,
    )
    text = "phone_number,room\n+14155550001,a b\n+14155550002,ok\n"
    body = site.post("/campaigns", data=site.form(text)).json
    assert (body["import"]["accepted"], body["import"]["invalid"]) == (1, 1)
    rejects = site.sql("SELECT line, code, column_name, reason FROM import_reject")
    assert [(row["line"], row["code"], row["column_name"]) for row in rejects] == [
        (2, "template_value", "room")
    ]
    assert "action.room 'a b'" in rejects[0]["reason"]


def test_ordinary_people_s_names_are_taken_by_an_agent_that_speaks_them(site: Site) -> None:
    agent_that_says(site, "Hello {first_name}.")
    text = "phone_number,first_name\n+14155550001,O'Brien\n+14155550002,Ann (work)\n+14155550003,$5 due\n"
    assert site.post("/campaigns", data=site.form(text)).json["import"]["accepted"] == 3


def test_campaigns_are_found_by_when_they_were_made(site: Site) -> None:
    made = [site.create(1, name=f"Made {number}") for number in range(3)]
    for number, campaign_id in enumerate(made):
        site.sql(
            "UPDATE campaign SET created_at = timestamptz '2026-01-31T09:00:00Z' + %s * interval '1 h' WHERE id = %s",
            number,
            campaign_id,
        )

    def found(**query: str) -> tuple[list[str], int]:
        told = site.get("/campaigns", query_string=query | {"order": "newest"}).json
        return [campaign["id"] for campaign in told["campaigns"]], told["total"]

    assert found(**{"from": "2026-01-31T10:00:00Z"}) == ([made[2], made[1]], 2)
    assert found(**{"from": "2026-01-31T10:00:00Z", "to": "2026-01-31T12:00:00+01:00"}) == ([made[1]], 1)
    assert found(to="2026-01-31T09:00:00Z") == ([], 0)
