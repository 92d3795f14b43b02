"""Agents that cannot run on the simulated node leave what they left on a real one, and are read by the same code."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from freeswitch import applications as apps
from freeswitch.applications import Application, inline
from freeswitch.hangup import Hangup, hangup_from_event
from tests.unit.simulator.node import Node

SORRY = apps.playback("sorry.wav")
CASES = {
    "file": (apps.played(apps.playback("nosuch.wav")), "FILE_NOT_FOUND"),
    "file there": (apps.played(apps.playback("hello.wav")), None),
    "tone": (apps.played(apps.tone("%(200,100,440)")), None),
    "voice": (apps.spoken(apps.say("Hello")), "NO_SPEECH_MODULE"),
    "server": (apps.served(apps.socket("127.0.0.1", 1), SORRY), "NO_SOCKET_SERVER"),
    "server without a message": (apps.served(apps.socket("127.0.0.1", 1)), "NO_SOCKET_SERVER"),
    "extension": (apps.transferred(apps.transfer("nosuch", "acme")), "NO_ROUTE_DESTINATION"),
    "gateway": (apps.connect(apps.bridge("sofia/gateway/nosuch/+15550100"), SORRY), "INVALID_GATEWAY"),
    "gateway down": (apps.connect(apps.bridge("sofia/gateway/x_down/+15550100")), "GATEWAY_DOWN"),
    "leg busy": (apps.connect(apps.bridge("sofia/gateway/desk/+15550101")), None),
    "queue": (apps.connect(apps.queue("nosuch")), "NO_SUCH_QUEUE"),
    "queue without agents": (apps.connect(apps.queue("empty")), None),
    "room": (apps.connect(apps.conference("t.room")), None),
}


def ended(
    steps: Sequence[Application], *unloaded: str, ending: str = "07", seconds: float = 20
) -> tuple[Hangup, list[str]]:
    node = Node()
    node.hub.subscribe(node.watcher, {"CHANNEL_EXECUTE", "CHANNEL_HANGUP_COMPLETE"})
    node.core.unloaded |= set(unloaded)
    node.call(ending, "api_on_answer='sched_del u'", inline([apps.end_after(60), *steps]))
    node.pass_time(seconds)
    ran = [event["Application"] for event in node.watcher.events if event["Event-Name"] == "CHANNEL_EXECUTE"]
    return hangup_from_event(node.last("CHANNEL_HANGUP_COMPLETE")), ran


@pytest.mark.parametrize(("steps", "cause"), CASES.values(), ids=CASES.keys())
def test_what_cannot_run_is_told_with_its_cause(steps: list[Application], cause: str | None) -> None:
    hangup, _ = ended(steps, "mod_flite")
    assert (hangup.answered, hangup.hung_up_by, hangup.agent_failure) == (True, "us", cause)


def test_a_text_is_spoken_where_the_node_has_its_engine() -> None:
    assert ended(CASES["voice"][0])[0].agent_failure is None


@pytest.mark.parametrize(
    ("step", "module", "cause"),
    [
        (apps.queue("support"), "mod_callcenter", "NO_QUEUE_MODULE"),
        (apps.conference("t.room"), "mod_conference", "NO_CONFERENCE_MODULE"),
    ],
    ids=["queue", "conference"],
)
def test_a_module_that_is_not_there_is_the_agents_failure(step: Application, module: str, cause: str) -> None:
    hangup, _ = ended(apps.connect(step), module)
    assert (hangup.agent_failure, hangup.abandoned) == (cause, True)


def test_who_finds_no_server_hears_the_message() -> None:
    _, ran = ended(CASES["server"][0])
    assert ran[-3:] == ["answer", "playback", "hangup"]


def test_who_hangs_up_within_the_message_was_answered() -> None:
    hangup, _ = ended(CASES["server"][0], ending="13")
    assert (hangup.hung_up_by, hangup.agent_failure) == ("remote", None)
