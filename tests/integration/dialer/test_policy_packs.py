"""What policy packs ask of those who dial: who is left alone after which calls, and what is kept of how calls end."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from campaigns.policies import Policy
from dialer.dispatch import number_memory, plan_rows
from dialer.dispatch.claims import Claimed
from dialer.dispatch.plans import Plan
from dialer.dispatch.postponing import postpone_resting
from limits.caps import NumberCaps
from models import CampaignStatus, db, rows
from tests.factories import World, make_campaign
from tests.integration.dialer.house import House
from tests.integration.dialer.one_campaign import claim, due, next_due, wanted
from tests.integration.dialer.test_claims_and_outcomes import DIALER, end, ended
from tests.waiting import wait_until

MIGRATIONS = Path(__file__).parents[3] / "migrations"
FLORIDA, NEW_YORK, LONDON = "+13055550123", "+12125550123", "+442079460123"
ANSWERS = "+14155550010"
"""A number that ends so is picked up."""
DAY = 86_400


def change(statement: str, *values: object) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(statement, *values)


def bound(world: World, number: str, purpose: str | None = "debt", **columns: Any) -> uuid.UUID:
    """A running campaign that packs bind, with one contact of this number."""
    campaign_id = make_campaign(world, 1, policy_packs="on", purpose=purpose, **columns)
    change("UPDATE contact SET phone_number = %s WHERE campaign_id = %s", number, campaign_id)
    return campaign_id


def claimed(campaign_id: uuid.UUID, purpose: str | None = "debt") -> list[Claimed]:
    """What is claimed of those who are due, as a dialer asks for it."""
    policy = Policy(purpose)
    asked = [
        replace(wanted(one), rests=policy.rests_of(one.phone_number)) for one in due(str(campaign_id), 10)
    ]
    return claim(str(campaign_id), DIALER, asked)


def call_and_end(campaign_id: uuid.UUID, disposition: str, purpose: str | None = "debt") -> str:
    (call,) = claimed(campaign_id, purpose)
    end(ended(call.call_id, "completed", disposition=disposition, cause="NORMAL_CLEARING", answered=True))
    return call.call_id


def days_later(days: float) -> None:
    change("UPDATE recent_outcome SET at = at - make_interval(secs => %s)", days * DAY)


def test_a_number_rests_for_seven_days_after_a_conversation_about_a_debt(world: World) -> None:
    call_and_end(bound(world, NEW_YORK), "answered")
    other = bound(world, NEW_YORK)
    assert claimed(other) == []
    days_later(6.99)
    assert claimed(other) == []
    days_later(0.02)
    assert len(claimed(other)) == 1


def test_a_number_rests_for_72_hours_after_an_abandoned_call(world: World) -> None:
    call_and_end(bound(world, LONDON, "service"), "abandoned", "service")
    other = bound(world, LONDON, "sales")
    assert claimed(other, "sales") == []
    days_later(2.99)
    assert claimed(other, "sales") == []
    days_later(0.02)
    assert len(claimed(other, "sales")) == 1


def test_a_call_for_something_else_is_no_conversation_about_a_debt(world: World) -> None:
    call_and_end(bound(world, NEW_YORK, "service"), "answered", "service")
    assert len(claimed(bound(world, NEW_YORK))) == 1


def test_what_a_call_was_for_that_nobody_said_is_taken_for_the_worst(world: World) -> None:
    call_and_end(bound(world, NEW_YORK, None), "answered", None)
    assert claimed(bound(world, NEW_YORK)) == []


def test_other_outcomes_numbers_and_tenants_let_a_number_be_called(world: World) -> None:
    (call,) = claimed(bound(world, NEW_YORK))
    end(ended(call.call_id, "failed", disposition="busy"))
    assert len(claimed(bound(world, NEW_YORK))) == 1
    call_and_end(bound(world, FLORIDA), "answered")
    assert len(claimed(bound(world, "+12125550124"))) == 1
    change("UPDATE recent_outcome SET tenant_id = 'other'")
    assert len(claimed(bound(world, FLORIDA))) == 1


def test_whoever_has_the_same_in_the_key_column_is_left_alone_too(world: World) -> None:
    first, second, third = (
        bound(world, number, key_column="debt_id") for number in (NEW_YORK, "+12125550124", "+12125550125")
    )
    for campaign_id, debt in ((first, "4711"), (second, "4711"), (third, "4712")):
        change("UPDATE contact SET custom_fields = jsonb_build_object('debt_id', %s::text) WHERE campaign_id = %s",
               debt, campaign_id)  # fmt: skip
    call_and_end(first, "answered")
    assert claimed(second) == []
    assert len(claimed(third)) == 1


def test_who_is_left_alone_is_not_read_again_before_that_is_over_and_says_so(world: World) -> None:
    call_and_end(bound(world, NEW_YORK), "answered")
    campaign_id = bound(world, NEW_YORK)
    (contact,) = due(str(campaign_id), 10)
    rests = Policy("debt").rests_of(NEW_YORK)
    assert rests is not None
    postpone_resting({contact.contact_id: rests})
    assert due(str(campaign_id), 10) == []
    waits = next_due(str(campaign_id))
    assert waits is not None
    assert (waits.reason, round(waits.seconds / DAY, 1)) == ("number_cap", 7.0)


def test_a_campaign_without_packs_keeps_nothing_of_its_calls(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim(str(campaign_id), DIALER, [wanted(one) for one in due(str(campaign_id), 1)])
    end(ended(call.call_id, "completed", disposition="answered", answered=True))
    assert change("SELECT 1 FROM recent_outcome") == change("SELECT 1 FROM abandon_count") == []


@pytest.mark.parametrize(
    ("disposition", "kept"),
    [("answered", (1, 1, 0)), ("abandoned", (1, 1, 1)), ("agent_failed", (1, 1, 1)), ("busy", (1, 0, 0))],
)
def test_how_a_call_ended_is_counted_once(world: World, disposition: str, kept: tuple[int, int, int]) -> None:
    call_id = call_and_end(bound(world, NEW_YORK), disposition)
    counted = (
        "SELECT sum(attempts)::int AS a, sum(live)::int AS l, sum(abandoned)::int AS d FROM abandon_count"
    )
    assert [tuple(row.values()) for row in change(counted)] == [kept]
    change("UPDATE call SET billsec = 5 WHERE id = %s", call_id)
    assert [tuple(row.values()) for row in change(counted)] == [kept]


def test_a_late_record_corrects_what_was_counted(world: World) -> None:
    call_id = call_and_end(bound(world, NEW_YORK), "outcome_unknown")
    change("UPDATE call SET disposition = 'answered' WHERE id = %s", call_id)
    counted = (
        "SELECT sum(attempts)::int AS a, sum(live)::int AS l, sum(abandoned)::int AS d FROM abandon_count"
    )
    assert [tuple(row.values()) for row in change(counted)] == [(1, 1, 0)]
    assert claimed(bound(world, NEW_YORK)) == []


def in_place(campaign_id: uuid.UUID, group: int, places: str) -> None:
    change("INSERT INTO campaign_zone (campaign_id, zone_group, zones, places) VALUES (%s, %s, '[]', %s::jsonb)",
           campaign_id, group, places)  # fmt: skip


def plan_of(campaign_id: uuid.UUID) -> Plan:
    return plan_rows.running()[str(campaign_id)]


def test_a_plan_has_the_strictest_caps_of_each_number_and_remembers_as_far_back(world: World) -> None:
    sales, free = bound(world, FLORIDA, "sales"), make_campaign(world, 1)
    in_place(sales, 5, '["US-FL"]')
    plan = plan_of(sales)
    assert plan.caps_on(FLORIDA) == NumberCaps(0, 3)
    assert plan.caps_on(NEW_YORK) == NumberCaps()
    assert plan.ring_seconds_on(FLORIDA) == plan.ring_timeout_seconds
    day = NumberCaps(calls_24h=3).longest_ms
    assert plan.number_caps.memory_ms == plan_of(free).number_caps.memory_ms == day
    assert plan_of(free).caps_on(FLORIDA) == NumberCaps()
    version = change(f"SELECT {plan_rows.VERSION} AS version")
    in_place(sales, 6, '["FR"]')
    assert change(f"SELECT {plan_rows.VERSION} AS version") != version
    assert plan_of(free).number_caps.memory_ms == NumberCaps(calls_30d=4).longest_ms


def test_what_is_remembered_stays_for_30_days_when_no_campaign_asks_for_it_any_more(world: World) -> None:
    """Or all of a tenant's history would be read at each start, and each single call, and nobody called meanwhile."""
    sales, free = bound(world, FLORIDA, "sales"), make_campaign(world, 1)
    in_place(sales, 5, '["US-FL"]')
    day = plan_of(sales).number_caps.memory_ms
    assert day
    change("UPDATE campaign SET status = 'paused' WHERE id = %s", sales)
    assert plan_of(free).number_caps.memory_ms == day
    version = change(f"SELECT {plan_rows.VERSION} AS version")
    change("UPDATE number_memory SET until = until - interval '30 days'")
    assert change(f"SELECT {plan_rows.VERSION} AS version") != version
    assert plan_of(free).number_caps == NumberCaps()


