"""Bytes to frames, however they are split, and commands to bytes: nothing that a remote party chooses forges one."""

from __future__ import annotations

import sys

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freeswitch import protocol
from freeswitch.protocol import (
    MAX_BODY_BYTES,
    MAX_DEPTH,
    MAX_HEADER_BYTES,
    Frame,
    FrameDecoder,
    ProtocolError,
    decode_json,
    encode_command,
    encode_frame,
)
from tests.unit.freeswitch import oracles

# One frame of each shape that a real server sends, glued as they come off the wire.
STREAM = b"".join(
    [
        b"Content-Type: auth/request\n\n",
        b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n",
        b"Content-Type: api/response\nContent-Length: 14\n\n-ERR no reply\n",
        b"Content-Type: command/reply\nReply-Text: +OK Job-UUID: d1.a\nJob-UUID: d1.a\n\n",
        b'Content-Length: 23\nContent-Type: text/event-json\n\n{"Event-Name":"A\\n\\nB"}',
        b'Content-Length: 10\nContent-Type: text/event-json\n\n{"a":"\xe9\n\n"',
        b"Content-Type: text/disconnect-notice\nContent-Length: 5\n\nBye.\n",
    ]
)
SHAPES = [
    "auth/request",
    "command/reply",
    "api/response",
    "command/reply",
    "text/event-json",
    "text/event-json",
    "text/disconnect-notice",
]

header_text = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0%:"), min_size=1, max_size=20
).filter(lambda text: text == text.strip() and "\n" not in text)
header_maps = st.dictionaries(
    header_text.filter(lambda name: not name.startswith("Content-")), header_text, min_size=1, max_size=4
)


def decode(data: bytes) -> list[Frame]:
    return FrameDecoder().feed(data)


def test_every_shape_of_frame_is_cut_where_it_ends() -> None:
    frames = decode(STREAM)
    assert [frame.content_type for frame in frames] == SHAPES
    assert frames[1].reply_text == "+OK accepted"
    assert frames[2].body == b"-ERR no reply\n"
    assert frames[4].body == b'{"Event-Name":"A\\n\\nB"}'


def test_a_cut_at_any_byte_changes_nothing() -> None:
    whole = decode(STREAM)
    for cut in range(len(STREAM) + 1):
        decoder = FrameDecoder()
        assert decoder.feed(STREAM[:cut]) + decoder.feed(STREAM[cut:]) == whole, f"cut at {cut}"
        assert decoder.pending == 0


def test_bytes_that_come_one_by_one_make_the_same_frames() -> None:
    decoder = FrameDecoder()
    frames = [frame for byte in STREAM for frame in decoder.feed(bytes([byte]))]
    assert frames == decode(STREAM)


@given(
    st.lists(st.tuples(header_maps, st.binary(max_size=60)), max_size=6),
    st.lists(st.integers(1, 50), min_size=1, max_size=40),
)
def test_what_was_encoded_comes_back_however_it_is_split(
    messages: list[tuple[dict[str, str], bytes]], sizes: list[int]
) -> None:
    data = b"".join(encode_frame(headers, body) for headers, body in messages)
    decoder, frames, position, turn = FrameDecoder(), [], 0, 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        frames += decoder.feed(data[position : position + size])
        position, turn = position + size, turn + 1
    assert [frame.body for frame in frames] == [body for _, body in messages]
    for frame, (headers, _) in zip(frames, messages, strict=True):
        assert {name: frame.headers[name] for name in headers} == headers


# Bytes that look like frames more often than chance would have it.
scraps = st.sampled_from(
    [
        b"\n",
        b"\n\n",
        b": ",
        b"Content-Type: command/reply\n",
        b"Content-Type: text/event-json\n",
        b"Content-Length: 3\n",
        b"Content-Length: 00",
        b"Reply-Text: +OK %0AContent-Length%3A 5\n",
        b'{"Unique-ID":"a","Unique-ID":"b"}',
        b"\xff",
        b"\0",
        STREAM,
    ]
)
streams = st.lists(scraps | st.binary(max_size=20), max_size=12).map(b"".join)


