"""An agent's action in words, and an agent from a form and back again."""

from __future__ import annotations

from typing import Any

import pytest

from web.agent_words import FIELDS, KINDS, action_sentence, changed, fields_of, message_sentence, said_by

VALUES = {"socket": "ivr.example.com:8084", "number": "+12125550100", "park": "", "echo": ""}
AWB = {"type": "playback", "say": {"text": "Hello {name}", "voice": "awb"}}
AGENT: dict[str, Any] = {
    "name": "Desk",
    "action": {"type": "park"},
    "safe_harbour": None,
    "ring_timeout_seconds": 30,
    "max_call_seconds": 60,
    "variables": None,
}


def fields(**changes: Any) -> dict[str, Any]:
    return fields_of(AGENT) | changes


@pytest.mark.parametrize("kind", [kind for kind, _, _ in KINDS])
def test_what_a_form_makes_is_shown_in_it_again(kind: str) -> None:
    value = VALUES.get(kind, "welcome")
    gateway = "019ab0c4-3333-7aaa-8bbb-0123456789ab" if kind == "number" else ""
    typed = fields(kind=kind, value=value, gateway_id=gateway, voice="awb" if kind == "say" else "")
    made: dict[str, Any] = said_by(typed)
    assert fields_of(made) == typed
    assert value in action_sentence(made["action"])


@pytest.mark.parametrize(
    "part",
    [
        {"action": AWB},
        {"action": {"type": "playback", "say": "Hello"}},
        {"action": {"type": "bridge", "number": "+12125550100", "gateway_id": "g"}},
        {"safe_harbour": {"say": {"text": "We will call again.", "voice": "rms"}}},
        {"safe_harbour": {"say": "We will call again."}},
        {"safe_harbour": {"file": "sorry.wav"}},
        {"variables": []},
        {"variables": ["first_name", "a, b"]},
    ],
)
def test_an_agent_is_said_as_it_is(part: dict[str, Any]) -> None:
    agent = AGENT | part
    assert fields_of(agent).keys() == FIELDS
    assert said_by(fields_of(agent)) == agent
    assert changed(fields_of(agent), fields_of(agent)) == {}


@pytest.mark.parametrize(
    "action",
    [
        {"type": "playback", "say": {"text": "Hello\nyou", "voice": "awb"}},
        {"type": "of_a_newer_release", "what": "more"},
    ],
)
def test_what_a_form_cannot_say_is_not_said_by_it(action: dict[str, Any]) -> None:
    filled = fields_of(AGENT | {"action": action})
    assert "\n" not in filled["value"]
    assert changed(filled | {"ring_timeout_seconds": 45}, filled) == {"ring_timeout_seconds": 45}
    assert changed(filled | {"kind": "park"}, filled) == {"action": {"type": "park"}}
    # A form that does not say how it was filled says all that it has.
    assert changed(fields(), {"name": "Desk"}) == AGENT


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (AWB, "Hears “Hello {name}”, spoken by awb."),
        ({"type": "playback", "say": "Hello"}, "Hears “Hello”, spoken."),
        ({"type": "bridge", "queue": "support@default"}, "Is connected to the queue support@default."),
        ({"type": "park"}, "Waits on the line for whoever takes the call."),
        ({"type": "of_a_newer_release"}, "Does what this page does not know (of_a_newer_release)."),
    ],
)
def test_it_is_said_what_is_heard_or_where_it_goes(action: dict[str, Any], said: str) -> None:
    assert action_sentence(action) == said


def test_it_is_said_what_somebody_hears_whom_nobody_joins() -> None:
    message = {"say": {"text": "We will call again.", "voice": "rms"}}
    said = "Whom nobody joins in time hears “We will call again.”, spoken by rms."
    assert message_sentence(message) == said
    assert message_sentence(None) == ""


@pytest.mark.parametrize(
    "value", ["ivr.example.com", "ivr.example.com:", "ivr.example.com:x", ":1", "٣:٣", ""]
)
def test_an_address_that_is_none_is_left_for_the_api_to_refuse(value: str) -> None:
    made: dict[str, Any] = said_by(fields(kind="socket", value=value))
    assert made["action"]["type"] == "socket"
