"""An agent's message for whom nobody joins: a playback's rules under a name of its own."""

from __future__ import annotations

import pytest

from campaigns.actions import ActionRefused, Allowed, PlayFile, Say
from campaigns.safe_harbour import Message, fill_safe_harbour, parse_safe_harbour

ALLOWED = Allowed("t1", "/sounds", audio_hosts=frozenset({"cdn.example"}))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, None),
        ({"file": "sorry.wav"}, PlayFile("/sounds/sorry.wav")),
        ({"file": "https://cdn.example/{language}.wav"}, PlayFile("https://cdn.example/{language}.wav")),
        ({"say": "This was {company}"}, Say("This was {company}")),
        ({"say": {"text": "Hi", "voice": "kal"}}, Say("Hi", "flite/kal")),
    ],
)
def test_a_file_or_a_text_is_a_message(data: object, message: Message | None) -> None:
    assert parse_safe_harbour(data, ALLOWED) == message


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ("sorry.wav", "safe_harbour"),
        ([], "safe_harbour"),
        ({}, "safe_harbour.file"),
        ({"file": "a.wav", "say": "b"}, "safe_harbour.say"),
        ({"tone": "%(200,100,440)"}, "safe_harbour.tone"),
        ({"type": "park"}, "safe_harbour.type"),
        ({"say": "a", "then": "b"}, "safe_harbour.then"),
        ({"file": "../x.wav"}, "safe_harbour.file"),
        ({"file": "https://elsewhere.example/a.wav"}, "safe_harbour.file"),
        ({"say": "${x}"}, "safe_harbour.say.text"),
        ({"say": {"text": "a", "voice": "none/such"}}, "safe_harbour.say.voice"),
        ({1: "a"}, "safe_harbour.1"),
    ],
)
def test_whatever_else_is_refused_by_its_own_name(data: object, field: str) -> None:
    with pytest.raises(ActionRefused) as refused:
        parse_safe_harbour(data, ALLOWED)
    assert refused.value.field == field
    assert str(refused.value).startswith(field)
    assert "tone" not in refused.value.rule


def test_it_is_filled_with_the_contact_s_columns_and_checked_again() -> None:
    said = Say("Sorry, {first_name}")
    assert fill_safe_harbour(said, {"first_name": "Zoë"}) == Say("Sorry, Zoë")
    assert fill_safe_harbour(said, {"first_name": "O'Brien"}) == Say("Sorry, O\u2019Brien")
    for columns in ({}, {"first_name": "x" * 600}):
        with pytest.raises(ActionRefused) as refused:
            fill_safe_harbour(said, columns)
        assert refused.value.field == "safe_harbour.say.text"
