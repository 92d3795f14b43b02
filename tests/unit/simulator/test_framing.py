"""Cutting a client's bytes into commands, and encoding what goes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.framing import (
    Command,
    CommandReader,
    api_response,
    frame_event,
    json_event,
    plain_event,
    reply,
    url_encode,
)

STREAM = (
    b"auth ClueCon\n\n\n\napi status\r\n\r\nbgapi originate x\nJob-UUID: d1.c1\njob-uuid: second\n\n"
    b"sendevent CUSTOM\nContent-Length: 11\n\nhello\nworldapi uptime\n\n"
)
COMMANDS = [
    "auth ClueCon",
    "api status",
    "bgapi originate x",
    "sendevent CUSTOM",
    "api uptime",
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, len(STREAM)])
def test_commands_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    reader = CommandReader()
    found: list[Command] = []
    for start in range(0, len(STREAM), size):
        found.extend(reader.feed(STREAM[start : start + size]))
    assert [command.line for command in found] == COMMANDS
    assert found[2].headers["job-uuid"] == "d1.c1"
    assert found[3].body == "hello\nworld"
    assert not reader.unfinished


def test_a_command_without_its_blank_line_is_unfinished() -> None:
    reader = CommandReader()
    assert list(reader.feed(b"api uptime")) == []
    assert not reader.unfinished
    assert list(reader.feed(b"\n")) == []
    assert reader.unfinished


def test_invalid_utf8_survives_the_way_through() -> None:
    (command,) = CommandReader().feed(b"api echo caf\xe9\n\n")
    assert api_response(command.line[9:]).endswith(b"caf\xe9")


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("Mon, 23 Nov 2026 06:54:55 GMT", "Mon,%2023%20Nov%202026%2006%3A54%3A55%20GMT"),
        ("1.11.3-dev+git~2026", "1.11.3-dev%2Bgit~2026"),
        ("a%20b", "a%20b"),
        ("100% sure", "100%25%20sure"),
        ("Zoë", "Zo%C3%AB"),
        ("a\nb", "a%0Ab"),
        ("sip:x@y", "sip%3Ax%40y"),
    ],
)
def test_values_are_percent_encoded_as_recorded(value: str, encoded: str) -> None:
    assert url_encode(value) == encoded


@given(st.text(max_size=60))
def test_an_encoded_value_stays_on_one_line_of_ascii(value: str) -> None:
    encoded = url_encode(value)
    assert encoded.isascii()
    assert encoded.isprintable()
    assert " " not in encoded


def test_replies_and_frames_have_their_headers_in_the_recorded_order() -> None:
    assert reply("+OK accepted") == b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
    assert api_response("true") == b"Content-Type: api/response\nContent-Length: 4\n\ntrue"
    assert api_response("").endswith(b"-ERR no reply\n")
    assert frame_event("json", b"{}") == b"Content-Length: 2\nContent-Type: text/event-json\n\n{}"


def test_a_body_stands_behind_its_own_length() -> None:
    assert plain_event([("A", "b c")], "+OK é\n").endswith(b"A: b%20c\nContent-Length: 7\n\n+OK \xc3\xa9\n")
    assert json_event([("A", 'b"')], "x\n").endswith(b'{"A":"b\\"","Content-Length":"2","_body":"x\\n"}')
