"""Who is told to end which calls, and who waits for whom."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gevent.event import Event as Signal

from campaigns.calls_to_end import EVERYBODY, CallToEnd
from coordination.turns import TurnsUnavailable
from dialer import calls_to_end as calls_to_end_module
from dialer.calls_to_end import CallsToEnd
from dialer.live_calls import LiveCalls
from dialer.recovery.node_restart import NodeRestarts
from freeswitch.cluster import Cluster, LinkChange
from freeswitch.errors import ReplyTimeout
from tests.unit.dialer.factories import make_call
from tests.waiting import wait_until

ME = "d000000000001"


class Node:
    """A link to a node that remembers what it was told."""

    def __init__(self, name: str, *, connected: bool = True, stuck: Signal | None = None) -> None:
        self.name = name
        self.connected = connected
        self.core_uuid = "core"
        self.told: list[str] = []
        self.without: set[str] = set()
        self._stuck = stuck

    def api_many(self, lines: list[str], timeout: float) -> list[str]:
        self.told += lines
        if self._stuck is not None:
            self._stuck.wait()
            raise ReplyTimeout(self.name, "no reply")
        return ["-ERR No such channel!\n" if line.split()[1] in self.without else "+OK\n" for line in lines]


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[CallToEnd]]:
    """What has to end, by owner."""
    found: dict[str, list[CallToEnd]] = {}
    stand_in = SimpleNamespace(in_force=lambda: False, to_end=lambda owner: found.get(owner, []))
    monkeypatch.setattr(calls_to_end_module, "calls_to_end", stand_in)
    monkeypatch.setattr(calls_to_end_module, "db", SimpleNamespace(connection_context=nullcontext))
    return found


def calls_to_end_of(*nodes: Node, turn: Any = lambda: False) -> CallsToEnd:
    cluster = cast(Cluster, SimpleNamespace(links={node.name: node for node in nodes}))
    return CallsToEnd(ME, cluster, LiveCalls(), NodeRestarts(), turn)


def to_end(node: str, call_id: str = "c1") -> CallToEnd:
    return CallToEnd(call_id, node, "core")


def test_no_node_waits_for_one_that_is_stuck_and_that_one_is_told_once_at_a_time(
    marks: dict[str, list[CallToEnd]],
) -> None:
    stuck = Signal()
    frozen, well = Node("frozen", stuck=stuck), Node("fs2")
    calls_to_end = calls_to_end_of(frozen, well, Node("away", connected=False))
    marks[ME] = [to_end("frozen"), to_end("away"), to_end("gone"), to_end("fs2", "c2")]
    for _ in range(3):
        calls_to_end.round()
        wait_until(lambda: not calls_to_end.telling("fs2"), "the answer")
    assert well.told == ["uuid_kill c2 MANAGER_REQUEST"] * 3
    assert frozen.told == ["uuid_kill c1 MANAGER_REQUEST"]
    stuck.set()
    wait_until(lambda: not calls_to_end.telling("frozen"), "the end of its patience")
    calls_to_end.round()
    wait_until(lambda: not calls_to_end.telling("frozen"), "the end of its patience")
    assert len(frozen.told) == 2


@pytest.mark.parametrize(("turn", "owner"), [(True, EVERYBODY), (False, ME)])
def test_one_in_turn_looks_after_everybodys(
    marks: dict[str, list[CallToEnd]], turn: bool, owner: str
) -> None:
    node = Node("fs1")
    calls_to_end = calls_to_end_of(node, turn=lambda: turn)
    marks |= {ME: [to_end("fs1", "mine")], EVERYBODY: [to_end("fs1", "mine"), to_end("fs1", "theirs")]}
    calls_to_end.round()
    wait_until(lambda: not calls_to_end.telling("fs1"), "the answer")
    assert node.told == [f"uuid_kill {call.call_id} MANAGER_REQUEST" for call in marks[owner]]


def test_without_redis_everybody_looks_after_his_own(marks: dict[str, list[CallToEnd]]) -> None:
    def away() -> bool:
        raise TurnsUnavailable("taking a turn", "away")

    node = Node("fs1")
    calls_to_end = calls_to_end_of(node, turn=away)
    marks[ME] = [to_end("fs1")]
    calls_to_end.round()
    wait_until(lambda: node.told, "the order")


def test_a_call_that_has_to_end_is_known_to_who_would_send_it(marks: dict[str, list[CallToEnd]]) -> None:
    calls_to_end = calls_to_end_of(Node("fs1"))
    call, other = make_call(call_id="c1"), make_call(call_id="c2")
    for one in (call, other):
        calls_to_end.live_calls.add(one)
    marks[ME] = [to_end("fs1")]
    calls_to_end.round()
    assert (call.must_end, other.must_end) == (True, False)


def test_a_call_that_its_node_does_not_have_is_not_said_to_be_hung_up(
    marks: dict[str, list[CallToEnd]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may still come, so that its node is told again and again; the log is not."""
    logged: list[tuple[str, int]] = []

    def info(event: str, node: str, calls: int) -> None:
        # What a greenlet of another test has to say is not meant.
        if node == "alone":
            logged.append((event, calls))

    monkeypatch.setattr(calls_to_end_module, "log", SimpleNamespace(info=info))
    node = Node("alone")
    calls_to_end = calls_to_end_of(node)
    marks[ME] = [to_end("alone"), to_end("alone", "maybe")]
    node.without = {"maybe"}
    for _ in range(3):
        calls_to_end.round()
        wait_until(lambda: not calls_to_end.telling("alone"), "the answer")
        node.without.add("c1")
    assert len(node.told) == 6
    assert logged == [("calls_hung_up", 1)]


def test_a_node_that_is_back_is_told_at_once() -> None:
    calls_to_end = calls_to_end_of()
    calls_to_end.on_link(LinkChange("fs1", up=False, core_uuid=None))
    assert not calls_to_end.wake.is_set()
    calls_to_end.on_link(LinkChange("fs1", up=True, core_uuid="core"))
    assert calls_to_end.wake.is_set()
