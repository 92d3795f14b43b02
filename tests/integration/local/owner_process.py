"""Owner processes that a test can kill."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.waiting import HANG_SECONDS, wait_until

ROOT = Path(__file__).parent.parent.parent.parent

SERVER = """
import signal, sys
from pathlib import Path
from local.{module} import {name}
server = {name}(Path(sys.argv[1]))
print(server.start(), server.pid, flush=True)
signal.pause()
"""


@contextlib.contextmanager
def owner(
    code: str, *arguments: str | Path, environ: dict[str, str] | None = None, python: str = sys.executable
) -> Iterator[subprocess.Popen[str]]:
    """A process that runs `code`; killed at the end, if a test did not do so before."""
    process = subprocess.Popen(
        [python, "-c", code, *(str(argument) for argument in arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | (environ or {}),
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line the process writes; what it said before it died, where it died."""
    assert process.stdout is not None
    line: str = process.stdout.readline()
    assert line, "the process ended without a word"
    return line.rstrip("\n")


def sigkill(process: subprocess.Popen[str]) -> None:
    """Kill it, and return once it is dead."""
    process.send_signal(signal.SIGKILL)
    process.wait(HANG_SECONDS)


def running(pid: int) -> bool:
    """Whether the process exists and has not ended (one that nobody has reaped yet has ended)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(*pids: int, timeout: float = HANG_SECONDS) -> None:
    """Return once none of the processes runs."""
    wait_until(lambda: not any(running(pid) for pid in pids), f"the end of {pids}", seconds=timeout)