@given(streams, st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_any_bytes_make_frames_or_a_fault_and_lose_nothing_that_follows(
    data: bytes, sizes: list[int]
) -> None:
    oracles.check_stream(data, sizes)


@given(streams)
def test_a_body_is_never_taken_for_headers(body: bytes) -> None:
    oracles.check_body(body)


@given(st.text(st.characters(codec="utf-8"), max_size=80), st.binary(max_size=80))
@example('Q.850;text="x%0AHangup-Cause%3A FORGED\n\nUnique-ID: forged"', b'","Unique-ID":"forged')
def test_nothing_that_a_remote_party_chooses_forges_a_header(text: str, raw: bytes) -> None:
    oracles.check_values(text, raw)


def test_a_percent_encoded_newline_in_a_value_forges_no_header() -> None:
    (frame,) = decode(b"Content-Type: command/reply\nReply-Text: x%0AUnique-ID%3A forged%\n\n")
    assert set(frame.headers) == {"Content-Type", "Reply-Text"}
    assert frame.reply_text == "x%0AUnique-ID%3A forged%"


def test_bytes_that_are_not_utf8_are_replaced_in_headers_and_bodies() -> None:
    (frame,) = decode(b"Reply-Text: caf\xe9\nContent-Length: 1\n\n\xff")
    assert frame.reply_text == "caf\ufffd"
    assert frame.text == "\ufffd"


def test_of_a_repeated_header_the_first_counts() -> None:
    (frame,) = decode(b"Job-UUID: a\nJob-UUID: b\n\n")
    assert frame.headers["Job-UUID"] == "a"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"Content-Type: a\nContent-Type: b\n\n", id="two frames run together"),
        pytest.param(b"Reply-Text: a\nReply-Text: b\n\n", id="two replies run together"),
        pytest.param(b"Content-Type: command/reply\nContent-Length: 1\n\n", id="a reply with a body"),
        pytest.param(b"no colon here\n\n", id="a line without a colon"),
        pytest.param(b"Content-Length: -1\n\n", id="a negative length"),
        pytest.param(b"Content-Length: 5O\n\n", id="a length that is no number"),
        pytest.param("Content-Length: ²\n\n".encode(), id="a digit that is not ASCII"),
        pytest.param(b"Content-Length: %d\n\n" % (MAX_BODY_BYTES + 1), id="a body above the bound"),
        pytest.param(b"A: " + b"x" * MAX_HEADER_BYTES, id="an endless header block"),
        pytest.param(b"A: " + b"x" * MAX_HEADER_BYTES + b"\n\n", id="a header block above the bound"),
    ],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(data)


@pytest.mark.parametrize("behind", [b"", b"\n"])
def test_the_longest_header_block_is_taken_wherever_it_is_cut(behind: bytes) -> None:
    block = b"A: " + b"x" * (MAX_HEADER_BYTES - 3)
    decoder = FrameDecoder()
    assert decoder.feed(block + b"\n"[len(behind) :]) == []
    (frame,) = decoder.feed(behind + b"\n")
    assert len(frame.headers["A"]) == MAX_HEADER_BYTES - 3


def test_the_frames_before_a_fault_are_not_lost() -> None:
    with pytest.raises(ProtocolError) as fault:
        decode(STREAM + b"no colon here\n\n")
    assert list(fault.value.frames) == decode(STREAM)


def test_an_unfinished_frame_shows_as_pending() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(b"Content-Length: 3\n\n") == []
    assert decoder.pending > 0
    decoder.feed(b"abc")
    assert decoder.pending == 0


def test_json_with_bytes_that_are_not_utf8_is_still_an_event() -> None:
    assert decode_json(b'{"a":"caf\xe9"}') == {"a": "caf\ufffd"}


@pytest.mark.parametrize("key", ["Event-Name", "Unique-ID", "Job-UUID", "Hangup-Cause", "variable_billsec"])
def test_a_repeated_json_key_does_not_make_an_event_another_ones(key: str) -> None:
    body = f'{{"{key}":"real","x":"1","{key}":"forged","x":"2"}}'.encode()
    assert decode_json(body) == {key: "real", "x": "1"}
    assert decode_json(body.replace(b"real", b"\xff")) == {key: "\ufffd", "x": "1"}
    escaped = body.replace(b"x", b"\\u0022\\u0022").replace(b'"%b":"f' % key.encode(), b'"\\u%04x%b":"f')
    escaped %= (ord(key[0]), key[1:].encode())
    assert decode_json(escaped) == {key: "real", '""': "1"}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from('a:"'), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", ":", '"', '":"', "", "é"]), json_values), max_size=6))
