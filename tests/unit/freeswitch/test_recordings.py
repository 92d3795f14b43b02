"""Every recorded stream of a real FreeSWITCH, cut and glued again."""

from __future__ import annotations

import pytest

from freeswitch.protocol import Frame, FrameDecoder, ProtocolError, decode_json, encode_frame
from tests.examples import PART, share
from tests.unit.freeswitch.transcripts import recordings, records, server_streams

# In it the switch itself cut a reply short, whose headers run into those of the next frame.
CUT = "30_bgapi_job_uuid"


def streams(*, cut: bool = False) -> list[tuple[str, bytes]]:
    """What a server sent on each recorded connection, with a name for it."""
    return [
        (f"{path.name} connection {conn}", stream)
        for path in recordings()
        if path.name.startswith(CUT) is cut
        for conn, stream in server_streams(path).items()
    ]


def decode(data: bytes) -> list[Frame]:
    return FrameDecoder().feed(data)


def shape(frame: Frame) -> tuple[str, tuple[str, ...], bool]:
    return frame.content_type, tuple(frame.headers), bool(frame.body)


def test_every_stream_is_cut_where_the_recorder_saw_each_frame_end() -> None:
    seen = 0
    for path in recordings():
        if path.name.startswith(CUT):
            continue
        cuts: dict[int, int] = {}
        for side, conn, data in records(path):
            if side == "S":
                cuts[conn] = cuts.get(conn, 0) + len(decode(data))
        for conn, stream in server_streams(path).items():
            frames = decode(stream)
            assert len(frames) == cuts[conn], f"{path.name} connection {conn}"
            seen += len(frames)
            for frame in frames:
                if frame.content_type == "text/event-json":
                    assert "Event-Name" in decode_json(frame.body)
    assert seen > 3000


def test_every_stream_fed_byte_by_byte_makes_the_same_frames() -> None:
    for name, stream in share(streams(), 0, 4 * PART):
        decoder = FrameDecoder()
        frames = [frame for place in range(len(stream)) for frame in decoder.feed(stream[place : place + 1])]
        assert frames == decode(stream), name
        assert decoder.pending == 0, name


def test_the_frames_of_every_stream_encode_to_the_bytes_they_came_from() -> None:
    for name, stream in streams():
        encoded = b"".join(encode_frame(frame.headers, frame.body) for frame in decode(stream))
        assert encoded == stream, name


def test_a_cut_at_any_byte_of_any_kind_of_frame_changes_nothing() -> None:
    kinds: dict[tuple[str, tuple[str, ...], bool], bytes] = {}
    for _, stream in streams():
        for frame in decode(stream):
            data = encode_frame(frame.headers, frame.body)
            if len(data) < len(kinds.get(shape(frame), data + b"x")):
                kinds[shape(frame)] = data
    assert len(kinds) >= 9
    whole = {kind: decode(data * 2) for kind, data in kinds.items()}
    for kind, data in kinds.items():
        for cut in range(len(data) + 1):
            decoder = FrameDecoder()
            assert decoder.feed(data[:cut]) + decoder.feed(data[cut:] + data) == whole[kind], (kind, cut)


def cut_stream() -> bytes:
    ((_, stream),) = streams(cut=True)
    return stream


def test_the_reply_that_the_switch_cut_costs_nothing_that_came_before_it_and_is_never_taken_for_one() -> None:
    stream = cut_stream()
    with pytest.raises(ProtocolError, match="two Content-Type") as fault:
        decode(stream)
    before = list(fault.value.frames)
    glued = b"".join(encode_frame(frame.headers, frame.body) for frame in before)
    assert glued == stream[: len(glued)]
    assert stream[len(glued) :].startswith(b"Content-Type: command/reply\nReply-Text: +OK Job-UUID: xxx")


@pytest.mark.parametrize(
    "following",
    [
        encode_frame({"Content-Type": "command/reply", "Reply-Text": "+OK accepted"}),
        encode_frame({"Content-Type": "api/response", "Content-Length": "4"}, b"true"),
        encode_frame({"Content-Length": "2", "Content-Type": "text/event-json"}, b"{}"),
        encode_frame({"Content-Type": "text/disconnect-notice", "Content-Length": "5"}, b"Bye.\n"),
    ],
)
@pytest.mark.parametrize("size", [512, 300])
def test_a_cut_reply_is_noticed_whatever_follows_it(following: bytes, size: int) -> None:
    job = b"x" * 440
    reply = b"Content-Type: command/reply\nReply-Text: +OK Job-UUID: " + job + b"\nJob-UUID: " + job
    with pytest.raises(ProtocolError):
        decode(reply[:size] + following)
