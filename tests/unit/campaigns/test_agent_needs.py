"""What each action needs of a node, from the action as it is stored."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.action_parsing import parse_action
from campaigns.actions import Allowed
from campaigns.agent_needs import MODULES, SETTLES, Need, NeedKind, lacking, module, needs, that_settle

SOUNDS = "/var/sounds"
DESK = "019ab0c4-3334-7aaa-8bbb-0123456789ab"
DIAL_STRINGS = {DESK: "sofia/gateway/acme::desk/{number}"}
ALLOWED = Allowed(
    "demo",
    SOUNDS,
    audio_hosts=frozenset({"cdn.acme.com"}),
    gateway_ids=frozenset({DESK}),
    queues=frozenset({"support@default"}),
    socket_hosts=frozenset({"10.0.0.9"}),
    dialplan_context="acme",
)
CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "playback", "file": " ivr/a.wav "}, ["file /var/sounds/ivr/a.wav"]),
    ({"type": "playback", "file": "/var/sounds/ivr/a.wav"}, ["file /var/sounds/ivr/a.wav"]),
    ({"type": "playback", "file": "ivr/{first_name}.wav"}, []),
    ({"type": "playback", "file": "https://cdn.acme.com/a.wav"}, ["module mod_httapi"]),
    ({"type": "playback", "say": "Hello"}, ["module mod_flite"]),
    ({"type": "playback", "say": {"text": "Hello", "voice": "flite/kal"}}, ["module mod_flite"]),
    ({"type": "playback", "say": {"text": "Hello", "voice": "kal"}}, ["module mod_flite"]),
    ({"type": "playback", "tone": "%(200,100,440)"}, ["module mod_tone_stream"]),
    ({"type": "transfer", "extension": "100"}, ["module mod_dialplan_xml"]),
    ({"type": "bridge", "gateway_id": DESK, "number": "+12125550100"}, ["gateway desk"]),
    ({"type": "bridge", "queue": "support@default"}, ["module mod_callcenter", "queue support@default"]),
    ({"type": "socket", "host": "10.0.0.9", "port": 8084}, ["server 10.0.0.9:8084"]),
    ({"type": "conference", "room": "a"}, ["module mod_conference"]),
    ({"type": "park"}, []),
    ({"type": "echo"}, []),
]


@pytest.mark.parametrize(("action", "wanted"), CASES, ids=str)
def test_each_action_needs_what_the_node_runs_it_with(action: dict[str, Any], wanted: list[str]) -> None:
    parse_action(action, ALLOWED)
    found = needs(action, SOUNDS, DIAL_STRINGS)
    assert [str(need) for need in found] == wanted
    assert {need for need in found if need.kind is NeedKind.MODULE} <= set(MODULES)


@pytest.mark.parametrize("action", [action for action, _ in CASES], ids=str)
def test_whoever_may_hear_the_safe_harbour_message_needs_what_it_is_played_with(
    action: dict[str, Any],
) -> None:
    """It is the last thing that a person hears: a file that is not there is silence and a hang-up."""
    alone = needs(action, SOUNDS, DIAL_STRINGS)
    heard = action["type"] in {"bridge", "conference", "socket"}
    file = (Need(NeedKind.FILE, "/var/sounds/sorry.wav"),) if heard else ()
    assert needs(action, SOUNDS, DIAL_STRINGS, {"file": "sorry.wav"}) == alone + file
    speech = (module("mod_flite"),) if heard else ()
    assert needs(action, SOUNDS, DIAL_STRINGS, {"say": "Sorry"}) == alone + speech


def test_what_could_be_more_than_one_word_of_a_command_is_no_need() -> None:
    for name in ("a b.wav", "a\nbgapi x", "${x}.wav"):
        assert needs({"type": "playback", "file": name}, SOUNDS, {}) == ()
    assert needs({"type": "bridge", "gateway_id": DESK}, SOUNDS, {DESK: "sofia/gateway/a b/{number}"}) == ()


def test_only_the_need_that_failed_settles_a_failure() -> None:
    wanted = (module("mod_callcenter"), Need(NeedKind.QUEUE, "support"))
    assert that_settle("NO_SUCH_QUEUE", wanted) == wanted[1:]
    assert that_settle("NO_QUEUE_MODULE", wanted) == wanted[:1]
    assert that_settle("FILE_NOT_FOUND", needs({"type": "playback", "file": "{x}.wav"}, SOUNDS, {})) == ()
    assert that_settle("NO_ROUTE_DESTINATION", (module("mod_dialplan_xml"),)) == ()
    assert set(SETTLES.values()) == set(NeedKind)


def test_only_where_every_node_lacks_something_can_none_run_it() -> None:
    wanted = needs({"type": "playback", "say": "Hello"}, SOUNDS, {})
    assert lacking(wanted, {"fs1": ["module mod_flite"], "fs2": ["module mod_flite", "file /x"]}) == {
        "fs1": ["module mod_flite"],
        "fs2": ["module mod_flite"],
    }
    assert lacking(wanted, {"fs1": ["module mod_flite"], "fs2": []}) == {}
    assert lacking(wanted, {}) == {}
