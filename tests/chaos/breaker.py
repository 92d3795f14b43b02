"""What breaks a stage for a while and mends it when the time is over, and what was done to it."""

from __future__ import annotations

import heapq
import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos.faults import Kind
from tests.chaos.hours import Suppressed
from tests.chaos.stage import Stage
from tests.chaos.stops import Away, Stop

POLL_SECONDS = 0.02


@dataclass(slots=True)
class Struck:
    """What was done, for the comparison.

    `deaths` are a node's name and when it was killed, `emptied` when Valkey lost what it had, `withheld` from when to
    when a dialer stood still between its guard and its write, all in wall seconds; `held_up` for how many
    seconds, by a call's id, where nobody had stopped it but a busy machine; `away` when nobody could have ended a
    call, `stops` what was halted and stopped meanwhile, `suppressed` who was not to be called any more, and
    `refused` what the API did not take that it should have; `hung` what processes said that ended themselves because
    something in them hung, `warned` what each warned of last, the newest last.
    """

    counts: Counter[Kind] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    deaths: list[tuple[str, float]] = field(default_factory=list)
    emptied: list[float] = field(default_factory=list)
    withheld: list[tuple[float, float]] = field(default_factory=list)
    held_up: dict[str, float] = field(default_factory=dict)
    away: list[Away] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    suppressed: list[Suppressed] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    hung: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)


class Breaker:
    """Breaks children of a stage, for as long as it is told, and notes what it has done in `struck`."""

    def __init__(self, stage: Stage) -> None:
        self.struck = Struck()
        self._stage = stage
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._broken: set[str] = set()

    def mend(self) -> None:
        """End every fault now."""
        while self._due:
            heapq.heappop(self._due)[2]()
        self._stage.heal()

    def broken(self) -> int:
        """How many faults are in force now."""
        return len(self._broken)

    def _pass(self, seconds: float) -> None:
        """Let time pass, and end the faults whose time is over."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            while self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()
            time.sleep(POLL_SECONDS)

    def _later(self, seconds: float, name: str, mend: Callable[[], None]) -> bool:
        self._broken.add(name)

        def done() -> None:
            self._broken.discard(name)
            mend()

        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), done))
        return True

    def end_soon(self, name: str, pid: int, seconds: float) -> None:
        """Ask a child to end and, where it has not done so by then, tell it to at once, as any service manager does.
        PostgreSQL that is asked while it recovers may shut down for ever."""
        os.kill(pid, signal.SIGINT)

        def at_once() -> None:
            if self._stage.pids.get(name) == pid:
                os.kill(pid, signal.SIGQUIT)

        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), at_once))

    def _halt_for(self, seconds: float, name: str, pid: int, *, withholds: bool = False) -> bool:
        """Stop a process for a while; `withholds`: with an order that it was about to write."""
        if not self._stage.halt(pid):
            self._stage.go_on(pid)
            return False
        began = time.time()

        def go_on() -> None:
            if withholds:
                self.struck.withheld.append((began, time.time()))
            self._stage.go_on(pid)

        return self._later(seconds, name, go_on)

    def _pick(self, names: Sequence[str], die: float) -> tuple[str, int] | None:
        """One of these children that lives and is whole."""
        pids = self._stage.pids
        there = [(name, pids[name]) for name in names if name in pids and name not in self._broken]
        return there[int(die * len(there))] if there else None

    def _dialers_broken(self) -> int:
        return sum(name.startswith("dialer") for name in self._broken)
