"""Breaks a stage, one fault at a time, and mends what it broke when its time is over."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import redis

from dialer.fault_points import FaultPoint
from tests.chaos.acts import Acts
from tests.chaos.breaker import POLL_SECONDS, Breaker
from tests.chaos.faults import PROVOKED, Fault, Kind
from tests.chaos.proxy import Mode
from tests.chaos.stage import Stage, children_of
from tests.chaos.stops import Away

POINT_SECONDS = 4.0
PROVOKED_SECONDS = 20.0
"""A named point that nobody passes for so long is given up; the second where something has to go wrong first."""
REST_SECONDS = 30.0
"""A system that does not come up again within this time is struck all the same, and the figures show it."""
FULL_DISK_BYTES = 20_000
MOST_DIALERS_BROKEN = 2
ENDED_SECONDS = 20.0
"""A server that was asked to end has done so by then, or is told to at once."""
BACK_SECONDS = 5.0
"""A killed node listens again, has its calls back and its links."""
LINKED_SECONDS = 2.0
"""A link is tried again so soon."""
LIFTED_BEFORE, LIFTED_AFTER = 0.5, 1.5
"""When a halt is lifted, as a share of the time for which links are cut."""

Say = Callable[[str], None]


class Striker(Breaker):
    """Strikes the faults of a schedule. `upload` posts a list that is far larger than a full disk takes; by `acts` it
    halts, stops, and has carriers refuse."""

    def __init__(self, stage: Stage, say: Say, upload: Callable[[], None], acts: Acts) -> None:
        super().__init__(stage)
        self._say = say
        self._upload = upload
        self._acts_beside = acts
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
            Kind.HALT_CUT_OFF: self._halt_cut_off,
            Kind.HALT_UNHEARD: self._halt_unheard,
            Kind.STOP_CUT_OFF: self._stop_cut_off,
            Kind.SUPPRESSED_UNHEARD: self._suppress_unheard,
            Kind.CARRIER_REFUSES: self._refuse,
            Kind.POSTGRES_STOPPED: self._stop_postgres,
        }

    def run(self, faults: Iterable[Fault], rested: Callable[[], bool]) -> None:
        """Strike one fault after the other, each once the system has `rested`; then mend everything."""
        for fault in faults:
            self._pass(fault.wait)
            until = time.monotonic() + REST_SECONDS
            while not rested() and time.monotonic() < until:
                self._pass(POLL_SECONDS)
            self._strike(fault)
        self.mend()

    def _strike(self, fault: Fault) -> bool:
        struck = self._acts[fault.kind](fault)
        if struck:
            self.struck.counts[fault.kind] += 1
        self._say(str(fault) if struck else f"{fault}: nothing to strike")
        return struck

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
        self._gone(found[0], BACK_SECONDS)
        return True

    def _gone(self, node: str, seconds: float) -> None:
        """Note that a node cannot be reached from now on for so long."""
        self.struck.away.append(Away(time.time(), time.time() + seconds, node))

    def _stop_node(self, fault: Fault) -> bool:
        found = self._whole_node(fault)
        if found is None or not self._halt_for(fault.seconds, found[0], found[1]):
            return False
        self._gone(found[0], fault.seconds + LINKED_SECONDS)
        return True

    def _reset_links(self, fault: Fault) -> bool:
        names = list(self._stage.proxies)
        name = names[int(fault.die * len(names))]
        self._stage.proxies[name].reset()
        self._gone(name, LINKED_SECONDS)
        return True

    def _partition(self, fault: Fault) -> bool:
        """Half of them refuse, half of them swallow; a stall ends by passing on what it held."""
        found = self._whole_node(fault)
        if found is None:
            return False
        proxy = self._stage.proxies[found[0]]
        proxy.set(Mode.SHUT if fault.number % 2 else Mode.STALLED)
        began = time.time()

        def mend() -> None:
            self.struck.away.append(Away(began, time.time() + LINKED_SECONDS, found[0]))
            proxy.set(Mode.OPEN)

        return self._later(fault.seconds, found[0], mend)

    def _halt_cut_off(self, fault: Fault) -> bool:
        """Half of the halts are lifted before the links are back, half of them after."""
        lasts = fault.seconds * (LIFTED_BEFORE if fault.number // 2 % 2 else LIFTED_AFTER)
        return self._cut_off(fault) and self._acts_beside.halt(fault.die, lasts)

    def _halt_unheard(self, fault: Fault) -> bool:
        return self._deafen() and self._acts_beside.halt(fault.die, fault.seconds)

    def _suppress_unheard(self, _fault: Fault) -> bool:
        return self._deafen() and self._acts_beside.suppress()

    def _deafen(self) -> bool:
        """Kill the dialers' connections by which they would hear of what is asked next; whether that was done."""
        with contextlib.suppress(redis.RedisError), self._stage.redis() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            return True
        return False

    def _stop_cut_off(self, fault: Fault) -> bool:
        return self._cut_off(fault) and self._acts_beside.stop()

    def _cut_off(self, fault: Fault) -> bool:
        """Whether the links of a node are cut, by this fault or by one before it."""
        return self._partition(fault) or not self._broken.isdisjoint(self._stage.proxies)

    def _refuse(self, fault: Fault) -> bool:
        node = self._whole_node(fault)
        well = None if node is None else self._acts_beside.refuse(node[0], fault.die)
        if node is None or well is None:
            return False
        return self._later(fault.seconds, f"carrier of {node[0]}", well)

    def _postgres(self, fault: Fault) -> bool:
        pid = self._stage.pids.get("postgres")
        if pid is None:
            return False
        if fault.kind is Kind.POSTGRES_RESTARTED:
            self.end_soon("postgres", pid, ENDED_SECONDS)
        else:
            os.kill(pid, signal.SIGKILL)
        return True

    def _stop_postgres(self, fault: Fault) -> bool:
        """All of it: it ends no statement and closes no connection meanwhile, and takes new ones by its kernel."""
        found = self._pick(["postgres"], fault.die)
        if found is None:
            return False
        name, postmaster = found
        # Itself first: it begins nobody more.
        stopped = [pid for pid in (postmaster, *children_of(postmaster)) if self._stage.halt(pid)]

        def go_on() -> None:
            for pid in stopped:
                self._stage.go_on(pid)

        return bool(stopped) and self._later(fault.seconds, name, go_on)

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
