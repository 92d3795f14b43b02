"""The simulated cluster as part of a stack: real simulators, stand-ins for the rest."""

from __future__ import annotations

import os
import signal
import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

from local.simulated_cluster import SimulatorOptions
from local.stack import SHIPPER, Stack
from settings import nodes_from
from tests.integration.local.test_stack import write_procfile
from tests.waiting import wait_until


def greeting(url: str) -> str:
    """The first line that a node says to whoever connects."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as connection:
            return connection.recv(100).decode().split("\n")[0]
    except OSError:
        return ""


def build(home: Path, servers: dict[str, str], simulator: SimulatorOptions) -> Stack:
    procfile = write_procfile(home.parent, "release", "dialer")
    return Stack(home, dialers=1, environ=os.environ | servers, simulator=simulator, procfile=procfile)


def test_the_nodes_are_handed_to_the_children_as_settings(home: Path, servers: dict[str, str]) -> None:
    with build(home, servers, SimulatorOptions(cps=7, channels=11)) as stack:
        nodes = nodes_from(stack.environ["FREESWITCH_URLS"])
        assert [(node.name, node.cps, node.channels) for node in nodes] == [("fs1", 7, 11), ("fs2", 7, 11)]
        assert [node.url for node in stack.nodes] == stack.environ["FREESWITCH_URLS"].split(",")
        assert [node.ledger.parent for node in stack.nodes] == [home, home]
        for node in stack.nodes:
            assert greeting(node.url) == "Content-Type: auth/request"
            assert stat.S_IMODE(node.cdr_dir.stat().st_mode) == 0o700
            assert stat.S_IMODE(node.ledger.stat().st_mode) == 0o600


def test_beside_each_node_runs_a_shipper_of_its_records(home: Path, servers: dict[str, str]) -> None:
    with build(home, servers, SimulatorOptions(nodes=2)) as stack:
        wait_until(lambda: {"cdr.fs1", "cdr.fs2"} <= set(stack.pids), what="the shippers")
        for node in stack.nodes:
            cmdline = Path(f"/proc/{stack.pids[f'cdr.{node.name}']}/cmdline")
            wait_until(lambda: str(SHIPPER).encode() in cmdline.read_bytes(), what="its program")  # noqa: B023
            argv = cmdline.read_bytes().decode().split("\0")
            told = ["--spool", str(node.cdr_dir), "--url", stack.web_url, "--node", node.name]
            assert argv[-8:-1] == [str(SHIPPER), *told]
            assert stack.environ["CARILLON_CDR_KEY"] not in argv
        first = stack.pids["cdr.fs1"]
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: stack.pids.get("cdr.fs1", first) != first, what="another shipper")


def test_a_node_that_is_killed_comes_back_under_its_url(home: Path, servers: dict[str, str]) -> None:
    with build(home, servers, SimulatorOptions(nodes=1, arguments=("--sps", "5"))) as stack:
        first = stack.pids["fs1"]
        assert b"--sps\x005" in Path(f"/proc/{first}/cmdline").read_bytes()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: stack.pids.get("fs1", first) != first, what="another fs1")
        wait_until(lambda: greeting(stack.nodes[0].url), what="a node that answers")
