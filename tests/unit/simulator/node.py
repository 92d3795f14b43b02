"""A node without sockets or a clock: tests move its time and read the events it publishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from simulator.apis import Apis
from simulator.core import Core
from simulator.events import Hub
from simulator.filters import Filter
from simulator.fsctl import Fsctl
from simulator.number_plan import CalledParty, by_number
from simulator.render import Renderer
from simulator.routing import Router
from simulator.scheduler import Clock, Scheduler
from simulator.session_limits import SessionLimits
from simulator.subscriptions import EVENT_NAMES
from simulator.switch import Switch

START = 1_795_416_229.25
QUIET = {
    "CHANNEL_STATE",
    "CHANNEL_CALLSTATE",
    "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_UNPARK",
}


class MemoryLedger:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.lines: list[Mapping[str, Any]] = []

    def write(self, line: Mapping[str, Any]) -> None:
        self.lines.append(line)


class RecordingSubscriber:
    """A subscriber that keeps what it gets, decoded."""

    format = "json"
    filters: Sequence[Filter] = ()

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def push(self, frame: bytes) -> None:
        head, _, body = frame.partition(b"\n\n")
        assert head == b"Content-Length: %d\nContent-Type: text/event-json" % len(body)
        # Like the real one, a node passes on bytes that are no UTF-8.
        self.events.append(orjson.loads(body.decode("utf-8", "replace")))


class Node:
    """A switch whose time stands still until `pass_time`."""

    def __init__(
        self,
        speed: float = 1.0,
        called_party: Callable[[str], CalledParty] = by_number,
        start: float = START,
        **limits: int,
    ) -> None:
        self.now = start
        self.clock = Clock(start, 0.0, speed)
        self.scheduler = Scheduler()
        self._ledger = MemoryLedger()
        self.watcher = RecordingSubscriber()
        self.hub = Hub(Renderer("core", "host", "fs1"), lambda: self.clock.wall(self.now))
        self.hub.subscribe(self.watcher, set(EVENT_NAMES) - QUIET)
        self.session_limits = SessionLimits(limits.get("sps", 1_000), limits.get("max_sessions", 1_000))
        self.core = Core(
            "fs1",
            hub=self.hub,
            clock=self.clock,
            scheduler=self.scheduler,
            ledger=self._ledger,
            session_limits=self.session_limits,
            router=Router(),
        )
        self.switch = Switch(self.core, called_party=called_party)
        self.ended = 0
        self.apis = Apis(self.switch, start, Fsctl(self.core, self.switch.hangups, self._end))
        self.core.run_api = self.apis.run
        self.jobs: list[str] = []

    def _end(self) -> None:
        self.ended += 1

    def originate(self, argument: str) -> None:
        self.switch.originate(self.now, argument, self.jobs.append)

    def call(self, ending: str, variables: str = "", then: str = "&park()", uuid: str = "u") -> None:
        """Originate to the plan's number with this ending, with early media ignored."""
        own = f"origination_uuid={uuid},ignore_early_media=true{',' if variables else ''}{variables}"
        self.originate(f"{{{own}}}sofia/gateway/carrier/155500{ending} {then}")

    def api(self, line: str) -> str:
        name, _, argument = line.partition(" ")
        return self.apis.run(name, argument, self.now)

    def pass_time(self, seconds: float) -> None:
        """Move simulated time, running every timer at its own moment."""
        end = self.now + seconds
        while (due := self.scheduler.next_due) is not None and due <= end:
            self.now = max(self.now, due)
            self.scheduler.run(self.now, limit=1)
        self.now = end

    def names(self, uuid: str = "u") -> list[str]:
        """The events of one channel and of the jobs, in order, without their common prefix."""
        return [
            event["Event-Name"].removeprefix("CHANNEL_")
            for event in self.watcher.events
            if event.get("Unique-ID") == uuid
        ]

    def last(self, name: str, uuid: str = "u") -> dict[str, Any]:
        """The last event of a kind."""
        return next(
            event
            for event in reversed(self.watcher.events)
            if event["Event-Name"] == name and event.get("Unique-ID", uuid) == uuid
        )

    def ledger(self, kind: str) -> list[Mapping[str, Any]]:
        """The ledger's lines of a kind."""
        return [line for line in self._ledger.lines if line["event"] == kind]
