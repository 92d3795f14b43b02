"""A node that was killed brings its answered calls back when it is told to, as the real one does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from freeswitch.events import LiveChannel, channel_from_dump
from simulator.process import SimulatedNode
from tests.integration.simulator.client import Client
from tests.waiting import wait_until

TALKING, RINGING = "1555000007", "1555000002"


@pytest.fixture
def tracked(tmp_path: Path) -> Iterator[SimulatedNode]:
    with SimulatedNode(track_calls=tmp_path / "calls", cdr_dir=tmp_path / "cdr", speed=2.0) as node:
        yield node


def place(client: Client, uuid: str, number: str) -> None:
    variables = f"origination_uuid={uuid},ignore_early_media=true,dialer_id=d1,carillon_name=A\\sB"
    client.command(f"bgapi originate {{{variables}}}sofia/gateway/carrier/{number} &park()")


@pytest.fixture
def client(tracked: SimulatedNode) -> Iterator[Client]:
    with Client(tracked.port) as connected:
        yield connected


@contextmanager
def killed(node: SimulatedNode) -> Iterator[Client]:
    """The node's next run."""
    node.kill()
    node.start()
    with Client(node.port) as connected:
        yield connected


def shown(client: Client, uuid: str) -> LiveChannel | None:
    text = client.api(f"uuid_dump {uuid} json")
    return channel_from_dump(json.loads(text)) if text.startswith("{") else None


def test_answered_calls_come_back_with_their_variables_and_times(
    tracked: SimulatedNode, client: Client
) -> None:
    place(client, "talking", TALKING)
    place(client, "ringing", RINGING)
    wait_until(lambda: (found := shown(client, "talking")) and found.answered, what="the answer")
    before = shown(client, "talking")
    with killed(tracked) as again:
        again.command("event json CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE")
        assert again.api("uuid_exists talking") == "false"
        assert again.api("sofia recover") == "Recovered 1 call(s)\n"
        assert again.api("sofia recover") == "No calls to recover.\n"
        assert again.api("uuid_exists ringing") == "false"
        after = shown(again, "talking")
        assert before is not None
        assert after is not None
        assert after.answered
        assert (after.answered_ms_ago or 0) > (before.answered_ms_ago or 0)
        assert again.api("uuid_getvar talking carillon_name") == "A B"
        names = [event["Event-Name"] for frame in again.frames if (event := frame.event) is not None]
        assert names == ["CHANNEL_CREATE"]


def test_a_call_that_came_back_ends_when_its_new_timer_says_so(
    tracked: SimulatedNode, client: Client, tmp_path: Path
) -> None:
    place(client, "talking", TALKING)
    wait_until(lambda: list((tmp_path / "calls").glob("*.json")), what="the answer")
    with killed(tracked) as again:
        again.api("sofia recover")
        assert again.api("sched_hangup +2 talking ALLOTTED_TIMEOUT") == "+OK\n"
        written = tmp_path / "cdr" / "talking.cdr.json"
        # As the module does, the node writes it under its final name: it is there before it is whole.
        wait_until(lambda: written.exists() and written.read_bytes().endswith(b"\n"), what="the end")
        record = json.loads(written.read_bytes())
        assert record["variables"]["hangup_cause"] == "ALLOTTED_TIMEOUT"
        assert record["variables"]["answer_uepoch"] != "0"
        assert list((tmp_path / "calls").iterdir()) == []


def test_who_would_have_hung_up_meanwhile_does_so_at_once(
    tracked: SimulatedNode, client: Client, tmp_path: Path
) -> None:
    place(client, "short", "1555000010")
    wait_until(lambda: list((tmp_path / "calls").glob("*.json")), what="the answer")
    with killed(tracked) as again:
        again.api("sofia recover")
        wait_until((tmp_path / "cdr" / "short.cdr.json").exists, what="the end")
        assert again.api("uuid_exists short") == "false"
