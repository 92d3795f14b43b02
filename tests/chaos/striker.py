"""Breaks a stage, one fault at a time, and mends what it broke when its time is over."""

from __future__ import annotations

import heapq
import itertools
import os
import resource
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from dialer.fault_points import FaultPoint
from tests.chaos.faults import PROVOKED, Fault, Kind
from tests.chaos.proxy import Mode
from tests.chaos.stage import Stage, children_of

POINT_SECONDS = 4.0
PROVOKED_SECONDS = 20.0
"""A named point that nobody passes for so long is given up; the second where something has to go wrong first."""
REST_SECONDS = 30.0
"""A system that does not come up again within this time is struck all the same, and the figures show it."""
POLL_SECONDS = 0.02
FULL_DISK_BYTES = 20_000
MOST_DIALERS_BROKEN = 2

Say = Callable[[str], None]


@dataclass(slots=True)
class Struck:
    """What was done, for the comparison.

    `deaths` are a node's name and when it was killed, `emptied` when Valkey lost what it had, `withheld` from when to
    when a dialer stood still between its guard and its write, all in wall seconds.
    """

    counts: Counter[Kind] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    deaths: list[tuple[str, float]] = field(default_factory=list)
    emptied: list[float] = field(default_factory=list)
    withheld: list[tuple[float, float]] = field(default_factory=list)


