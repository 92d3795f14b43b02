"""What ends what the chaos kit has begun."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

from tests.chaos.breaker import Breaker
from tests.chaos.stage import Stage

ENDS = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); print(flush=True); signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); signal.pause()"


@contextmanager
def asked_to_end(program: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, int], Breaker]]:
    """A server that was asked to end, the processes of its stage, and who asked."""
    argv = [sys.executable, "-c", program]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        server.stdout.readline()
        pids = {"postgres": server.pid}
        breaker = Breaker(cast("Stage", cast("Any", SimpleNamespace(pids=pids, heal=lambda: None))))
        breaker.end_soon("postgres", server.pid, 3600.0)
        yield server, pids, breaker


def test_a_server_that_never_ends_when_asked_is_ended() -> None:
    """PostgreSQL that was asked to shut down while it recovered stood there for ever, and nobody started it again."""
    with asked_to_end(DEAF) as (server, _, breaker):
        assert server.poll() is None
        breaker.mend()
        assert server.wait() == -signal.SIGQUIT


def test_another_that_has_come_in_its_place_is_left_alone() -> None:
    with asked_to_end(ENDS) as (server, pids, breaker), asked_to_end(DEAF) as (other, _, last):
        server.wait()
        pids["postgres"] = other.pid
        breaker.mend()
        assert other.poll() is None
        last.mend()
