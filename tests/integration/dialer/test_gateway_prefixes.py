"""A carrier that refuses one destination: calls there wait, all others leave, and a probe brings it back."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from dialer.dispatch.plan_rows import running
from models import db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign, make_world
from tests.integration.dialer.dialer_rig import Dialer, is_over
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

REFUSED = "+44207946{:02d}04"
"""The simulated carrier has no capacity for these numbers, ever."""


def one(sql: str, *values: object) -> dict[str, object]:
    with db.connection_context():
        (row,) = rows(sql, *values)
    return row


def number(campaign_id: uuid.UUID, form: str) -> None:
    """Give each contact of a campaign a number."""
    with db.connection_context():
        for contact in rows("SELECT id, position FROM contact WHERE campaign_id = %s", campaign_id):
            found = form.format(int(contact["position"]))
            db.execute_sql("UPDATE contact SET phone_number = %s WHERE id = %s", (found, contact["id"]))


def invites(node: SimulatedNode, start: str) -> int:
    dialled = read_ledger(node.ledger or "").dialled()
    return sum(count for called, count in dialled.items() if called.startswith(start))


def paused_prefixes() -> list[str]:
    with db.connection_context():
        found = rows("SELECT prefix FROM gateway_prefix WHERE paused_at IS NOT NULL")
    return [row["prefix"] for row in found]


def test_five_refusals_of_one_destination_stop_nobody_who_calls_elsewhere(
    world: World, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    with db.connection_context():
        db.execute_sql("UPDATE gateway SET cps = 10")
    elsewhere = make_campaign(world, 60, max_concurrent_calls=4)
    number(elsewhere, "+14155{:03d}01")
    refused = make_campaign(world, 20, max_concurrent_calls=2)
    number(refused, REFUSED)
    start()
    wait_until(lambda: paused_prefixes() == ["+44"], "the destination to be paused")
    wait_until(
        lambda: (
            one("SELECT blocked_reason AS r FROM campaign WHERE id = %s", refused)["r"] == "gateway_paused"
        ),
        "the campaign to say why",
    )
    assert one("SELECT next_action_at IS NOT NULL AS told FROM campaign WHERE id = %s", refused)["told"]
    wait_until(lambda: is_over(elsewhere), "the others to be called")
    assert one("SELECT paused_at FROM gateway")["paused_at"] is None
    row = one("SELECT paused_reason FROM gateway_prefix WHERE prefix = '+44'")
    assert row["paused_reason"] == "503 Service Unavailable"
    assert invites(node, "+44") <= 10
    assert one("SELECT works_at FROM gateway_prefix WHERE prefix = '+1'")["works_at"] is not None
    assert one("SELECT paused_alone FROM gateway")["paused_alone"] is None
    charged = "SELECT coalesce(sum(carrier_refusals + gateway_faults), 0) + sum(attempts) AS n FROM contact"
    wait_until(lambda: one(f"{charged} WHERE campaign_id = %s", refused)["n"] == 0, "nobody to be charged")
    # The carrier takes it again: one call finds out, and the rest follow.
    with db.connection_context():
        db.execute_sql(
            "UPDATE contact SET phone_number = left(phone_number, -2) || '01', next_attempt_at = NULL"
            " WHERE campaign_id = %s",
            (refused,),
        )
        db.execute_sql("UPDATE gateway_prefix SET probe_at = now() WHERE paused_at IS NOT NULL")
    wait_until(lambda: not paused_prefixes(), "the probe that gets through")
    wait_until(lambda: is_over(refused), "the campaign's end")


def test_a_contact_whose_destination_is_paused_leaves_by_a_gateway_that_carries_it(
    world: World, start: Callable[[], Dialer]
) -> None:
    other = make_world("other", "+14155550177")
    with db.connection_context():
        db.execute_sql(
            "UPDATE gateway SET failover = %s::jsonb WHERE id = %s",
            (f'["{other.gateway_id}"]', world.gateway_id),
        )
        rows(
            "INSERT INTO gateway_prefix (gateway_id, prefix, faults_in_row, paused_at, paused_reason, probe_at)"
            " VALUES (%s, '+1', 5, now(), '403', now() + interval '1 h')",
            world.gateway_id,
        )
    campaign_id = make_campaign(world, 3)
    number(campaign_id, "+14155{:03d}01")
    start()
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    with db.connection_context():
        used = rows("SELECT DISTINCT gateway_id FROM call")
    assert [row["gateway_id"] for row in used] == [other.gateway_id]


def test_plans_name_the_destinations_for_which_a_gateway_is_paused(world: World) -> None:
    with db.connection_context():
        db.execute_sql('UPDATE gateway SET prefixes = \'["+1", "+1876"]\'')
        rows(
            "INSERT INTO gateway_prefix (gateway_id, prefix, faults_in_row, paused_at, paused_reason, probe_at)"
            " VALUES (%s, '+1876', 5, now(), '403', now() + interval '1 h')",
            world.gateway_id,
        )
    make_campaign(world, 1)
    (plan,) = running().values()
    (gateway,) = plan.gateways
    assert not plan.holds(gateway, "+14155550100")
    (hold,) = plan.holds(gateway, "+18765550100")
    assert (hold.prefix, hold.probe_due) == ("+1876", False)
    assert plan.probe_at == hold.probe_at