@example([("a", 1), ("a", 2)])
@example([("a", "x"), ("b", {"a": "y"}), ("a", ['":'])])
def test_of_repeated_json_keys_the_first_counts(pairs: list[tuple[str, object]]) -> None:
    body = b"{%b}" % b",".join(orjson.dumps(key) + b":" + orjson.dumps(value) for key, value in pairs)
    assert decode_json(body) == dict(reversed(pairs))


def test_an_event_with_a_value_that_begins_with_a_colon_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As each of a node without an IPv6 address."""
    monkeypatch.setattr(protocol, "first_of_each", lambda _body: pytest.fail("read a second time"))
    for event in ({"FreeSWITCH-IPv6": "::1", "a": "b"}, {"a": ":", "b": "::", "c": ""}):
        assert decode_json(orjson.dumps(event)) == event


def test_a_key_within_a_value_is_no_key() -> None:
    event = {"Unique-ID": "real", "variable_x": '","Unique-ID":"forged'}
    assert decode_json(orjson.dumps(event)) == event


def nested(depth: int, more: bytes = b"") -> bytes:
    """An event with a repeated key whose values are so deep; brackets within its strings do not count."""
    text = b'"]}\\"[[{' + b"{[" * 100 + b'"'
    return b'{"Unique-ID":"a","Unique-ID":"b","x":' + b"[" * depth + text + b"]" * depth + more + b"}"


def test_an_event_is_read_again_down_to_a_depth() -> None:
    assert decode_json(nested(MAX_DEPTH))["Unique-ID"] == "a"


@pytest.mark.parametrize("body", [nested(MAX_DEPTH + 1), nested(1020), nested(MAX_DEPTH + 1, b',"x":1')])
@pytest.mark.parametrize("limit", [400, 1_000, 100_000])
def test_an_event_too_deep_to_be_read_again_is_refused_whatever_the_interpreter_takes(
    body: bytes, limit: int
) -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    try:
        with pytest.raises(ProtocolError, match="nested more than"):
            decode_json(body)
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.parametrize("body", [b"", b"[]", b'"a"', b'{"a":', b"Disconnected, goodbye.\n"])
def test_an_event_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_json(body)


def test_a_command_ends_with_a_blank_line() -> None:
    assert encode_command("api status") == b"api status\n\n"
    assert encode_command("bgapi x", {"Job-UUID": "d.é"}) == "bgapi x\nJob-UUID: d.é\n\n".encode()


@pytest.mark.parametrize("hostile", ["a\nb", "a\rb", "a\0b", "a\n\napi b", "\ud800"])
def test_nothing_that_ends_a_line_gets_into_a_command(hostile: str) -> None:
    with pytest.raises(ProtocolError):
        encode_command(f"api {hostile}")
    with pytest.raises(ProtocolError):
        encode_command("api x", {"Job-UUID": hostile})
    with pytest.raises(ProtocolError):
        encode_command("api x", {hostile: "x"})


@pytest.mark.parametrize("command", ["", "  "])
def test_an_empty_command_is_refused(command: str) -> None:
    with pytest.raises(ProtocolError):
        encode_command(command)


def test_a_job_uuid_that_would_get_half_a_reply_is_not_sent() -> None:
    encode_command("bgapi x", {"Job-UUID": "é" * 117 + "x"})
    for name in ("Job-UUID", "job-uuid"):
        with pytest.raises(ProtocolError):
            encode_command("bgapi x", {name: "é" * 118})


@pytest.mark.parametrize("headers", [{"": "x"}, {"a:b": "x"}, {"a": "x\ny"}, {"Content-Length": "7"}])
def test_a_frame_that_would_not_come_back_is_not_encoded(headers: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        encode_frame(headers, b"abc")
