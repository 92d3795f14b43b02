"""Reads the recordings of a real FreeSWITCH."""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from freeswitch.events import ChannelEvent, event_from_json
from freeswitch.hangup import Hangup
from freeswitch.protocol import FrameDecoder, decode_json
from tests.recordings import recordings_folder

SECOND_LEGS: Mapping[str, Mapping[str, str]] = orjson.loads(
    Path(__file__).with_name("second_legs.json").read_bytes()
)
"""The variables at the end of calls whose agent is reached by a bridge, from a real node (1.11.3-dev), by what became
of the leg to him."""

_RECORD = re.compile(rb"@@ (?P<side>[CSN]) (?P<conn>\d+) t=[\d.]+ len=(?P<size>\d+)\n")


def recordings() -> list[Path]:
    """Every recording there is, by name."""
    return sorted(recordings_folder().glob("*.txt*"))


def records(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """Each record's side (C sent by the client, S by the server, N a note), connection and bytes."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    position = raw.index(b"@@ ")
    while position < len(raw):
        match = _RECORD.match(raw, position)
        assert match is not None, f"{path.name} at byte {position}"
        end = match.end() + int(match["size"])
        yield match["side"].decode(), int(match["conn"]), raw[match.end() : end]
        position = end + 1


def server_streams(path: Path) -> dict[int, bytes]:
    """The exact byte stream that the server sent on each connection."""
    streams: dict[int, bytes] = defaultdict(bytes)
    for side, conn, data in records(path):
        if side == "S":
            streams[conn] += data
    return dict(streams)


def hangups(name: str) -> list[Hangup]:
    """How the channels of a recording ended that begins so, in order; of one in JSON."""
    (path,) = (one for one in recordings() if one.name.startswith(name))
    frames = [frame for stream in server_streams(path).values() for frame in FrameDecoder().feed(stream)]
    events = [
        event_from_json(decode_json(frame.body))
        for frame in frames
        if frame.content_type == "text/event-json"
    ]
    return [event.hangup for event in events if isinstance(event, ChannelEvent) and event.hangup is not None]


def swallowed() -> list[Hangup]:
    """How calls end by a carrier that swallows what it is sent, as a node recorded it: by our timer, and by SIP's."""
    found = [hangup for name in ("37", "67") for hangup in hangups(name)]
    return [hangup for hangup in found if hangup.gateway == "carrier_hole"]