class Striker:
    """Strikes the faults of a schedule. `upload` posts a list that is far larger than a full disk takes."""

    def __init__(self, stage: Stage, say: Say, upload: Callable[[], None]) -> None:
        self.struck = Struck()
        self._stage = stage
        self._say = say
        self._upload = upload
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._broken: set[str] = set()
        self._acts: dict[Kind, Callable[[Fault], bool]] = {
            Kind.DIALER_KILLED: self._kill_dialer,
            Kind.DIALER_STOPPED: self._stop_dialer,
            Kind.DIALER_ENDED: self._end_dialer,
            Kind.AT_POINT_KILLED: self._at_point,
            Kind.AT_POINT_STOPPED: self._at_point,
            Kind.HALF_WRITE_KILLED: self._half_write,
            Kind.HALF_WRITE_STOPPED: self._half_write,
            Kind.WORKER_KILLED: self._kill_worker,
            Kind.WORKER_STOPPED: self._stop_worker,
            Kind.WEB_KILLED: self._kill_web,
            Kind.SHIPPER_KILLED: self._kill_shipper,
            Kind.SHIPPER_STOPPED: self._stop_shipper,
            Kind.NODE_KILLED: self._kill_node,
            Kind.NODE_STOPPED: self._stop_node,
            Kind.LINKS_RESET: self._reset_links,
            Kind.NODE_PARTITIONED: self._partition,
            Kind.POSTGRES_RESTARTED: self._postgres,
            Kind.POSTGRES_KILLED: self._postgres,
            Kind.BACKEND_KILLED: self._kill_backend,
            Kind.VALKEY_EMPTIED: self._valkey,
            Kind.VALKEY_KILLED: self._valkey,
            Kind.VALKEY_STOPPED: self._stop_valkey,
            Kind.DISK_FULL: self._fill_disk,
        }

    def run(self, faults: Iterable[Fault], rested: Callable[[], bool]) -> None:
        """Strike one fault after the other, each once the system has `rested`; then mend everything."""
        for fault in faults:
            self._pass(fault.wait)
            until = time.monotonic() + REST_SECONDS
            while not rested() and time.monotonic() < until:
                self._pass(POLL_SECONDS)
            self._strike(fault)
        while self._due:
            heapq.heappop(self._due)[2]()
        self._stage.heal()

    def _strike(self, fault: Fault) -> bool:
        struck = self._acts[fault.kind](fault)
        if struck:
            self.struck.counts[fault.kind] += 1
        self._say(str(fault) if struck else f"{fault}: nothing to strike")
        return struck

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

    def _kill_dialer(self, fault: Fault) -> bool:
        found = self._pick(self._stage.dialers, fault.die)
        return found is not None and self._stage.kill(found[1])

    def _stop_dialer(self, fault: Fault) -> bool:
        found = self._pick(self._stage.dialers, fault.die)
        if found is None or self._dialers_broken() >= MOST_DIALERS_BROKEN:
            return False
        return self._halt_for(fault.seconds, found[0], found[1])

    def _end_dialer(self, fault: Fault) -> bool:
        found = self._pick(self._stage.dialers, fault.die)
        if found is None:
            return False
        os.kill(found[1], signal.SIGTERM)
        return True

    def _name_of(self, pid: int) -> str:
        return next((name for name, known in self._stage.pids.items() if known == pid), f"dialer {pid}")

    def _at_point(self, fault: Fault) -> bool:
        """Order that whoever passes the point next stops or kills itself there, and wait until somebody did."""
        if self._dialers_broken() >= MOST_DIALERS_BROKEN:
            return False
        order = self._stage.points / fault.point
        kills = fault.kind is Kind.AT_POINT_KILLED
        partial = order.with_suffix(".part")
        partial.write_text("KILL" if kills else "STOP")
        partial.rename(order)
        provoking = PROVOKED.get(fault.point)
        if provoking is not None:
            self._strike(replace(fault, kind=provoking))
        until = time.monotonic() + (POINT_SECONDS if provoking is None else PROVOKED_SECONDS)
        while order.exists() and time.monotonic() < until:
            self._pass(POLL_SECONDS)
        if order.exists():
            order.unlink(missing_ok=True)
        taken = list(self._stage.points.glob(f"{fault.point}.[0-9]*"))
        for path in taken:
            path.unlink()
            pid = int(path.suffix[1:])
            self.struck.points[fault.point] += 1
            if not kills:
                # It stops itself a moment after it has taken the order: to continue it before would be in vain.
                self._stage.wait_halted(pid)
                withholds = fault.point == FaultPoint.CHECKED
                self._halt_for(fault.seconds, self._name_of(pid), pid, withholds=withholds)
        return bool(taken)

    def _half_write(self, fault: Fault) -> bool:
        """Strike whoever sends the next originate while half of it has passed."""
        kills = fault.kind is Kind.HALF_WRITE_KILLED
        struck: list[int] = []
        done = threading.Event()

        def halved(dialer_id: str) -> float | None:
            pid = self._stage.pid_of_dialer(dialer_id)
            if pid is not None and (self._stage.kill(pid) if kills else self._stage.halt(pid)):
                struck.append(pid)
            done.set()
            return None if kills else min(fault.seconds, 2.0)

        if self._dialers_broken() >= MOST_DIALERS_BROKEN:
            return False
        proxies = list(self._stage.proxies.values())
        proxy = proxies[int(fault.die * len(proxies))]
        proxy.halve(halved)
        until = time.monotonic() + POINT_SECONDS
        while not done.is_set() and time.monotonic() < until:
            self._pass(POLL_SECONDS)
        proxy.halve(None)
        if struck and not kills:
            self._later(fault.seconds, self._name_of(struck[0]), lambda: self._stage.go_on(struck[0]))
        return bool(struck)

    def _kill_worker(self, fault: Fault) -> bool:
        workers = self._stage.web_workers()
        return bool(workers) and self._stage.kill(workers[int(fault.die * len(workers))])

    def _stop_worker(self, fault: Fault) -> bool:
        workers = self._stage.web_workers()
        if not workers or any(name.startswith("worker") for name in self._broken):
            return False
        pid = workers[int(fault.die * len(workers))]
        return self._halt_for(fault.seconds, f"worker {pid}", pid)

    def _kill_web(self, fault: Fault) -> bool:
        found = self._pick(["web.1"], fault.die)
        return found is not None and self._stage.kill(found[1])

    def _kill_shipper(self, fault: Fault) -> bool:
        found = self._pick([f"cdr.{name}" for name in self._stage.proxies], fault.die)
        return found is not None and self._stage.kill(found[1])

    def _stop_shipper(self, fault: Fault) -> bool:
        found = self._pick([f"cdr.{name}" for name in self._stage.proxies], fault.die)
        return found is not None and self._halt_for(fault.seconds, found[0], found[1])

    def _whole_node(self, fault: Fault) -> tuple[str, int] | None:
        """A node to break, where the others are whole."""
        if self._broken & self._stage.proxies.keys():
            return None
        return self._pick(list(self._stage.proxies), fault.die)

    def _kill_node(self, fault: Fault) -> bool:
        found = self._whole_node(fault)
        if found is None or not self._stage.kill(found[1]):
            return False
        self.struck.deaths.append((found[0], time.time()))
        return True

    def _stop_node(self, fault: Fault) -> bool:
        found = self._whole_node(fault)
        return found is not None and self._halt_for(fault.seconds, found[0], found[1])

    def _reset_links(self, fault: Fault) -> bool:
        names = list(self._stage.proxies)
        self._stage.proxies[names[int(fault.die * len(names))]].reset()
        return True

    def _partition(self, fault: Fault) -> bool:
        """Half of them refuse, half of them swallow; a stall ends by passing on what it held."""
        found = self._whole_node(fault)
        if found is None:
            return False
        proxy = self._stage.proxies[found[0]]
        proxy.set(Mode.SHUT if fault.number % 2 else Mode.STALLED)
        return self._later(fault.seconds, found[0], lambda: proxy.set(Mode.OPEN))

    def _postgres(self, fault: Fault) -> bool:
        pid = self._stage.pids.get("postgres")
        if pid is None:
            return False
        # SIGINT: "fast shutdown", what a restart of the service does.
        os.kill(pid, signal.SIGINT if fault.kind is Kind.POSTGRES_RESTARTED else signal.SIGKILL)
        return True

    def _kill_backend(self, fault: Fault) -> bool:
        """As the OOM killer would: the postmaster stays, ends every session and recovers."""
        pid = self._stage.pids.get("postgres")
        backends = [] if pid is None else children_of(pid)
        return bool(backends) and self._stage.kill(backends[int(fault.die * len(backends))])

    def _valkey(self, fault: Fault) -> bool:
        """SIGKILL; where it is to come back empty, without the log that it would read."""
        pid = self._stage.pids.get("valkey")
        if pid is None or self._stage.is_halted(pid):
            return False
        if fault.kind is Kind.VALKEY_EMPTIED:
            shutil.rmtree(self._stage.valkey_folder / "appendonlydir", ignore_errors=True)
        self.struck.emptied.append(time.time())
        return self._stage.kill(pid)

    def _stop_valkey(self, fault: Fault) -> bool:
        found = self._pick(["valkey"], fault.die)
        return found is not None and self._halt_for(fault.seconds, found[0], found[1])

    def _fill_disk(self, _fault: Fault) -> bool:
        """No file of a web process may grow while a list is uploaded."""
        arbiter = self._stage.pids.get("web.1")
        workers = [] if arbiter is None else children_of(arbiter)
        if not workers:
            return False
        for pid in workers:
            try:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL_DISK_BYTES, resource.RLIM_INFINITY))
            except ProcessLookupError:
                continue
        try:
            self._upload()
        finally:
            for pid in workers:
                try:
                    infinity = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, infinity)
                except ProcessLookupError:
                    continue
        return True
