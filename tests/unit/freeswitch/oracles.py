"""What must hold of the protocol whatever bytes come; asked by hypothesis and by the coverage-guided fuzzer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import orjson

from freeswitch.decoding import decode_event
from freeswitch.events import ChannelEvent, ChannelEventKind, event_from_json
from freeswitch.protocol import (
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    Frame,
    FrameDecoder,
    ProtocolError,
    decode_json,
    encode_frame,
)

NEXT = Frame({"Content-Type": "api/response", "Content-Length": "4"}, b"next")
NEXT_BYTES = encode_frame(NEXT.headers, NEXT.body)
REAL = "97101b5b-e317-4272-a99d-7af395b5925f"


def run(pieces: Iterable[bytes]) -> tuple[list[Frame], str | None, FrameDecoder]:
    """The frames of a stream that arrives in these pieces, and the fault that ended it."""
    decoder, frames = FrameDecoder(), []
    for piece in pieces:
        try:
            frames += decoder.feed(piece)
        except ProtocolError as fault:
            return frames + list(fault.frames), str(fault), decoder
        assert decoder.pending <= MAX_HEADER_BYTES + MAX_BODY_BYTES + 1
    return frames, None, decoder


def pieces(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The data in pieces of these sizes, over and over."""
    found, position, turn = [], 0, 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        found.append(data[position : position + size])
        position, turn = position + size, turn + 1
    return found


def check_stream(data: bytes, sizes: Sequence[int]) -> None:
    """Any bytes make frames or a fault, the same however they are split; a frame behind whole ones is not lost."""
    whole, fault, decoder = run([data])
    parts, parts_fault, _ = run(pieces(data, sizes))
    assert parts == whole
    assert (parts_fault is None) == (fault is None)
    assert sum(len(frame.body) for frame in whole) <= len(data)
    for frame in whole:
        assert not any("\n" in name or "\n" in value for name, value in frame.headers.items())
        check_body(frame.body)
    if fault is None and decoder.pending == 0:
        again, fault, _ = run([data, NEXT_BYTES])
        assert fault is None
        assert again == [*whole, NEXT]


def check_body(body: bytes) -> None:
    """A body is a body, however it looks, and whatever it holds is read as an event or refused."""
    frames, fault, _ = run([encode_frame({"Content-Type": "text/event-json"}, body), NEXT_BYTES])
    assert fault is None
    assert [frame.body for frame in frames] == [body, NEXT.body]
    assert isinstance(frames[0].text, str)
    with suppress(ProtocolError):
        event_from_json(decode_json(body))
    with suppress(ProtocolError):
        decode_event(body)


def check_values(text: str, raw: bytes) -> None:
    """What a remote party can choose (the values, and the tail of a variable's name) forges nothing.

    `raw` stands in a value as FreeSWITCH passes it on: bytes that need not be UTF-8, with quotes escaped.
    """
    event = {
        "Event-Name": "CHANNEL_HANGUP_COMPLETE",
        "Core-UUID": "core",
        "Event-Date-Timestamp": "1795416229254216",
        "Unique-ID": REAL,
        "Hangup-Cause": "NORMAL_CLEARING",
        "variable_dialer_id": "d1",
        "variable_sip_reason": text,
        f"variable_sip_h_X-{text}": text,
    }
    escaped = raw.translate(None, bytes(range(32))).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    tail = b',"variable_sip_from_display":"' + escaped + b'","Hangup-Cause":"NORMAL_CLEARING"}'
    body = orjson.dumps(event)[:-1] + tail
    frames, fault, _ = run([encode_frame({"Content-Type": "text/event-json"}, body) + NEXT_BYTES])
    assert fault is None
    assert [frame.body for frame in frames] == [body, NEXT.body]
    decoded = decode_json(frames[0].body)
    assert {key: decoded[key] for key in event} == event
    record = event_from_json(decoded)
    assert isinstance(record, ChannelEvent)
    assert record.call_id == REAL
    assert record.hangup is not None
    assert record.hangup.cause == "NORMAL_CLEARING"
    assert record.hangup.sip_reason == (text or None)
    assert decode_event(body) == record
    created = decode_event(body.replace(b"CHANNEL_HANGUP_COMPLETE", b"CHANNEL_CREATE", 1))
    assert created == ChannelEvent(ChannelEventKind.CREATED, REAL, "core", 1795416229254216, None)
    for key in ("Event-Name", "Unique-ID", "Job-UUID"):
        again = decode_json(body[:-1] + b"," + orjson.dumps({key: text})[1:])
        assert again[key] == event.get(key, text)
