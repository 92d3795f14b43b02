"""A dialer whose event loop hangs ends itself and says where; one that was stopped, or works hard, goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest

from dialer.watchdog import EXIT_STATUS
from tests.waiting import HANG_SECONDS, wait_until

STILL_SECONDS = 4.0
"""A busy machine may let no process of ours run for a second or two."""
ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import gevent, gevent.event, re, sys, time
from dialer.hung_greenlets import HungGreenlets
from dialer.tasks import Tasks
from dialer.watchdog import Watchdog, end_process

def hang_in_python():
    while True:
        pass

def hang_in_a_call_that_lets_go_of_the_interpreter():
    monkey.get_original("time", "sleep")(60)

def hang_in_a_call_that_does_not():
    re.match(r"(a+)+$", "a" * 60 + "b")

def hang_in_a_greenlet():
    gevent.event.Event().wait()

def watch_a_greenlet_that_does():
    tasks = Tasks(on_fenced=int)
    tasks.spawn(hang_in_a_greenlet)
    tasks.every(0.05, HungGreenlets(tasks.greenlets, end_process, looks=3).look)
    tasks.every(0.01, int)
    gevent.sleep(600)

def turn():
    for number in range(1000):
        print(number, flush=True)
        gevent.sleep(0.1)

def work_hard_but_in_turns():
    until = time.monotonic() + 5.0
    while time.monotonic() < until:
        sum(range(100_000))
        gevent.sleep(0)

Watchdog(still_seconds=float(sys.argv[1]), look_seconds=0.05).start()
gevent.sleep(0.2)
print("turning", flush=True)
for name in sys.argv[2:]:
    globals()[name]()
"""


@contextmanager
def process(*steps: str, still_seconds: float = 1.0) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(still_seconds), *steps],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "turning\n"
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ("hang_in_python", EXIT_STATUS),
        ("hang_in_a_call_that_lets_go_of_the_interpreter", EXIT_STATUS),
        ("hang_in_a_call_that_does_not", -signal.SIGPROF),
    ],
)
def test_a_process_whose_loop_hangs_ends_and_says_where(step: str, status: int) -> None:
    with process(step) as running:
        _, said = running.communicate(timeout=HANG_SECONDS)
        # Which of the two is first, where either would do, is a matter of the machine's load.
        assert running.returncode in {status, -signal.SIGPROF} if step == "hang_in_python" else {status}
        assert f"in {step}" in said


def test_a_process_of_which_one_greenlet_hangs_ends_though_its_loop_turns() -> None:
    with process("watch_a_greenlet_that_does", still_seconds=HANG_SECONDS) as running:
        _, said = running.communicate(timeout=HANG_SECONDS)
        assert running.returncode == EXIT_STATUS
        assert "in hang_in_a_greenlet" in said


def test_a_process_that_was_stopped_goes_on_when_it_is_continued() -> None:
    with process("turn", still_seconds=STILL_SECONDS) as running:
        turns = running.stdout
        assert turns is not None
        for _ in range(2):
            turns.readline()
            os.kill(running.pid, signal.SIGSTOP)
            # Longer than the loop may stand still; nothing else tells that the time is over.
            gevent.sleep(1.25 * STILL_SECONDS)
            os.kill(running.pid, signal.SIGCONT)
            continued = int(turns.readline())
            wait_until(lambda: int(turns.readline()) > continued + 20, what="2 s more")  # noqa: B023
        assert running.poll() is None


@pytest.mark.full
def test_a_process_that_works_hard_in_turns_is_left_alone() -> None:
    with process("work_hard_but_in_turns", still_seconds=STILL_SECONDS) as running:
        running.communicate(timeout=HANG_SECONDS)
        assert running.returncode == 0