def test_what_is_remembered_is_noted_again_in_time_and_falls_to_what_is_asked_for(world: World) -> None:
    sales, other = bound(world, FLORIDA, "sales"), bound(world, LONDON, "sales")
    in_place(sales, 5, '["US-FL"]')
    in_place(other, 5, '["FR"]')
    month = plan_of(sales).number_caps.memory_ms
    day, left = (
        NumberCaps(calls_24h=3).longest_ms,
        "SELECT ms, until > now() + interval '29 days' AS f FROM number_memory",
    )
    change("UPDATE number_memory SET until = until - interval '2 days'")
    assert plan_of(sales).number_caps.memory_ms == month
    assert change(left) == [{"ms": month, "f": True}]
    change("UPDATE campaign SET status = 'paused' WHERE id = %s", other)
    change("UPDATE number_memory SET until = until - interval '2 days'")
    assert plan_of(sales).number_caps.memory_ms == month
    assert change(left) == [{"ms": month, "f": False}]
    change("UPDATE number_memory SET until = now()")
    assert plan_of(sales).number_caps.memory_ms == day
    assert change(left) == [{"ms": day, "f": True}]


def test_beside_a_dialer_that_notes_none_of_it_those_that_run_are_asked_alone(world: World) -> None:
    """It logs no call without a cap of its own, and what others know would be void at once, again and again."""
    sales, free = bound(world, FLORIDA, "sales"), make_campaign(world, 1)
    in_place(sales, 5, '["US-FL"]')
    assert plan_of(free).number_caps.memory_ms
    change("UPDATE campaign SET status = 'paused' WHERE id = %s", sales)
    older = number_memory.KNOWN - 1
    assert [path.name[:4] for path in MIGRATIONS.glob("*_number_memory.py")] == [f"{number_memory.KNOWN:04d}"]
    change("INSERT INTO dialer (id, knows) VALUES ('d0000000000aa', %s)", older)
    assert plan_of(free).number_caps == NumberCaps()


