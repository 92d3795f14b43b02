from __future__ import annotations

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeswitch.protocol import (
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    Frame,
    FrameDecoder,
    ProtocolError,
    decode_json,
    encode_command,
    encode_frame,
)
from tests.unit.freeswitch.transcripts import recordings, records, server_streams

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


@given(st.binary(max_size=300))
def test_no_bytes_at_all_do_anything_but_make_frames_or_a_protocol_error(data: bytes) -> None:
    try:
        for frame in decode(data):
            assert isinstance(frame.text, str)
    except ProtocolError:
        pass


def test_a_percent_encoded_newline_in_a_value_forges_no_header() -> None:
    (frame,) = decode(b"Content-Type: command/reply\nReply-Text: x%0AUnique-ID%3A forged%\n\n")
    assert set(frame.headers) == {"Content-Type", "Reply-Text"}
    assert frame.reply_text == "x\nUnique-ID: forged%"


def test_bytes_that_are_not_utf8_are_replaced_in_headers_and_bodies() -> None:
    (frame,) = decode(b"Reply-Text: caf\xe9 %e9\nContent-Length: 1\n\n\xff")
    assert frame.reply_text == "caf\ufffd \ufffd"
    assert frame.text == "\ufffd"


def test_of_a_repeated_header_the_first_counts() -> None:
    (frame,) = decode(b"Job-UUID: a\nJob-UUID: b\n\n")
    assert frame.headers["Job-UUID"] == "a"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"Content-Type: a\nContent-Type: b\n\n", id="two frames run together"),
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


def test_decoding_byte_by_byte_takes_time_in_proportion_to_the_bytes() -> None:
    def seconds(size: int) -> float:
        data = b"Content-Length: %d\n\n" % size + b"x" * size
        started = time.process_time()
        decoder = FrameDecoder()
        frames = sum(len(decoder.feed(data[i : i + 1])) for i in range(len(data)))
        assert frames == 1
        return time.process_time() - started

    small = min(seconds(20_000) for _ in range(3))
    assert min(seconds(160_000) for _ in range(2)) < 8 * small * 4


def test_json_with_bytes_that_are_not_utf8_is_still_an_event() -> None:
    assert decode_json(b'{"a":"caf\xe9"}') == {"a": "caf\ufffd"}


def test_of_a_repeated_json_key_the_last_counts() -> None:
    assert decode_json(b'{"Hangup-Cause":"A","Hangup-Cause":"B"}') == {"Hangup-Cause": "B"}


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


@pytest.mark.parametrize("headers", [{"": "x"}, {"a:b": "x"}, {"a": "x\ny"}, {"Content-Length": "7"}])
def test_a_frame_that_would_not_come_back_is_not_encoded(headers: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        encode_frame(headers, b"abc")


@pytest.mark.skipif(not recordings(), reason="no recordings beside this checkout")
def test_every_recorded_stream_decodes_to_frames_that_end_where_the_recorder_cut() -> None:
    frames_seen = 0
    for path in recordings():
        if path.name.startswith("30_"):
            continue
        cuts: dict[int, list[int]] = {}
        for side, conn, data in records(path):
            if side == "S":
                cuts.setdefault(conn, []).append(len(decode(data)))
        for conn, stream in server_streams(path).items():
            frames = decode(stream)
            assert len(frames) == sum(cuts[conn]), f"{path.name} connection {conn}"
            frames_seen += len(frames)
            for frame in frames:
                if frame.content_type == "text/event-json":
                    assert "Event-Name" in decode_json(frame.body)
    assert frames_seen > 3000


@pytest.mark.skipif(not recordings(), reason="no recordings beside this checkout")
def test_the_recorded_reply_that_lost_its_blank_line_is_noticed() -> None:
    (path,) = (path for path in recordings() if path.name.startswith("30_"))
    with pytest.raises(ProtocolError):
        decode(server_streams(path)[1])


def test_decoding_an_event_costs_a_fraction_of_what_greenswitch_takes() -> None:
    from greenswitch.esl import ESLEvent

    names = [f"variable_{i}" for i in range(150)]
    body = orjson.dumps({name: f"value of {name}: 1" for name in names})
    plain = "".join(f"{name}: value%20of%20{name}%3A%201\n" for name in names)
    data = encode_frame({"Content-Type": "text/event-json"}, body) * 100

    def ours() -> float:
        started = time.process_time()
        assert all(decode_json(frame.body)["variable_7"] for frame in decode(data))
        return time.process_time() - started

    def theirs() -> float:
        started = time.process_time()
        assert all(ESLEvent(plain).headers["variable_7"] for _ in range(100))
        return time.process_time() - started

    assert min(ours() for _ in range(5)) * 3 < min(theirs() for _ in range(5))
