"""Contacts that are added to a campaign: to which, each once, by JSON and by CSV, and what is answered."""

from __future__ import annotations

import io
import uuid
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from api import retrying
from campaigns import additions
from campaigns.contact_options import ContactOptions
from campaigns.import_rows import AcceptedRow
from campaigns.number_hash import NumberHash
from campaigns.suppressed_rows import ErasedNumbers
from models import db, transaction
from tests.integration.api.site import PEPPER, Site, csv_of
from tests.integration.api.test_deletion_races import waiting
from tests.waiting import HANG_SECONDS, wait_until

NEW, GONE = "+14155559001", "+14155559002"
HASH = NumberHash(PEPPER)
ERASED = ErasedNumbers("demo", HASH)
ENDED = "Campaign is completed; no contacts can be added."


def add(site: Site, campaign_id: str, *contacts: Any, **options: Any) -> Any:
    return site.post(f"/campaigns/{campaign_id}/contacts", json={"contacts": list(contacts)}, **options)


def add_csv(site: Site, campaign_id: str, text: str) -> Any:
    data = {"contacts": (io.BytesIO(text.encode()), "more.csv")}
    return site.post(f"/campaigns/{campaign_id}/contacts", data=data)


def lead(number: int, **more: Any) -> dict[str, Any]:
    return {"phone_number": f"+1415555{9000 + number:04d}"} | more


