"""How a node ends, and what that leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.ledger import read_ledger
from simulator.process import SimulatedNode, SimulatorError
from tests.integration.simulator.client import Client

WATCH = (
    "event json CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_DESTROY SHUTDOWN"
)
CALL = "originate {{origination_uuid={uuid}}}sofia/gateway/carrier/15550007 &park()"


def answered(client: Client, uuid: str) -> None:
    assert client.api(CALL.format(uuid=uuid)) == f"+OK {uuid}\n"


def test_sigterm_ends_calls_and_connections_as_recorded(tmp_path: Path) -> None:
    node = SimulatedNode(ledger=tmp_path / "ledger")
    node.start()
    with Client(node.port) as client:
        client.command(WATCH)
        answered(client, "call-0")
        answered(client, "call-1")
        assert node.stop() == 0
        client.read_to_end()
        events = [event for frame in client.frames if (event := frame.event) is not None]
        events = events[client.names().index("SHUTDOWN") :]
        assert [(event["Event-Name"], event.get("Unique-ID")) for event in events[:3]] == [
            ("SHUTDOWN", None),
            ("CHANNEL_HANGUP", "call-1"),
            ("CHANNEL_HANGUP", "call-0"),
        ]
        assert {event["Hangup-Cause"] for event in events[1:]} == {"SYSTEM_SHUTDOWN"}
        assert [event["Event-Name"] for event in events].count("CHANNEL_DESTROY") == 2
        assert client.frames[-1].body == b"The system is being shut down.\n"
    assert read_ledger(tmp_path / "ledger").unfinished() == set()


OWNER = """
import sys
from simulator.process import SimulatedNode
node = SimulatedNode()
node.start()
print(node.port, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_node_whose_owner_is_ended_without_a_word_ends_too(number: signal.Signals) -> None:
    """As when the tests are ended: nobody is left to end what they had started."""
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        with Client(int(owner.stdout.readline())) as client:
            owner.send_signal(number)
            client.read_to_end()


def test_fsctl_shutdown_ends_the_node() -> None:
    node = SimulatedNode()
    node.start()
    with Client(node.port) as client:
        assert client.api("fsctl shutdown") == "+OK\n"
        client.read_to_end()
    assert node.stop() == 0


def test_shutdown_asap_refuses_new_calls_and_goes_with_the_last() -> None:
    node = SimulatedNode()
    node.start()
    with Client(node.port) as waiting, Client(node.port) as client:
        answered(client, "last")
        waiting.send(b"api fsctl shutdown asap\n\n")
        while client.api("fsctl shutdown_check") != "true":
            pass
        assert client.api(CALL.format(uuid="late")) == "-ERR DESTINATION_OUT_OF_ORDER\n"
        client.api("uuid_kill last")
        assert waiting.wait_for(lambda frame: "api/response" in frame.head).body == b"+OK\n"
        waiting.read_to_end()
        client.read_to_end()
    assert node.stop() == 0


def test_a_killed_node_leaves_a_ledger_that_knows_what_it_had(tmp_path: Path) -> None:
    node = SimulatedNode(ledger=tmp_path / "ledger")
    node.start()
    with Client(node.port) as client:
        answered(client, "alive")
        os.kill(node.pid, signal.SIGKILL)
        client.read_to_end()
    port = node.port
    node.kill()
    view = read_ledger(tmp_path / "ledger")
    assert view.unfinished() == {"alive"}
    with node:
        assert node.port == port
        with Client(node.port) as client:
            assert client.api("uuid_exists alive") == "false"
            answered(client, "after")
    view = read_ledger(tmp_path / "ledger")
    assert [line.uuid for line in view.accepted] == ["alive", "after"]
    began, again = view.starts
    alive, after = view.accepted
    assert (began.node, again.node) == ("fs1", "fs1")
    assert began.t < alive.t < again.t < after.t


def test_limits_of_the_command_line_hold() -> None:
    with SimulatedNode(sps=5, max_sessions=3, gateways=("carrier",)) as node, Client(node.port) as client:
        assert client.api("originate sofia/gateway/other/1 &park()") == "-ERR INVALID_GATEWAY\n"
        assert client.api("fsctl max_sessions") == "+OK max sessions: 3\n"
        client.command("event json BACKGROUND_JOB HEARTBEAT")
        client.send(
            b"".join(b"bgapi originate sofia/gateway/carrier/15550001 &park()\n\n" for _ in range(20))
        )
        jobs = [client.event("BACKGROUND_JOB")["_body"] for _ in range(20)]
        assert 0 < jobs.count("-ERR USER_BUSY\n") <= 3


def test_heartbeats_tell_the_load_and_pass_filters_by_name_only() -> None:
    with SimulatedNode(heartbeat=0.1, sps=50) as node, Client(node.port) as client:
        client.command("event json HEARTBEAT")
        answered(client, "alive")
        heartbeat = client.event("HEARTBEAT")
        assert (heartbeat["Session-Count"], heartbeat["Max-Sessions"]) == ("1", "10000")
        assert heartbeat["Session-Per-Sec"] in ("49", "50")
        assert heartbeat["Event-Info"] == "System Ready"
        client.command("filter variable_dialer_id d1")
        client.command("filter Event-Name HEARTBEAT")
        seen = len(client.frames)
        client.event("HEARTBEAT")
        assert len(client.frames) > seen


def test_a_wrong_option_is_told() -> None:
    with pytest.raises(SimulatorError, match="not between"):
        SimulatedNode(port=70_000).start()


def test_a_port_in_use_is_told() -> None:
    with SimulatedNode() as node, pytest.raises(SimulatorError, match="cannot listen"):
        SimulatedNode(port=node.port).start()


def test_whatever_a_client_heard_of_is_in_the_ledger_of_a_killed_node(tmp_path: Path) -> None:
    node = SimulatedNode(ledger=tmp_path / "ledger", speed=100)
    node.start()
    with Client(node.port) as client:
        client.command("event json CHANNEL_CREATE CHANNEL_HANGUP_COMPLETE")
        line = b"bgapi originate sofia/gateway/carrier/15550001 &park()\n\n"
        client.send(line * 400)
        ended = [client.event("CHANNEL_HANGUP_COMPLETE")["Unique-ID"] for _ in range(150)]
        os.kill(node.pid, signal.SIGKILL)
        created = [event["Unique-ID"] for frame in client.frames if (event := frame.event) is not None]
    node.kill()
    view = read_ledger(tmp_path / "ledger")
    assert set(created) <= {line.uuid for line in view.accepted}
    assert set(ended) <= set(view.ends())
