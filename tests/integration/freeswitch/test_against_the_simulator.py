"""The whole path to a node that another hand wrote: commands, escaping, filters, events and questions."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
import pytest

from freeswitch import commands
from freeswitch.cluster import Cluster, LinkChange, NodeConfig, NodeLink
from freeswitch.events import ChannelEvent, Event, JobResult, channel_from_dump
from freeswitch.hangup import Hangup
from freeswitch.originate import endpoint
from tests.integration.freeswitch.scripted_node import PASSWORD
from tests.unit.freeswitch.samples import DIALER
from tests.unit.freeswitch.test_originate import HOSTILE, REQUEST
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Node:
    """A simulated node, and what a dialer hears from it."""

    port: int
    ledger: Path
    events: list[Event] = field(default_factory=list)
    changes: list[LinkChange] = field(default_factory=list)
    replies: list[str | None] = field(default_factory=list)

    def cluster(self, dialer_id: str = DIALER) -> Cluster:
        config = NodeConfig("fs1", "127.0.0.1", self.port, PASSWORD)
        cluster = Cluster(
            [config], dialer_id, lambda _, event: self.events.append(event), self.changes.append
        )
        cluster.start()
        wait_until(cluster.connected, what="the link")
        return cluster

    def call(self, link: NodeLink, plan: str, dialer_id: str = DIALER, **variables: str) -> str:
        call_id = str(uuid.uuid4())
        request = replace(
            REQUEST,
            call_id=call_id,
            dialer_id=dialer_id,
            endpoint=endpoint("sofia/gateway/carrier/{digits}", f"+155500{plan}"),
            variables=variables,
        )
        link.originate(request, lambda: True, self.replies.append)
        return call_id

    def hangups(self) -> dict[str, Hangup]:
        return {
            e.call_id: e.hangup for e in self.events if isinstance(e, ChannelEvent) and e.hangup is not None
        }


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    ledger = tmp_path / "ledger"
    command = [sys.executable, "-m", "simulator", "--port", "0", "--seed", "1", "--speed", "20"]
    with subprocess.Popen(
        [*command, "--sps", "5000", "--ledger", str(ledger)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield Node(int(line.rpartition(":")[2]), ledger)
        finally:
            process.terminate()


def test_every_hostile_value_arrives_unchanged(node: Node) -> None:
    cluster = node.cluster()
    link = cluster.links["fs1"]
    sent = {node.call(link, "01", carillon_v=value): value for value in HOSTILE}
    wait_until(lambda: node.hangups().keys() == sent.keys(), what="the end of every call")
    cluster.stop()
    lines = [orjson.loads(line) for line in node.ledger.read_bytes().splitlines()]
    arrived = {e["uuid"]: e["variables"].get("carillon_v", "") for e in lines if e["event"] == "originate"}
    assert arrived == sent
    assert node.replies == [f"+OK Job-UUID: {DIALER}.{call_id}" for call_id in sent]


def test_the_end_of_a_call_is_told_for_what_it_was(node: Node) -> None:
    cluster = node.cluster()
    link = cluster.links["fs1"]
    busy, answered, early = (node.call(link, plan) for plan in ("01", "10", "12"))
    wait_until(lambda: len(node.hangups()) == 3, what="the end of every call")
    ends = node.hangups()
    assert (ends[busy].cause, ends[busy].sip_status, ends[busy].progress) == ("USER_BUSY", 486, False)
    assert (ends[answered].answered, ends[answered].hung_up_by) == (True, "remote")
    assert (ends[early].answered, ends[early].progress, ends[early].sip_status) == (False, True, 486)
    wait_until(lambda: len([e for e in node.events if isinstance(e, JobResult)]) == 3, what="every job")
    jobs = {event.call_id: event for event in node.events if isinstance(event, JobResult)}
    assert (jobs[busy].ok, jobs[busy].text) == (False, "USER_BUSY")
    assert (jobs[answered].ok, jobs[answered].text) == (True, answered)
    assert link.api(commands.hangup_marker_select(busy)).strip() == "done"
    assert link.api(commands.uuid_exists(busy)).strip() == "false"
    cluster.stop()


def test_a_call_in_progress_can_be_asked_about_and_ended(node: Node) -> None:
    cluster = node.cluster()
    link = cluster.links["fs1"]
    call_id = node.call(link, "07")
    wait_until(lambda: any(isinstance(e, JobResult) for e in node.events), what="the answer")
    live = channel_from_dump(orjson.loads(link.api(commands.uuid_dump(call_id))))
    assert live is not None
    assert (live.call_id, live.dialer_id, live.answered) == (call_id, DIALER, True)
    link.api(commands.uuid_kill(call_id, "MANAGER_REQUEST"))
    wait_until(node.hangups, what="the end")
    assert (node.hangups()[call_id].hung_up_by, node.hangups()[call_id].cause) == ("us", "MANAGER_REQUEST")
    cluster.stop()


def test_a_dialer_hears_of_its_own_calls_and_of_those_it_adopted(node: Node) -> None:
    cluster = node.cluster()
    other = "d0192f3a4b5c7"
    link = cluster.links["fs1"]
    strange = node.call(link, "01", dialer_id=other)
    own = node.call(link, "01")
    wait_until(lambda: own in node.hangups(), what="the end of our own call")
    assert strange not in node.hangups()
    assert all(event.call_id == own for event in node.events if isinstance(event, ChannelEvent | JobResult))
    link.adopt(other)
    adopted = node.call(link, "01", dialer_id=other)
    wait_until(lambda: adopted in node.hangups(), what="the end of the adopted call")
    cluster.stop()
