"""Agents that cannot run, and nodes that cannot carry a call on: told as what they are, and nobody's attempt."""

from __future__ import annotations

import io
import os
import resource
import socket
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from campaigns.dispositions import Disposition
from dialer.record.call_end import hung_up
from dialer.record.outcome_rows import Ended
from freeswitch import applications as apps
from freeswitch.applications import Application
from settings import NodeSettings
from tests.e2e.rig import Tenant, new_tenant, numbers, polled
from tests.real.carrier import Carrier
from tests.real.conftest import real_stack
from tests.real.machine import ask, pid_of, stopped
from tests.real.test_switch import Dialer, connected
from tests.unit.dialer.factories import make_call
from tests.waiting import wait_until

pytestmark = pytest.mark.real

ANSWERS = "07"
RING = 2
FROZEN_SECONDS = 5.0
FROZEN_ROUNDS = 4
SORRY = apps.tone("%(400,0,440)")
LEG = "sofia/gateway/carrier/{}"


def ended(dialer: Dialer, called: Sequence[str], **request: Any) -> dict[str, Ended]:
    """What becomes of calls to these numbers, by number, as the dialer would record it."""
    ids = {dialer.call(number, **request): number for number in called}
    wait_until(lambda: dialer.ends().keys() >= ids.keys(), "the end of every call", seconds=40)
    ends = dialer.ends()
    ring = request.get("ring_seconds", 30)
    return {
        number: hung_up(make_call(call_id=call_id, ring_seconds=ring, sent_at=0.0), 0.0, ends[call_id])
        for call_id, number in ids.items()
    }


@pytest.fixture
def dialer(nodes: tuple[NodeSettings, ...], carrier: Carrier) -> Iterator[Dialer]:
    found = connected(nodes[0])
    yield found
    found.cluster.stop()


def test_each_action_that_cannot_run_is_told_with_its_cause(
    dialer: Dialer, nodes: tuple[NodeSettings, ...]
) -> None:
    (flite,) = ask(nodes[0], "module_exists mod_flite")
    busy, rings, talks = (numbers(ending, count=1)[0] for ending in ("01", "02", "10"))
    cases: dict[str, tuple[list[Application], str, str]] = {
        "file": (apps.played(apps.playback("/no/such/file.wav")), "agent_failed", "FILE_NOT_FOUND"),
        "tone": (apps.played(SORRY), "answered", "NORMAL_CLEARING"),
        "voice": (
            apps.spoken(apps.say("Hello there")),
            *(("answered", "NORMAL_CLEARING") if flite == "true" else ("agent_failed", "NO_SPEECH_MODULE")),
        ),
        "server": (apps.served(apps.socket("127.0.0.1", 1), SORRY), "agent_failed", "NO_SOCKET_SERVER"),
        "extension": (
            apps.transferred(apps.transfer("nosuch", "nosuchcontext")),
            "agent_failed",
            "NO_ROUTE_DESTINATION",
        ),
        "gateway": (
            apps.connect(apps.bridge("sofia/gateway/nosuch/+12125550100"), SORRY),
            "agent_failed",
            "INVALID_GATEWAY",
        ),
        "leg busy": (apps.connect(apps.bridge(LEG.format(busy))), "abandoned", "NORMAL_CLEARING"),
        "leg rings": (apps.connect(apps.bridge(LEG.format(rings))), "abandoned", "NORMAL_CLEARING"),
        "leg answers": (apps.connect(apps.bridge(LEG.format(talks))), "answered", "NORMAL_CLEARING"),
        "queue": (apps.connect(apps.queue("nosuch@default")), "agent_failed", "NO_SUCH_QUEUE"),
        "queue without agents": (
            apps.connect(apps.queue("support@default")),
            "abandoned",
            "NORMAL_CLEARING",
        ),
        "room": (apps.connect(apps.conference("t.nobody")), "abandoned", "NORMAL_CLEARING"),
    }
    said = {}
    for name, (steps, _, _) in cases.items():
        ((_, end),) = ended(dialer, numbers(ANSWERS, count=1), applications=steps).items()
        said[name] = (str(end.disposition), end.cause)
        assert end.counts == (end.disposition != Disposition.AGENT_FAILED)
    assert said == {name: (disposition, cause) for name, (_, disposition, cause) in cases.items()}


@pytest.mark.parametrize(
    ("module", "step"),
    [("mod_callcenter", apps.queue("support@default")), ("mod_conference", apps.conference("t.nobody"))],
)
def test_a_module_that_is_not_loaded_is_the_agents_failure(
    dialer: Dialer, nodes: tuple[NodeSettings, ...], module: str, step: Application
) -> None:
    ask(nodes[0], f"unload {module}")
    try:
        # A module that a call still uses stays.
        wait_until(lambda: ask(nodes[0], f"module_exists {module}") == ["false"], "the module's end")
        ((_, end),) = ended(dialer, numbers(ANSWERS, count=1), applications=apps.connect(step)).items()
    finally:
        ask(nodes[0], f"load {module}")
    assert end.disposition == Disposition.AGENT_FAILED
    assert end.cause in ("NO_QUEUE_MODULE", "NO_CONFERENCE_MODULE")


