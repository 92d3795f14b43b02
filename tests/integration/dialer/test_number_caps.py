"""How often a tenant calls one number: what its rows say of that, who waits for it, and over real calls."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import gevent
import psycopg
import pytest

from dialer.capacity import number_rows
from dialer.capacity.number_rows import NumberRows
from dialer.dispatch import plan_rows
from dialer.dispatch.due import Due
from dialer.dispatch.postponing import Postponed, postpone
from models import CampaignStatus, db, new_id, rows
from tests.factories import World, make_campaign
from tests.integration.dialer.house import House
from tests.integration.dialer.one_campaign import due, next_due
from tests.integration.dialer.test_claims_and_outcomes import claim_all
from tests.waiting import wait_until

ANSWERS, BUSY = "+14155550010", "+14155550001"
"""Numbers that end so are picked up, and are busy without a ring."""


def run(sql: str, *parameters: object) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(sql, *parameters)


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ("sent_at = now()", True),
        ("state = 'ended', ended_at = now(), sent_at = now(), disposition = 'busy'", False),
        (
            "state = 'ended', ended_at = now(), sent_at = now(), disposition = 'busy', progress_at = now()",
            True,
        ),
        (
            "state = 'ended', ended_at = now(), sent_at = now(), disposition = 'answered', answered_at = now()",
            True,
        ),
        ("state = 'ended', ended_at = now(), sent_at = now(), disposition = 'outcome_unknown'", True),
        ("state = 'ended', ended_at = now(), sent_at = now(), disposition = 'node_fault'", True),
        ("state = 'ended', ended_at = now(), progress_at = now()", True),
        ("state = 'ended', ended_at = now()", False),
    ],
    ids=["open", "busy", "rang", "answered", "unknown", "node fault", "hung up by us", "never sent"],
)
def test_what_rang_was_answered_or_is_unknown_counts(world: World, row: str, counts: bool) -> None:
    (call,) = claim_all(make_campaign(world, 1))
    run(f"UPDATE call SET {row}")
    (page,) = NumberRows().since(world.tenant_id, 60)
    (found,) = page
    assert (found.call_id, found.number, found.counts) == (call.call_id, call.phone_number, counts)
    assert (found.ended_ms is None) == ("ended" not in row)
    assert [one.counts for one in NumberRows().again([call.call_id])] == [counts]


def test_every_call_of_the_time_is_read_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_rows, "PAGE", 4)
    calls = claim_all(make_campaign(world, 10))
    pages = list(NumberRows().since(world.tenant_id, 60))
    assert [len(page) for page in pages] == [4, 4, 2]
    assert {call.call_id for page in pages for call in page} == {call.call_id for call in calls}
    run("UPDATE call SET created_at = now() - interval '2 days'")
    assert list(NumberRows().since(world.tenant_id, 86_400)) == []
    assert list(NumberRows().since("other", 864_000)) == []


def test_who_waits_for_a_number_is_not_due_before_and_says_so(world: World) -> None:
    campaign_id = str(make_campaign(world, 2))
    first, second = due(campaign_id, 10)
    postpone([late(first, campaign_id, 7200.0)], "number_cap")
    assert [item.contact_id for item in due(campaign_id, 10)] == [second.contact_id]
    postpone([late(first, campaign_id, 60.0)], "number_cap")
    run("DELETE FROM contact WHERE id = %s", second.contact_id)
    waits = next_due(campaign_id)
    assert waits is not None
    assert (waits.reason, round(waits.seconds / 600)) == ("number_cap", 12)
    run("UPDATE contact SET next_attempt_at = now()")
    claim_all(uuid.UUID(campaign_id))
    assert run("SELECT wait_reason FROM contact") == [{"wait_reason": None}]


def late(contact: Due, campaign_id: str, seconds: float) -> Postponed:
    """By the plan that its dialer has now."""
    plan = plan_rows.running()[campaign_id]
    return Postponed(contact.contact_id, seconds, plan.tenant_id, plan.generation, plan.limits_version)


def waits() -> list[str]:
    return [
        row["reason"]
        for row in run("SELECT wait_reason AS reason FROM contact WHERE wait_reason IS NOT NULL")
    ]


@pytest.mark.parametrize("had", [True, False], ids=["caps before", "none before"])
def test_nobody_is_made_to_wait_by_caps_that_hold_no_more(world: World, had: bool) -> None:
    campaign_id = str(make_campaign(world, 1))
    if not had:
        run("DELETE FROM call_limits WHERE tenant_id = 'demo'")
    (contact,) = due(campaign_id, 1)
    judged = late(contact, campaign_id, 7200.0)
    run(
        "INSERT INTO call_limits (tenant_id) VALUES ('demo')"
        " ON CONFLICT (tenant_id) DO UPDATE SET number_calls_24h = NULL"
    )
    postpone([judged], "number_cap")
    assert waits() == []
    postpone([replace(late(contact, campaign_id, 7200.0), generation=99)], "number_cap")
    assert waits() == [], "nor by packs that bind it no more"
    postpone([late(contact, campaign_id, 7200.0)], "number_cap")
    assert waits() == ["number_cap"]


def test_who_is_judged_while_caps_change_waits_until_they_have(world: World, database_url: str) -> None:
    """Else it would be made to wait by the old ones once nobody looks any more for whom to let go."""
    campaign_id = str(make_campaign(world, 1))
    (contact,) = due(campaign_id, 1)
    judged = late(contact, campaign_id, 7200.0)
    with psycopg.connect(database_url) as changing:
        changing.execute("UPDATE call_limits SET number_calls_24h = NULL WHERE tenant_id = 'demo'")
        writing = gevent.spawn(postpone, [judged], "number_cap")
        wait_until(
            lambda: run(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            ),
            "it waits",
        )
    writing.get()
    assert waits() == []


def listed(world: World, *numbers: str, **columns: Any) -> uuid.UUID:
    """A campaign that runs, with these contacts; `columns` are its own."""
    campaign_id = make_campaign(world, 0, status=CampaignStatus.PAUSED, **columns)
    with db.connection_context(), db.atomic():
        for position, number in enumerate(numbers):
            rows(
                "INSERT INTO contact (id, campaign_id, position, phone_number) VALUES (%s, %s, %s, %s)",
                new_id(),
                campaign_id,
                position,
                number,
            )
        rows("UPDATE campaign_count SET pending = %s WHERE campaign_id = %s", len(numbers), campaign_id)
        rows("UPDATE campaign SET status = 'running' WHERE id = %s", campaign_id)
    return campaign_id


def test_a_second_campaign_waits_for_a_number_that_was_reached_and_not_for_one_that_was_not(
    house: House,
) -> None:
    run("UPDATE call_limits SET number_calls_24h = 1")
    house.dialer()
    first = listed(house.world, ANSWERS, BUSY)
    wait_until(
        lambda: run("SELECT 1 FROM campaign WHERE id = %s AND status = 'completed'", first), "the first"
    )
    second = listed(house.world, ANSWERS, BUSY)
    (shown,) = wait_until(
        lambda: run(
            "SELECT next_action_at FROM campaign WHERE id = %s AND blocked_reason = 'number_cap'"
            " AND next_action_at IS NOT NULL",
            second,
        ),
        "the word",
    )
    calls = run("SELECT phone_number, sent_at FROM call ORDER BY phone_number, created_at")
    assert [call["phone_number"] for call in calls] == [BUSY, BUSY, ANSWERS]
    day = shown["next_action_at"] - calls[-1]["sent_at"]
    assert timedelta(hours=23, minutes=59) < day < timedelta(hours=24, minutes=1)
