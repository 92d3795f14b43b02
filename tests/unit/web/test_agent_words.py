"""An agent's action in words, and from a form and back again."""

from __future__ import annotations

from typing import Any

import pytest

from web.agent_words import KINDS, action_of, action_sentence, form_of

VALUES = {"socket": "ivr.example.com:8084", "number": "+12125550100", "park": "", "echo": ""}


@pytest.mark.parametrize("kind", [kind for kind, _, _ in KINDS])
def test_what_a_form_makes_is_shown_in_it_again(kind: str) -> None:
    value = VALUES.get(kind, "welcome")
    gateway = "019ab0c4-3333-7aaa-8bbb-0123456789ab" if kind == "number" else ""
    action = action_of(kind, value, gateway)
    assert form_of(action) == (kind, value, gateway)
    assert value in action_sentence(action)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (
            {"type": "playback", "say": {"text": "Hello {name}", "voice": "slt"}},
            "Hears “Hello {name}”, spoken.",
        ),
        ({"type": "bridge", "queue": "support@default"}, "Is connected to the queue support@default."),
        ({"type": "park"}, "Waits on the line for whoever takes the call."),
        ({"type": "of_a_newer_release"}, "Does what this page does not know (of_a_newer_release)."),
    ],
)
def test_it_is_said_what_is_heard_or_where_it_goes(action: dict[str, Any], said: str) -> None:
    assert action_sentence(action) == said


@pytest.mark.parametrize(
    "value", ["ivr.example.com", "ivr.example.com:", "ivr.example.com:x", ":1", "٣:٣", ""]
)
def test_an_address_that_is_none_is_left_for_the_api_to_refuse(value: str) -> None:
    assert action_of("socket", value, "")["type"] == "socket"
