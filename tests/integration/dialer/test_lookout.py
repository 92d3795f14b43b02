"""What a dialer sees of the rows with one statement: everything that the parts which it wakes would find."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import psycopg
import pytest

from campaigns import calls_to_end, stopping
from dialer import lookout
from dialer.dispatch import node_entries, plan_rows
from dialer.dispatch.plan_board import PlanBoard
from dialer.lookout import Sight
from models import db, rows
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer
from tests.integration.dialer.test_claims_and_outcomes import DIALER
from tests.integration.dialer.test_plans import CALLS_IN_FLIGHT, CALLS_OVER, placed
from tests.waiting import wait_until

THEIRS = "d0000000000ff"


def seen() -> Sight:
    return lookout.look(DIALER)


def change(statement: str, *values: object) -> None:
    with db.connection_context():
        rows(statement, *values)


def flags(sight: Sight) -> set[str]:
    return {name for name in ("calls_to_end", "stops", "records", "maybe_live") if getattr(sight, name)}


def test_of_nothing_nothing_is_seen(world: World) -> None:
    sight = seen()
    assert (flags(sight), sight.unsettled, sight.drained, sight.nodes) == (set(), [], [], [])


def test_a_halt_may_have_calls_to_end(world: World) -> None:
    change("INSERT INTO halt (scope, by) VALUES ('demo', 'test')")
    assert flags(seen()) == {"calls_to_end"}


def test_a_halt_is_heeded_while_the_look_at_everything_else_waits(
    world: World, start: Callable[[], Dialer], database_url: str
) -> None:
    """Nobody tells of it, and the statement that looks at the rest waits for a lock all the while."""
    gate = start().process.send_gate
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE node_drain IN ACCESS EXCLUSIVE MODE")
        waiting = "SELECT FROM pg_locks WHERE relation = 'node_drain'::regclass AND NOT granted"
        wait_until(lambda: other.execute(waiting).fetchall(), "the look to wait")
        assert gate.allows("demo", "c", 1)
        change("INSERT INTO halt (scope, by) VALUES ('demo', 'test')")
        wait_until(lambda: not gate.allows("demo", "c", 1), "the halt to be heeded", seconds=60)
        assert gate.allows("other", "c", 1)
        change("DELETE FROM halt")
        wait_until(lambda: gate.allows("demo", "c", 1), "its end to be heeded")


def test_calls_that_have_to_end_are_seen_whoever_owns_them_until_they_are_over(world: World) -> None:
    _, (call_id,) = placed(world, CALLS_IN_FLIGHT, 1, THEIRS)
    assert flags(seen()) == set()
    change("UPDATE call SET hangup_at = now() WHERE id = %s", call_id)
    with db.connection_context():
        assert [call.call_id for call in calls_to_end.to_end("*")] == [call_id]
    assert flags(seen()) == {"calls_to_end"}
    change("UPDATE call SET state = 'ended', ended_at = now() WHERE id = %s", call_id)
    assert flags(seen()) == set()


def test_a_stop_is_seen_once_whoever_began_it_may_be_dead(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    change(
        "UPDATE campaign SET status = 'completed', completed_at = now(), end_reason = 'stopped', stopping_at = now()"
        " WHERE id = %s",
        campaign_id,
    )
    assert flags(seen()) == set()
    change("UPDATE campaign SET stopping_at = now() - interval '2.1 s' WHERE id = %s", campaign_id)
    with db.connection_context():
        assert stopping.left_over() == [campaign_id]
    assert flags(seen()) == {"stops"}


@pytest.mark.parametrize(
    ("sql", "owner", "ours"),
    [(CALLS_IN_FLIGHT, DIALER, True), (CALLS_OVER, THEIRS, True), (CALLS_IN_FLIGHT, THEIRS, False)],
)
def test_a_record_is_seen_by_who_may_apply_it_until_it_is(
    world: World, sql: str, owner: str, ours: bool
) -> None:
    _, (call_id,) = placed(world, sql, 1, owner)
    change("INSERT INTO cdr_inbox (uuid, node, variables) VALUES (%s, 'fs1', '{}')", call_id)
    assert ("records" in flags(seen())) is ours
    change("UPDATE cdr_inbox SET applied_at = now()")
    assert "records" not in flags(seen())


def test_a_call_that_keeps_its_slots_is_seen_by_its_owner(world: World) -> None:
    for owner, is_seen in ((THEIRS, set()), (DIALER, {"maybe_live"})):
        _, (call_id,) = placed(world, CALLS_OVER, 1, owner)
        change("UPDATE call SET slot_until = now() + interval '1 min' WHERE id = %s", call_id)
        assert flags(seen()) == is_seen


def test_who_may_have_left_something_is_seen(world: World) -> None:
    placed(world, CALLS_IN_FLIGHT, 1, THEIRS)
    change("INSERT INTO dialer (id, knows) VALUES (%s, 1)", DIALER)
    assert seen().unsettled == sorted([DIALER, THEIRS])


def test_nodes_are_seen_as_they_are_listed(world: World) -> None:
    change(
        "INSERT INTO node (id, name, host, port, password, cps, weight) VALUES (%s, 'fs9', 'h', 8021, 'x', 7, 2)",
        uuid.uuid4(),
    )
    change("INSERT INTO node_drain (name, by) VALUES ('fs1', 'test')")
    with db.connection_context():
        listed = node_entries.read_table()
    assert list(seen().nodes) == listed != []
    assert seen().drained == ["fs1"]


PAUSED = """
INSERT INTO gateway_prefix (gateway_id, prefix, faults_in_row, paused_at, paused_reason, probe_at)
SELECT id, '+1', 5, now(), '403', now() + interval '1 h' FROM gateway
"""
HELD = """
INSERT INTO breaker (id, gateway_id, prefix, caller_id, probe_at)
SELECT gen_random_uuid(), '', '', e164, now() + interval '1 h' FROM phone_number
"""
OFF = "UPDATE gateway SET outbound_enabled = false"
LET_GO = {
    OFF: "UPDATE gateway SET outbound_enabled = true",
    PAUSED: "UPDATE gateway_prefix SET faults_in_row = 0, paused_at = NULL, probe_at = NULL",
    HELD: "UPDATE breaker SET released_at = now()",
}
CHANGES = {
    "campaign": "UPDATE campaign SET weight = 7",
    "campaign that ends": "UPDATE campaign SET status = 'completed', completed_at = now(), end_reason = 'stopped'",
    "number": "UPDATE phone_number SET outbound_enabled = false",
    "gateway": "UPDATE gateway SET cps = 7",
    "gateway that is off": OFF,
    "gateway in doubt": "UPDATE gateway SET faults_in_row = 2",
    "refused destination": (
        "INSERT INTO gateway_prefix (gateway_id, prefix, faults_in_row) SELECT id, '+1', 1 FROM gateway"
    ),
    "paused destination": PAUSED,
    "breaker": HELD,
    "exempt campaign": "UPDATE campaign SET breaker_exempt_at = now(), breaker_exempt_by = 'crm'",
    "agent": "UPDATE agent SET ring_timeout_seconds = 31",
    "agent that is held": "UPDATE agent SET held_at = now()",
    "tenant": "UPDATE tenant SET weight = 7",
    "limits": "UPDATE call_limits SET calls_per_minute = 7",
    "slow start": "UPDATE campaign_ramp SET level = 2",
    "halt": "INSERT INTO halt (scope, by) VALUES ('*', 'test')",
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_is_another_plan_is_another_version(world: World, what: str) -> None:
    campaign_id = make_campaign(world, 1, slow_start=True)
    change("INSERT INTO campaign_ramp (campaign_id, generation) SELECT id, generation FROM campaign")
    before, version = plan_rows.running(), seen().plans
    assert str(campaign_id) in before
    assert seen().plans == version
    change(CHANGES[what])
    assert plan_rows.running() != before
    assert seen().plans != version


@pytest.mark.parametrize(
    "paused", ["UPDATE gateway SET paused_at = now(), probe_at = now() + interval '1 h'", PAUSED, HELD]
)
def test_a_probe_that_becomes_due_is_another_version(world: World, paused: str) -> None:
    make_campaign(world, 1)
    change(paused)
    later = plan_rows.VERSION.replace("now()", "now() + interval '2 h'")
    with db.connection_context():
        (version,) = rows(f"SELECT {plan_rows.VERSION} AS now, {later} AS later")
    assert version["now"] != version["later"]


@pytest.mark.parametrize("held", [PAUSED, HELD, OFF])
def test_what_another_dialer_holds_and_lets_go_is_heeded_through_the_version_alone(
    world: World, held: str
) -> None:
    campaign_id = str(make_campaign(world, 1))
    board = PlanBoard(lambda _kind, _name, cps: cps, now=lambda: 0.0)

    def holds() -> bool:
        board.read(seen().plans)
        plan = board.plans[campaign_id]
        return bool(plan.holds(plan.gateways[0], "+14155550123"))

    assert not holds()
    change(held)
    assert holds()
    change(LET_GO[held])
    assert not holds()


def test_what_calls_do_is_no_other_version(world: World) -> None:
    make_campaign(world, 3)
    change("INSERT INTO gateway_prefix (gateway_id, prefix, works_at) SELECT id, '+1', now() FROM gateway")
    version = seen().plans
    change("UPDATE contact SET attempts = 1, updated_at = now()")
    change("UPDATE gateway_prefix SET works_at = now()")
    assert seen().plans == version
