"""Plays the client's side of a recording to a simulated node and pairs what both answered.

Time is the recording's own, so timers of whole seconds fall into the same phase of the second.
"""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import orjson

from simulator.esl_client import EslClient
from tests.recordings import recordings_folder
from tests.unit.simulator.node import Node

_RECORD = re.compile(rb"@@ (?P<side>[CSN]) (?P<conn>\d+) t=(?P<at>[\d.]+) len=(?P<size>\d+)\n")
_LENGTH = re.compile(rb"^Content-Length: (\d+)$", re.MULTILINE)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)":("(?:[^"\\]|\\.)*")')
_CLOSED = re.compile(rb"conn (\d+): closed by client")
PATIENCE_SECONDS = 1.0
_STAMP = re.compile(rb"Event-Date-Timestamp(?:\":\"|: )(\d+)")


class Record(NamedTuple):
    """One record of a transcript."""

    side: str
    connection: int
    at: float
    data: bytes


def transcripts() -> dict[str, Path]:
    """Every recording there is, by name without its ending."""
    return {path.name.split(".")[0]: path for path in sorted(recordings_folder().glob("*.txt*"))}


def records(path: Path) -> Iterator[Record]:
    """The records of one transcript, cut by length."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    position = raw.index(b"@@ ")
    while position < len(raw):
        match = _RECORD.match(raw, position)
        assert match is not None
        end = match.end() + int(match["size"])
        yield Record(match["side"].decode(), int(match["conn"]), float(match["at"]), raw[match.end() : end])
        position = end + 1


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded event: every header in order, duplicates included."""

    headers: list[tuple[str, str]]
    body: str

    def get(self, name: str) -> str:
        """The first header of this name, or nothing."""
        return next((value for key, value in self.headers if key == name), "")


def _is_reply(frame: bytes) -> bool:
    return b"/reply\n" in frame[:64] or b"/response\n" in frame[:64]


def cut(stream: bytes) -> Iterator[bytes]:
    """The frames of a stream."""
    while stream:
        end = stream.index(b"\n\n") + 2
        match = _LENGTH.search(stream[:end])
        size = int(match[1]) if match else 0
        yield stream[: end + size]
        stream = stream[end + size :]


def decode(frame: bytes) -> Event | None:
    """The event of an event frame."""
    head, _, body = frame.partition(b"\n\n")
    text = body.decode("utf-8", "replace")
    if b"text/event-json" in head:
        headers = [(key, orjson.loads(value)) for key, value in _PAIR.findall(text)]
        return Event([pair for pair in headers if pair[0] != "_body"], dict(headers).get("_body", ""))
    if b"text/event-plain" in head:
        lines, _, inner = text.partition("\n\n")
        pairs = (line.partition(": ") for line in lines.split("\n"))
        return Event([(key, unquote(value)) for key, _, value in pairs], inner)
    return None


def anonymous(text: str) -> str:
    """A text with every uuid made the same."""
    return _UUID.sub("<uuid>", text)


@dataclass(slots=True)
class Replay:
    """What the recorded node and the simulated one sent, by connection."""

    recorded: dict[int, list[bytes]]
    simulated: dict[int, list[bytes]]


def replay(path: Path) -> Replay:
    """Send what the client sent, when it sent it, and collect both sides' frames."""
    script = list(records(path))
    stamped = next(((record.at, match) for record in script if (match := _STAMP.search(record.data))), None)
    start = int(stamped[1][1]) / 1e6 - stamped[0] if stamped else 1_795_416_000.0
    node = Node(start=start, sps=2_000, max_sessions=5_000)
    node.hub.unsubscribe(node.watcher)
    clients: dict[int, EslClient] = {}
    recorded: dict[int, list[bytes]] = defaultdict(list)
    simulated: dict[int, bytes] = defaultdict(bytes)

    def collect() -> None:
        for connection, client in clients.items():
            client.resume(node.now)
            while client.output.ready:
                simulated[connection] += client.output.take()

    def pass_until(moment: float) -> None:
        while (due := node.scheduler.next_due) is not None and due <= moment:
            node.pass_time(due - node.now)
            collect()
        node.pass_time(max(0.0, moment - node.now))

    def keep_up(connection: int) -> None:
        """The recorded client had its replies by now: let the simulated node, which may be slower, give them too."""
        latest = node.now + PATIENCE_SECONDS
        answered = sum(_is_reply(frame) for frame in recorded[connection])
        while (
            (due := node.scheduler.next_due) is not None
            and due <= latest
            and sum(map(_is_reply, cut(bytes(simulated[connection])))) < answered
        ):
            pass_until(due)

    for side, connection, at, data in script:
        pass_until(start + at)
        if side == "C" and connection in clients and clients[connection].waiting:
            keep_up(connection)
        if side == "N":
            if (gone := _CLOSED.fullmatch(data)) and int(gone[1]) in clients:
                clients.pop(int(gone[1])).leave()
            continue
        if connection not in clients:
            clients[connection] = EslClient("ClueCon", node.switch, node.apis)
            collect()
        if side == "S":
            recorded[connection].append(data)
        elif not clients[connection].output.closing:
            clients[connection].feed(data, node.now)
            collect()
    pass_until(node.now + 1.0)
    frames = {connection: list(cut(stream)) for connection, stream in simulated.items()}
    return Replay(recorded, frames)
