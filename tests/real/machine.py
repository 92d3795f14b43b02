"""A node as its machine has it: its process, how it is started again, and what it answers to a bystander.

For the tests that strike nodes. They are skipped unless the nodes run on this machine and CARILLON_TEST_NODE_RESTART
says how one is started again: a command in which {name} stands for the node's name, and which returns once it runs.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest

from freeswitch.connection import EslConnection
from freeswitch.errors import FreeswitchError
from settings import NodeSettings
from tests.variables import RUN_MARK
from tests.waiting import wait_until

RESTART = "CARILLON_TEST_NODE_RESTART"
START_SECONDS = 60.0


def ask(node: NodeSettings, *lines: str) -> list[str]:
    """What a node answers to these api commands, on a connection of their own. Raises FreeswitchError."""
    connection: EslConnection[None] = EslConnection(
        node.host,
        node.port,
        node.password,
        decode=lambda _: None,
        on_event=lambda _: None,
        on_close=lambda _: None,
    )
    connection.connect()
    try:
        return [connection.api(line).strip() for line in lines]
    finally:
        connection.close()


def pid_of(node: NodeSettings) -> int:
    """The node's process on this machine. Skips the test where it runs elsewhere."""
    (folder,) = ask(node, "global_getvar run_dir")
    file = Path(folder) / "freeswitch.pid"
    if not file.is_file():
        pytest.skip(f"{node.name} does not run on this machine: no {file}")
    return int(file.read_text())


def sip_port(node: NodeSettings) -> int:
    """The port of the profile by which the node's gateway `carrier` calls."""
    (profiles,) = ask(node, "sofia status")
    gateway = re.search(r"^\s*(\S+)::carrier\t", profiles, re.MULTILINE)
    assert gateway is not None, f"{node.name} has no gateway carrier"
    profile = re.search(rf"^\s*{re.escape(gateway[1])}\tprofile\t\s*sip:\S+?:(\d+)", profiles, re.MULTILINE)
    assert profile is not None, f"{node.name}'s profile {gateway[1]} does not run"
    return int(profile[1])


def restart_command(node: NodeSettings) -> list[str]:
    """What starts this node again. Skips the test where nothing says so."""
    command = os.environ.get(RESTART)
    if not command:
        pytest.skip(f"needs a way to start a node again: set {RESTART}")
    return [word.replace("{name}", node.name) for word in shlex.split(command)]


def killed(node: NodeSettings) -> None:
    """End a node's process with SIGKILL; returns once it is gone."""
    pid = pid_of(node)
    os.kill(pid, signal.SIGKILL)
    wait_gone(node, pid)


def wait_gone(node: NodeSettings, pid: int) -> None:
    """Return once this process of a node, which was killed, is gone."""
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), f"the end of {node.name}", seconds=10)


def started(node: NodeSettings) -> float:
    """Start a node again; the monotonic time at which it first answered. It stays when these tests are over."""
    environ = {name: value for name, value in os.environ.items() if name != RUN_MARK}
    subprocess.run(
        restart_command(node), check=True, timeout=START_SECONDS, stdout=subprocess.DEVNULL, env=environ
    )

    def answers() -> bool:
        try:
            return bool(ask(node, "status"))
        except FreeswitchError:
            return False

    wait_until(answers, f"an answer of {node.name}", seconds=START_SECONDS)
    return time.monotonic()


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Keep these processes from running meanwhile (SIGSTOP); the first is the parent of the others.

    A child that ends before its turn needs no stopping, and a parent that stands still starts no other.
    """
    held: list[int] = []
    try:
        for pid in pids:
            with suppress(ProcessLookupError) if held else nullcontext():
                os.kill(pid, signal.SIGSTOP)
                held.append(pid)
        yield
    finally:
        for pid in held:
            os.kill(pid, signal.SIGCONT)
