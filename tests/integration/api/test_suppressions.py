"""Do-not-call entries through the API: entered, told, deleted; and what an import makes of them."""

from __future__ import annotations

import csv
import io
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from api.routes import suppression_upload
from campaigns import erasure, store
from campaigns.number_hash import NumberHash
from campaigns.suppressed_rows import SuppressedRows
from campaigns.suppression_list import LIMITS
from coordination.topics import Topic
from tests.integration.api.plans import plans_of, read
from tests.integration.api.site import PEPPER, Site, SomebodyLives

ANN, BOB, CAT = "+14155550101", "+14155550102", "+442079460103"
HASH = NumberHash(PEPPER)
LIST = f"phone_number,name\n{ANN},Ann\n{BOB},Bob\n{CAT},Cat\n"


def enter(site: Site, **body: Any) -> Any:
    options = {name: body.pop(name) for name in ("role", "tenant", "headers") if name in body}
    return site.post("/suppressions", json=body, **options)


def entered(site: Site, **body: Any) -> dict[str, Any]:
    answer = enter(site, **body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


def about(site: Site, number: str, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.get("/suppressions", query_string={"number": number}, **options).json[
        "suppressions"
    ]
    return found


def test_an_entry_is_told_as_it_was_entered_and_to_the_dialers_before_it_is_answered(site: Site) -> None:
    campaign_id = site.create(1)
    site.bus.messages.clear()
    body = {"source": "letter", "reason": "Wrote to us.", "expires_at": "2099-01-31T09:00:00.000Z"}
    made = entered(site, number="+1 (415) 555-0101", campaign_id=campaign_id, **body)
    assert made.items() >= (body | {"number": ANN, "prefix": None, "campaign_id": campaign_id}).items()
    assert (made["created_by"], made["erased"], made["platform"]) == ("operate key", False, False)
    assert site.bus.messages[-1:] == [
        (Topic.SUPPRESS, {"scope": "demo", "campaign_id": campaign_id, "number": ANN})
    ]
    assert site.bus.awaited[-1] == Topic.SUPPRESS
    listed = site.get("/suppressions", role="read").json
    assert (listed["suppressions"], listed["total"]) == ([made], 1)
    assert site.sql("SELECT suppression_id::text AS id FROM suppression_news") == [{"id": made["id"]}]


def test_what_is_entered_twice_is_there_once_and_never_for_a_shorter_time(site: Site) -> None:
    def until(expires_at: str | None) -> tuple[str, str | None]:
        made = entered(site, number=ANN, source=expires_at or "for good", expires_at=expires_at)
        return made["source"], made["expires_at"]

    soon, later = "2098-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"
    assert until(later) == (later, later)
    assert until(soon) == (later, later)
    assert until(None) == ("for good", None)
    assert until(soon) == ("for good", None)
    assert site.get("/suppressions").json["total"] == 1


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "exactly one of number and prefix"),
    ({"number": ANN, "prefix": "+49"}, "exactly one of number and prefix"),
    ({"number": "4155550101"}, "it must be a phone number with + and its country code"),
    ({"prefix": "49"}, "it must be + with a country code"),
    ({"prefix": "+1234567890123456"}, "it must be + with a country code"),
    ({"number": ANN, "expires_at": "2001-01-01T00:00:00Z"}, "it must not be in the past"),
    ({"number": ANN, "campaign_id": "019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01"}, "a campaign of yours"),
    ({"number": ANN, "campaign_id": "x", "all": True}, "it must not be given with all: true"),
]


def test_what_cannot_be_suppressed_is_refused(site: Site) -> None:
    for body, said in REFUSED:
        answer = enter(site, **body, role="platform")
        assert (answer.status_code, said in answer.text) == (400, True), answer.text


def test_the_platforms_bind_every_tenant_and_are_its_own(site: Site) -> None:
    assert enter(site, number=ANN, all=True).status_code == 403
    made = entered(site, number=ANN, all=True, source="register", role="platform")
    assert site.bus.messages[-1] == (Topic.SUPPRESS, {"scope": "*", "number": ANN})
    for tenant in ("demo", "other"):
        (seen,) = about(site, ANN, tenant=tenant)
        assert (seen["id"], seen["platform"], seen["source"]) == (made["id"], True, "platform")
    assert site.get("/suppressions").json["total"] == 0
    assert site.get("/suppressions?all=true").status_code == 403
    assert site.get("/suppressions?all=true", role="platform").json["total"] == 1
    assert site.get(f"/suppressions/{made['id']}").status_code == 404
    assert site.get(f"/suppressions/{made['id']}", role="platform").json["number"] == ANN
    assert site.delete(f"/suppressions/{made['id']}").status_code == 404
    assert site.delete(f"/suppressions/{made['id']}", role="platform").status_code == 204
    assert about(site, ANN) == []


