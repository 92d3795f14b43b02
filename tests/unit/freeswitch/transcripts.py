"""Reads the recordings of a real FreeSWITCH."""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.recordings import recordings_folder

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