def listed(site: Site, campaign_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.get(f"/campaigns/{campaign_id}/contacts").json["contacts"]
    return found


def told(answer: Any) -> list[str]:
    assert answer.status_code == 201, answer.text
    return [one["result"] for one in answer.json["results"]]


@pytest.mark.parametrize("state", ["draft", "scheduled", "running", "paused"])
def test_contacts_are_added_in_any_unfinished_state_behind_those_that_are_there(
    site: Site, state: str
) -> None:
    campaign_id = site.in_state(state, contacts=2)
    site.bus.messages.clear()
    answer = add(
        site, campaign_id, lead(1, first_name="Ada", priority=7, expires_at="2099-01-01T00:00:00Z"), lead(2)
    )
    assert told(answer) == ["added", "added"]
    assert site.bus.messages == [("wake", {"campaign_id": campaign_id})]
    contacts = listed(site, campaign_id)
    assert [one["phone_number"] for one in contacts[2:]] == ["+14155559001", "+14155559002"]
    assert contacts[2]["custom_fields"] == {"first_name": "Ada"}
    assert (contacts[2]["priority"], contacts[2]["expires_at"]) == (7, "2099-01-01T00:00:00.000Z")
    assert [one["contact_id"] for one in answer.json["results"]] == [one["id"] for one in contacts[2:]]
    shown = site.get(f"/campaigns/{campaign_id}").json
    assert (shown["counts"]["pending"], shown["counts"]["total"], shown["status"]) == (4, 4, state)


@pytest.mark.parametrize("state", ["completed", "failed"])
def test_to_what_has_ended_nothing_is_added(site: Site, state: str) -> None:
    campaign_id = site.in_state(state)
    for answer in (add(site, campaign_id, lead(1)), add_csv(site, campaign_id, f"phone_number\n{NEW}\n")):
        assert (answer.status_code, answer.text) == (409, ENDED.replace("completed", state))
    assert len(listed(site, campaign_id)) == 3
    assert add(site, campaign_id, lead(1), tenant="other").status_code == 404


def test_a_token_that_is_sent_again_is_the_same_contact_even_after_the_end(site: Site) -> None:
    campaign_id = site.create(1)
    first = add(site, campaign_id, lead(1, client_token="a"), lead(2, client_token="b"))
    again = add(site, campaign_id, lead(2, client_token="b"), lead(1, client_token="a"), lead(3))
    assert told(again) == ["repeated", "repeated", "added"]
    ids = [one["contact_id"] for one in first.json["results"]]
    assert [one["contact_id"] for one in again.json["results"][:2]] == ids[::-1]
    # Another number under it, one that is twice in the list, and one that is old enough to be forgotten.
    refused = add(
        site, campaign_id, lead(4, client_token="a"), lead(5, client_token="c"), lead(6, client_token="c")
    )
    assert told(refused) == ["rejected", "added", "rejected"]
    assert {one["code"] for one in refused.json["results"]} == {None, "token_reused"}
    site.sql("UPDATE contact_token SET created_at = now() - interval '8 days' WHERE token = 'a'")
    assert told(add(site, campaign_id, lead(7, client_token="a"))) == ["added"]
    assert told(add(site, campaign_id, lead(7, client_token="a"))) == ["repeated"]
    site.post(f"/campaigns/{campaign_id}/stop")
    assert told(add(site, campaign_id, lead(7, client_token="a"))) == ["repeated"]
    assert add(site, campaign_id, lead(8), lead(7, client_token="a")).text == ENDED
    # A token is of its campaign.
    assert told(add(site, site.create(1), lead(1, client_token="a"))) == ["added"]


def test_what_cannot_be_called_is_told_and_the_rest_added(site: Site) -> None:
    campaign_id = site.create(1)
    answer = add(
        site,
        campaign_id,
        {"phone_number": "12"},
        lead(1),
        lead(1),
        {"phone_number": "+14155550000"},
        lead(2, priority=101),
        lead(3, expires_at="soon"),
    )
    assert told(answer) == ["rejected", "added", "duplicate", "duplicate", "rejected", "rejected"]
    assert [one["line"] for one in answer.json["results"]] == [1, 2, 3, 4, 5, 6]
    assert answer.json["results"][3]["contact_id"] == listed(site, campaign_id)[0]["id"]
    assert answer.json["results"][4]["reason"] == "priority is '101'; it must be a whole number from 0 to 100"
    figures = {name: answer.json[name] for name in ("added", "repeated", "duplicates", "invalid")}
    assert figures == {"added": 1, "repeated": 0, "duplicates": 2, "invalid": 3}


def test_more_than_a_thousand_objects_are_refused_and_nothing_is_kept(site: Site) -> None:
    campaign_id = site.create(1)
    answer = add(site, campaign_id, *(lead(number % 900) for number in range(1001)))
    assert (answer.status_code, "more than 1000 objects" in answer.text) == (400, True)
    assert len(listed(site, campaign_id)) == 1


@pytest.mark.parametrize("process", [False, True], ids=["in place", "in a process"])
def test_a_csv_is_added_with_its_rejects_of_its_own(
    site: Site, process: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if process:
        monkeypatch.setattr("api.routes.list_body.SHORT_BYTES", 0)
    campaign_id = site.create(1)
    text = (
        "phone_number,first_name,city,client_token,priority\n"
        "+14155559001,Ada,Oslo,t1,5\n12,Bob,,,\n+14155550000,Cy,,,\n+14155559002,Di,,t1,\n"
    )
    answer = add_csv(site, campaign_id, text)
    assert answer.status_code == 201, answer.text
    url = answer.json["rejects_url"]
    figures = {name: answer.json[name] for name in ("added", "repeated", "duplicates", "invalid")}
    assert figures == {"added": 1, "repeated": 0, "duplicates": 1, "invalid": 2}
    told_of = [(one["line"], one["result"], one["code"]) for one in answer.json["results"]]
    assert told_of == [
        (3, "rejected", "invalid_number"),
        (4, "duplicate", "duplicate"),
        (5, "rejected", "token_reused"),
    ]
    assert all(one["reason"] and one["contact_id"] is None for one in answer.json["results"])
    rejects = site.get(url.removeprefix("/api/v1")).text.splitlines()
    assert sorted(line.split(",")[0] + line.split(",")[1] for line in rejects[1:]) == [
        "3invalid_number",
        "4duplicate",
        "5token_reused",
    ]
    assert site.get(f"/campaigns/{campaign_id}/rejects").text.count("\n") == 1
    assert listed(site, campaign_id)[1]["custom_fields"] == {"first_name": "Ada", "city": "Oslo"}
    columns = site.get(f"/campaigns/{campaign_id}").json["import"]["columns"]
    assert [one["column"] for one in columns] == ["first_name", "city"]
    again = add_csv(site, campaign_id, text)
    assert (again.json["repeated"], again.json["added"]) == (1, 0)
    assert again.json["rejects_url"].endswith("addition=2")


def test_of_a_long_file_the_first_rows_that_were_refused_are_told(site: Site) -> None:
    campaign_id = site.create(1)
    answer = add_csv(site, campaign_id, "phone_number\n" + "12\n" * 30 + f"{NEW}\n")
    assert (answer.json["added"], answer.json["invalid"]) == (1, 30)
    assert [one["line"] for one in answer.json["results"]] == list(range(2, 22))


def suppressed(site: Site) -> None:
    """NEW is on a do-not-call list, and GONE was erased."""
    for column, what in (("number", NEW), ("digest", HASH(GONE))):
        site.sql(
            f"INSERT INTO suppression (id, scope, {column}, source, created_by)"
            " VALUES (gen_random_uuid(), 'demo', %s, 'test', 'x')",
            what,
        )


def test_who_is_suppressed_is_rejected_and_of_who_was_erased_nothing_is_kept(site: Site) -> None:
    campaign_id = site.create(1)
    suppressed(site)
    answer = add(site, campaign_id, lead(1), lead(2), lead(3), headers={"Idempotency-Key": "k"})
    assert told(answer) == ["rejected", "rejected", "added"]
    assert [one["code"] for one in answer.json["results"]] == ["suppressed", "suppressed", None]
    assert [one["phone_number"] for one in answer.json["results"]][:2] == [NEW, None]
    assert (answer.json["added"], answer.json["invalid"]) == (1, 2)
    more = add_csv(site, campaign_id, f"phone_number,name\n{NEW},Ann\n{GONE},Zaphod\n+14155559004,Cat\n")
    assert (more.json["added"], more.json["invalid"]) == (1, 2)
    rejects = site.get(more.json["rejects_url"].removeprefix("/api/v1")).text
    assert (rejects.count("suppressed"), NEW in rejects) == (2, True)
    assert [one["phone_number"][-1] for one in listed(site, campaign_id)] == ["0", "3", "4"]
    kept = site.sql("SELECT body FROM idempotency")[0]["body"] + rejects
    assert (GONE in kept, "Zaphod" in kept) == (False, False)


def test_a_repeat_under_its_key_is_the_same_answer(site: Site) -> None:
    campaign_id = site.create(1)
    headers = {"Idempotency-Key": "k"}
    first = add(site, campaign_id, lead(1), headers=headers)
    again = add(site, campaign_id, lead(1), headers=headers)
    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")


def test_who_adds_the_same_at_the_same_time_waits_and_is_told_the_same_contacts(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = site.in_state("running", contacts=1)
    first = [AcceptedRow(1, NEW, {}, ContactOptions("t1")), AcceptedRow(2, "+14155559002", {})]
    tries: list[uuid.UUID] = []
    take_turn = additions.take_turn

    def noted(found: uuid.UUID) -> None:
        tries.append(found)
        take_turn(found)

    with transaction():
        take_turn(uuid.UUID(campaign_id))
        made = additions.add_rows(uuid.UUID(campaign_id), first, [], ERASED)
        monkeypatch.setattr(additions, "take_turn", noted)
        again = gevent.spawn(
            add, site, campaign_id, lead(3), lead(2), {"phone_number": NEW, "client_token": "t1"}
        )
        # By another connection: this one's transaction sees its own moment.
        wait_until(lambda: len(tries) > 1 or gevent.spawn(waiting, site).get(), "the second waiting")
        assert len(tries) > 1, "it waits at the database"
    answer = again.get(timeout=HANG_SECONDS)
    assert told(answer) == ["added", "duplicate", "repeated"]
    ids = [one["contact_id"] for one in answer.json["results"]]
    assert ids[1:] == [str(row.contact_id) for row in reversed(made)]
    contacts = site.sql("SELECT position FROM contact WHERE campaign_id = %s ORDER BY position", campaign_id)
    assert [row["position"] for row in contacts] == [1, 2, 3, 4]
    assert site.get(f"/campaigns/{campaign_id}").json["counts"]["total"] == 4


def test_consent_is_kept_of_whoever_is_added(site: Site) -> None:
    campaign_id = site.create(1)
    said = {"consent_at": "2026-01-31T10:00:00+01:00", "consent_source": "web\tform"}
    assert told(add(site, campaign_id, lead(1, **said), lead(2))) == ["added", "added"]
    text = "phone_number,consent_at,consent_source\n+14155559003,2026-01-31,fair\n+14155559004,,\n"
    assert add_csv(site, campaign_id, text).json["added"] == 2
    kept = [(one["consent_at"], one["consent_source"]) for one in listed(site, campaign_id)[1:]]
    assert kept == [
        ("2026-01-31T09:00:00.000Z", "web\tform"),
        (None, None),
        ("2026-01-31T00:00:00.000Z", "fair"),
        (None, None),
    ]


def test_who_waits_to_add_keeps_no_connection_and_is_told_to_come_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = site.in_state("running", contacts=1)
    kept: list[bool] = []
    clock = SimpleNamespace(monotonic=lambda: retrying.WAIT_SECONDS if kept else 0.0)
    monkeypatch.setattr(retrying, "time", clock)
    pause = SimpleNamespace(sleep=lambda _seconds: kept.append(not db.is_closed()))
    monkeypatch.setattr(retrying, "gevent", pause)
    with transaction():
        additions.take_turn(uuid.UUID(campaign_id))
        answer = gevent.spawn(add, site, campaign_id, lead(1)).get(timeout=HANG_SECONDS)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), answer.text
    assert kept == [False]
    assert told(add(site, campaign_id, lead(1))) == ["added"]


def test_what_ends_while_a_list_is_read_keeps_nothing_of_it(site: Site) -> None:
    campaign_id = site.in_state("running", contacts=1)

    def late(found: uuid.UUID) -> None:
        with transaction():
            assert additions.target(found, "demo").region == "US"
            # By another connection, while this transaction has read the campaign as running.
            stopped = gevent.spawn(site.post, f"/campaigns/{campaign_id}/stop").get(timeout=HANG_SECONDS)
            assert stopped.status_code == 200
            additions.add_rows(found, [AcceptedRow(1, NEW, {})], [], ERASED)

    with pytest.raises(additions.NotOpenError):
        late(uuid.UUID(campaign_id))
    counts = site.get(f"/campaigns/{campaign_id}").json["counts"]
    assert (counts["cancelled"], counts["total"]) == (1, 1)


def test_a_list_of_one_row_that_is_refused_says_why(site: Site) -> None:
    campaign_id = site.create(1)
    answer = add(site, campaign_id, {"phone_number": "12"})
    assert (answer.status_code, "line 1 because" in answer.text) == (400, True)
    other = site.post(f"/campaigns/{campaign_id}/contacts", json={"name": "x", "contacts": [lead(1)]})
    assert (other.status_code, other.text.startswith("name is not known here")) == (400, True)
    text = site.post(f"/campaigns/{campaign_id}/contacts", data=csv_of(1), content_type="text/csv")
    assert text.status_code == 415


def test_a_csv_waits_for_others_for_a_while_and_then_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that waited for as long as an import takes would be kept from everybody else."""
    monkeypatch.setattr(additions, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(retrying, "WAIT_SECONDS", 0.0)
    campaign_id = site.create(1)
    with db.connection_context(), transaction():
        additions.take_turn(uuid.UUID(campaign_id))
        answer = gevent.spawn(add_csv, site, campaign_id, f"phone_number\n{NEW}\n").get(timeout=HANG_SECONDS)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.text == "Another request adds contacts to the campaign; send this one again."
    assert len(listed(site, campaign_id)) == 1
    assert add_csv(site, campaign_id, f"phone_number\n{NEW}\n").json["added"] == 1
