"""Real nodes for these tests, and who answers their calls.

CARILLON_TEST_FREESWITCH_URLS names the nodes as FREESWITCH_URLS does; each has a gateway `carrier` whose proxy is
127.0.0.1 on CARILLON_TEST_SIP_PORT (5190), where SIPp is started. Where it is unset, every test here is skipped.
CARILLON_TEST_CDR_FOLDERS, optional, names the folders that the nodes spool their call records to, in the order of the
nodes, comma-separated: where they are on this machine, a shipper runs beside each, and finds them empty.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dialer.capacity.gateway_pings import pings_up
from local.stack import SHIPPER, Stack
from settings import NodeSettings, nodes_from
from tests.real.carrier import Carrier
from tests.real.machine import ask
from tests.waiting import wait_until

URLS = "CARILLON_TEST_FREESWITCH_URLS"
SIP_PORT = "CARILLON_TEST_SIP_PORT"
CDR_FOLDERS = "CARILLON_TEST_CDR_FOLDERS"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = None
    if not os.environ.get(URLS):
        why = f"needs real nodes: set {URLS}"
    elif Carrier.program() is None:
        why = "needs SIPp: no sipp on PATH"
    if why is not None:
        for item in items:
            if item.get_closest_marker("real"):
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def nodes() -> tuple[NodeSettings, ...]:
    """The real nodes."""
    return nodes_from(os.environ[URLS])


@pytest.fixture(scope="session")
def carrier(nodes: tuple[NodeSettings, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier]:
    """The called party of all tests."""
    port = int(os.environ.get(SIP_PORT, "5190"))
    with Carrier(tmp_path_factory.mktemp("carrier"), port) as running:
        # Their pings found nobody until now, and a gateway that is DOWN takes no call before the next.
        wait_until(lambda: all(map(_reaches_carrier, nodes)), "an answered ping of each node")
        yield running


def _reaches_carrier(node: NodeSettings) -> bool:
    """Whether its gateway takes calls; one that sends no pings always does."""
    return pings_up("".join(ask(node, "sofia status gateway carrier"))) is not False


def real_stack(home: Path, more: Mapping[str, str] | None = None, **overrides: Any) -> Stack:
    """The product on the real nodes; it takes what `real_options` takes."""
    return Stack(home, **real_options(more, **overrides))


def real_options(more: Mapping[str, str] | None = None, **overrides: Any) -> dict[str, Any]:
    """For the product on the real nodes: web, two dialers, PostgreSQL and Valkey; `more` is of their environment."""
    environ = dict(os.environ) | {
        "FREESWITCH_URLS": os.environ[URLS],
        "CARILLON_MAX_CONCURRENT_CALLS": "1000",
        **(more or {}),
    }
    return {"port": 0, "dialers": 2, "durable": False, "environ": environ} | overrides


@contextmanager
def shippers(stack: Stack) -> Iterator[bool]:
    """Ship the nodes' call records to this product meanwhile; whether there are any to ship."""
    folders = os.environ.get(CDR_FOLDERS, "").split(",")
    running = []
    for folder, node in zip(folders, nodes_from(os.environ[URLS]), strict=False):
        if folder:
            # What earlier runs left there is nobody's any more, and would be shipped first.
            for record in Path(folder).glob("*.cdr.json"):
                record.unlink(missing_ok=True)
            options = ["--spool", folder, "--url", stack.web_url, "--node", node.name]
            credential = ["--credential-file", str(stack.home / "cdr.key")]
            running.append(subprocess.Popen([sys.executable, SHIPPER, *options, *credential]))
    try:
        yield bool(running)
    finally:
        for process in running:
            process.terminate()
            process.wait()


@pytest.fixture(scope="session")
def stack(server_home: Path, carrier: Carrier) -> Iterator[Stack]:
    """One product for all tests that leave it whole."""
    said: list[str] = []
    with real_stack(
        server_home / "real", output=lambda name, line: said.append(f"{name}: {line}")
    ) as running:
        running.wait_ready()
        yield running
    print("\n".join(said[-200:]))
