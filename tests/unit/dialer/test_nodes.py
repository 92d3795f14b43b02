"""The links follow the list of nodes, and no call in progress pays for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dialer.dispatch.node_entries import NodeEntry, with_table
from dialer.dispatch.node_health import NodeHealth, Orders
from dialer.dispatch.node_rests import FAULTS_THAT_REST, FIRST_SECONDS, NodeRests
from dialer.dispatch.nodes import Nodes
from dialer.live_calls import LiveCalls
from dialer.record.call_end import hung_up
from freeswitch.cluster import Cluster, NodeConfig
from limits.caps import NodeCaps
from limits.rate_cuts import Kind
from models import NodeSource
from settings import NodeSettings
from tests.unit.dialer.factories import make_call, make_commit, make_hangup

FS1 = NodeSettings("fs1", "10.0.0.1", 8021, "one", 20, None)
FS2 = NodeSettings("fs2", "10.0.0.2", 8021, "two", 10, 5, 2)


def added(node: NodeSettings, *, deleted: bool = False) -> dict[str, NodeEntry]:
    return {node.name: NodeEntry(node, NodeSource.API, deleted)}


def beat(sessions: int, max_sessions: int = 100) -> Any:
    return SimpleNamespace(sessions=sessions, max_sessions=max_sessions, idle_cpu=90.0)


class Link:
    """A link that is up at once."""

    def __init__(self, config: NodeConfig) -> None:
        self.name, self.config = config.name, config
        self.connected, self.heartbeat = True, None
        self.core_uuid, self.lag_ms, self.last_error = "core-1", 3, None
        self.reconnects: list[NodeConfig] = []

    def configure(self, config: NodeConfig) -> None:
        self.config = config

    def reconnect(self, config: NodeConfig) -> None:
        self.reconnects.append(config)
        self.config = config


class Links:
    """A cluster without sockets."""

    def __init__(self) -> None:
        self.links: dict[str, Any] = {}

    def add(self, config: NodeConfig) -> None:
        self.links[config.name] = Link(config)

    def remove(self, name: str) -> None:
        del self.links[name]

    def connected(self) -> list[Any]:
        return [link for link in self.links.values() if link.connected]


class Bench:
    """Nodes with `fs1` in their environment, and a clock of their own."""

    def __init__(self) -> None:
        self.cluster, self.live_calls, self.at = Links(), LiveCalls(), 50.0
        self.cut: dict[str, int] = {}
        cluster = cast(Cluster, self.cluster)
        self.rests = NodeRests(self.live_calls, lambda: self.at)
        self.subject = Nodes([FS1], cluster, self.live_calls, self.cps_now, self.rests, now=lambda: self.at)
        orders = SimpleNamespace(stalled=lambda _node: False, owed=lambda _node: 2, waits=lambda _node: 0.0)
        self.health = NodeHealth(cast(Orders, orders))

    def info(self) -> list[dict[str, Any]]:
        return self.subject.info(self.health)

    def cps_now(self, kind: Kind, name: str, cps: int | None) -> int | None:
        assert kind is Kind.NODE
        return self.cut.get(name, cps)

    def follow(self, *listed: Mapping[str, NodeEntry]) -> None:
        together: dict[str, NodeEntry] = {"fs1": NodeEntry(FS1, NodeSource.ENVIRONMENT)}
        for some in listed:
            together |= some
        self.subject.follow(together)

    def link(self, name: str = "fs2") -> Any:
        return self.cluster.links[name]

    def call(self, node: str = "fs2") -> str:
        call = make_call(node=node)
        self.live_calls.add(call)
        return call.call_id

    def names(self) -> list[str]:
        return sorted(caps.name for caps in self.caps())

    def caps(self) -> list[NodeCaps]:
        return self.subject.offers()[0]

    def order(self) -> list[str]:
        """In which order one call tries them, drawn anew."""
        return list(self.subject.offers()[1]())


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_node_that_is_added_takes_calls_under_its_caps(bench: Bench) -> None:
    assert bench.names() == ["fs1"]
    bench.cut["fs2"] = 4
    bench.follow(added(FS2))
    assert NodeCaps("fs2", 4, 5) in bench.caps()
    assert NodeCaps("fs1", 20, None) in bench.caps()


def test_rates_channels_and_weight_change_without_a_word_to_the_node(bench: Bench) -> None:
    bench.follow(added(FS2))
    bench.call()
    bench.follow(added(replace(FS2, cps=11, channels=6, weight=9)))
    assert NodeCaps("fs2", 11, 6) in bench.caps()
    assert bench.link().reconnects == []


def test_a_deleted_node_gets_no_call_and_stays_until_its_last_is_over(bench: Bench) -> None:
    bench.follow(added(FS2))
    call_id = bench.call()
    bench.follow(added(FS2, deleted=True))
    assert bench.names() == ["fs1"]
    # Nobody's call is open in the database any more, and this process has not yet written what it knows of its own.
    bench.follow()
    assert bench.names() == ["fs1"]
    assert set(bench.cluster.links) == {"fs1", "fs2"}
    assert [one["name"] for one in bench.info()] == ["fs1", "fs2"]
    bench.live_calls.remove(call_id)
    bench.follow()
    assert set(bench.cluster.links) == {"fs1"}
    assert [one["name"] for one in bench.info()] == ["fs1"]


def test_a_node_that_was_deleted_with_somebody_elses_calls_is_connected_to(bench: Bench) -> None:
    bench.follow(added(FS2, deleted=True))
    assert bench.link().connected
    assert bench.names() == ["fs1"]


def test_a_node_that_moves_is_left_once_its_calls_are_over(bench: Bench) -> None:
    bench.follow(added(FS2))
    call_id = bench.call()
    moved = added(replace(FS2, host="10.0.0.9"))
    bench.follow(moved)
    assert bench.link().reconnects == []
    assert bench.link().config.host == "10.0.0.2"
    assert bench.names() == ["fs1"]
    bench.live_calls.remove(call_id)
    bench.follow(moved)
    assert [config.host for config in bench.link().reconnects] == ["10.0.0.9"]
    assert bench.names() == ["fs1", "fs2"]


def test_a_new_password_does_not_cut_off_the_calls_of_a_connection_that_stands(bench: Bench) -> None:
    bench.follow(added(FS2))
    call_id = bench.call()
    changed = added(replace(FS2, password="new"))
    bench.follow(changed)
    assert bench.link().reconnects == []
    assert bench.names() == ["fs1", "fs2"]
    bench.link().connected = False
    bench.follow(changed)
    assert [config.password for config in bench.link().reconnects] == ["new"]
    bench.link().connected = True
    bench.live_calls.remove(call_id)
    bench.follow(added(replace(FS2, password="newer")))
    assert [config.password for config in bench.link().reconnects] == ["new", "newer"]


def test_what_waits_at_a_node_whose_channels_are_ours_may_ask_again(bench: Bench) -> None:
    bench.follow(added(FS2))
    for _ in range(5):
        bench.call()
    assert bench.names() == ["fs1", "fs2"]
    # But last: it has no channel for anybody new.
    assert {tuple(bench.order()) for _ in range(20)} == {("fs1", "fs2")}


def test_a_node_without_a_session_left_gets_no_call_until_calls_end_there(bench: Bench) -> None:
    bench.link("fs1").heartbeat = beat(100)
    assert bench.names() == []
    assert bench.subject.why_none() == "node_channels"
    call_ids = [bench.call("fs1") for _ in range(3)]
    bench.link("fs1").heartbeat = beat(100)
    assert bench.names() == []
    bench.live_calls.remove(call_ids[0])
    assert bench.names() == ["fs1"]


def test_why_there_is_no_node(bench: Bench) -> None:
    bench.link("fs1").connected = False
    assert (bench.names(), bench.subject.why_none()) == ([], "no_node")
    bench.follow(added(FS2, deleted=True))
    assert (bench.names(), bench.subject.why_none()) == ([], "draining")


def test_a_node_that_rests_is_offered_no_call_and_then_one_a_second(bench: Bench) -> None:
    bench.follow(added(FS2))
    for _ in range(FAULTS_THAT_REST):
        call = make_call(node="fs1", core_uuid="core-1", claimed_at=bench.at, sent_at=bench.at)
        ended = hung_up(
            call, bench.at, make_hangup("INCOMPATIBLE_DESTINATION", answered=False, sip_status=None)
        )
        bench.rests.after_commit(make_commit({call.call_id: ended}, call))
    offered, order = bench.subject.offers()
    assert ([node.name for node in offered], order()) == (["fs2"], ["fs2"])
    assert bench.subject.why_none() == "node_channels"
    bench.subject.learn(["fs2"], [])
    assert bench.subject.why_none() == "node_refuses"
    bench.at += FIRST_SECONDS
    (tried,), _ = bench.subject.offers()
    assert (tried.name, tried.cps) == ("fs1", 1)


def test_weights_and_room_decide_who_is_first(bench: Bench) -> None:
    bench.follow(added(replace(FS2, channels=None, weight=100)))
    for name in ("fs1", "fs2"):
        bench.link(name).heartbeat = beat(0, 1000)
    assert sum(bench.order()[0] == "fs2" for _ in range(200)) > 150
    bench.link("fs2").heartbeat = beat(1000, 1000)
    assert {bench.order()[0] for _ in range(50)} == {"fs1"}


def test_a_node_tells_its_rate_its_lag_and_where_it_comes_from(bench: Bench) -> None:
    bench.follow(added(FS2))
    for _ in range(6):
        bench.subject.on_reply("fs2", bench.at - 0.01, bench.at)
    bench.call()
    (first, second) = bench.info()
    assert (first["source"], first["calls_per_second"], first["lag_ms"]) == ("environment", 0.0, 3)
    assert (second["source"], second["calls_per_second"], second["calls"]) == ("api", 1.2, 1)
    assert second["address"] == "10.0.0.2:8021"
    assert "two" not in str(second)
    bench.at += 6
    assert bench.info()[1]["calls_per_second"] == 0.0


def test_a_node_of_the_environment_hides_one_of_its_name_in_the_table() -> None:
    row = {
        "name": "fs1",
        "host": "elsewhere",
        "port": 1,
        "password": "x",
        "cps": 1,
        "channels": None,
        "weight": 1,
    }
    known = with_table({"fs1": NodeEntry(FS1, NodeSource.ENVIRONMENT)}, [row | {"deleted": False}])
    assert known == {"fs1": NodeEntry(FS1, NodeSource.ENVIRONMENT)}
