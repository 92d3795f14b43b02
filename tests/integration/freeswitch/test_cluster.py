"""The links to nodes that answer by a script: filters, orders, several connections, loss, restart, what is late."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import gevent
import pytest
from gevent.event import Event as Signal

from freeswitch.cluster import Cluster, LinkChange, NodeConfig, NodeLink
from freeswitch.connection import WRONG_PASSWORD, NotConnected, Withheld
from freeswitch.errors import CommandRefused
from freeswitch.events import ChannelEvent, ChannelEventKind, Event, Heartbeat, JobResult, Shutdown
from freeswitch.link import backoff
from tests.integration.freeswitch.scripted_node import PASSWORD, Peer, ScriptedNode
from tests.unit.freeswitch.samples import CALL, CORE, DIALER
from tests.unit.freeswitch.test_originate import REQUEST
from tests.waiting import HANG_SECONDS, wait_until

SUBSCRIPTION = (
    "event json CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE "
    "BACKGROUND_JOB HEARTBEAT SHUTDOWN"
)
HASH_ASKED = "module_exists mod_hash"
NODE_FILTERS = ["filter Event-Name HEARTBEAT", "filter Event-Name SHUTDOWN"]


def filters_of(dialer_id: str) -> list[str]:
    return [f"filter variable_dialer_id {dialer_id}", f"filter Job-UUID /^{dialer_id}\\./"]


class Switch:
    """A scripted node that plays along, and a cluster of it alone."""

    def __init__(self) -> None:
        self.core_uuid = CORE
        self.refuse_filters = False
        self.cps = 10
        self.events: list[tuple[str, Event]] = []
        self.changes: list[LinkChange] = []
        self.has_hash = True
        self.node = ScriptedNode(self.script)
        self.cluster: Cluster

    def script(self, peer: Peer) -> None:
        peer.greet()
        peer.serve(self.answer)

    def answer(self, command: str) -> str:
        if command == "global_getvar core_uuid":
            return self.core_uuid
        if command == HASH_ASKED:
            return "true" if self.has_hash else "false"
        if command.startswith("bgapi"):
            return "+OK Job-UUID: " + command.partition("Job-UUID: ")[2]
        if command.startswith("filter") and self.refuse_filters:
            return "-ERR invalid syntax"
        return "+OK"

    @property
    def peer(self) -> Peer:
        return self.node.peers[-1]

    @property
    def link(self) -> NodeLink:
        return self.cluster.links["fs1"]

    def ups(self) -> list[LinkChange]:
        return [change for change in self.changes if change.up]

    def downs(self) -> list[LinkChange]:
        return [change for change in self.changes if not change.up]

    def config(self) -> NodeConfig:
        return NodeConfig("fs1", "127.0.0.1", self.node.port, PASSWORD, cps=self.cps, channels=100)

    def start(self) -> None:
        self.cluster = Cluster(
            [self.config()],
            DIALER,
            lambda node, event: self.events.append((node, event)),
            self.changes.append,
        )
        self.cluster.start()


@contextmanager
def switch(change: Callable[[Switch], None] = lambda _: None) -> Iterator[Switch]:
    one = Switch()
    change(one)
    with one.node:
        one.start()
        try:
            yield one
        finally:
            one.cluster.stop()


@pytest.fixture
def up() -> Iterator[Switch]:
    with switch() as one:
        wait_until(one.ups, what="the link")
        yield one


def test_a_link_sets_its_filters_before_it_subscribes(up: Switch) -> None:
    assert up.peer.commands == [
        f"auth {PASSWORD}",
        "api global_getvar core_uuid",
        f"api {HASH_ASKED}",
        *NODE_FILTERS,
        *filters_of(DIALER),
        SUBSCRIPTION,
    ]
    assert up.changes == [LinkChange("fs1", True, CORE)]
    assert up.link.connected
    assert up.link.core_uuid == CORE
    assert up.cluster.connected() == [up.link]


def test_events_come_typed_with_the_name_of_their_node(up: Switch) -> None:
    up.peer.event("CHANNEL_CREATE", **{"Unique-ID": CALL, "Core-UUID": CORE, "variable_dialer_id": DIALER})
    up.peer.event("CHANNEL_DESTROY", **{"Unique-ID": CALL})
    up.peer.event("BACKGROUND_JOB", **{"Job-UUID": f"{DIALER}.{CALL}", "_body": "-ERR USER_BUSY\n"})
    up.peer.event("HEARTBEAT", **{"Core-UUID": CORE, "Session-Count": "7"})
    up.peer.event("SHUTDOWN", **{"Core-UUID": CORE})
    wait_until(lambda: len(up.events) == 4, what="the events")
    assert {node for node, _ in up.events} == {"fs1"}
    created, job, heartbeat, shutdown = [event for _, event in up.events]
    assert created == ChannelEvent(ChannelEventKind.CREATED, CALL, CORE, 0, None)
    assert isinstance(job, JobResult)
    assert isinstance(heartbeat, Heartbeat)
    assert isinstance(shutdown, Shutdown)
    assert up.link.heartbeat == heartbeat


def test_an_originate_is_one_command_with_the_job_of_its_dialer(up: Switch) -> None:
    replies: list[str | None] = []
    up.link.originate(REQUEST, lambda: True, replies.append)
    wait_until(lambda: replies, what="the reply")
    assert replies == [f"+OK Job-UUID: {DIALER}.{CALL}"]
    line, _, header = up.peer.commands[-1].partition("\n")
    assert line.startswith("bgapi originate {origination_uuid=" + CALL)
    assert header == f"Job-UUID: {DIALER}.{CALL}"


def test_an_originate_that_its_guard_withholds_leaves_nothing(up: Switch) -> None:
    replies: list[str | None] = []
    with pytest.raises(Withheld):
        up.link.originate(REQUEST, lambda: False, replies.append)
    with pytest.raises(CommandRefused):
        up.link.originate(replace(REQUEST, endpoint="a,b"), lambda: True, replies.append)
    assert up.link.api("global_getvar core_uuid") == CORE
    assert not any(command.startswith("bgapi") for command in up.peer.commands)
    assert replies == []


def test_an_originate_whose_node_dies_is_answered_with_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def mute(one: Switch) -> None:
        answer = one.answer

        def dying(command: str) -> str:
            if command.startswith("bgapi"):
                raise EOFError
            return answer(command)

        monkeypatch.setattr(one, "answer", dying)

    replies: list[str | None] = []
    with switch(mute) as one:
        wait_until(one.ups, what="the link")
        one.link.originate(REQUEST, None, replies.append)
        wait_until(lambda: replies, what="the answer")
        assert replies == [None]


def test_a_command_that_takes_long_holds_up_no_originate() -> None:
    begun, over = Signal(), Signal()

    def answer(one: Switch, command: str) -> str:
        if command != "sofia recover":
            return Switch.answer(one, command)
        begun.set()
        assert over.wait(HANG_SECONDS)
        return "Recovered 3 call(s)"

    with switch(lambda one: setattr(one, "answer", partial(answer, one))) as one:
        wait_until(one.ups, what="the link")
        recovery = gevent.spawn(one.link.api_apart, "sofia recover", 20.0)
        assert begun.wait(HANG_SECONDS)
        replies: list[str | None] = []
        one.link.originate(REQUEST, None, replies.append)
        wait_until(lambda: replies, what="the reply to the originate")
        over.set()
        assert recovery.get(timeout=HANG_SECONDS) == "Recovered 3 call(s)"
        assert one.link.connected
        assert one.downs() == []


def test_a_link_comes_back_and_sets_every_filter_exactly_once(up: Switch) -> None:
    up.link.adopt("d0other")
    up.link.adopt("d0other")
    up.link.adopt(DIALER)
    assert up.link.api("global_getvar core_uuid") == CORE
    assert up.peer.commands[-3:] == [*filters_of("d0other"), "api global_getvar core_uuid"]
    for round_number in (2, 3):
        up.node.hang_up()
        wait_until(partial(_has_come_up, up, round_number), what="the link coming back")
        assert up.peer.commands == [
            f"auth {PASSWORD}",
            "api global_getvar core_uuid",
            f"api {HASH_ASKED}",
            *NODE_FILTERS,
            *filters_of(DIALER),
            *filters_of("d0other"),
            SUBSCRIPTION,
        ]
    assert [change.up for change in up.changes] == [True, False, True, False, True]
    assert not any(change.restarted for change in up.changes)
    assert up.downs()[0].error == "the node closed"


def test_the_filters_of_an_adopted_dialer_are_lifted_and_can_be_set_again(up: Switch) -> None:
    up.cluster.adopt("d0other")
    up.cluster.release("d0other")
    up.cluster.release("d0other")
    up.cluster.release(DIALER)
    up.cluster.adopt("d0other")
    up.cluster.release("d0other")
    assert up.cluster.adopted == []
    assert up.link.api("global_getvar core_uuid") == CORE
    lifted = [line.replace("filter", "filter delete", 1) for line in filters_of("d0other")]
    assert up.peer.commands[-9:-1] == [*filters_of("d0other"), *lifted] * 2
    up.node.hang_up()
    wait_until(lambda: len(up.ups()) == 2, what="the link coming back")
    assert not any("d0other" in command for command in up.peer.commands)


def test_a_connection_without_heartbeats_is_replaced_whatever_else_it_delivers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("freeswitch.link.HEARTBEAT_SECONDS", 0.5)

    def replaced() -> bool:
        with suppress(OSError):
            one.peer.event("CHANNEL_CREATE", **{"Unique-ID": CALL, "Core-UUID": CORE})
        return bool(one.downs())

    with switch() as one:
        wait_until(one.ups, what="the link")
        wait_until(replaced, what="another connection")
        assert one.downs()[0].error == "no heartbeat for 0.5 s"
        assert one.events
        wait_until(lambda: len(one.ups()) >= 2, what="the link coming back")


def _has_come_up(one: Switch, times: int) -> bool:
    return len(one.ups()) == times


def test_a_dialer_adopted_while_the_link_is_down_is_filtered_when_it_is_up() -> None:
    one = Switch()
    with one.node:
        one.cluster = Cluster([one.config()], DIALER, lambda *_: None, one.changes.append)
        one.link.adopt("d0other")
        one.cluster.start()
        wait_until(one.ups, what="the link")
        assert [c for c in one.peer.commands if "d0other" in c] == filters_of("d0other")
        one.cluster.stop()


def test_a_dialer_adopted_while_the_link_is_being_made_is_filtered_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def adopting(one: Switch) -> None:
        answer = one.answer

        def adopt_late(command: str) -> str:
            if command.startswith("event json"):
                one.link.adopt("d0other")
            return answer(command)

        monkeypatch.setattr(one, "answer", adopt_late)

    with switch(adopting) as one:
        wait_until(one.ups, what="the link")
        assert [c for c in one.peer.commands if "d0other" in c] == filters_of("d0other")


def test_a_restarted_node_is_told_apart_from_a_lost_connection(up: Switch) -> None:
    up.core_uuid = "11111111-8ca0-4d7f-b626-2c26981ac8b0"
    up.node.hang_up()
    wait_until(lambda: len(up.ups()) == 2, what="the link coming back")
    assert up.changes[-1] == LinkChange("fs1", True, up.core_uuid, restarted=True)
    assert up.link.core_uuid == up.core_uuid


def test_a_node_that_does_not_say_which_run_it_is_tells_by_its_first_event() -> None:
    def silent(one: Switch) -> None:
        one.core_uuid = "-ERR no reply\n"

    with switch(silent) as one:
        wait_until(lambda: one.node.peers and SUBSCRIPTION in one.peer.commands, what="the subscription")
        assert not one.link.connected
        with pytest.raises(NotConnected):
            one.link.api("status")
        one.peer.event("HEARTBEAT", **{"Core-UUID": CORE})
        wait_until(one.ups, what="the link")
        assert one.changes == [LinkChange("fs1", True, CORE)]


def test_a_node_that_refuses_a_filter_is_never_up() -> None:
    def refusing(one: Switch) -> None:
        one.refuse_filters = True

    with switch(refusing) as one:
        wait_until(lambda: one.link.last_error, what="the failure")
        assert "filter refused" in (one.link.last_error or "")
        assert not one.link.connected
        one.refuse_filters = False
        wait_until(one.ups, what="the link")
        assert one.link.last_error is None


def test_a_node_that_would_carry_out_an_order_twice_is_never_up() -> None:
    def without(one: Switch) -> None:
        one.has_hash = False

    with switch(without) as one:
        wait_until(lambda: one.link.last_error, what="the failure")
        assert one.link.last_error == "mod_hash is not loaded: nothing would keep it from calling twice"
        assert not one.link.connected
        one.has_hash = True
        wait_until(one.ups, what="the link")


def test_a_filter_refused_later_ends_the_connection(up: Switch) -> None:
    up.refuse_filters = True
    up.link.adopt("d0other")
    wait_until(up.downs, what="the link going down")
    assert "filter refused" in (up.downs()[0].error or "")
    up.refuse_filters = False
    wait_until(lambda: len(up.ups()) == 2, what="the link coming back")


def test_a_node_that_is_added_later_hears_of_every_adopted_dialer(up: Switch) -> None:
    up.cluster.adopt("d0other")
    wait_until(lambda: filters_of("d0other")[-1] in up.peer.commands, what="the filters at the first node")
    before = up.cluster.links
    second = Switch()
    with second.node:
        config = replace(second.config(), name="fs2")
        up.cluster.add(config)
        wait_until(lambda: up.cluster.links["fs2"].connected, what="the second link")
        assert [c for c in second.peer.commands if "d0other" in c] == filters_of("d0other")
        # Who walked over the links meanwhile walks on over the old ones.
        assert set(before) == {"fs1"}
        with pytest.raises(ValueError, match="two nodes of one name"):
            up.cluster.add(config)
        up.cluster.remove("fs2")
        assert set(up.cluster.links) == {"fs1"}
        wait_until(lambda: [change for change in up.downs() if change.node == "fs2"], what="its end")
    assert up.link.connected


def test_a_cluster_that_has_ended_takes_no_more_nodes(up: Switch) -> None:
    up.cluster.stop()
    up.cluster.add(replace(up.config(), name="fs2"))
    assert set(up.cluster.links) == {"fs1"}


def test_a_link_goes_to_where_its_node_went_and_forgets_what_the_old_one_reported(up: Switch) -> None:
    up.peer.event("HEARTBEAT", **{"Core-UUID": CORE, "Session-Count": "7"})
    wait_until(lambda: up.link.heartbeat, what="the heartbeat")
    second = Switch()
    second.core_uuid = "11111111-8ca0-4d7f-b626-2c26981ac8b0"
    with second.node:
        up.link.reconnect(second.config())
        wait_until(lambda: len(up.ups()) == 2, what="the link at the other address")
        assert up.downs()[0].error == "its configuration was changed"
        assert up.link.core_uuid == second.core_uuid
        assert up.link.heartbeat is None
        assert up.link.last_error is None
        up.cluster.stop()


def test_a_link_that_is_refused_comes_up_with_the_right_password() -> None:
    def wrong(peer: Peer) -> None:
        peer.write(b"Content-Type: auth/request\n\n")
        while peer.read_command() != f"auth {PASSWORD}":
            peer.reply("-ERR invalid")
        peer.reply("+OK accepted")
        peer.serve(one.answer)

    one = Switch()
    one.node = ScriptedNode(wrong)
    with one.node:
        one.cluster = Cluster(
            [replace(one.config(), password="old")], DIALER, lambda *_: None, one.changes.append
        )
        one.cluster.start()
        wait_until(lambda: one.link.last_error == WRONG_PASSWORD, what="the refusal")
        one.link.reconnect(one.config())
        wait_until(one.ups, what="the link")
        one.cluster.stop()


def test_a_node_that_is_away_is_tried_until_it_is_there() -> None:
    with ScriptedNode(Peer.serve) as reserved:
        port = reserved.port
    changes: list[LinkChange] = []
    cluster = Cluster(
        [NodeConfig("fs1", "127.0.0.1", port, PASSWORD)], DIALER, lambda *_: None, changes.append
    )
    cluster.start()
    link = cluster.links["fs1"]
    wait_until(lambda: link.last_error, what="the first failure")
    assert changes == []
    assert cluster.connected() == []
    with pytest.raises(NotConnected):
        link.originate(REQUEST, None, lambda _: None)
    with ScriptedNode(Switch().script, port):
        wait_until(lambda: changes, what="the link")
        cluster.stop()
    assert [change.up for change in changes] == [True, False]


def test_stopping_ends_every_greenlet_even_of_a_node_that_hangs() -> None:
    with ScriptedNode(Peer.wait_for_end) as node:
        before = greenlets()
        config = NodeConfig("fs1", "127.0.0.1", node.port, PASSWORD)
        cluster = Cluster([config], DIALER, lambda *_: None, lambda _: None)
        cluster.start()
        wait_until(lambda: node.peers, what="the connection")
        assert greenlets() - before
        with gevent.Timeout(60):
            cluster.stop()
        wait_until(lambda: greenlets() <= before, what="the end of them all, and of the node's own")


def greenlets() -> set[object]:
    """All that run or wait in this process."""
    return {one for one in gc.get_objects() if issubclass(type(one), gevent.Greenlet) and not one.dead}


def beat(one: Switch, late: float = 0.0) -> None:
    """A heartbeat that is `late` seconds old, by a clock 1,000 s ahead of ours."""
    stamp = round((time.monotonic() + 1000 - late) * 1_000_000)
    one.peer.event("HEARTBEAT", **{"Core-UUID": CORE, "Event-Date-Timestamp": str(stamp)})


def test_the_lag_of_a_link_shows(up: Switch) -> None:
    assert up.link.lag_ms == 0
    began = time.monotonic()

    def passed() -> float:
        """Milliseconds: by no more can a heartbeat have been delayed on its way on this machine."""
        return (time.monotonic() - began) * 1000

    beat(up)
    wait_until(lambda: up.link.events == 1, what="the first heartbeat")
    beat(up, late=1.5)
    wait_until(lambda: up.link.events == 2, what="the second")
    assert 1500 - passed() <= (up.link.lag_ms or 0) <= 1500 + passed()
    beat(up)
    wait_until(lambda: up.link.events == 3, what="the third")
    assert (up.link.lag_ms or 0) <= passed()
    up.node.hang_up()
    wait_until(up.downs, what="the link going down")
    assert up.link.lag_ms is None or len(up.ups()) == 2


def test_a_connection_whose_events_come_later_and_later_is_replaced(
    up: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freeswitch.event_lag.PATIENCE_SECONDS", 0.2)
    beat(up)
    beat(up, late=60)
    beat(up)
    wait_until(lambda: up.link.events == 3, what="the heartbeats")
    assert up.downs() == []

    def replaced() -> bool:
        with suppress(OSError):
            if not up.downs():
                beat(up, late=2.5)
        return len(up.ups()) == 2

    wait_until(replaced, what="another connection")
    assert "s late" in (up.downs()[0].error or "")
    assert up.link.connected


@contextmanager
def fast() -> Iterator[Switch]:
    def of_1000_a_second(one: Switch) -> None:
        one.cps = 1000

    with switch(of_1000_a_second) as one:
        wait_until(one.ups, what="the link")
        yield one


def test_a_fast_node_has_several_connections_of_which_one_hears_the_calls() -> None:
    with fast() as one:
        first, *others = one.node.peers
        assert len(others) == 2
        assert first.commands[-1] == SUBSCRIPTION
        for other in others:
            assert other.commands == [
                f"auth {PASSWORD}",
                "api global_getvar core_uuid",
                "event json HEARTBEAT",
            ]


def test_the_originates_of_a_fast_node_take_turns_and_get_their_own_replies() -> None:
    with fast() as one:
        replies: dict[str, str | None] = {}
        ids = [f"97101b5b-e317-4272-a99d-{number:012}" for number in range(30)]
        for call_id in ids:
            one.link.originate(replace(REQUEST, call_id=call_id), None, partial(replies.__setitem__, call_id))
        wait_until(lambda: len(replies) == 30, what="every reply")
        assert replies == {call_id: f"+OK Job-UUID: {DIALER}.{call_id}" for call_id in ids}
        sent = [sum(c.startswith("bgapi") for c in peer.commands) for peer in one.node.peers]
        assert sent == [10, 10, 10]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_the_connections_of_a_fast_node_live_and_die_together(lost: int) -> None:
    with fast() as one:
        before = list(one.node.peers)
        before[lost].sock.close()
        wait_until(lambda: len(one.ups()) == 2, what="the link coming back")
        assert len(one.downs()) == 1
        assert len(one.node.peers) == 6
        for peer in before:
            with pytest.raises((EOFError, OSError)):
                peer.read_command()


def test_a_fast_node_that_restarts_while_it_is_connected_to_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def restarting(one: Switch) -> None:
        one.cps = 800
        answer = one.answer

        def change(command: str) -> str:
            found = answer(command)
            if command == "global_getvar core_uuid" and len(one.node.peers) == 1:
                one.core_uuid = "11111111-8ca0-4d7f-b626-2c26981ac8b0"
            return found

        monkeypatch.setattr(one, "answer", change)

    with switch(restarting) as one:
        wait_until(one.ups, what="the link")
        assert one.link.core_uuid == one.core_uuid
        assert len(one.node.peers) == 4


def test_a_listener_that_fails_does_not_stop_the_link() -> None:
    one = Switch()

    def on_link(change: LinkChange) -> None:
        one.changes.append(change)
        raise ValueError("a bug in the listener")

    def on_event(node: str, event: Event) -> None:
        one.events.append((node, event))
        raise ValueError("a bug in the listener")

    with one.node:
        one.cluster = Cluster([one.config()], DIALER, on_event, on_link)
        one.cluster.start()
        wait_until(one.ups, what="the link")
        for _ in range(2):
            one.peer.event("HEARTBEAT", **{"Core-UUID": CORE})
        wait_until(lambda: len(one.events) == 2, what="both events")
        assert one.link.connected
        one.cluster.stop()


def test_two_nodes_of_one_name_are_refused() -> None:
    config = NodeConfig("fs1", "127.0.0.1", 1, PASSWORD)
    with pytest.raises(ValueError, match="one name"):
        Cluster([config, config], DIALER, lambda *_: None, lambda _: None)


def test_a_password_does_not_show() -> None:
    assert PASSWORD not in repr(NodeConfig("fs1", "127.0.0.1", 1, PASSWORD))


def test_the_wait_before_a_retry_is_random_and_bounded() -> None:
    assert all(0 <= backoff(0) <= 0.2 for _ in range(100))
    drawn = [backoff(50) for _ in range(200)]
    assert all(0 <= seconds <= 3.0 for seconds in drawn)
    assert max(drawn) > 2.0
    assert min(drawn) < 1.0
