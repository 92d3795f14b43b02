"""Nodes that are added, changed and deleted under a running campaign: no contact pays for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dialer.recovery import reconciler
from models import db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, calls_of, change, is_over
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONTACTS = 45
LOST = """
    SELECT count(*) AS lost FROM call WHERE sent_at IS NOT NULL
        AND disposition IN ('switch_lost', 'outcome_unknown', 'congestion') AND sip_status IS NULL"""


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[SimulatedNode]]:
    with (
        SimulatedNode(speed=20, ledger=tmp_path / "one") as one,
        SimulatedNode(speed=20, ledger=tmp_path / "two", password="a password of its own") as two,
    ):
        yield [one, two]


@pytest.fixture
def dialer(world: World, database_url: str, redis_url: str, nodes: list[SimulatedNode]) -> Iterator[Dialer]:
    with db.connection_context():
        db.execute_sql("UPDATE agent SET max_call_seconds = 20, ring_timeout_seconds = 15")
    made = Dialer(database_url, redis_url, f"{nodes[0].url}?name=fs1&cps=10")
    yield made
    made.end()


def add(dialer: Dialer, node: SimulatedNode, password: str | None = None, **columns: int) -> None:
    values = {"cps": 10, "weight": 1} | columns
    change(
        dialer,
        f"INSERT INTO node (id, name, host, port, password, {', '.join(values)})"
        f" VALUES (gen_random_uuid(), 'fs2', '127.0.0.1', %s, %s, {', '.join(map(str, values.values()))})",
        node.port,
        password or node.password,
    )


def in_flight(dialer: Dialer) -> int:
    return dialer.process.live_calls.count_on_node("fs2")


def assert_called_as_recorded(nodes: list[SimulatedNode], contacts: int) -> None:
    """The nodes were asked to dial each number exactly as often as the records say."""
    dialled = read_ledger(*(node.ledger or "" for node in nodes)).dialled()
    with db.connection_context():
        recorded = rows(
            "SELECT phone_number, count(*) AS n FROM call WHERE sent_at IS NOT NULL GROUP BY phone_number"
        )
    assert dialled == {row["phone_number"]: row["n"] for row in recorded}
    assert len(dialled) == contacts


def assert_nobody_was_lost(nodes: list[SimulatedNode], contacts: int) -> None:
    """Everybody was called, and no call was lost, or refused for want of a node."""
    assert_called_as_recorded(nodes, contacts)
    with db.connection_context():
        assert rows(LOST) == [{"lost": 0}]


def test_a_node_that_is_added_takes_calls_and_one_that_is_deleted_loses_none(
    world: World, dialer: Dialer, nodes: list[SimulatedNode]
) -> None:
    campaign_id = make_campaign(world, CONTACTS, refused=False, max_concurrent_calls=20)
    dialer.start()
    one, two = nodes
    wait_until(lambda: calls_of(one) >= 3, "calls on the first node")
    add(dialer, two)
    wait_until(lambda: calls_of(two) >= 5 and in_flight(dialer), "calls on the added node")
    # As it is where a call leaves at the very moment in which the API finds that there is none.
    change(dialer, "UPDATE node SET deleted_at = now()")
    wait_until(lambda: "fs2" not in dialer.process.cluster.links, "the end of the connection")
    assert in_flight(dialer) == 0
    wait_until(lambda: is_over(campaign_id), "the end of the campaign")
    assert_nobody_was_lost(nodes, CONTACTS)


@pytest.fixture
def soon_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may have been ordered of a node that takes nothing new goes back after five seconds, not three minutes."""
    monkeypatch.setattr(reconciler, "UNSEEN_SECONDS", 5.0)


@pytest.mark.usefixtures("soon_denied")
def test_the_calls_of_a_dead_dialer_on_a_deleted_node_are_settled(
    world: World, dialer: Dialer, nodes: list[SimulatedNode], database_url: str, redis_url: str
) -> None:
    with db.connection_context():
        db.execute_sql("UPDATE agent SET max_call_seconds = 200")
    one, two = nodes
    change(dialer, "INSERT INTO node_drain (name, by) VALUES ('fs1', 'test')")
    add(dialer, two, cps=50)
    # The last of them answers and does not hang up.
    campaign_id = make_campaign(world, 8, refused=False, max_concurrent_calls=8)
    dialer.start()

    def answered() -> int:
        with db.connection_context():
            return int(
                rows("SELECT count(*) AS n FROM call WHERE state = 'answered' AND node = 'fs2'")[0]["n"]
            )

    wait_until(answered, "an answered call")
    dialer.die()
    with db.connection_context():
        rows("UPDATE node SET deleted_at = now() - interval '1 day'")
    successor = Dialer(database_url, redis_url, f"{one.url}?name=fs1&cps=10").start()
    try:
        successor.process.nodes_view.purge()
        with db.connection_context():
            rows("DELETE FROM node_drain")
        wait_until(lambda: is_over(campaign_id), "the end of the campaign")
        assert_called_as_recorded(nodes, 8)
        with db.connection_context():
            assert rows("SELECT id FROM call WHERE cause = 'NODE_UNREACHABLE'") == []
        wait_until(lambda: "fs2" not in successor.process.cluster.links, "the end of the connection")
        successor.process.nodes_view.purge()
        with db.connection_context():
            assert rows("SELECT name FROM node") == []
    finally:
        successor.end()


def test_a_changed_password_and_cps_are_heeded_at_once(
    world: World, dialer: Dialer, nodes: list[SimulatedNode]
) -> None:
    dialer.start()
    add(dialer, nodes[1], password="wrong")
    wait_until(lambda: "fs2" in dialer.process.cluster.links, "the link")
    link = dialer.process.cluster.links["fs2"]
    wait_until(lambda: link.last_error, "the refusal")
    told = dialer.process.nodes_view.info(dialer.process.node_health)
    reported = next(one for one in told if one["name"] == "fs2")
    assert (reported["connected"], reported["last_error"]) == (False, link.last_error)
    change(dialer, "UPDATE node SET password = %s, cps = 3", nodes[1].password)
    wait_until(lambda: link.connected, "the link with the right password")
    assert {caps.name: caps.cps for caps in dialer.process.nodes_view.offers()[0]} == {"fs1": 10, "fs2": 3}


def test_the_nodes_of_the_environment_are_used_while_the_list_cannot_be_read(
    world: World, dialer: Dialer, nodes: list[SimulatedNode]
) -> None:
    with db.connection_context():
        rows("ALTER TABLE node RENAME TO away")
    dialer.start()
    assert [caps.name for caps in dialer.process.nodes_view.offers()[0]] == ["fs1"]
    with db.connection_context():
        rows("ALTER TABLE away RENAME TO node")
    campaign_id = make_campaign(world, 3)
    wait_until(lambda: is_over(campaign_id), "the end of the campaign")
