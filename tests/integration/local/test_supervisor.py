"""A child under supervision: its output, its ends and its new beginnings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.process import end, spawn
from local.supervisor import Child
from tests.integration.local.owner_process import line_of, owner, running, sigkill, wait_until_gone
from tests.waiting import HANG_SECONDS, wait_until

MakeChild = Callable[..., Child]
Lines = list[tuple[str, str]]


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def make(lines: Lines, tmp_path: Path) -> Iterator[MakeChild]:
    """Makes children that run a shell script, and ends them."""
    children: list[Child] = []

    def make_child(script: str, restart: bool = True) -> Child:
        child = Child(
            "web.1",
            ["/bin/sh", "-c", script],
            env=os.environ,
            cwd=tmp_path,
            output=lambda name, line: lines.append((name, line)),
            restart=restart,
        )
        children.append(child)
        return child

    yield make_child
    for child in children:
        child.kill()
        assert child.wait(HANG_SECONDS)


def pid_of(child: Child) -> int:
    pid = wait_until(lambda: child.pid, what="a start")
    assert pid is not None
    return pid


def test_each_line_is_passed_on_with_the_name_of_the_child(make: MakeChild, lines: Lines) -> None:
    child = make("echo one; echo two >&2; printf '\\377 no end'", restart=False)
    child.start()
    assert child.wait(HANG_SECONDS)
    assert lines == [("web.1", "one"), ("web.1", "two"), ("web.1", "\ufffd no end")]
    assert child.status == 0


def test_a_child_that_dies_is_started_again_and_the_log_says_how_it_ended(
    make: MakeChild, lines: Lines
) -> None:
    child = make("exec sleep 60")
    child.start()
    first = pid_of(child)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: child.starts == 2 and child.pid, what="a second start")
    assert child.pid != first
    assert ("web.1", "was killed by SIGKILL; starting it again in 0.2 s") in lines


def test_a_child_that_keeps_failing_is_started_less_and_less_often(make: MakeChild, lines: Lines) -> None:
    child = make("exit 3")
    child.start()
    wait_until(lambda: len(lines) >= 3, what="three ends")
    assert [line for _, line in lines[:3]] == [
        f"ended with status 3; starting it again in {delay} s" for delay in ("0.2", "0.4", "0.8")
    ]


def test_a_child_that_was_asked_to_end_is_not_started_again(make: MakeChild) -> None:
    child = make("trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done")
    child.start()
    wait_until(lambda: child.pid)
    child.terminate()
    assert child.wait(HANG_SECONDS)
    assert child.pid is None
    assert child.starts == 1


def test_a_child_asked_to_end_while_it_waits_for_its_next_start_ends_at_once(
    make: MakeChild, lines: Lines
) -> None:
    child = make("exit 1")
    child.start()
    wait_until(lambda: len(lines) >= 4, what="a wait of more than a second")
    child.terminate()
    assert child.wait(0.5)


def test_killing_a_child_ends_what_it_started(make: MakeChild, tmp_path: Path) -> None:
    child = make("trap '' TERM; sleep 60 & echo $! > grandchild; echo up; wait; wait")
    child.start()
    wait_until(lambda: (tmp_path / "grandchild").exists() and (tmp_path / "grandchild").read_text())
    grandchild = int((tmp_path / "grandchild").read_text())
    child.kill()
    assert child.wait(HANG_SECONDS)
    wait_until_gone(grandchild)


def test_what_a_dead_leader_left_does_not_hold_up_its_next_start(make: MakeChild, tmp_path: Path) -> None:
    child = make("sleep 60 & echo $! >> workers; exec sleep 60")
    child.start()
    wait_until(lambda: (tmp_path / "workers").exists() and (tmp_path / "workers").read_text())
    worker = int((tmp_path / "workers").read_text())
    os.kill(pid_of(child), signal.SIGKILL)
    wait_until(lambda: child.starts == 2, what="a second start")
    assert not running(worker)


OWNER = """
import signal, sys
from local.process import spawn
print(spawn(["/bin/sh", "-c", sys.argv[1]]).pid, flush=True)
signal.pause()
"""


def test_a_wait_that_a_signal_interrupts_does_not_take_the_child_for_ended() -> None:
    """In a process of its own: here threads are greenlets."""
    said = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )
    assert (said.stdout.split(), said.returncode) == (["interrupted", "False", "True"], 0), said.stderr


INTERRUPTED = """
import os, signal
from local.supervisor import Child
child = Child("one", ["/bin/sh", "-c", "echo up; exec sleep 600"], env=os.environ, cwd="/", restart=False,
              output=lambda name, line: os.kill(os.getpid(), signal.SIGINT))
child.start()
try:
    child.wait()
except KeyboardInterrupt:
    print("interrupted", child.wait(0))
child.kill()
print(child.wait(60))
"""


def test_a_process_ends_with_its_owner(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with owner(OWNER, f"trap '' TERM INT HUP; touch '{begun}'; while :; do sleep 1; done") as process:
        pid = int(line_of(process))
        wait_until(begun.exists)
        assert running(pid)
        sigkill(process)
        wait_until_gone(pid)


def test_a_process_whose_owner_died_before_it_began_never_runs(tmp_path: Path) -> None:
    launcher = Path(sys.modules["local"].__path__[0]) / "launch.py"
    dead = spawn(["/bin/true"])
    dead.wait(HANG_SECONDS)
    touch = ["/usr/bin/touch", str(tmp_path / "ran")]
    argv = [sys.executable, "-I", "-S", str(launcher), str(dead.pid), "9", "-", "--", *touch]
    assert spawn(argv).wait(HANG_SECONDS) == 124
    assert not (tmp_path / "ran").exists()


def test_end_escalates_to_a_kill(tmp_path: Path) -> None:
    process = spawn(
        ["/bin/sh", "-c", "trap '' TERM INT; touch deaf; while :; do sleep 1; done"], cwd=tmp_path
    )
    wait_until((tmp_path / "deaf").exists)
    assert end(process, signal.SIGTERM, signal.SIGINT, grace=0.2) == -signal.SIGKILL
