"""Contacts by status: the same as a filter over the whole list gives, in any pages, and no more read than a page."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import orjson
import pytest

from campaigns.queries import BLOCK
from models import db
from tests.integration.api.site import Site

STATUSES = ("pending", "originated", "connected", "completed", "failed", "cancelled")


def scattered(site: Site, count: int, seed: int) -> str:
    """A campaign whose contacts are in any state; of the pending, some wait for another call, in no order."""
    drawn = random.Random(seed)
    campaign_id = site.create(count)
    for position in range(1, count + 1):
        status = drawn.choice(STATUSES)
        if status != "pending":
            site.move_contact(campaign_id, position, status)
    site.sql(
        "UPDATE contact SET next_attempt_at = now() + interval '1 second' * ((position * 7919) %% 100)"
        " WHERE campaign_id = %s AND status = 'pending' AND (position * 31) %% 3 = 0",
        campaign_id,
    )
    return campaign_id


def test_pages_by_status_are_the_list_without_the_others(site: Site) -> None:
    campaign_id = scattered(site, 60, seed=3)
    path = f"/campaigns/{campaign_id}/contacts"
    everybody = site.get(f"{path}?limit=1000").json["contacts"]
    for status, limit in product(STATUSES, (1, 3, 100)):
        expected = [contact for contact in everybody if contact["status"] == status]
        assert expected, status
        by_offset: list[Any] = []
        by_start: list[Any] = []
        while page := site.get(f"{path}?status={status}&limit={limit}&offset={len(by_offset)}").json:
            assert page["total"] == len(expected)
            if not page["contacts"]:
                break
            by_offset += page["contacts"]
        while True:
            start = f"&starting_after={by_start[-1]['id']}" if by_start else ""
            page = site.get(f"{path}?status={status}&limit={limit}{start}").json
            if not page["contacts"]:
                break
            by_start += page["contacts"]
        assert by_offset == by_start == expected, (status, limit)


def test_a_contact_s_own_fields_are_all_that_is_told(site: Site) -> None:
    campaign_id = site.create(1)
    for query in ("", "?status=pending"):
        (contact,) = site.get(f"/campaigns/{campaign_id}/contacts{query}").json["contacts"]
        assert "position" not in contact


def test_no_more_is_read_than_the_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20,000 in front of which most were called already; the planner's choice, with its statistics."""
    campaign_id = site.create(1)
    site.sql(
        "INSERT INTO contact (id, campaign_id, position, phone_number, status, call_id)"
        " SELECT gen_random_uuid(), %s, n, '+1' || n, CASE WHEN n %% 4000 = 0 THEN 'originated'"
        " WHEN n < 14000 THEN 'completed' ELSE 'pending' END,"
        " CASE WHEN n %% 4000 = 0 THEN gen_random_uuid() END FROM generate_series(2, 20000) AS n",
        campaign_id,
    )
    site.sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, generation, phone_number, caller_id,"
        " gateway_id, node, dialer_id, sent_by)"
        " SELECT call_id, campaign.tenant_id, campaign.id, contact.id, 1, 1, 0, contact.phone_number, '+14155550100',"
        " phone_number.gateway_id, 'fs1', 'd1', 'd1' FROM contact JOIN campaign ON campaign.id = contact.campaign_id"
        " JOIN phone_number ON phone_number.id = campaign.phone_number_id WHERE call_id IS NOT NULL"
    )
    site.sql("ANALYZE contact")
    for status, after in product(("pending", "originated"), (0, 15_000)):
        path = page(site, campaign_id, status, after)
        plans = plans_of_contacts(site, path, monkeypatch)
        assert plans
        assert sum(read(plan) for plan in plans) <= 25, path


def test_of_those_who_are_over_no_more_is_read_than_parts_in_which_there_are_any(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20,000, half of whom were called, few of those failed, and nobody was cancelled."""
    campaign_id = site.create(1)
    site.sql(
        "INSERT INTO contact (id, campaign_id, position, phone_number, status)"
        " SELECT gen_random_uuid(), %s, n, '+1' || n, CASE WHEN n > 10000 THEN 'pending' WHEN n %% 50 = 1"
        " THEN 'failed' ELSE 'completed' END FROM generate_series(2, 20000) AS n",
        campaign_id,
    )
    site.sql("ANALYZE contact")
    for status, after in product(("completed", "failed", "cancelled"), (0, 5_000, 9_990, 10_000, 15_000)):
        path = page(site, campaign_id, status, after)
        plans = plans_of_contacts(site, path, monkeypatch)
        assert plans
        assert sum(read(plan) for plan in plans) <= 10 * (BLOCK // 50 + 1) * 50, path


def page(site: Site, campaign_id: str, status: str, after: int) -> str:
    """The path of ten contacts in this state, from the beginning or after the contact at this position."""
    start = ""
    if after:
        (found,) = site.sql(
            "SELECT id FROM contact WHERE campaign_id = %s AND position = %s", campaign_id, after
        )
        start = f"&starting_after={found['id']}"
    return f"/campaigns/{campaign_id}/contacts?status={status}&limit=10{start}"


def plans_of_contacts(site: Site, path: str, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the statements of a request that read contacts did."""
    plans: list[dict[str, Any]] = []
    execute = db.obj.execute_sql

    def explained(sql: str, params: Any = None, *rest: Any) -> Any:
        if " FROM contact " in sql:
            ((plan,),) = execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params).fetchall()
            plans.append((orjson.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        return execute(sql, params, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(db.obj, "execute_sql", explained)
        assert site.get(path).status_code == 200
    return plans


def read(plan: dict[str, Any]) -> int:
    """How many rows of tables the plan touched, those it then left out included."""
    own = 0
    if "Relation Name" in plan:
        own = int(plan["Actual Rows"]) + int(plan.get("Rows Removed by Filter", 0))
    return own + sum(read(part) for part in plan.get("Plans", ()))
