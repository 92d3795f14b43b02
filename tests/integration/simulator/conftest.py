"""One simulated node for the tests of this folder, fast and without a limit in the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.process import SimulatedNode
from tests.integration.simulator.client import Client

SPEED = 20.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedNode]:
    """A node at twenty times the speed of life, with a ledger and CDR files."""
    folder: Path = tmp_path_factory.mktemp("node")
    with SimulatedNode(speed=SPEED, ledger=folder / "ledger.jsonl", cdr_dir=folder / "cdr") as running:
        yield running


@pytest.fixture
def client(node: SimulatedNode) -> Iterator[Client]:
    """An authorised connection."""
    with Client(node.port) as connected:
        yield connected