def test_what_is_remembered_costs_a_tenant_without_packs_nothing(world: World) -> None:
    assert plan_of(make_campaign(world, 1)).number_caps == NumberCaps()


def debtors(world: World, number: str) -> uuid.UUID:
    """A campaign about debts that runs, with this contact."""
    campaign_id = make_campaign(world, 1, status=CampaignStatus.PAUSED, policy_packs="on", purpose="debt")
    change("UPDATE contact SET phone_number = %s WHERE campaign_id = %s", number, campaign_id)
    change("UPDATE campaign SET status = 'running' WHERE id = %s", campaign_id)
    return campaign_id


def test_over_real_calls_a_number_rests_and_its_campaign_says_for_how_long(house: House) -> None:
    house.dialer()
    first = debtors(house.world, ANSWERS)
    over = "SELECT 1 FROM campaign WHERE id = %s AND status = 'completed'"
    wait_until(lambda: change(over, first), "the first")
    second = debtors(house.world, ANSWERS)
    waits = (
        "SELECT next_action_at FROM campaign"
        " WHERE id = %s AND blocked_reason = 'number_cap' AND next_action_at IS NOT NULL"
    )
    (shown,) = wait_until(lambda: change(waits, second), "the word")
    (call,) = change("SELECT ended_at FROM call")
    assert round((shown["next_action_at"] - call["ended_at"]).total_seconds()) == 7 * DAY
