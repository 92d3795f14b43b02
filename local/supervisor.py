"""Supervises a child process: started, its output read, started again when it dies, ended when asked.

honcho stops everything when any child ends; here each child has a supervisor of its own. Works on threads, which
are greenlets where the process is monkey-patched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.process import spawn

Output = Callable[[str, str], None]
"""Takes (name of the child, one line it wrote, without its end)."""

BACKOFF_FIRST_SECONDS = 0.2
BACKOFF_LAST_SECONDS = 10.0
STEADY_SECONDS = 30.0
"""A child that lived this long starts again at once, as if it had never failed."""


def next_delay(delay: float, lived: float) -> float:
    """Seconds to wait before the start after the next, from the last wait and how long the child lived."""
    return BACKOFF_FIRST_SECONDS if lived >= STEADY_SECONDS else min(delay * 2, BACKOFF_LAST_SECONDS)


def describe(status: int) -> str:
    """How a process ended, from its return code: `ended with status 1`, `was killed by SIGKILL`."""
    if status >= 0:
        return f"ended with status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


class Child:
    """One command under supervision.

    `on_line` sees every line before `output` does. `argv` may be changed between starts. With `restart=False` it runs
    once and `status` tells how it ended.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path,
        output: Output,
        on_line: Callable[[str], None] | None = None,
        restart: bool = True,
    ) -> None:
        self.name = name
        self.argv = argv
        self.starts = 0
        self.status: int | None = None
        self._env = env
        self._cwd = cwd
        self._output = output
        self._on_line = on_line
        self._restart = restart
        self._process: subprocess.Popen[bytes] | None = None
        self._asked_to_end = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch_over, name=f"supervise {name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """Its process id while it lives."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def terminate(self) -> None:
        """Ask it to end (SIGTERM), for good; returns at once."""
        self._asked_to_end.set()
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End it and everything it started, for good; returns at once."""
        self._asked_to_end.set()
        if self._process is not None:
            _kill_group(self._process)

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended for good within `seconds`; so is one that was never started.

        Not by joining the thread: a join that a signal interrupts takes it for ended from then on (CPython 3.11), and
        a process that then ends while its thread writes a line is aborted.
        """
        return self._thread.ident is None or self._over.wait(seconds)

    def _watch_over(self) -> None:
        try:
            self._supervise()
        finally:
            self._over.set()

    def _supervise(self) -> None:
        delay = BACKOFF_FIRST_SECONDS
        while not self._asked_to_end.is_set():
            began = time.monotonic()
            try:
                self.status = self._run_once()
                ending = describe(self.status)
            except OSError as error:
                ending = f"cannot be started: {error.strerror}"
            if self._asked_to_end.is_set() or not self._restart:
                return
            self._output(self.name, f"{ending}; starting it again in {delay:.1f} s")
            self._asked_to_end.wait(delay)
            delay = next_delay(delay, time.monotonic() - began)

    def _run_once(self) -> int:
        process = spawn(
            self.argv, env=self._env, cwd=self._cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._process = process
        self.starts += 1
        if self._asked_to_end.is_set():
            process.terminate()
        reader = threading.Thread(target=self._read, args=(process,), name=f"read {self.name}", daemon=True)
        reader.start()
        status = process.wait()
        _kill_group(process)
        reader.join()
        return status

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip("\r\n")
                if self._on_line is not None:
                    self._on_line(line)
                self._output(self.name, line)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """A leader that died (a gunicorn arbiter, say) leaves workers that hold its port and our pipe."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
