"""A dialer's own view of its lease."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from coordination.clock import elapsed
from coordination.membership import Lease

ROOT = Path(__file__).resolve().parents[3]


def test_a_lease_that_was_never_granted_is_not_valid() -> None:
    assert not Lease().valid()


def test_a_lease_holds_until_its_deadline() -> None:
    lease = Lease()
    lease.extend(elapsed() + 60)
    assert lease.valid()
    past = Lease()
    past.extend(elapsed() - 0.001)
    assert not past.valid()


def test_a_late_answer_does_not_shorten_it() -> None:
    lease = Lease()
    lease.extend(elapsed() + 60)
    lease.extend(elapsed() - 60)
    assert lease.valid()


def test_nothing_revives_a_lease_that_was_ended() -> None:
    lease = Lease()
    lease.extend(elapsed() + 60)
    lease.end()
    lease.extend(elapsed() + 120)
    assert not lease.valid()


def test_a_process_that_was_stopped_finds_its_lease_lapsed() -> None:
    program = (
        "import sys; from coordination.clock import elapsed; from coordination.membership import Lease\n"
        "lease = Lease(); lease.extend(elapsed() + 0.5); print(lease.valid(), flush=True)\n"
        "sys.stdin.readline(); print(lease.valid(), flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(0.6)
    os.kill(process.pid, signal.SIGCONT)
    output, _ = process.communicate("\n", timeout=10)
    assert output == "False\n"
