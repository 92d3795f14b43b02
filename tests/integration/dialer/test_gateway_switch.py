"""A gateway that an operator switches off: nothing leaves by it, and its pause stays as it was."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from dialer.dispatch.plan_rows import running
from dialer.holds import HoldKind
from models import Gateway, db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, change, is_over
from tests.unit.dialer.factories import make_call
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PAUSE = "SELECT paused_at, probe_at, probes, faults_in_row FROM gateway WHERE id = %s"


def run(sql: str, *values: object) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(sql, *values)


def switch(gateway_id: uuid.UUID, *, on: bool) -> None:
    run("UPDATE gateway SET outbound_enabled = %s WHERE id = %s", on, gateway_id)


@pytest.fixture
def second(world: World) -> uuid.UUID:
    """Another gateway, which the number's own fails over to."""
    with db.connection_context():
        other: uuid.UUID = Gateway.create(name="second", dial_string="sofia/gateway/second/{number}").id
    run(
        "UPDATE gateway SET failover = jsonb_build_array(%s::text) WHERE id = %s",
        str(other),
        world.gateway_id,
    )
    return other


def ways(node: SimulatedNode) -> set[str | None]:
    return {line.gateway for line in read_ledger(node.ledger or "").accepted}


def test_nothing_leaves_by_a_gateway_that_is_off_and_its_pause_stays_as_it_was(
    world: World, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    """A probe of it is due, and none leaves; it does once the gateway is on."""
    run(
        "UPDATE gateway SET paused_at = now(), paused_reason = '503', faults_in_row = 5, probes = 2,"
        " probe_at = now() - interval '1 min', outbound_enabled = false"
    )
    before = run(PAUSE, world.gateway_id)
    campaign_id = make_campaign(world, 3)
    dialer = start()
    said = "SELECT blocked_reason, next_action_at FROM campaign WHERE id = %s"
    wait_until(lambda: run(said, campaign_id)[0]["blocked_reason"] is not None, "the campaign to say why")
    assert run(said, campaign_id) == [{"blocked_reason": "gateway_paused", "next_action_at": None}]
    assert (ways(node), run(PAUSE, world.gateway_id)) == (set(), before)
    change(dialer, "UPDATE gateway SET outbound_enabled = true WHERE id = %s", world.gateway_id)
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert run(PAUSE, world.gateway_id)[0]["paused_at"] is None


def test_calls_leave_by_the_gateways_that_it_fails_over_to(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], second: uuid.UUID
) -> None:
    switch(world.gateway_id, on=False)
    campaign_id = make_campaign(world, 3)
    start()
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert ways(node) == {"second"}


def test_who_is_carried_by_it_alone_waits_and_is_not_given_up(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], second: uuid.UUID
) -> None:
    run("UPDATE gateway SET prefixes = '[\"+44\"]' WHERE id = %s", second)
    switch(world.gateway_id, on=False)
    campaign_id = make_campaign(world, 1)
    dialer = start()
    said = "SELECT blocked_reason AS word FROM campaign WHERE id = %s"
    wait_until(lambda: run(said, campaign_id)[0]["word"] == "gateway_paused", "the campaign to say why")
    assert ways(node) == set()
    change(dialer, "UPDATE gateway SET outbound_enabled = true WHERE id = %s", world.gateway_id)
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert ways(node) == {"carrier"}


def test_a_call_that_was_to_probe_it_probes_nothing_that_is_off(world: World) -> None:
    campaign_id = str(make_campaign(world, 1))
    run(
        "UPDATE gateway SET paused_at = now(), paused_reason = '503', faults_in_row = 5,"
        " probe_at = now() - interval '1 min'"
    )
    probe = make_call(gateway_id=str(world.gateway_id), probe=True)
    for off in (False, True):
        switch(world.gateway_id, on=not off)
        plan = running()[campaign_id]
        (hold,) = plan.holds(plan.gateways[0], probe.phone_number)
        assert (hold.kind, probe.probes(hold)) == (HoldKind.PAUSE, not off)
