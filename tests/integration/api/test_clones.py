"""Calling again: a campaign for those of another who ended as it is asked for, and what belongs together."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from api.routes import campaign_clones, list_body
from campaigns import cloning
from campaigns.number_hash import NumberHash
from models import Campaign, rows
from tests.integration.api.site import PEPPER, Site

SETTINGS = {
    "max_concurrent_calls": 7,
    "retries_per_contact": 2,
    "retry_delay_seconds": 900,
    "weight": 3,
    "slow_start": True,
    "keep_open": True,
    "dial_order": "new_first",
    "time_zone": "Europe/Berlin",
    "metadata": {"owner": "sales"},
}
TIMES = {"end_at": "2099-01-01T00:00:00Z", "external_id": "crm-1"}


def clone(site: Site, campaign_id: str, **query: str) -> Any:
    return site.post(f"/campaigns/{campaign_id}/clone", query_string=query)


def ended(site: Site, **contacts: str) -> str:
    """A campaign that has ended, with a contact for each disposition; its id."""
    body = site.fields(**SETTINGS | TIMES) | {
        "contacts": [
            {"phone_number": f"+1415555{place:04d}", "city": "Oslo"} for place in range(len(contacts))
        ]
    }
    campaign_id: str = site.post("/campaigns", json=body).json["id"]
    for place, (disposition, status) in enumerate(contacts.items(), 1):
        site.move_contact(campaign_id, place, status)
        site.sql(
            "UPDATE contact SET disposition = %s WHERE campaign_id = %s AND position = %s",
            disposition,
            campaign_id,
            place,
        )
    assert site.post(f"/campaigns/{campaign_id}/stop").status_code == 200
    return campaign_id


def numbers(site: Site, campaign_id: str) -> list[str]:
    found = site.get(f"/campaigns/{campaign_id}/contacts").json["contacts"]
    assert all(
        (one["status"], one["attempts"], one["custom_fields"]) == ("pending", 0, {"city": "Oslo"})
        for one in found
    )
    return [one["phone_number"][-1] for one in found]


def test_who_ended_as_is_asked_for_is_called_again_with_the_same_settings(site: Site) -> None:
    source = ended(site, busy="failed", answered="completed", no_answer="failed", invalid="failed")
    made = clone(site, source, status="failed", disposition="busy,no_answer")
    assert made.status_code == 201, made.text
    told = made.json
    assert {name: told[name] for name in SETTINGS} == SETTINGS
    assert {name: told[name] for name in TIMES} == dict.fromkeys(TIMES)
    assert (told["name"], told["status"], told["created_by"]) == ("Reminders (2)", "draft", "operate key")
    assert (told["started_at"], told["completed_at"], told["end_reason"]) == (None, None, None)
    assert (told["counts"]["pending"], told["import"]["accepted"], told["cloned_from"]) == (2, 2, source)
    assert [one["column"] for one in told["import"]["columns"]] == ["city"]
    assert numbers(site, told["id"]) == ["0", "2"]
    assert numbers(site, clone(site, source, name="All").json["id"]) == ["0", "1", "2", "3"]
    started = site.post(f"/campaigns/{told['id']}/start")
    assert (started.status_code, started.json["status"]) == (200, "running")


def test_who_is_suppressed_is_not_called_again(site: Site) -> None:
    source = ended(site, busy="failed", answered="completed", no_answer="failed")
    for column, what in (("number", "+14155550000"), ("digest", NumberHash(PEPPER)("+14155550001"))):
        site.sql(
            f"INSERT INTO suppression (id, scope, {column}, source, created_by)"
            " VALUES (gen_random_uuid(), 'demo', %s, 'test', 'x')",
            what,
        )
    made = clone(site, source).json
    assert (made["counts"]["pending"], made["import"]["accepted"]) == (1, 1)
    assert numbers(site, made["id"]) == ["2"]
    assert clone(site, source, disposition="busy").status_code == 409


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_pages_leave_out_nobody_where_somebody_was_taken_out(site: Site, order: str) -> None:
    source = ended(site, busy="failed", answered="completed", no_answer="failed", invalid="failed")
    site.sql(
        "INSERT INTO suppression (id, scope, digest, source, created_by)"
        " VALUES (gen_random_uuid(), 'demo', %s, 'test', 'x')",
        NumberHash(PEPPER)("+14155550001"),
    )
    made = clone(site, source).json["id"]
    pages = [
        site.get(
            f"/campaigns/{made}/contacts", query_string={"limit": 1, "offset": offset, "order": order}
        ).json["contacts"]
        for offset in range(4)
    ]
    places = [one["phone_number"][-1] for page in pages for one in page]
    assert places == (["0", "2", "3"] if order == "oldest" else ["3", "2", "0"])


def test_who_is_not_to_be_called_for_a_campaign_is_not_called_for_one_that_repeats_it(site: Site) -> None:
    source = ended(site, busy="failed", answered="completed", no_answer="failed", invalid="failed")
    other = ended(site, busy="failed", answered="completed")
    for entry in (
        {"number": "+14155550000", "campaign_id": source, "reason": "asked"},
        {"prefix": "+14155550001", "campaign_id": source, "expires_at": "2099-01-01T00:00:00Z"},
        {"number": "+14155550002", "campaign_id": other},
        {"number": "+14155550003", "campaign_id": source},
    ):
        assert site.post("/suppressions", json=entry).status_code == 201
    site.sql("UPDATE suppression SET expires_at = now() WHERE number = '+14155550003'")
    made = clone(site, source).json["id"]
    assert numbers(site, made) == ["2", "3"]
    # Their ids are drawn within one millisecond: any of them may be the first.
    entries = sorted(
        (one["number"] or one["prefix"], one["reason"], one["expires_at"])
        for one in site.get("/suppressions").json["suppressions"]
        if one["campaign_id"] == made
    )
    assert sorted(entries) == [
        ("+14155550000", "asked", None),
        ("+14155550001", None, "2099-01-01T00:00:00.000Z"),
    ]
    added = site.post(f"/campaigns/{made}/contacts", json={"contacts": [{"phone_number": "+14155550000"}]})
    assert [one["code"] for one in added.json["results"]] == ["suppressed"]


def test_a_family_is_told_with_the_counts_of_all(site: Site) -> None:
    source = ended(site, busy="failed", answered="completed")
    assert "family" not in site.get(f"/campaigns/{source}").json
    second = clone(site, source, disposition="busy").json["id"]
    site.move_contact(second, 1, "failed")
    site.post(f"/campaigns/{second}/stop")
    third = clone(site, second).json
    assert third["name"] == "Reminders (3)"
    for campaign_id in (source, second, third["id"]):
        family = site.get(f"/campaigns/{campaign_id}").json["family"]
        assert [(one["id"], one["cloned_from"]) for one in family["campaigns"]] == [
            (source, None),
            (second, source),
            (third["id"], second),
        ]
        counts = {name: number for name, number in family["counts"].items() if number}
        assert counts == {"total": 4, "pending": 1, "completed": 1, "failed": 2}


def test_nobody_is_copied_who_is_called_or_waits_or_has_expired(site: Site) -> None:
    source = site.in_state("running", contacts=4)
    site.move_contact(source, 1, "originated")
    site.move_contact(source, 2, "failed")
    site.move_contact(source, 3, "failed")
    site.sql("UPDATE contact SET expires_at = now() WHERE position = 3")
    assert clone(site, source).json["counts"]["total"] == 1
    assert clone(site, source, status="pending,failed").json["counts"]["total"] == 2
    refused = clone(site, source, status="originated")
    assert (refused.status_code, refused.text.startswith("status is 'originated'; it must be of ")) == (
        400,
        True,
    )
    assert clone(site, source, disposition="bussy").status_code == 400


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (
            "stopping_at = now(), status = 'completed', completed_at = now(), end_reason = 'stopped'",
            "being stopped",
        ),
        ("purged_at = now()", "no contacts any more"),
        ("name = name", "nobody to call again"),
    ],
)
def test_what_cannot_be_repeated_is_refused_and_nothing_is_made(site: Site, change: str, word: str) -> None:
    source = site.in_state("paused")
    site.sql(f"UPDATE campaign SET {change} WHERE id = %s", source)
    answer = clone(site, source)
    assert (answer.status_code, word in answer.text) == (409, True)
    assert site.get("/campaigns").json["total"] == 1
    assert site.post(f"/campaigns/{source}/clone", tenant="other").status_code == 404


def test_every_column_of_a_campaign_is_a_setting_or_named_as_none() -> None:
    own = {"id", "name", "created_at", "created_by", "cloned_from", "family_id"}
    settings = {
        "tenant_id", "agent_id", "phone_number_id", "max_concurrent_calls", "retries_per_contact",
        "retry_delay_seconds", "time_zone", "weight", "slow_start", "keep_open", "metadata", "import_columns",
        "import_region", "retry_rules", "dial_order", "windows", "holidays", "zones_read", "policy_packs", "purpose",
        "key_column", "duplicates", "duplicates_hours",
    }  # fmt: skip
    columns = {field.column_name for field in Campaign._meta.sorted_fields}
    assert columns == own | settings | cloning.NO_SETTINGS.keys()


def test_who_clones_waits_for_a_turn_among_the_imports_and_its_statements_are_bounded(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ended(site, busy="failed")
    bounds: list[str] = []
    real = cloning.clone

    def noted(*args: Any, **named: Any) -> Any:
        bounds.append(rows("SHOW statement_timeout")[0]["statement_timeout"])
        return real(*args, **named)

    monkeypatch.setattr(cloning, "clone", noted)
    assert clone(site, source).status_code == 201
    assert bounds == [f"{campaign_clones.CLONE_SECONDS // 60}min"]
    monkeypatch.setattr(list_body, "QUEUE_SECONDS", 0)
    with ExitStack() as held:
        for _ in range(list_body.IMPORTS_AT_ONCE):
            held.enter_context(list_body.import_slot("somebody"))
        refused = clone(site, source)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5"), refused.text
    assert len(bounds) == 1
