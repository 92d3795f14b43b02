"""The peer that keeps nothing: a loop over greenswitch as shipped, which places calls and counts their events.

`python -m bench.bare HOST PORT PASSWORD EVENTS ENDING` connects to a node and does what each line of its input asks,
with one line of JSON for an answer. `window SECONDS` keeps calls in flight for so long, as many as it can place;
`pace SECONDS RATE` places each call when its turn is; `fill CALLS` places so many; `drain` takes what comes until
all that were placed are over. `Bare` starts and asks such a process.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import gevent
from gevent.event import Event as Signal

from bench.simulator import VARIABLES
from freeswitch.subscription import EVENT_NAMES

ROOT = Path(__file__).resolve().parents[1]
EIGHT = " ".join(EVENT_NAMES)
FEWEST = "CHANNEL_HANGUP_COMPLETE BACKGROUND_JOB"
"""Without them it would not know what became of a call."""
IN_FLIGHT = 400
WAIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Did:
    """What the loop did in a while, and the CPU seconds it took."""

    placed: int
    ended: int
    events: int
    cpu: float
    clock: float


class Loop:
    """The loop itself."""

    def __init__(self, host: str, port: int, password: str, events: str, ending: str) -> None:
        from greenswitch import InboundESL

        self.placed = self.ended = self.events = 0
        self._ending = ending
        # A node refuses an id that it has met, whoever sends it.
        self._ids = f"0192f3a4-b5c6-7000-8{secrets.token_hex(2)[1:]}"
        self._change = Signal()
        self._esl = InboundESL(host, port, password)
        self._esl.connect()
        self._esl.register_handle("*", self._on_event)
        self._esl.send(f"event plain {events}")

    def window(self, seconds: float) -> Did:
        """Keep calls in flight."""
        before, began, cpu = (self.placed, self.ended, self.events), time.monotonic(), time.process_time()
        while time.monotonic() < began + seconds:
            if self.placed - self.ended < IN_FLIGHT:
                self.place()
            else:
                self._change.clear()
                self._change.wait(0.1)
        return self._did(before, began, cpu)

    def pace(self, seconds: float, per_second: float) -> Did:
        """Place one call after the other, each at its instant, or as soon after it as it can."""
        before, began, cpu = (self.placed, self.ended, self.events), time.monotonic(), time.process_time()
        for turn in range(round(seconds * per_second)):
            gevent.sleep(max(0.0, began + turn / per_second - time.monotonic()))
            self.place()
        gevent.sleep(max(0.0, began + seconds - time.monotonic()))
        return self._did(before, began, cpu)

    def fill(self, calls: int) -> Did:
        """Place so many."""
        before, began, cpu = (self.placed, self.ended, self.events), time.monotonic(), time.process_time()
        for _ in range(calls):
            self.place()
        return self._did(before, began, cpu)

    def drain(self) -> Did:
        """Take what comes until all calls are over."""
        before, began, cpu = (self.placed, self.ended, self.events), time.monotonic(), time.process_time()
        while self.ended < self.placed and time.monotonic() < began + WAIT_SECONDS:
            self._change.clear()
            self._change.wait(0.1)
        return self._did(before, began, cpu)

    def place(self) -> None:
        """One call."""
        uuid = f"{self._ids}-{self.placed:012x}"
        self._esl.send(
            f"bgapi originate {{{VARIABLES.format(uuid=uuid)}}}sofia/gateway/carrier/"
            f"1555{self.placed % 10_000:04}{self._ending} &park()\nJob-UUID: d0192f3a4b5c6.{uuid}"
        )
        self.placed += 1

    def _on_event(self, event: Any) -> None:
        self.events += 1
        if event.headers["Event-Name"] == "CHANNEL_HANGUP_COMPLETE":
            self.ended += 1
            self._change.set()

    def _did(self, before: tuple[int, int, int], began: float, cpu: float) -> Did:
        placed, ended, events = before
        return Did(
            self.placed - placed,
            self.ended - ended,
            self.events - events,
            time.process_time() - cpu,
            time.monotonic() - began,
        )


class Bare:
    """Such a loop in a process of its own, for the time of a `with` block."""

    def __init__(
        self,
        port: int,
        events: str,
        *,
        ending: str = "10",
        host: str = "127.0.0.1",
        password: str = "ClueCon",
    ) -> None:
        self._command = [sys.executable, "-m", "bench.bare", host, str(port), password, events, ending]

    def __enter__(self) -> Bare:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def window(self, seconds: float) -> Did:
        """Keep calls in flight for so long, then let them end."""
        did = self._ask(f"window {seconds}")
        self.drain()
        return did

    def pace(self, seconds: float, per_second: float) -> Did:
        """Place calls at a rate for so long, then let them end."""
        did = self._ask(f"pace {seconds} {per_second}")
        self.drain()
        return did

    def fill(self, calls: int) -> Did:
        """Place so many calls."""
        return self._ask(f"fill {calls}")

    def drain(self) -> Did:
        """Wait until all that were placed are over."""
        return self._ask("drain")

    def _ask(self, line: str) -> Did:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return Did(**json.loads(self._process.stdout.readline()))


def main() -> None:
    """Do what is asked until the input ends."""
    host, port, password, events, ending = sys.argv[1:]
    loop = Loop(host, int(port), password, events, ending)
    asked = gevent.get_hub().threadpool
    while line := asked.apply(sys.stdin.readline):
        word, *rest = line.split()
        match word:
            case "window":
                did = loop.window(float(rest[0]))
            case "pace":
                did = loop.pace(float(rest[0]), float(rest[1]))
            case "fill":
                did = loop.fill(int(rest[0]))
            case _:
                did = loop.drain()
        print(json.dumps(asdict(did)), flush=True)


if __name__ == "__main__":
    main()
