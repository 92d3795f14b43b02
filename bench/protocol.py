"""How many events a second one core receives: Carillon's connection against greenswitch's own receiver.

`python bench/protocol.py [--events 20000] [--rounds 5] [--at-least RATIO]` sends the same events over a socket to
both in turns, each in a process of its own: greenswitch as it comes, with one handler that counts, plain events as
it needs them; Carillon's reader, decoder and typed records, JSON. Events are those of the calls that were recorded
in both formats: all of them, and then those alone to which a dialer subscribes. What counts is the receiver's CPU
time; a ratio is that of two runs next to each other, and its median over all events has to be `--at-least` RATIO.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gevent import socket, subprocess
from gevent.event import Event as Signal
from gevent.server import StreamServer
from greenswitch import InboundESL

from freeswitch.connection import EslConnection
from freeswitch.decoding import decode_event
from freeswitch.events import Event, Heartbeat
from freeswitch.protocol import Frame, FrameDecoder, decode_json, encode_frame
from freeswitch.subscription import EVENT_NAMES
from tests.recordings import recordings_folder

RECORD = re.compile(rb"@@ (?P<side>[CSN]) (?P<conn>\d+) t=[\d.]+ len=(?P<size>\d+)\n")
WAIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Batch:
    """The same events in both formats, as they go over the wire."""

    events: int
    json: bytes
    plain: bytes
    source: str


Pair = tuple[bytes, bytes]


def recorded() -> list[Pair]:
    """The bodies of the events of the calls that were recorded in both formats."""
    pairs: list[Pair] = []
    folder = recordings_folder()
    for path in sorted(folder.glob("*_json.txt*")):
        twins = list(folder.glob(path.name.partition("_json")[0] + "_plain.txt*"))
        left = [frame for twin in twins for frame in frames(twin) if frame.content_type == "text/event-plain"]
        for frame in frames(path):
            if frame.content_type != "text/event-json":
                continue
            opening = f"Event-Name: {decode_json(frame.body)['Event-Name']}\n".encode()
            same = next((one for one in left if one.body.startswith(opening)), None)
            if same is not None:
                left.remove(same)
                pairs.append((frame.body, same.body))
    return pairs


def frames(path: Path) -> Iterator[Frame]:
    """What the server sent in a recording."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    decoders: dict[bytes, FrameDecoder] = {}
    for found in RECORD.finditer(raw):
        if found["side"] == b"S":
            decoder = decoders.setdefault(found["conn"], FrameDecoder())
            yield from decoder.feed(raw[found.end() : found.end() + int(found["size"])])


def batch(bodies: list[Pair], source: str) -> Batch:
    """The bodies, JSON and plain, in frames."""
    return Batch(
        len(bodies),
        b"".join(encode_frame(head("json", one), one) for one, _ in bodies),
        b"".join(encode_frame(head("plain", other), other) for _, other in bodies),
        source,
    )


def head(kind: str, body: bytes) -> dict[str, str]:
    """The headers of an event's frame, in the switch's order."""
    return {"Content-Length": str(len(body)), "Content-Type": f"text/event-{kind}"}


LAST_JSON, LAST_PLAIN = (
    encode_frame(head(kind, body), body)
    for kind, body in (("json", b'{"Event-Name":"HEARTBEAT"}'), ("plain", b"Event-Name: HEARTBEAT\n\n"))
)


