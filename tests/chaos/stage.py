"""The whole system as deployed, with a proxy in front of each node and with handles to break it by.

Three dialers, one gunicorn with two workers, two simulated nodes with the shippers of their call records, and a
PostgreSQL and a Valkey that keep what they have written, as in production: a server that forgets commits at its own
crash would prove nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import psycopg
import redis

import local.supervisor
from local.simulated_cluster import SimulatorOptions
from local.supervisor import Output
from simulator.ledger import LedgerView, read_ledger
from tests.chaos.proxied import ProxiedStack
from tests.chaos.proxy import Mode
from tests.chaos.wire import Order

DIALERS = 3
WEB_WORKERS = 2
SPEED = 10.0
NODE_CPS = 7
NODE_CHANNELS = 8
"""Both bind where one of the nodes is gone."""
NODE_SESSIONS_PER_SECOND = 60
PREFIX = "carillon:"
HALT_SECONDS = 10.0
ENOUGH = 0.55
FIRST_LOOKS = 10
AUDIO_HOSTS_VARIABLE = "CARILLON_AUDIO_HOSTS"
AUDIO_HOST = "audio.example"
UNABLE = f"dialer.{DIALERS}"
"""The dialer that is set up otherwise: it may not play from AUDIO_HOST."""
CLOCK = Path(__file__).parent / "clock"
CLOCK_VARIABLE = "CARILLON_CHAOS_CLOCK"
POINTS_VARIABLE = "CARILLON_CHAOS_POINTS"


class Stage(ProxiedStack):
    """The stack that is broken, with what breaks it."""

    def __init__(
        self, home: Path, *, seed: int, clocks: dict[str, float], output: Output, **environment: str
    ) -> None:
        simulator = SimulatorOptions(
            speed=SPEED,
            seed=seed,
            cps=NODE_CPS,
            channels=NODE_CHANNELS,
            arguments=("--sps", str(NODE_SESSIONS_PER_SECOND), "--control-port", "0"),
        )
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON_")}
        environ |= {AUDIO_HOSTS_VARIABLE: AUDIO_HOST} | environment
        super().__init__(
            home,
            port=0,
            dialers=DIALERS,
            web_workers=WEB_WORKERS,
            environ=environ,
            simulator=simulator,
            output=output,
        )
        # A process that is killed every few seconds must come back as if it were the first time.
        local.supervisor.STEADY_SECONDS = 0.0
        self.points = self.home / "points"
        self._clocks = clocks
        self._stopped: set[int] = set()
        self._guard = threading.Lock()

    @property
    def dialers(self) -> list[str]:
        """The names of the dialers' children."""
        return [f"dialer.{number}" for number in range(1, DIALERS + 1)]

    @property
    def node_cps(self) -> int:
        """What each node is asked for in a second at the most."""
        return NODE_CPS

    @property
    def longer(self) -> int:
        """How many times as long as here a call lasts: so many more are up at once at the same rate."""
        return 1

    @property
    def node_channels(self) -> int:
        """How many calls each node is asked to have up at the most."""
        return NODE_CHANNELS

    @property
    def second_legs(self) -> bool:
        """Whether the nodes' ledgers tell of second legs."""
        return True

    @property
    def plays_urls(self) -> bool:
        """Whether the nodes play what lies at AUDIO_HOST."""
        return True

    def dial_string(self, gateway: str) -> str:
        """The dial string of a gateway that the nodes' ledgers are to call by this name."""
        return f"sofia/gateway/{gateway}/{{number}}"

    def view(self, _calls: list[dict[str, Any]], _callers: Mapping[str, tuple[str, str]]) -> LedgerView:
        """What the nodes have noted, before they answered."""
        return read_ledger(*(node.ledger for node in self.nodes))

    @property
    def orders(self) -> list[Order]:
        """What left for the nodes."""
        return [order for proxy in self.proxies.values() for order in list(proxy.orders)]

    @property
    def valkey_folder(self) -> Path:
        """Where Valkey keeps what it has written."""
        return self.home / "valkey"

    def web_workers(self) -> list[int]:
        """The process ids of gunicorn's workers."""
        arbiter = self.pids.get("web.1")
        return [] if arbiter is None else children_of(arbiter)

    def database(self) -> psycopg.Connection[dict[str, Any]]:
        """A connection of one's own."""
        return psycopg.connect(
            self.database_url, autocommit=True, connect_timeout=2, row_factory=psycopg.rows.dict_row
        )

    def redis(self) -> redis.Redis:
        """A client of one's own, which gives up soon."""
        return redis.Redis.from_url(
            self.redis_url, decode_responses=True, socket_timeout=2, socket_connect_timeout=2
        )

    def pid_of_dialer(self, dialer_id: str) -> int | None:
        """The process behind a dialer's id, as it says itself."""
        with contextlib.suppress(redis.RedisError), self.redis() as client:
            said = cast("str | None", client.hget(f"{PREFIX}roster", dialer_id))
            pid = None if said is None else json.loads(said).get("pid")
            return pid if pid in {self.pids.get(name) for name in self.dialers} else None
        return None

    def kill(self, pid: int) -> bool:
        """SIGKILL; whether there was such a process."""
        return self._signal(pid, signal.SIGKILL)

    def halt(self, pid: int) -> bool:
        """SIGSTOP; whether there was such a process. It is continued at the end of the run at the latest."""
        with self._guard:
            self._stopped.add(pid)
        return self._signal(pid, signal.SIGSTOP)

    def wait_halted(self, pid: int) -> None:
        """Return once this process, which is about to stop itself, stands still, or is gone."""
        until = time.monotonic() + HALT_SECONDS
        with contextlib.suppress(OSError):
            while time.monotonic() < until and state_of(pid) != "T":
                time.sleep(0.01)

    def go_on(self, pid: int) -> None:
        """SIGCONT."""
        with self._guard:
            self._stopped.discard(pid)
        self._signal(pid, signal.SIGCONT)

    def is_halted(self, pid: int) -> bool:
        """Whether it was stopped and not continued."""
        return pid in self._stopped

    def heal(self) -> None:
        """Continue what is stopped and let everything pass."""
        for pid in list(self._stopped):
            self.go_on(pid)
        for proxy in self.proxies.values():
            proxy.set(Mode.OPEN)

    def stop(self) -> None:
        """End everything, also what stands still."""
        self.heal()
        super().stop()

    def _signal(self, pid: int, number: signal.Signals) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False

    def _start_servers(self) -> None:
        self.points.mkdir(mode=0o700)
        super()._start_servers()

    def _environ_of(self, name: str) -> dict[str, str]:
        environ = super()._environ_of(name)
        extra: dict[str, str] = {}
        if name in self.dialers:
            extra[POINTS_VARIABLE] = str(self.points)
        if name == UNABLE:
            extra[AUDIO_HOSTS_VARIABLE] = ""
        if name in self._clocks:
            path = os.pathsep.join([str(CLOCK), environ["PYTHONPATH"]])
            extra |= {CLOCK_VARIABLE: str(self._clocks[name]), "PYTHONPATH": path}
        return environ | extra