def test_whatever_is_about_a_number_is_found_by_it(site: Site) -> None:
    for body in ({"number": ANN}, {"prefix": "+1415"}, {"prefix": "+1416"}, {"number": BOB}):
        entered(site, **body)
    site.sql(
        "INSERT INTO suppression (id, scope, digest, source, created_by)"
        " VALUES (gen_random_uuid(), 'demo', %s, 'erasure', 'x')",
        HASH(ANN),
    )
    found = about(site, ANN)
    assert [(one["number"], one["prefix"], one["erased"]) for one in found if not one["erased"]] == [
        (ANN, None, False),
        (None, "+1415", False),
    ]
    assert sum(one["erased"] for one in found) == 1


def test_while_redis_is_away_the_entry_stands_and_nobody_is_promised_anything(site: Site) -> None:
    site.use(dialers=SomebodyLives(redis_is_away=True))
    key = {"Idempotency-Key": "k"}
    assert enter(site, number=ANN, headers=key).status_code == 503
    site.use(dialers=SomebodyLives())
    site.bus.messages.clear()
    again = enter(site, number=ANN, headers=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert site.bus.topics() == [Topic.SUPPRESS], "a repeat makes sure of it"
    assert len(about(site, ANN)) == 1


def test_a_page_goes_on_after_the_last_that_was_seen(site: Site) -> None:
    made = [entered(site, prefix=f"+4930{n}")["id"] for n in range(5)]
    seen = site.get(f"/suppressions?limit=2&starting_after={made[1]}").json
    assert ([one["id"] for one in seen["suppressions"]], seen["total"]) == (made[2:4], 5)
    assert site.delete(f"/suppressions/{made[1]}").status_code == 204
    again = site.get(f"/suppressions?limit=2&starting_after={made[1]}").json
    assert [one["id"] for one in again["suppressions"]] == made[2:4]


def test_the_newest_come_first_where_they_are_asked_for(site: Site) -> None:
    made = [entered(site, prefix=f"+4930{n}")["id"] for n in range(5)]
    made += [entered(site, number=ANN)["id"], entered(site, prefix=ANN[:5])["id"]]
    for query, expected in (("", made[::-1]), (f"&number={quote(ANN)}", made[:4:-1])):
        found: list[str] = []
        for _ in range(len(expected)):
            start = f"&starting_after={found[-1]}" if found else ""
            page = site.get(f"/suppressions?order=newest&limit=2{query}{start}").json
            assert page["total"] == len(expected)
            found += [one["id"] for one in page["suppressions"]]
        assert found == expected
    assert [
        one["id"] for one in site.get("/suppressions?order=newest&offset=6").json["suppressions"]
    ] == made[:1]
    refused = site.get("/suppressions?order=name")
    assert (refused.status_code, refused.text) == (400, "order is 'name'; it must be one of oldest, newest.")


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_of_a_long_list_a_page_is_read_and_no_more_is_counted_than_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    """A tenant's, entered after as many of another's."""
    monkeypatch.setattr("api.routes.suppressions.MOST_COUNTED", 500)
    site.sql(
        "INSERT INTO suppression (id, scope, number, source, created_by)"
        " SELECT lpad(to_hex(n), 32, '0')::uuid, CASE WHEN n > 10000 THEN 'demo' ELSE 'other' END,"
        " '+1' || n, 'x', 'x'"
        " FROM generate_series(1, 20000) AS n"
    )
    site.sql("ANALYZE suppression")
    for after in ("", f"&starting_after={uuid.UUID(int=15_000)}"):
        path = f"/suppressions?limit=10&order={order}{after}"
        told = plans_of(site, path, monkeypatch, "FROM suppression ")
        assert len(told) == 2
        assert sum(read(plan) for plan in told) <= 10 + 501, told
        page = site.get(path).json
        assert (len(page["suppressions"]), page["total"]) == (10, None)
    site.sql("DELETE FROM suppression WHERE id > %s RETURNING id", uuid.UUID(int=10_500))
    assert site.get("/suppressions?limit=1").json["total"] == 500


def test_a_download_has_all_that_is_known_and_no_formula(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routes.suppressions.EXPORT_PAGE", 2)
    for body in ({"number": ANN, "source": "=1+1"}, {"prefix": "+4930"}, {"number": BOB}):
        entered(site, **body)
    found = list(csv.DictReader(io.StringIO(site.get("/suppressions/export", role="read").text)))
    assert [row["phone_number"] for row in found] == [f"'{ANN}", "'+4930*", f"'{BOB}"]
    assert found[0]["source"] == "'=1+1"


def upload(site: Site, text: str | bytes, *, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    data = text.encode() if isinstance(text, str) else text
    return site.post(
        "/suppressions/import", data=fields | {"entries": (io.BytesIO(data), "list.csv")}, headers=headers
    )


REGISTER = f"""phone_number,name,source,expires_at
{ANN},Ann,letter,
'+4930*,Berlin,,2099-01-31
(415) 555-0102,Bob,,2099-01-31T09:00:00+01:00
555,Nobody,,
{ANN},Ann again,,2098-01-01
{CAT},Cat,,tomorrow
"""


def test_a_list_is_entered_with_what_its_rows_say_and_again_changes_nothing(site: Site) -> None:
    answer = upload(site, REGISTER, source="register", default_region="us")
    assert answer.status_code == 200, answer.text
    assert answer.json.items() >= {"rows": 6, "added": 3, "unchanged": 1, "invalid": 2}.items()
    assert [fault.split(":")[0] for fault in answer.json["faults"]] == ["line 5", "line 7"]
    found = {
        one["number"] or one["prefix"]: (one["source"], one["expires_at"])
        for one in site.get("/suppressions").json["suppressions"]
    }
    assert found == {
        ANN: ("letter", None),
        "+4930": ("register", "2099-01-31T00:00:00.000Z"),
        BOB: ("register", "2099-01-31T08:00:00.000Z"),
    }
    assert site.bus.messages[-1] == (Topic.SUPPRESS, {"scope": "demo"})
    assert site.bus.awaited[-1] == Topic.SUPPRESS
    (news,) = site.sql("SELECT count(*)::int AS n FROM suppression_news")
    assert news["n"] == 3
    again = upload(site, REGISTER, source="register", default_region="us")
    assert (again.json["added"], again.json["unchanged"]) == (0, 4)


def test_an_end_that_no_calendar_has_in_utc_refuses_its_row_alone(site: Site) -> None:
    ends = (f"{ANN},9999-12-31T23:59:59-05:00", f"{BOB},2099-01-31T09:00:00+16:00")
    answer = upload(site, "\n".join(("phone_number,expires_at", *ends)) + "\n")
    assert (answer.json["added"], answer.json["invalid"]) == (1, 1), answer.text
    assert "line 2: expires_at is '9999-12-31T23:59:59-05:00'; it must be a day" in answer.json["faults"][0]
    (one,) = site.get("/suppressions").json["suppressions"]
    assert one["expires_at"] == "2099-01-30T17:00:00.000Z"


def test_a_download_can_be_uploaded_again(site: Site) -> None:
    upload(site, REGISTER, source="=register", default_region="us")
    before = site.get("/suppressions/export").text
    ids = [one["id"] for one in site.get("/suppressions").json["suppressions"]]
    for one in ids:
        site.delete(f"/suppressions/{one}")
    assert upload(site, before).json["added"] == 3
    kept = [line.split(",")[0:3] + line.split(",")[-1:] for line in before.splitlines()]
    now = site.get("/suppressions/export").text
    assert sorted(line.split(",")[0:3] + line.split(",")[-1:] for line in now.splitlines()) == sorted(kept)


def test_an_upload_is_done_once_for_its_key_and_a_repeat_makes_sure_of_it(site: Site) -> None:
    key = {"Idempotency-Key": "k"}
    first = upload(site, REGISTER, headers=key, default_region="US")
    site.bus.messages.clear()
    again = upload(site, REGISTER, headers=key, default_region="US")
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert site.bus.topics() == [Topic.SUPPRESS]
    assert upload(site, LIST, headers=key).status_code == 409


NOT_UNDERSTOOD: list[tuple[str, dict[str, Any], str]] = [
    ("", {}, "entries is empty"),
    ("name\nAnn\n", {}, "entries has no phone_number column"),
    (LIST, {"colour": "red"}, "not known here"),
    (LIST, {"default_region": "XX"}, "a country's two letters"),
    (LIST, {"expires_at": "2001-01-01T00:00:00Z"}, "it must not be in the past"),
    (LIST, {"campaign_id": "x"}, "a campaign of yours"),
]


def test_an_upload_that_cannot_be_understood_is_refused(site: Site) -> None:
    for text, fields, said in NOT_UNDERSTOOD:
        answer = upload(site, text, **fields)
        assert (answer.status_code, said in answer.text) == (400, True), answer.text


def test_an_upload_has_a_limit_of_its_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = replace(LIMITS, max_bytes=30, max_rows=2)
    monkeypatch.setattr(suppression_upload, "LIMITS", limits)
    assert upload(site, LIST).status_code == 413
    monkeypatch.setattr(suppression_upload, "LIMITS", replace(limits, max_bytes=1000))
    answer = upload(site, LIST)
    assert (answer.status_code, "entries has more than 2 rows" in answer.text) == (400, True), answer.text


def test_who_is_suppressed_is_not_imported_and_told_among_the_rejects(site: Site) -> None:
    entered(site, number=BOB)
    entered(site, prefix="+44")
    made = site.post("/campaigns", data=site.form(LIST)).json
    assert made["import"].items() >= {"rows": 3, "accepted": 1, "suppressed": 2, "invalid": 0}.items()
    assert made["counts"]["total"] == 1
    rejects = csv.DictReader(io.StringIO(site.get(f"/campaigns/{made['id']}/rejects").text))
    assert [(row["line"], row["code"], row["raw"], row["column"]) for row in rejects] == [
        ("3", "suppressed", row_of(BOB, "Bob"), "phone_number"),
        ("4", "suppressed", row_of(CAT, "Cat"), "phone_number"),
    ]
    (contact,) = site.get(f"/campaigns/{made['id']}/contacts").json["contacts"]
    assert contact["phone_number"] == ANN


def test_pages_of_a_list_without_its_suppressed_rows_tell_everybody_once(site: Site) -> None:
    entered(site, number=ANN)
    made = site.post("/campaigns", data=site.form(LIST)).json
    path = f"/campaigns/{made['id']}/contacts?limit=1"
    pages = [site.get(f"{path}&offset={offset}").json["contacts"] for offset in range(3)]
    assert [[one["phone_number"] for one in page] for page in pages] == [[BOB], [CAT], []]
    after = site.get(f"{path}&starting_after={pages[0][0]['id']}").json["contacts"]
    assert after == pages[1]


def row_of(number: str, name: str) -> str:
    """A row of the list as the download shows it."""
    return f"'{number},{name}"


def test_who_was_erased_is_not_imported_either(site: Site) -> None:
    site.sql(
        "INSERT INTO suppression (id, scope, digest, source, created_by)"
        " VALUES (gen_random_uuid(), 'demo', %s, 'erasure', 'x')",
        HASH(CAT),
    )
    made = site.post("/campaigns", data=site.form(LIST)).json
    assert (made["import"]["accepted"], made["import"]["suppressed"]) == (2, 1)
    rejects = site.get(f"/campaigns/{made['id']}/rejects").text
    assert ("suppressed" in rejects, CAT in rejects, "Cat" in rejects) == (True, False, False)


def test_who_is_erased_while_a_list_is_read_is_not_imported_either(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Meanwhile(SuppressedRows):
        def __init__(self, *of_a_list: Any) -> None:
            super().__init__(*of_a_list)
            erasure.ask("demo", CAT, "x", HASH)

    monkeypatch.setattr(store, "SuppressedRows", Meanwhile)
    made = site.post("/campaigns", data=site.form(LIST)).json
    assert (made["import"]["accepted"], made["import"]["suppressed"]) == (2, 1)


def test_what_is_left_of_an_erased_number_is_deleted_by_an_admin_alone(site: Site) -> None:
    (entry,) = site.sql(
        "INSERT INTO suppression (id, scope, digest, source, created_by)"
        " VALUES (gen_random_uuid(), 'demo', %s, 'erasure', 'x') RETURNING id",
        HASH(CAT),
    )
    path = f"/suppressions/{entry['id']}"
    refused = site.delete(path)
    assert (refused.status_code, refused.text) == (
        403,
        "The key's role is operate; deleting what is left of an erased number needs admin.",
    )
    assert site.delete(path, role="admin", tenant="other").status_code == 404
    assert site.delete(path, role="admin").status_code == 204
    assert site.delete(path, role="admin").status_code == 404


def test_what_does_not_bind_the_tenant_or_any_more_keeps_nobody_out(site: Site) -> None:
    entered(site, number=ANN, tenant="other")
    entered(site, number=BOB, campaign_id=site.create(1))
    entered(site, number=CAT)
    site.sql("UPDATE suppression SET expires_at = now() WHERE number = %s", CAT)
    assert site.post("/campaigns", data=site.form(LIST)).json["import"]["accepted"] == 3


def test_a_list_of_which_all_are_suppressed_is_refused(site: Site) -> None:
    entered(site, prefix="+1")
    entered(site, prefix="+4")
    answer = site.post("/campaigns", data=site.form(LIST))
    assert (answer.status_code, "do-not-call list" in answer.text) == (400, True), answer.text
