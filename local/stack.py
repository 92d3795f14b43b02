"""The whole of Carillon on one machine, owned by one process.

What DATABASE_URL, REDIS_URL and FREESWITCH_URLS leave unset is embedded or simulated; the Procfile's own command
lines run on top. Used by `python -m local server`, by the demo and by the end-to-end tests. Invariants: one living
owner for each home; children end before the servers they use; nothing outlives the owner, however it dies, but what
the next start ends before it does anything else.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from honcho.environ import parse_procfile

from local.errors import LocalError, ServerFailedError, UnusableSettingError
from local.first_key import first_key
from local.home import Lock, prepare, secret
from local.postgres import EmbeddedPostgres
from local.process import POLL_SECONDS, START_SECONDS, carrying, free_port
from local.simulated_cluster import Node, SimulatorOptions, SupervisedNode
from local.supervisor import Child, Output, describe
from local.valkey import EmbeddedValkey
from settings import Settings, address_of
from simulator.remote import Control

ROOT = Path(__file__).parent.parent
SHIPPER = ROOT / "freeswitch" / "conf" / "ship_cdrs.py"
NEW_KEY = "new-key --role platform --name bootstrap --if-none --into"
"""What the release command is given to make the first key, and where."""
OWNER_VARIABLE = "CARILLON_OWNER"
DRAIN_SECONDS = 25.0
"""A dialer hands over and a web worker drains within 20 s; past this they are killed."""
LEFTOVER_SECONDS = 10.0
EVERYWHERE = frozenset({"0.0.0.0", "::"})
"""Addresses of every interface: the service is reached at 127.0.0.1 there."""
SERVER_CHECK_SECONDS = 0.5


class Stack:
    """Servers, simulated nodes and children; a context manager.

    Everything is read from `environ` (the process' own by default); `home`, `port` (0: a free one), `dialers` and
    `web_workers` override it. Raises SettingsError where a setting is wrong. `durable=False` is for tests; with
    `restart=False` a child that dies stays dead.
    """

    def __init__(
        self,
        home: Path | None = None,
        *,
        port: int | None = None,
        dialers: int | None = None,
        web_workers: int | None = None,
        environ: Mapping[str, str] | None = None,
        simulator: SimulatorOptions | None = None,
        output: Output | None = None,
        durable: bool = True,
        restart: bool = True,
        procfile: Path = ROOT / "Procfile",
    ) -> None:
        given = {
            "CARILLON_HOME": home,
            "PORT": free_port() if port == 0 else port,
            "DIALERS": dialers,
            "WEB_CONCURRENCY": web_workers,
        }
        self.environ = dict(os.environ if environ is None else environ)
        self.environ |= {name: str(value) for name, value in given.items() if value is not None}
        self.settings = Settings.from_environ(self.environ)
        self.home = self.settings.home
        self.host = self.settings.host or "127.0.0.1"
        self._reached_at = "127.0.0.1" if self.host in EVERYWHERE else self.host
        self.web_url = f"http://{address_of(self._reached_at, self.settings.port)}"
        self.database_url = self.settings.database_url or ""
        self.redis_url = self.settings.redis_url or ""
        self.nodes: list[Node] = []
        self._simulator = simulator or SimulatorOptions()
        self._output = output or (lambda name, line: None)
        self._restart = restart
        self._procfile = procfile
        self._lock = Lock(self.home / "owner.lock")
        self._postgres = None if self.settings.database_url else EmbeddedPostgres(self.home, durable=durable)
        self._valkey = None if self.settings.redis_url else EmbeddedValkey(self.home, durable=durable)
        self._simulated: list[SupervisedNode] = []
        self._children: list[Child] = []
        self._stopping = threading.Event()
        self._hurry = False
        self._watch = threading.Thread(target=self._watch_servers, name="watch servers", daemon=True)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name, of what lives now: postgres, valkey, fs1, fs2, web.1, dialer.1, cdr.fs1, …"""
        owned = [("postgres", self._postgres), ("valkey", self._valkey)]
        found = {name: server.pid for name, server in owned if server is not None}
        found |= {
            child.name: child.pid for child in (*(node.child for node in self._simulated), *self._children)
        }
        return {name: pid for name, pid in found.items() if pid is not None}

    def control(self, name: str) -> Control:
        """Where faults can be ordered from a simulated node. Raises LocalError where it has no control port."""
        for node in self._simulated:
            if node.name == name:
                return node.control
        raise LocalError(f"there is no simulated node {name}")

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called, by us or because `start` failed."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Bring everything up; the children have been started when it returns (`wait_ready` waits for them).

        Raises LocalError, with nothing left running, where something cannot start.
        """
        prepare(self.home)
        self._lock.acquire()
        try:
            self._end_leftovers()
            self._check_port()
            self.environ |= self._common_environ()
            self._start_nodes()
            self._start_servers()
            commands = parse_procfile(self._procfile.read_text(encoding="utf-8")).processes
            release = commands.pop("release")
            self._release(release)
            if not self.settings.bootstrap_key:
                # A release process writes no key anywhere: here a file of our own keeps it.
                self._release(f"{release} {NEW_KEY} {shlex.quote(str(self.home / 'demo.key'))}")
            counts = {"dialer": self.settings.dialers}
            for kind, command in commands.items():
                for number in range(1, counts.get(kind, 1) + 1):
                    self._children.append(self._child(f"{kind}.{number}", command, restart=self._restart))
            self._children += [self._shipper(node) for node in self.nodes]
            for child in self._children:
                child.start()
        except BaseException:  # Ctrl-C too: no process outlives a start that did not come to its end
            self.stop()
            raise

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Return once GET /readyz answers 200 and, to the installation's first key, has nothing to warn of.

        Raises ServerFailedError, with its last words, where it does not.
        """
        deadline = time.monotonic() + seconds
        said = "nothing answers"
        while time.monotonic() < deadline and not self.stopping:
            connection = http.client.HTTPConnection(self._reached_at, self.settings.port, timeout=5)
            with contextlib.closing(connection):
                try:
                    connection.request("GET", "/readyz", headers=self._with_first_key())
                    response = connection.getresponse()
                    said = response.read().decode(errors="replace")
                    if response.status == http.HTTPStatus.OK and not _warnings(said):
                        return
                except (OSError, http.client.HTTPException) as error:
                    said = str(error)
            time.sleep(POLL_SECONDS * 5)
        raise ServerFailedError("Carillon", f"it is not ready after {seconds:.0f} s", said)

    def _with_first_key(self) -> dict[str, str]:
        try:
            key, _ = first_key(self.home, self.settings.bootstrap_key)
        except LocalError:
            return {}
        return {"Authorization": f"Bearer {key}"}

    def hurry(self) -> None:
        """Make a `stop` that is under way kill instead of wait. Safe in a signal handler."""
        self._hurry = True

    def stop(self) -> None:
        """End the children, then the nodes, then the servers; harmless when not running."""
        self._stopping.set()
        self._end(self._children, DRAIN_SECONDS)
        self._end([node.child for node in self._simulated], 5.0)
        if self._watch.ident is not None:
            self._watch.join()
        for server in (self._valkey, self._postgres):
            if server is not None:
                server.stop()
        self._lock.release()

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end(self, children: list[Child], grace: float) -> None:
        deadline = time.monotonic() + grace
        for child in children:
            child.terminate()
        while (
            not self._hurry and time.monotonic() < deadline and not all(child.wait(0) for child in children)
        ):
            time.sleep(POLL_SECONDS)
        for child in children:
            if not child.wait(0):
                self._output(child.name, "does not end; killing it")
                child.kill()
                child.wait()

    def _end_leftovers(self) -> None:
        """Kill the children of an owner that is dead: we hold its lock. The servers see to their own."""
        deadline = time.monotonic() + LEFTOVER_SECONDS
        while left := carrying(OWNER_VARIABLE, str(self.home)):
            if time.monotonic() > deadline:
                raise LocalError(f"process {left[0]}, left over from an earlier start, cannot be killed")
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    def _check_port(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.settings.port))
            except OSError as error:
                where = f"PORT: cannot listen on {self.settings.port}"
                if error.errno != errno.EADDRINUSE:
                    where = f"HOST: cannot listen on {address_of(self.host, self.settings.port)}"
                raise UnusableSettingError(f"{where}: {error.strerror}") from error

    def _common_environ(self) -> dict[str, str]:
        programs = Path(sys.executable).parent
        return {
            OWNER_VARIABLE: str(self.home),
            "CARILLON_HOME": str(self.home),
            "HOST": self.host,
            "PORT": str(self.settings.port),
            "WEB_CONCURRENCY": str(self.settings.web_concurrency),
            "SECRET_KEY": self.settings.secret_key or secret(self.home / "secret.key"),
            "CARILLON_CDR_KEY": self.settings.cdr_key or secret(self.home / "cdr.key"),
            "PATH": os.pathsep.join(filter(None, (str(programs), self.environ.get("PATH")))),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), self.environ.get("PYTHONPATH")))),
            "PYTHONUNBUFFERED": "1",
        }

    def _start_nodes(self) -> None:
        if self.settings.nodes:
            return
        for number in range(1, self._simulator.nodes + 1):
            self._simulated.append(
                SupervisedNode(
                    self.home, number, self._simulator, env=self.environ, cwd=ROOT, output=self._output
                )
            )
        for node in self._simulated:
            node.start()

    def _start_servers(self) -> None:
        if self._postgres is not None:
            self.database_url = self._postgres.start()
        if self._valkey is not None:
            self.redis_url = self._valkey.start()
        self.nodes = [node.wait_ready() for node in self._simulated]
        self.environ |= {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        if self.nodes:
            self.environ["FREESWITCH_URLS"] = ",".join(node.url for node in self.nodes)
        self._watch.start()

    def _child(self, name: str, command: str, *, restart: bool) -> Child:
        argv = ["/bin/sh", "-c", f"exec {command}"]
        env = self._environ_of(name)
        return Child(name, argv, env=env, cwd=ROOT, output=self._output, restart=restart)

    def _environ_of(self, name: str) -> dict[str, str]:
        """A process's environment, by its name."""
        return self.environ

    def _shipper(self, node: Node) -> Child:
        """What an operator runs beside a real node: it posts the node's call records to the API."""
        argv: list[str | Path] = [sys.executable, SHIPPER, "--spool", node.cdr_dir]
        argv += ["--url", self.web_url, "--node", node.name]
        return Child(f"cdr.{node.name}", argv, env=self.environ, cwd=ROOT, output=self._output)

    def _release(self, command: str) -> None:
        release = self._child("release", command, restart=False)
        release.start()
        try:
            release.wait()
        finally:
            release.kill()
            release.wait()
        if release.status != 0:
            raise LocalError(f"the release command {describe(release.status or 0)}: {command}")

    def _watch_servers(self) -> None:
        servers = [server for server in (self._postgres, self._valkey) if server is not None]
        while not self._stopping.wait(SERVER_CHECK_SECONDS):
            for server in servers:
                if server.pid is None:
                    name = type(server).__name__
                    self._output("owner", f"{name} died; starting it again")
                    try:
                        server.restart()
                    except LocalError as error:
                        self._output("owner", str(error))


def _warnings(readiness: str) -> bool:
    """Whether /readyz has something to warn of that keeps nobody from being served."""
    with contextlib.suppress(ValueError):
        return bool(json.loads(readiness).get("warnings"))
    return False
