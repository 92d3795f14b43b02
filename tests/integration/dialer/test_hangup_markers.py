"""No hangup marker stays in a node's hash for ever: not under load, nor where links are cut, nor when dialers die."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from functools import partial

import gevent
import pytest

from dialer.recovery import hangup_markers as module
from dialer.recovery.hangup_markers import BATCH, HangupMarkers
from freeswitch.cluster import Cluster, NodeConfig, NodeLink
from freeswitch.commands import hangup_marker_list, hangup_markers_in
from models import db, new_id, rows
from simulator.process import SimulatedNode
from tests.chaos.proxy import Proxy
from tests.factories import World, make_campaign
from tests.unit.freeswitch.samples import DIALER
from tests.waiting import wait_until

MARKS = 3_000
CUTS = 6
_CALL = """
INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, generation, phone_number, caller_id, gateway_id, node,
    dialer_id, sent_by, state, ended_at, slot_until)
SELECT %s, tenant_id, id, %s, 1, 0, '1', '2', %s, 'fs1', 'd1', 'd1', %s, now() - %s::interval, now() + %s::interval
FROM campaign WHERE id = %s
"""


@pytest.fixture
def proxy(node: SimulatedNode) -> Iterator[Proxy]:
    made = Proxy("fs1", node.port)
    yield made
    made.close()


@pytest.fixture
def cluster(node: SimulatedNode, proxy: Proxy) -> Iterator[Cluster]:
    made = Cluster(
        [NodeConfig("fs1", "127.0.0.1", proxy.port, node.password)], DIALER, lambda *_: None, lambda _: None
    )
    made.start()
    wait_until(made.connected, "the link")
    yield made
    made.stop()


def mark(link: NodeLink, call_ids: list[str]) -> None:
    """What the calls' own hooks do as they end."""
    for at in range(0, len(call_ids), BATCH):
        lines = [f"hash insert/carillon/{call_id}/done" for call_id in call_ids[at : at + BATCH]]
        assert link.api_many(lines) == ["+OK\n"] * len(lines)


def marked(link: NodeLink) -> set[str]:
    return set(hangup_markers_in(link.api_apart(hangup_marker_list(), 10.0)))


def are_left(link: NodeLink, number: int) -> bool:
    return len(marked(link)) == number


def test_none_is_forgotten_at_500_a_second_while_the_link_is_cut_again_and_again(
    cluster: Cluster, proxy: Proxy
) -> None:
    link = cluster.links["fs1"]
    call_ids = [str(new_id()) for _ in range(MARKS)]
    mark(link, call_ids)
    assert marked(link) == set(call_ids)
    markers = HangupMarkers(cluster, lambda _: False)
    commits = [call_ids[at : at + 10] for at in range(0, MARKS, 10)]
    began = time.monotonic()
    for number, ended in enumerate(commits):
        gevent.sleep(max(0.0, began + number * 0.02 - time.monotonic()))
        markers.forget("fs1", ended)
        markers.round()
        if number % (len(commits) // CUTS) == 0:
            proxy.reset()

    def is_empty() -> bool:
        markers.round()
        return bool(cluster.connected()) and not marked(link)

    wait_until(is_empty, "an empty hash")
    assert not any(markers.left.values())
    markers.stop()


def call_of(campaign_id: uuid.UUID, contact_id: uuid.UUID, state: str, **columns: object) -> str:
    """The row of a call that was sent an hour ago."""
    call_id = new_id()
    values = {"state": state, "ended_at": None, "slot_until": None} | columns
    rows(_CALL, call_id, contact_id, new_id(), *values.values(), campaign_id)
    return str(call_id)


def test_what_a_dialer_took_along_when_it_died_is_found_in_the_hash_and_nothing_else(
    world: World, cluster: Cluster
) -> None:
    link = cluster.links["fs1"]
    campaign_id = make_campaign(world, contacts=5)
    with db.connection_context():
        contacts = [row["id"] for row in rows("SELECT id FROM contact WHERE campaign_id = %s", campaign_id)]
        over = [call_of(campaign_id, contact, "ended", ended_at="1 hour") for contact in contacts[:2]]
        others = [
            call_of(campaign_id, contacts[2], "answered"),
            call_of(campaign_id, contacts[3], "ended", ended_at="1 hour", slot_until="1 hour"),
            call_of(campaign_id, contacts[4], "ended", ended_at="1 second"),
            str(uuid.uuid4()),
        ]
    mark(link, [*over, *others])
    link.api("hash insert/carillon/not-a-call/done")
    link.api(f"hash insert/elsewhere/{over[0]}/done")
    turns = ["fs2", "fs1"]
    markers = HangupMarkers(cluster, lambda node: node == turns.pop())
    markers.look()
    wait_until(lambda: marked(link) == set(others), "those of ended calls gone")
    assert link.api("hash select/carillon/not-a-call") == "done"
    assert link.api(f"hash select/elsewhere/{over[0]}") == "done"
    mark(link, over)
    markers.look()
    assert marked(link) == {*over, *others}, "it was not this dialer's turn"
    markers.stop()


def test_more_than_can_be_kept_in_mind_is_found_again(
    world: World, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    monkeypatch.setattr(module, "LOOKED_UP", 2)
    link = cluster.links["fs1"]
    campaign_id = make_campaign(world, contacts=5)
    with db.connection_context():
        contacts = [row["id"] for row in rows("SELECT id FROM contact WHERE campaign_id = %s", campaign_id)]
        over = [call_of(campaign_id, contact, "ended", ended_at="1 hour") for contact in contacts]
    mark(link, over)
    markers = HangupMarkers(cluster, lambda _: True)
    markers.forget("fs1", over)
    assert len(markers.left["fs1"]) == 2
    for left in (3, 1, 0):
        wait_until(partial(are_left, link, left), "as many as are kept in mind gone")
        markers.look()
    markers.stop()
