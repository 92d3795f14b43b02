"""Runs pytest again and again in the folder it is started in, each time as a fork that has the libraries loaded.

`python -m tests.mutations.worker` is started by Workplace. A line of JSON on its standard input asks for one run,
a line of JSON on its standard output answers; the end of its input ends it, and a run that goes on. No module of the
project but this one is ever loaded here: each run imports the files as they are then.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import contextlib  # noqa: E402
import gc  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from typing import IO, Any  # noqa: E402

import gevent  # noqa: E402
import pytest  # noqa: E402

# The patched ones start the event loop, of which a fork would have a copy.
fork = monkey.get_original("os", "fork")
select = monkey.get_original("select", "select")
close = monkey.get_original("os", "close")

GRACE_SECONDS = 20.0
SAID_BYTES = 100_000


@dataclass(slots=True)
class Run:
    """A pytest in a fork. It writes the names of what it has loaded to `loaded`, and closes that when it ends."""

    pid: int
    loaded: int
    said: IO[bytes]

    def wait(self, seconds: float) -> bool:
        """Whether it ended so soon. Interrupts it, and leaves, where nobody waits for it any more."""
        names, over = self._read_until(time.monotonic() + seconds, [sys.stdin.fileno()])
        if over:
            _load(names.decode().split())
        return over

    def end(self) -> None:
        """As Ctrl-C does it, so that what it has started ends too; by force where that does not help."""
        os.kill(self.pid, signal.SIGINT)
        _, over = self._read_until(time.monotonic() + GRACE_SECONDS, [])
        if not over:
            os.kill(self.pid, signal.SIGKILL)

    def _read_until(self, deadline: float, askers: list[int]) -> tuple[bytes, bool]:
        read = b""
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select([self.loaded, *askers], [], [], left)
            if self.loaded in ready:
                part = os.read(self.loaded, 1 << 16)
                read += part
                if not part:
                    return read, True
            elif ready:
                self.end()
                sys.exit(1)
        return read, False


def main() -> None:
    """Answer until the end of the input."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What a library says as it is loaded is no answer.
    os.dup2(2, 1)
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        with tempfile.TemporaryFile() as said:
            run = _start(asked["arguments"], said, answers)
            in_time = run.wait(asked["seconds"])
            if not in_time:
                run.end()
            _, status, used = os.wait4(run.pid, 0)
            close(run.loaded)
            answer = {
                "status": os.waitstatus_to_exitcode(status) if in_time else None,
                "said": _end_of(said),
                "processor_seconds": used.ru_utime + used.ru_stime,
            }
        print(json.dumps(answer), file=answers, flush=True)


def _start(arguments: Sequence[str], said: IO[bytes], answers: IO[Any]) -> Run:
    """Fork; the fork runs pytest and ends as `python -m pytest` does, and never returns."""
    gc.collect()
    gc.freeze()
    reading, writing = os.pipe()
    pid = fork()
    if pid:
        close(writing)
        return Run(pid, reading, said)
    close(reading)
    answers.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, instead in enumerate((nothing, said.fileno(), said.fileno())):
        os.dup2(instead, number)
    # It is ignored by what a shell has started in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # With their asserts rewritten, pytest would want to be the first to load its plugins.
    status = pytest.main(["--assert=plain", *arguments])
    os.write(writing, " ".join(_libraries()).encode())
    sys.exit(status)


def _libraries() -> list[str]:
    """The names of the modules that are loaded here and are not of the project, in the order of their loading."""
    here = os.getcwd() + os.sep
    specs = [(name, getattr(module, "__spec__", None)) for name, module in sys.modules.items()]
    return [
        name
        for name, spec in specs
        if spec is not None and spec.name == name and spec.origin and not spec.origin.startswith(here)
    ]


def _load(names: Sequence[str]) -> None:
    """Import what a run has imported, for the next ones to find. What cannot be imported alone they import."""
    for name in names:
        if name not in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    # pygal leaves one of the way of old, of which Python warns whoever imports: a run is not to fail of that.
    sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
    # Some start the event loop.
    gevent.get_hub().destroy(destroy_loop=True)


def _end_of(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read()[-SAID_BYTES:].decode(errors="replace")


if __name__ == "__main__":
    main()
