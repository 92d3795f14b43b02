"""Faults on demand, as a client on the socket meets them."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from simulator.faults import KINDS, MOMENTARY
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from simulator.remote import ControlError
from tests.integration.simulator.client import Client
from tests.waiting import wait_until

EVENTS = "event json CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE BACKGROUND_JOB HEARTBEAT"
CALLS = 60


@pytest.fixture
def faulty(node: SimulatedNode) -> Iterator[SimulatedNode]:
    """The node of this folder, without faults before and after."""
    node.clear()
    yield node
    node.clear()


def busy(client: Client, count: int = CALLS) -> None:
    """Dial numbers that refuse at once; three events for each call."""
    for number in range(count):
        client.command(
            f"bgapi originate {{ignore_early_media=true}}sofia/gateway/carrier/1555{number:04}01 &park()"
        )


def struck(node: SimulatedNode, name: str) -> int:
    return int(node.control.status()["done"].get(name, 0))


def quiet(node: SimulatedNode, client: Client) -> None:
    """Read until nothing is left of the calls, nor of what they have told."""
    wait_until(lambda: node.control.status()["sessions"] == 0, "every call ended")
    client.api("uptime")


def listens(port: int) -> bool:
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def arrived(client: Client) -> Counter[tuple[str, str]]:
    """How often each event of each call came."""
    events = [event for frame in client.frames if (event := frame.event) is not None]
    return Counter((event["Unique-ID"], event["Event-Name"]) for event in events if "Unique-ID" in event)


def test_the_control_port_answers_line_by_line(node: SimulatedNode) -> None:
    with socket.create_connection(("127.0.0.1", node.control.port), timeout=5) as talk:
        reader = talk.makefile()
        talk.sendall(b"fault drop percent=12.5\nstatus\nclear\nfau")
        assert reader.readline() == "ok drop:percent=12.5\n"
        assert json.loads(reader.readline().removeprefix("ok "))["faults"] == ["drop:percent=12.5"]
        assert reader.readline() == "ok\n"
        talk.sendall(b"lt nosuch\nhello\nfault drop percent=101\nfault drop colour=red\n\xff\n")
        assert reader.readline().startswith("error no fault named 'nosuch'; there are drop, duplicate,")
        assert reader.readline() == "error 'hello' is none of fault, clear, status\n"
        assert reader.readline() == "error percent=101: not between 0 and 100\n"
        assert reader.readline() == "error drop takes percent=..., not 'colour=red'\n"
        assert reader.readline().startswith("error ")


def test_whoever_floods_the_control_port_is_cut_off_and_nobody_else_notices(node: SimulatedNode) -> None:
    with socket.create_connection(("127.0.0.1", node.control.port), timeout=5) as talk:
        flood = b"x" * 50_000_000
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            talk.sendall(flood)
    assert node.control.status()["faults"] == []


def test_some_events_are_dropped_and_the_rest_comes(faulty: SimulatedNode, client: Client) -> None:
    client.command(EVENTS)
    faulty.fault("drop", percent=30)
    busy(client)
    quiet(faulty, client)
    lost = struck(faulty, "drop")
    found = arrived(client)
    assert CALLS * 2 * 0.1 < lost < CALLS * 3 * 0.6
    jobs = client.names().count("BACKGROUND_JOB")
    assert found.total() + jobs + lost == pytest.approx(CALLS * 3, abs=1), (
        "a heartbeat may have been dropped too"
    )
    faulty.clear()
    before = found.total()
    busy(client, 10)

    def all_came() -> bool:
        quiet(faulty, client)
        return arrived(client).total() >= before + 20

    wait_until(all_came, "every event of ten calls")
    assert arrived(client).total() == before + 20


def test_some_events_come_twice(faulty: SimulatedNode, client: Client) -> None:
    client.command(EVENTS)
    before = struck(faulty, "duplicate")
    faulty.fault("duplicate", percent=50)
    busy(client)
    quiet(faulty, client)
    found = arrived(client)
    assert len(found) == CALLS * 2
    assert set(found.values()) == {1, 2}
    assert struck(faulty, "duplicate") - before > CALLS // 2


def test_events_overtake_each_other(faulty: SimulatedNode, client: Client) -> None:
    client.command(EVENTS)
    faulty.fault("reorder", percent=50, seconds=0.5)
    busy(client)
    wait_until(lambda: client.api("uptime") and len(arrived(client)) == CALLS * 2, what="all events")
    places: dict[str, list[str]] = {}
    for frame in client.frames:
        if (event := frame.event) is not None and "Unique-ID" in event:
            places.setdefault(event["Unique-ID"], []).append(event["Event-Name"])
    assert set(arrived(client).values()) == {1}
    assert sum(names[0] == "CHANNEL_HANGUP_COMPLETE" for names in places.values()) > 3


def test_late_events_carry_the_time_at_which_they_happened(faulty: SimulatedNode, client: Client) -> None:
    client.command(EVENTS)
    faulty.fault("late", seconds=1)
    asked = time.time()
    busy(client, 1)
    event = client.event("CHANNEL_CREATE")
    happened = int(event["Event-Date-Timestamp"]) / 1e6
    assert asked - 0.1 <= happened < time.time() - 0.9


def test_a_reply_that_never_comes_takes_all_that_follows_with_it(faulty: SimulatedNode) -> None:
    with Client(faulty.port) as stuck, Client(faulty.port) as other:
        stuck.command("event json BACKGROUND_JOB")
        other.command("event json BACKGROUND_JOB")
        faulty.fault("no-reply", percent=100)
        stuck.send(b"bgapi echo lost\nJob-UUID: lost\n\napi uptime\n\n")
        assert other.event("BACKGROUND_JOB")["Job-UUID"] == "lost"
        faulty.clear()
        assert other.api("uptime").strip().isdigit()
        stuck.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            stuck.receive()


def test_a_late_reply_comes_before_what_it_kept_waiting(faulty: SimulatedNode, client: Client) -> None:
    client.command("event json BACKGROUND_JOB")
    faulty.fault("late-reply", percent=100, seconds=1, command="bgapi")
    began = time.monotonic()
    client.send(b"bgapi echo x\nJob-UUID: late\n\napi echo after\n\n")
    kinds = [client.receive() for _ in range(3)]
    assert time.monotonic() - began >= 0.9
    assert "command/reply" in kinds[0].head
    assert {frame.body for frame in kinds[1:]} >= {b"after"}


def test_a_node_that_answers_late_closes_after_it_has_done_what_it_was_sent(faulty: SimulatedNode) -> None:
    with Client(faulty.port) as late, Client(faulty.port) as other:
        other.command("event json BACKGROUND_JOB")
        faulty.fault("late-reply", percent=100, seconds=1)
        late.send(b"bgapi echo x\nJob-UUID: first\n\nbgapi echo x\nJob-UUID: last\n\n")
        late.sock.shutdown(socket.SHUT_WR)
        with suppress(EOFError):
            while True:
                late.receive()
        faulty.clear()
        other.api("uptime")
        jobs = [event["Job-UUID"] for frame in other.frames if (event := frame.event) is not None]
        assert jobs == ["first", "last"]


def test_a_half_open_connection_says_nothing_and_does_not_end(faulty: SimulatedNode) -> None:
    with Client(faulty.port) as stuck:
        stuck.command(EVENTS)
        faulty.fault("half-open")
        stuck.send(b"bgapi originate {origination_uuid=heard-later}error/USER_BUSY &park()\n\n")
        with Client(faulty.port) as fresh:
            assert fresh.api("uptime").strip().isdigit()
        stuck.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            stuck.receive()
        stuck.sock.settimeout(5)
        faulty.clear()
        with pytest.raises((EOFError, ConnectionError)):
            stuck.receive()


def test_a_half_open_connection_can_come_back_with_what_was_sent_meanwhile(faulty: SimulatedNode) -> None:
    with Client(faulty.port) as stuck:
        stuck.command("event json BACKGROUND_JOB")
        faulty.fault("half-open", resume="yes")
        stuck.send(b"bgapi echo x\nJob-UUID: heard-later\n\n")
        stuck.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            stuck.receive()
        stuck.sock.settimeout(5)
        faulty.clear()
        assert stuck.event("BACKGROUND_JOB")["Job-UUID"] == "heard-later"


def test_what_a_client_sent_before_it_gave_up_is_carried_out_once_the_node_reads_again(
    faulty: SimulatedNode,
) -> None:
    with Client(faulty.port) as stuck:
        stuck.command("event json ALL")
        faulty.fault("half-open", resume="yes")
        with Client(faulty.port) as other:
            busy(other)
            quiet(faulty, other)
        stuck.send(b"bgapi echo x\nJob-UUID: heard-later\n\n" * 50)
    with Client(faulty.port) as fresh:
        fresh.command("event json BACKGROUND_JOB")
        faulty.clear()
        wait_until(lambda: fresh.api("uptime") and len(fresh.names()) == 50, what="fifty jobs")


def test_a_frame_is_cut_and_the_connection_ends(faulty: SimulatedNode, client: Client) -> None:
    client.command("event json BACKGROUND_JOB")
    faulty.fault("cut", after=3)
    client.send(b"bgapi echo x\n\n" * 6)
    client.read_to_end()
    assert client.names() == ["BACKGROUND_JOB"] * 3
    assert b"Event-Name" in client.rest
    assert not client.rest.endswith(b"}")
    with Client(faulty.port) as fresh:
        fresh.command("event json BACKGROUND_JOB")
        for _ in range(6):
            fresh.command("bgapi echo x")
        wait_until(lambda: fresh.api("uptime") and len(fresh.names()) == 6, what="six jobs")


def test_limits_and_pause_last_until_they_are_cleared(faulty: SimulatedNode, client: Client) -> None:
    park = "originate sofia/gateway/carrier/15550007 &park()"
    faulty.fault("limits", sps=500, max_sessions=2)
    assert client.api("fsctl sps") == "+OK sessions per second: 500\n"
    assert [client.api(park)[:3] for _ in range(3)] == ["+OK", "+OK", "-ER"]
    faulty.fault("limits", sps=400, max_sessions=1)
    faulty.clear("limits")
    assert client.api("fsctl sps") == "+OK sessions per second: 1000\n"
    assert client.api("fsctl max_sessions") == "+OK max sessions: 10000\n"
    faulty.fault("pause")
    assert client.api(park) == "-ERR DESTINATION_OUT_OF_ORDER\n"
    assert client.api("fsctl ready_check") == "false"
    faulty.clear("pause")
    assert client.api(park)[:3] == "+OK"
    client.api("hupall")


def test_a_zombie_outlives_everything_but_the_end_of_the_fault(faulty: SimulatedNode, client: Client) -> None:
    client.command("event json CHANNEL_HANGUP_COMPLETE")
    faulty.fault("zombies", percent=100)
    uuid = client.api("originate sofia/gateway/carrier/15550013 &park()").split()[1]
    assert client.api(f"uuid_kill {uuid}") == "+OK\n"
    client.api("hupall")
    client.api(f"sched_hangup +1 {uuid}")
    wait_until(lambda: struck(faulty, "zombies") > 0, what="a zombie")
    assert client.api(f"uuid_exists {uuid}") == "true"
    faulty.clear()
    assert client.event("CHANNEL_HANGUP_COMPLETE")["Unique-ID"] == uuid
    assert client.api(f"uuid_exists {uuid}") == "false"


def test_a_gateway_goes_down_and_refuses_while_the_node_runs(faulty: SimulatedNode, client: Client) -> None:
    def dial(gateway: str) -> str:
        return client.api(f"originate {{ignore_early_media=true}}sofia/gateway/{gateway}/15550010 &hangup()")

    faulty.fault("gateway-down", gateway="one")
    assert dial("one") == "-ERR GATEWAY_DOWN\n"
    assert dial("two")[:3] == "+OK"
    assert "Status  \tDOWN" in client.api("sofia status gateway one")
    faulty.clear()
    faulty.fault("gateway-refuses", status=403)
    client.command("event json CHANNEL_HANGUP_COMPLETE")
    assert dial("two") == "-ERR CALL_REJECTED\n"
    assert client.event("CHANNEL_HANGUP_COMPLETE")["variable_sip_term_status"] == "403"
    faulty.clear()
    assert dial("one")[:3] == "+OK"


def test_a_node_that_stands_still_hangs_up_on_who_answered_meanwhile(
    faulty: SimulatedNode, client: Client
) -> None:
    client.command("event json CHANNEL_PROGRESS CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE")
    timer = "ignore_early_media=true,execute_on_ring='sched_hangup +2 NO_ANSWER'"

    def hung_up_on() -> bool:
        """Unless the order came too late, and he was heard before."""
        answers = client.names().count("CHANNEL_ANSWER")
        client.command(f"bgapi originate {{{timer}}}sofia/gateway/carrier/15550000 &park()")
        client.event("CHANNEL_PROGRESS")
        faulty.fault("stand-still", seconds=4)
        cause = client.event("CHANNEL_HANGUP_COMPLETE")["Hangup-Cause"]
        return cause == "NO_ANSWER" and client.names().count("CHANNEL_ANSWER") == answers

    wait_until(hung_up_on, "a call that stood still in time")
    assert struck(faulty, "stand-still") >= 1


@pytest.mark.full
def test_fifty_thousand_events_at_once_reach_a_client_that_reads(
    faulty: SimulatedNode, client: Client
) -> None:
    client.command("event json HEARTBEAT")
    faulty.fault("burst", events=50_000)
    for _ in range(50_000):
        client.receive()
    assert client.api("uptime").strip().isdigit()
    assert set(client.names()) == {"HEARTBEAT"}
    assert len(client.names()) >= 50_000


def test_a_node_starts_again_on_its_ports_and_knows_nothing_of_before(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with SimulatedNode(ledger=ledger) as node:
        for _ in range(2):
            pid = node.pid
            with Client(node.port) as client:
                core = client.api("global_getvar core_uuid")
                uuid = client.api("originate sofia/gateway/carrier/15550007 &park()").split()[1]
                node.fault("restart")
                with pytest.raises((EOFError, ConnectionError)):
                    client.receive()
            assert node.control.status()["sessions"] == 0
            with Client(node.port) as client:
                assert client.api("global_getvar core_uuid") not in ("", core)
                assert client.api(f"uuid_exists {uuid}") == "false"
            assert node.pid == pid
            assert uuid in read_ledger(ledger).unfinished()


def test_faults_can_be_in_force_from_the_start() -> None:
    with SimulatedNode(faults=("drop:percent=30", "pause")) as node:
        assert node.control.status()["faults"] == ["drop:percent=30", "pause:direction=both"]
        with Client(node.port) as client:
            assert client.api("fsctl pause_check") == "true"


def test_a_fault_of_the_command_line_lasts_from_its_moment_to_its_end() -> None:
    with SimulatedNode(faults=("pause@0-2", "limits:sps=5@1")) as node:
        wait_until(lambda: len(node.control.status()["faults"]) == 2, "the second fault")
        wait_until(lambda: node.control.status()["faults"] == ["limits:sps=5,max_sessions=1000"], "one end")
        with Client(node.port) as client:
            assert client.api("fsctl pause_check") == "false"
            assert client.api("fsctl sps") == "+OK sessions per second: 5\n"


def test_every_fault_can_be_ordered_on_the_command_line() -> None:
    lasting = sorted(KINDS.keys() - MOMENTARY)
    with SimulatedNode(faults=(*(f"{name}@0.1" for name in lasting), "burst:events=10@0.1")) as node:
        node.control.status()
        wait_until(lambda: struck(node, "burst") == 1, "the burst")
        in_force = {fault.partition(":")[0] for fault in node.control.status()["faults"]}
        assert in_force == set(lasting)
    with SimulatedNode(faults=("kill@0.1",)) as node:
        wait_until(lambda: not listens(node.port), "the node's death")


def test_a_node_whose_command_line_restarts_it_does_so_once_and_keeps_its_other_faults() -> None:
    with SimulatedNode(faults=("restart@0.2", "drop:percent=30@0-600", "pause@0-0.1")) as node:
        with Client(node.port) as client, suppress(EOFError, ConnectionError):
            core = client.api("global_getvar core_uuid")
            client.read_to_end()
        wait_until(lambda: node.control.status()["connections"] == 0, "the new node")
        with Client(node.port) as client:
            assert client.api("global_getvar core_uuid") != core
        (left,) = node.control.status()["faults"]
        assert left == "drop:percent=30"


def test_a_node_that_is_killed_is_gone_without_a_word(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with SimulatedNode(ledger=ledger) as node, Client(node.port) as client:
        client.command("event json ALL")
        uuid = client.api("originate sofia/gateway/carrier/15550007 &park()").split()[1]
        node.fault("kill")
        with suppress(ConnectionError):
            client.read_to_end()
        assert "SHUTDOWN" not in client.names()
        assert uuid in read_ledger(ledger).unfinished()
        assert node.kill() == -signal.SIGKILL


def test_a_half_open_connection_is_not_among_those_that_are_heard(faulty: SimulatedNode) -> None:
    with Client(faulty.port), Client(faulty.port):
        wait_until(lambda: faulty.control.status()["connections"] >= 2, what="two connections")
        faulty.fault("half-open")
        assert faulty.control.status()["connections"] == 0


def test_a_fault_that_cannot_be_is_refused_with_its_reason(node: SimulatedNode) -> None:
    with pytest.raises(ControlError, match=r"percent=x: could not convert"):
        node.fault("drop", percent="x")
    assert node.control.status()["faults"] == []