def serve(sock: socket.socket, sent: Batch, rounds: int) -> None:
    """The node: lets anyone in, and answers a subscription with all of the events at once and a heartbeat."""
    sock.sendall(b"Content-Type: auth/request\n\n")
    reader = sock.makefile("rb")
    for line in reader:
        if line.strip():
            sock.sendall(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
        if line.startswith(b"event "):
            data = sent.json if b" json" in line else sent.plain
            for _ in range(rounds):
                sock.sendall(data)
            sock.sendall(LAST_JSON if b" json" in line else LAST_PLAIN)


def receive_with_greenswitch(port: int, expected: int) -> float:
    """CPU seconds that greenswitch takes to hand `expected` events to a handler that counts them."""
    count = 0
    done = Signal()

    def handle(_event: object) -> None:
        nonlocal count
        count += 1
        if count == expected + 1:
            done.set()

    client = InboundESL("127.0.0.1", port, "ClueCon")
    client.connect()
    client.register_handle("*", handle)
    return cpu_seconds(lambda: client.send("event plain ALL"), done)


def receive_with_carillon(port: int, expected: int) -> float:
    """CPU seconds that our connection takes to hand the records of `expected` events to a handler that counts them.

    Those of which no record is made are not handed over: the heartbeat behind them all says that they have come.
    """
    count = 0
    done = Signal()

    def handle(event: Event) -> None:
        nonlocal count
        count += 1
        if isinstance(event, Heartbeat):
            done.set()

    client: EslConnection[Event] = EslConnection(
        "127.0.0.1", port, "ClueCon", decode=decode_event, on_event=handle, on_close=lambda _: None
    )
    client.connect()
    seconds = cpu_seconds(lambda: client.send_command("event json ALL"), done)
    client.close()
    assert 1 < count <= expected + 1
    return seconds


def cpu_seconds(start: Callable[[], object], done: Signal) -> float:
    """This process' CPU time from the start until everything has come."""
    before = time.process_time()
    start()
    if not done.wait(WAIT_SECONDS):
        raise SystemExit("the events did not all come")
    return time.process_time() - before


RECEIVERS = {"greenswitch": receive_with_greenswitch, "carillon": receive_with_carillon}


def receiver(name: str, port: int, expected: int) -> float:
    """Events per CPU second of one run of a receiver, in a process of its own."""
    command = [sys.executable, __file__, "--receiver", name, "--port", str(port), "--events", str(expected)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
    return expected / float(said)


def measure(sent: Batch, events: int, rounds: int) -> float:
    """Run both in turns, print what came of it and return the median of the ratios."""
    repeats = max(1, events // sent.events)
    server = StreamServer(("127.0.0.1", 0), lambda sock, _: serve(sock, sent, repeats))
    server.start()
    port = server.server_port
    assert port is not None
    rates: dict[str, list[float]] = {name: [] for name in RECEIVERS}
    for _ in range(rounds):
        for name, found in rates.items():
            found.append(receiver(name, port, repeats * sent.events))
    server.stop()
    print(
        f"{sent.source}: {repeats * sent.events:,} events of {len(sent.json) / sent.events:,.0f} bytes in JSON"
    )
    for name, found in rates.items():
        each = ", ".join(f"{rate:,.0f}" for rate in found)
        print(f"  {name:12} {median(found):8,.0f} events per second and core ({each})")
    ratios = [ours / theirs for theirs, ours in zip(rates["greenswitch"], rates["carillon"], strict=True)]
    each = ", ".join(f"{ratio:.1f}" for ratio in ratios)
    print(f"  ratio        {median(ratios):8.1f} at the median, {min(ratios):.1f} at least ({each})")
    return median(ratios)


def main() -> int:
    """Run the bench once; 1 when the ratio of all events is below `--at-least`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-least", type=float, default=0.0)
    parser.add_argument("--receiver", choices=sorted(RECEIVERS), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    found = parser.parse_args()
    if found.receiver:
        print(RECEIVERS[found.receiver](found.port, found.events))
        return 0
    pairs = recorded()
    subscribed = [(one, other) for one, other in pairs if decode_json(one)["Event-Name"] in EVENT_NAMES]
    ratio = measure(batch(pairs, "all recorded events"), found.events, found.rounds)
    measure(batch(subscribed, "recorded events that a dialer subscribes to"), found.events, found.rounds)
    return int(ratio < found.at_least)


if __name__ == "__main__":
    sys.exit(main())
