"""A gateway by which agents are reached, and that is paused: nobody is called for nothing, and it comes back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from campaigns import outcome_breakers
from dialer.dispatch.plan_rows import VERSION, running
from dialer.dispatch.plans import Plan
from dialer.holds import HoldKind
from models import Agent, Gateway, Tenant, db, new_id, rows, transaction
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, is_over
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

AGENT = "+14155550110"
"""Answers at once, and hangs up after a while."""
STAYS = "+14155550107"


def one(sql: str, *values: object) -> dict[str, Any]:
    with db.connection_context():
        (row,) = rows(sql, *values)
    return row


def do(sql: str, *values: object) -> None:
    with db.connection_context():
        db.execute_sql(sql, values)


@pytest.fixture
def desk(world: World) -> uuid.UUID:
    """A gateway that nobody's calls leave by, and that the tenant's agent is reached by."""
    with transaction():
        gateway = Gateway.create(name="desk", dial_string="sofia/gateway/desk/{number}")
        Tenant.update(gateway_ids=[str(gateway.id)]).where(Tenant.id == world.tenant_id).execute()
    reach(world, gateway.id, AGENT)
    return gateway.id


def reach(world: World, gateway_id: uuid.UUID, number: str) -> None:
    """The agent is at this number."""
    action = {"type": "bridge", "gateway_id": str(gateway_id), "number": number}
    with transaction():
        Agent.update(action=action).where(Agent.id == world.agent_id).execute()


def pause(gateway_id: uuid.UUID, *, due: str = "30 min") -> None:
    """It was paused; a probe is due so long from now."""
    do(
        "UPDATE gateway SET paused_at = now(), paused_reason = '503', faults_in_row = 5,"
        " probe_at = now() + %s::interval WHERE id = %s",
        due, gateway_id,
    )  # fmt: skip


def pause_prefix(gateway_id: uuid.UUID, prefix: str, *, due: str = "30 min") -> None:
    do(
        "INSERT INTO gateway_prefix (gateway_id, prefix, faults_in_row, paused_at, paused_reason, probe_at)"
        " VALUES (%s, %s, 5, now(), '503', now() + %s::interval)",
        gateway_id, prefix, due,
    )  # fmt: skip


def hold(gateway_id: uuid.UUID, prefix: str, *, due: str = "30 min") -> None:
    do(
        "INSERT INTO breaker (id, gateway_id, prefix, caller_id, probe_at)"
        " VALUES (%s, %s, %s, '', now() + %s::interval)",
        new_id(), str(gateway_id), prefix, due,
    )  # fmt: skip


def called(campaign_id: uuid.UUID, number: str) -> None:
    """All contacts of a campaign have numbers that end so."""
    do(
        "UPDATE contact SET phone_number = '+1415' || lpad(position::text, 5, '0') || %s WHERE campaign_id = %s",
        number, campaign_id,
    )  # fmt: skip


def plan_of(campaign_id: uuid.UUID) -> Plan:
    return running()[str(campaign_id)]


def is_paused(gateway_id: uuid.UUID) -> bool:
    return one("SELECT paused_at FROM gateway WHERE id = %s", gateway_id)["paused_at"] is not None


def says(campaign_id: uuid.UUID) -> tuple[str | None, bool]:
    """Why a campaign is not dialled, and whether it says when it will be."""
    row = one("SELECT blocked_reason, next_action_at FROM campaign WHERE id = %s", campaign_id)
    return row["blocked_reason"], row["next_action_at"] is not None


def legs(node: SimulatedNode) -> tuple[int, int]:
    """How many first and second legs the node has sent."""
    ledger = read_ledger(node.ledger or "")
    return sum(ledger.dialled().values()), len(ledger.legs)


def is_quiet() -> bool:
    return bool(one("SELECT count(*) AS n FROM call WHERE state <> 'ended'")["n"] == 0)


@pytest.mark.parametrize("status", [403, 503])
def test_a_gateway_that_refuses_every_agent_is_paused_before_the_list_is_abandoned(
    world: World, desk: uuid.UUID, node: SimulatedNode, start: Callable[[], Dialer], status: int
) -> None:
    campaign_id = make_campaign(world, 60, max_concurrent_calls=3)
    called(campaign_id, "07")
    node.fault("gateway-refuses", gateway="desk", status=status)
    start()
    wait_until(lambda: says(campaign_id) == ("gateway_paused", True), "the campaign to wait")
    wait_until(is_quiet, "the last calls to end")
    assert one("SELECT paused_reason FROM gateway WHERE id = %s", desk)["paused_reason"].startswith(
        str(status)
    )
    assert one("SELECT count(*) AS n FROM contact WHERE status = 'pending'")["n"] > 30
    assert one("SELECT count(*) AS n FROM gateway WHERE paused_at IS NOT NULL")["n"] == 1


def test_nobody_is_called_while_the_agents_gateway_is_paused_and_one_call_brings_it_back(
    world: World, desk: uuid.UUID, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    pause(desk)
    campaign_id = make_campaign(world, 3, max_concurrent_calls=3)
    called(campaign_id, "07")
    node.fault("gateway-refuses", gateway="desk", status=503)
    start()
    wait_until(lambda: says(campaign_id) == ("gateway_paused", True), "the campaign to say why")
    assert legs(node) == (0, 0)
    # Whoever answers the probe is not connected, and nobody else is called.
    pause(desk, due="-1 min")
    wait_until(lambda: legs(node) == (1, 1) and is_quiet(), "the probe")
    wait_until(lambda: says(campaign_id) == ("gateway_paused", True), "the campaign to wait again")
    assert is_paused(desk)
    assert one("SELECT disposition FROM call")["disposition"] == "abandoned"
    tried = one("SELECT probes, probe_at > now() + interval '60 s' AS later FROM gateway WHERE id = %s", desk)
    assert tried == {"probes": 1, "later": True}
    node.clear()
    do("UPDATE gateway SET probe_at = now() - interval '1 min' WHERE id = %s", desk)
    wait_until(lambda: not is_paused(desk), "the probe whose agent joins")
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert one("SELECT count(*) AS n FROM call WHERE disposition = 'answered'")["n"] == 2


def test_a_gateway_is_back_as_soon_as_an_agent_has_joined_and_not_when_he_hangs_up(
    world: World, desk: uuid.UUID, start: Callable[[], Dialer]
) -> None:
    reach(world, desk, STAYS)
    do("UPDATE agent SET max_call_seconds = 1800")
    pause(desk, due="-1 min")
    campaign_id = make_campaign(world, 1)
    called(campaign_id, "07")
    start()
    wait_until(lambda: not is_paused(desk), "the probe whose agent joins")
    assert not is_quiet()


def test_whoever_does_not_answer_is_no_probe_and_the_next_is_called(
    world: World, desk: uuid.UUID, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    pause(desk, due="-1 min")
    campaign_id = make_campaign(world, 2, max_concurrent_calls=1)
    called(campaign_id, "01")
    start()
    wait_until(lambda: legs(node) == (1, 0) and is_quiet(), "somebody who is busy")
    wait_until(
        lambda: one("SELECT probe_at <= now() AS due FROM gateway WHERE id = %s", desk)["due"],
        "the probe to be given back",
    )
    assert is_paused(desk)


def test_a_first_leg_goes_first(world: World, desk: uuid.UUID) -> None:
    campaign_id = make_campaign(world, 1)
    pause(desk, due="-1 s")
    (waiting,) = plan_of(campaign_id).second_leg_holds(AGENT)
    assert not waiting.probe_due
    assert plan_of(campaign_id).held_whole is HoldKind.PAUSE
    told = plan_of(campaign_id).over_at(HoldKind.PAUSE)
    assert told == waiting.probe_at
    assert one("SELECT %s::timestamptz > now() AS later", told)["later"]
    pause(desk, due="-6 s")
    (due,) = plan_of(campaign_id).second_leg_holds(AGENT)
    assert due.probe_due
    assert plan_of(campaign_id).held_whole is None


@pytest.mark.parametrize(("prefix", "held"), [("+44", True), ("+1", False)])
def test_a_destination_holds_those_whose_agent_is_there(
    world: World, desk: uuid.UUID, prefix: str, held: bool
) -> None:
    reach(world, desk, "+44 20 7946 0010")
    campaign_id = make_campaign(world, 1)
    pause_prefix(desk, prefix)
    assert plan_of(campaign_id).held_whole is (HoldKind.PAUSE if held else None)
    do("DELETE FROM gateway_prefix")
    hold(desk, prefix)
    assert plan_of(campaign_id).held_whole is (HoldKind.BREAKER if held else None)
    do("UPDATE campaign SET breaker_exempt_at = now(), breaker_exempt_by = 'me'")
    assert plan_of(campaign_id).held_whole is None


def test_a_held_destination_of_the_agents_gateway_is_released_by_an_agent_who_joins(
    world: World, desk: uuid.UUID, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    hold(desk, "+1")
    campaign_id = make_campaign(world, 2)
    called(campaign_id, "07")
    start()
    wait_until(lambda: says(campaign_id) == ("breaker", True), "the campaign to say why")
    assert legs(node) == (0, 0)
    with db.connection_context():
        (told,) = outcome_breakers.held(campaign_id)
    assert (told["gateway_id"], told["prefix"]) == (str(desk), "+1")
    do("UPDATE breaker SET probe_at = now() - interval '1 min'")
    wait_until(lambda: one("SELECT released_at FROM breaker")["released_at"] is not None, "the probe")
    wait_until(lambda: is_over(campaign_id), "the campaign's end")


def test_of_agents_that_are_each_contacts_own_those_wait_who_cannot_be_reached(
    world: World, desk: uuid.UUID, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    reach(world, desk, "{manager}")
    pause_prefix(desk, "+44")
    campaign_id = make_campaign(world, 2, max_concurrent_calls=1)
    called(campaign_id, "07")
    do(
        """UPDATE contact SET custom_fields = jsonb_build_object('manager', CASE position
            WHEN (SELECT min(position) FROM contact) THEN '+442079460010' ELSE '+14155550110' END)"""
    )
    start()
    wait_until(lambda: legs(node) == (1, 1) and is_quiet(), "the one whose manager can be reached")
    later = "next_attempt_at > now() + interval '30 s' AS later"
    wait_until(
        lambda: (
            one(f"SELECT {later}, attempts AS a FROM contact WHERE status = 'pending'")
            == {"later": True, "a": 0}
        ),
        "the other to wait",
    )
    do("UPDATE gateway_prefix SET probe_at = now() - interval '1 min' WHERE paused_at IS NOT NULL")
    do("UPDATE contact SET next_attempt_at = NULL WHERE status = 'pending'")
    wait_until(
        lambda: one("SELECT count(*) AS n FROM gateway_prefix WHERE paused_at IS NOT NULL")["n"] == 0,
        "the probe whose agent joins",
    )
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert one("SELECT sum(attempts) AS n FROM contact")["n"] == 2


def test_what_is_read_again_says_when_a_second_leg_may_probe(world: World, desk: uuid.UUID) -> None:
    """The version of the rows changes with the moment: nobody writes then."""
    make_campaign(world, 1)
    pause(desk, due="-1 s")
    with transaction():
        before = one_in(f"SELECT {VERSION} AS version")
        later = one_in(f"SELECT {VERSION} AS version".replace("now()", "(now() + interval '10 s')"))
    assert before != later


def one_in(sql: str) -> str:
    (row,) = rows(sql)
    return str(row["version"])
