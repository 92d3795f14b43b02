"""A restarted node brings its calls back before it is asked for them, and bounds them again."""

from __future__ import annotations

from typing import Any, cast
from unittest.mock import MagicMock

import gevent
import orjson
import pytest
from redis import Redis

from dialer.live_calls import LiveCalls, LiveState
from dialer.process import Process
from dialer.recovery.node_restart import AGAIN_SECONDS, NodeRestarts
from dialer.recovery.reconciler import Reconciler
from freeswitch.cluster import NodeLink
from freeswitch.errors import FreeswitchError
from freeswitch.events import LiveChannel
from settings import Settings
from tests.unit.dialer.factories import ME, make_call, make_reconciler, make_recorder
from tests.waiting import wait_until

OLD, NEW = "core-1", "core-2"


class Node:
    """A link to a node of which the calls in `fallen` come back when it is told to recover."""

    def __init__(self, core_uuid: str = NEW, fallen: tuple[str, ...] = ()) -> None:
        self.name = "fs1"
        self.connected = True
        self.core_uuid: str | None = core_uuid
        self.fallen = fallen
        self.alive: set[str] = set()
        self.said: list[str] = []
        self.said_apart: list[str] = []
        self.refuses = 0

    def api_apart(self, line: str, timeout: float) -> str:
        self.said_apart.append(line)
        return self.api(line, timeout)

    def api(self, line: str, timeout: float = 5.0) -> str:
        self.said.append(line)
        gevent.sleep(0)
        command, _, argument = line.partition(" ")
        if self.refuses:
            self.refuses -= 1
            raise FreeswitchError("cut off")
        if line == "sofia recover":
            self.alive |= set(self.fallen)
            return f"Recovered {len(self.fallen)} call(s)\n"
        if command == "uuid_dump":
            call_id = argument.split()[0]
            return (
                orjson.dumps(dump(call_id)).decode() if call_id in self.alive else "-ERR No such channel!\n"
            )
        return "-ERR no reply\n" if command == "hash" else "+OK\n"


def dump(call_id: str) -> dict[str, str]:
    """What a node shows of a call that was answered 12.5 s ago."""
    return {
        "Unique-ID": call_id,
        "Event-Date-Timestamp": "1795428442500000",
        "Caller-Channel-Created-Time": "1795428428000000",
        "Caller-Channel-Answered-Time": "1795428430000000",
        "Answer-State": "answered",
    }


def channel(call_id: str, answered_ms_ago: int | None) -> LiveChannel:
    return LiveChannel(
        call_id, NEW, ME, answered_ms_ago is not None, True, False, 99_000, answered_ms_ago, None
    )


def link(node: Node) -> NodeLink:
    return cast("NodeLink", node)


def test_a_node_is_told_once_for_each_of_its_runs_however_many_ask() -> None:
    node, restarts = Node(), NodeRestarts()
    calls = [make_call(core_uuid=OLD) for _ in range(5)]
    gevent.joinall([gevent.spawn(restarts.bring_back, link(node), call) for call in calls])
    assert node.said == ["sofia recover"]
    node.core_uuid = "core-3"
    restarts.bring_back(link(node), calls[0])
    assert node.said == ["sofia recover"] * 2


@pytest.mark.parametrize("core_uuid", [NEW, None])
def test_a_call_of_this_run_is_no_reason_to_recover(core_uuid: str | None) -> None:
    node = Node()
    NodeRestarts().bring_back(link(node), make_call(core_uuid=core_uuid))
    assert node.said == []


def test_a_node_that_could_not_be_told_is_told_again() -> None:
    clock = [100.0]
    node, restarts, call = Node(), NodeRestarts(now=lambda: clock[0]), make_call(core_uuid=OLD)
    node.refuses = 1
    with pytest.raises(FreeswitchError):
        restarts.bring_back(link(node), call)
    clock[0] += AGAIN_SECONDS
    restarts.bring_back(link(node), call)
    assert node.said == ["sofia recover"] * 2


def test_who_waits_for_an_attempt_that_fails_does_not_make_one_more() -> None:
    """Forty calls of a node that does not answer would wait for forty attempts, and whoever asks about others too."""
    node, restarts = Node(), NodeRestarts()
    node.refuses = 40

    def bring_back() -> bool:
        try:
            restarts.bring_back(link(node), make_call(core_uuid=OLD))
        except FreeswitchError:
            return False
        return True

    asking = [gevent.spawn(bring_back) for _ in range(40)]
    gevent.joinall(asking)
    assert [greenlet.get() for greenlet in asking] == [False] * 40
    assert node.said == ["sofia recover"]


@pytest.mark.parametrize(("answered_ms_ago", "left"), [(12_500, 18), (29_999, 1), (40_000, 1), (None, 30)])
def test_a_call_that_came_back_gets_the_rest_of_its_time_once(answered_ms_ago: int | None, left: int) -> None:
    node, restarts = Node(), NodeRestarts()
    call = make_call(core_uuid=OLD, max_seconds=30)
    for _ in range(2):
        restarts.bound(link(node), call, channel(call.call_id, answered_ms_ago))
    assert node.said == [f"sched_hangup +{left} {call.call_id} ALLOTTED_TIMEOUT"]
    assert call.core_uuid == NEW


class Nodes:
    def __init__(self, node: Node) -> None:
        self.links = {"fs1": node}


def settled(node: Node, **known: Any) -> tuple[Any, Reconciler]:
    live_calls = LiveCalls()
    recorder = make_recorder(live_calls)
    reconciler = make_reconciler({"fs1": node}, live_calls, recorder)
    call = make_call(**({"sent_by": ME, "state": LiveState.SEEN} | known))
    live_calls.add(call)
    return call, reconciler


def test_recovery_recovers_then_asks_then_bounds() -> None:
    call, reconciler = settled(node := Node(), core_uuid=OLD, max_seconds=30, sent_at=0.0)
    node.fallen = (call.call_id,)
    reconciler.node_up("fs1")
    wait_until(lambda: not call.asking, what="the answer")
    assert [line.split()[0] for line in node.said] == ["sofia", "uuid_dump", "sched_hangup"]
    assert node.said_apart == ["sofia recover"], "it takes long, and originates would wait behind it"
    assert call.gone_since is None
    assert call.core_uuid == NEW


def test_a_call_that_did_not_come_back_is_waited_for_as_its_record_may_come() -> None:
    call, reconciler = settled(Node(), core_uuid=OLD, sent_at=0.0)
    reconciler.node_up("fs1")
    wait_until(lambda: not call.asking, what="the answer")
    assert call.gone_since is not None
    assert not call.over


def test_each_run_of_a_node_is_told_once_whichever_part_of_a_dialer_asks_first() -> None:
    urls = {"DATABASE_URL": "postgresql://nobody@127.0.0.1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    redis = MagicMock(spec=Redis)
    process = Process(Settings.from_environ(urls), redis, redis)
    node, call = Node(), make_call(core_uuid=OLD)
    process.reconciler.node_restarts.bring_back(link(node), call)
    process.maybe_live.node_restarts.bring_back(link(node), call)
    assert node.said == ["sofia recover"]
