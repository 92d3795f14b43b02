"""Listeners of an event stream, many in one process: how late each event reaches each of them.

`python -m bench.listeners PORT PATHS KEY COUNT` opens so many connections, the paths (with commas between them) in
turns, says `ready` once each has been sent something, and listens until its input ends. Of events that say that a
call is over it tells when it heard each. An event that is to be timed has the wall clock's time at which it was
published in its data, between two `@`. `Listeners` starts and asks such a process.
"""

from __future__ import annotations

import contextlib
import json
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import gevent

from bench.windows import percentile

ROOT = Path(__file__).resolve().parents[1]
MARK = re.compile(
    rb'@(\d+\.\d+)@|"status":"(?:completed|failed|pending)"[^}]{0,200}?"call_id":"([0-9a-f-]{36})"'
)
LONGEST_MARK = 300
READ_BYTES = 65_536
READY_SECONDS = 30.0
QUIET_SECONDS, LATEST_SECONDS = 1.0, 10.0
"""After all was sent: what nobody hears in so long a silence, or by then at the latest, nobody will."""


def marked(now: float) -> str:
    """What an event says that is published now."""
    return f"@{now:.6f}@"


@dataclass(frozen=True, slots=True)
class Heard:
    """What all of them have heard: milliseconds from publishing to reading; how many were never let in."""

    p50: float
    p99: float
    received: int
    refused: int
    cpu: float
    calls: Sequence[tuple[str, float]] = ()
    """Each hearing of a call's end: its id, and when by the wall clock."""


@dataclass(slots=True)
class Ear:
    """One connection: what may be the beginning of a mark, and whether anything came."""

    sock: socket.socket
    tail: bytes = b""
    accepted: bool = False
    let_in: bool = False

    def take(self, data: bytes, now: float, late: list[float], calls: list[tuple[str, float]]) -> None:
        """Note how late each of the marks is that are whole now, and the calls that are over."""
        text = self.tail + data
        end = 0
        for found in MARK.finditer(text):
            if found[1] is not None:
                late.append((now - float(found[1])) * 1000)
            else:
                calls.append((found[2].decode(), now))
            end = found.end()
        self.tail = text[max(end, len(text) - LONGEST_MARK) :]
        self.accepted = self.accepted or text.startswith(b"HTTP/1.1 200")
        self.let_in = self.let_in or (self.accepted and b"data" in text)


@dataclass(slots=True)
class Crowd:
    """All connections of this process."""

    port: int
    requests: Sequence[bytes]
    count: int
    late: list[float] = field(default_factory=list)
    calls: list[tuple[str, float]] = field(default_factory=list)

    def listen(self) -> Heard:
        """Until the input ends, and then until nothing more comes."""
        ears, chosen = [], selectors.DefaultSelector()
        chosen.register(sys.stdin, selectors.EVENT_READ)
        for number in range(self.count):
            sock = socket.create_connection(("127.0.0.1", self.port), timeout=READY_SECONDS)
            sock.sendall(self.requests[number % len(self.requests)])
            sock.setblocking(False)
            ears.append(Ear(sock))
            chosen.register(sock, selectors.EVENT_READ, ears[-1])
        said, until, ending = False, time.monotonic() + READY_SECONDS, False
        while True:
            came = chosen.select(timeout=QUIET_SECONDS)
            if ending and (not came or time.monotonic() > until):
                return self._heard(ears)
            for key, _ in came:
                if key.data is None:
                    ending, until = True, time.monotonic() + LATEST_SECONDS
                    chosen.unregister(sys.stdin)
                else:
                    self._read(chosen, key.data)
            if not said and (all(ear.let_in for ear in ears) or time.monotonic() > until):
                said = True
                self.late.clear()
                print("ready", flush=True)

    def _read(self, chosen: selectors.BaseSelector, ear: Ear) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = ear.sock.recv(READ_BYTES)
        if data:
            ear.take(data, time.time(), self.late, self.calls)
        else:
            chosen.unregister(ear.sock)

    def _heard(self, ears: list[Ear]) -> Heard:
        return Heard(
            percentile(self.late, 0.5),
            percentile(self.late, 0.99),
            len(self.late),
            sum(not ear.let_in for ear in ears),
            time.process_time(),
            self.calls,
        )


class Listeners:
    """Such a process, for the time of a `with` block."""

    def __init__(self, port: int, paths: Sequence[str], key: str, count: int) -> None:
        self._command = [
            sys.executable, "-m", "bench.listeners", str(port), ",".join(paths), key, str(count)
        ]  # fmt: skip

    def __enter__(self) -> Listeners:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_ready(self, publish: Callable[[], object]) -> None:
        """Return once all listen that ever will; `publish` is called meanwhile: some servers wait for an event."""
        assert self._process.stdout is not None
        ready = gevent.spawn(self._process.stdout.readline)
        while not ready.ready():
            publish()
            ready.join(timeout=0.5)

    def heard(self) -> Heard:
        """What they heard until nothing more came; it ends them."""
        said, _ = self._process.communicate()
        return Heard(**json.loads(said))


def main() -> None:
    """Listen, then tell."""
    port, paths, key, count = sys.argv[1:]
    head = f"HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"
    requests = [f"GET {path} {head}".encode() for path in paths.split(",")]
    print(json.dumps(asdict(Crowd(int(port), requests, int(count)).listen())), flush=True)


if __name__ == "__main__":
    main()
