"""A node that is drained gets no new call, loses none, and gets calls again when it is undrained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models import db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, calls_of, change, is_over
from tests.judging import Judge
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONTACTS = 60
TOLD_SECONDS = 1.0
LATER = 8


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[SimulatedNode]]:
    with (
        SimulatedNode(speed=20, ledger=tmp_path / "one") as one,
        SimulatedNode(speed=20, ledger=tmp_path / "two") as two,
    ):
        yield [one, two]


@pytest.fixture
def dialer(world: World, database_url: str, redis_url: str, nodes: list[SimulatedNode]) -> Iterator[Dialer]:
    with db.connection_context():
        db.execute_sql("UPDATE agent SET max_call_seconds = 20, ring_timeout_seconds = 15")
    urls = ",".join(f"{node.url}?name=fs{n}&cps=10" for n, node in enumerate(nodes, 1))
    made = Dialer(database_url, redis_url, urls)
    yield made
    made.end()


def test_a_drained_node_gets_no_new_call_and_loses_none(
    world: World, dialer: Dialer, nodes: list[SimulatedNode], judge: Judge
) -> None:
    campaign_id = make_campaign(world, CONTACTS, refused=False, max_concurrent_calls=20)
    dialer.start()
    one, two = nodes
    wait_until(lambda: calls_of(one) >= 3, "calls on the first node")
    change(dialer, "INSERT INTO node_drain (name, by) VALUES ('fs1', 'test')")
    open_nodes = dialer.process.nodes_view.offers
    wait_until(lambda: "fs1" not in {caps.name for caps in open_nodes()[0]}, "word of it")
    # What had been claimed by then has left once the scheduler has come to others.
    since = calls_of(two)
    wait_until(lambda: calls_of(two) >= since + LATER, "calls after it")
    before = calls_of(one), calls_of(two)
    assert not is_over(campaign_id)
    wait_until(lambda: is_over(campaign_id), "the end of the campaign")
    assert calls_of(one) == before[0]
    assert calls_of(two) > before[1]
    assert len(read_ledger(one.ledger or "", two.ledger or "").dialled()) == CONTACTS
    with db.connection_context():
        (row,) = rows(
            "SELECT count(*) AS calls, count(*) FILTER (WHERE disposition IN ('switch_lost', 'outcome_unknown',"
            " 'congestion') AND sip_status IS NULL) AS lost FROM call WHERE sent_at IS NOT NULL"
        )
    assert row == {"calls": calls_of(one) + calls_of(two), "lost": 0}
    with db.connection_context():
        (moved,) = rows(
            "SELECT max(extract(epoch FROM call.created_at - node_drain.at))::float8 AS seconds FROM call, node_drain"
            " WHERE call.node = node_drain.name AND call.sent_at IS NOT NULL"
        )
    judge.at_most(max(0.0, moved["seconds"]), TOLD_SECONDS, "seconds until the last call to the drained node")


def test_with_every_node_drained_a_campaign_says_so_and_goes_on_after(
    world: World, dialer: Dialer, nodes: list[SimulatedNode]
) -> None:
    change(dialer, "INSERT INTO node_drain (name, by) VALUES ('fs1', 'test'), ('fs2', 'test')")
    campaign_id = make_campaign(world, 3)
    dialer.start()

    def says(reason: str) -> bool:
        with db.connection_context():
            (row,) = rows("SELECT blocked_reason FROM campaign WHERE id = %s", campaign_id)
        return bool(row["blocked_reason"] == reason)

    wait_until(lambda: says("draining"), "the reason")
    assert [calls_of(node) for node in nodes] == [0, 0]
    change(dialer, "DELETE FROM node_drain")
    wait_until(lambda: is_over(campaign_id), "the end of the campaign")