def state_of(pid: int) -> str:
    """One letter, as `ps` shows it. Raises OSError where there is no such process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def children_of(pid: int) -> list[int]:
    """Process ids of the children of a process."""
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Send the signal to each of these that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Watch:
    """Looks twice a second whether calls can be started, from outside: servers, an epoch, a dialer with a link."""

    EVERY_SECONDS = 0.5

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._looks = self._up = self._whole = 0
        self.down: list[tuple[float, float]] = []
        """From when to when no call could be started, in wall seconds."""
        self._broken: Callable[[], int] = lambda: 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self, broken: Callable[[], int]) -> None:
        """Begin; `broken` says how many faults are in force."""
        self._broken = broken
        self._thread.start()

    def stop(self) -> None:
        """End, and keep the figures."""
        self._ending.set()
        self._thread.join()

    def rested(self) -> bool:
        """Whether calls could be started for more than half of the time."""
        return self.up > ENOUGH or self._looks < FIRST_LOOKS

    @property
    def up(self) -> float:
        """Share of the looks at which a call could have been started."""
        return self._up / max(1, self._looks)

    @property
    def whole(self) -> float:
        """Share of the looks at which nothing at all was broken."""
        return self._whole / max(1, self._looks)

    def _run(self) -> None:
        while not self._ending.is_set():
            began, since = time.monotonic(), time.time()
            up = self._is_up()
            if not up:
                self.down.append((since, time.time() + self.EVERY_SECONDS))
            self._looks += 1
            self._up += up
            self._whole += up and self._broken() == 0
            self._ending.wait(max(0.0, self.EVERY_SECONDS - (time.monotonic() - began)))

    def _is_up(self) -> bool:
        try:
            with self._stage.database() as connection:
                connection.execute("SELECT 1")
            with self._stage.redis() as client:
                return bool(client.exists(f"{PREFIX}epoch")) and any(self._dialling(client))
        except (psycopg.Error, redis.RedisError):
            return False

    def _dialling(self, client: redis.Redis) -> Iterator[bool]:
        for dialer_id, said in cast("dict[str, str]", client.hgetall(f"{PREFIX}roster")).items():
            info = json.loads(said)
            linked = any(node["connected"] for node in info.get("nodes", ()))
            alive = bool(client.exists(f"{PREFIX}lease:{dialer_id}"))
            yield alive and linked and not self._stage.is_halted(info.get("pid", 0))