def test_who_hangs_up_before_the_message_is_over_was_answered(dialer: Dialer) -> None:
    steps = apps.served(apps.socket("127.0.0.1", 1), apps.tone("%(4000,0,440)"))
    ((_, end),) = ended(dialer, numbers("10", count=1), applications=steps).items()
    assert (end.disposition, end.hung_up_by) == (Disposition.ANSWERED, "remote")


@contextmanager
def no_rtp_port(first: int, last: int) -> Iterator[None]:
    """Nobody else gets a UDP port of this range on the loopback meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * (last - first))), hard))
    with ExitStack() as held:
        for port in range(first, last + 2, 2):
            taken = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield


def rtp_range(node: NodeSettings) -> tuple[int, int]:
    (text,) = ask(node, "xml_locate configuration configuration name switch.conf")
    found = dict.fromkeys(("rtp-start-port", "rtp-end-port"), 0)
    for name in found:
        found[name] = int(text.partition(f'name="{name}" value="')[2].partition('"')[0])
    return found["rtp-start-port"], found["rtp-end-port"]


def test_a_call_that_the_node_has_no_port_for_is_the_nodes_fault(
    dialer: Dialer, carrier: Carrier, nodes: tuple[NodeSettings, ...]
) -> None:
    called = [*numbers(ANSWERS, "00", "08", count=6)]
    with no_rtp_port(*rtp_range(nodes[0])):
        ends = ended(dialer, called)
    assert {(str(end.disposition), end.cause, end.counts, end.free) for end in ends.values()} == {
        ("node_fault", "NO_MEDIA", False, "disturbed")
    }
    assert len(carrier.invites(called)) == len(called)


def test_whom_a_frozen_node_hung_up_on_late_is_not_told_as_nobody_who_answered(
    dialer: Dialer, carrier: Carrier, nodes: tuple[NodeSettings, ...]
) -> None:
    pid = pid_of(nodes[0])
    told: list[Ended] = []
    for _ in range(FROZEN_ROUNDS):
        told += answered_frozen(dialer, carrier, pid)
        # It may also read the answers before it runs its timers, or be stopped when they were there already.
        if any(end.disposition == Disposition.NODE_FAULT for end in told):
            break
    dispositions = [str(end.disposition) for end in told]
    assert set(dispositions) <= {"node_fault", "answered"}, dispositions
    assert "node_fault" in dispositions, "the node read the answers before it ran its timers"
    assert all(end.counts == (end.disposition == Disposition.ANSWERED) for end in told)
    print(f"of {len(told)} people who answered a frozen node: {dispositions.count('node_fault')} hung up on")


def answered_frozen(dialer: Dialer, carrier: Carrier, pid: int) -> list[Ended]:
    """What becomes of people who answer after 1.5 s, into the socket of a node that stands still."""
    called = numbers("00", count=8)
    ids = {dialer.call(number, ring_seconds=RING): number for number in called}
    wait_until(lambda: len(carrier.invites(called)) == len(called), "every INVITE")
    thawed = FROZEN_SECONDS + max(message.t for message in carrier.invites(called))
    with stopped(pid):
        wait_until(lambda: time.time() > thawed, "the thaw", seconds=30)
    wait_until(lambda: dialer.ends().keys() >= ids.keys(), "the end of every call", seconds=40)
    return [
        hung_up(make_call(call_id=call_id, ring_seconds=RING), 0.0, hangup)
        for call_id, hangup in dialer.ends().items()
        if call_id in ids
    ]


def test_a_campaign_whose_file_is_gone_is_held_after_a_few_people_and_goes_on_when_it_is_back(
    server_home: Path, tmp_path: Path, carrier: Carrier
) -> None:
    sound = tmp_path / "hello.wav"
    spoken = _silence(0.3)
    sound.write_bytes(spoken)
    # FreeSWITCH reads it as whoever it runs as.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(folder, 0o755)
    environ = {"CARILLON_SOUND_FOLDER": str(tmp_path)}
    with real_stack(server_home / f"{tmp_path.name}-agent", more=environ) as stack:
        stack.wait_ready()
        tenant = new_tenant(stack, action={"type": "playback", "file": sound.name})
        called = numbers(ANSWERS, count=60)
        campaign = tenant.campaign(called, max_concurrent_calls=5, retries_per_contact=0)
        tenant.act(campaign, "start")
        tenant.wait_touched(campaign, 10)
        sound.unlink()
        polled(lambda: tenant.get(campaign)["blocked_reason"] == "agent", "the hold", seconds=60)
        tenant.wait_idle(campaign)
        held = len(carrier.invites(called))
        failed = calls_of(tenant, campaign, "agent_failed")
        assert 5 <= len(failed) < len(called) / 2
        assert {(call["cause"], call["attempt"]) for call in failed} == {("FILE_NOT_FOUND", None)}
        assert held < len(called)
        sound.write_bytes(spoken)
        polled(lambda: len(carrier.invites(called)) > held, "the next call", seconds=60)
        tenant.act(campaign, "pause")
        tenant.wait_idle(campaign)
        assert len(calls_of(tenant, campaign, "agent_failed")) == len(failed)
        print(f"{len(failed)} of {held} people heard nothing before the campaign was held")


def calls_of(tenant: Tenant, campaign: str, disposition: str) -> list[dict[str, Any]]:
    return list(tenant.api.every("/api/v1/calls", "calls", campaign_id=campaign, disposition=disposition))


def _silence(seconds: float) -> bytes:
    """A file of silence."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * int(8000 * seconds)))
    return written.getvalue()
