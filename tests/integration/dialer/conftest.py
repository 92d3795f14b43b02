"""A connected database with one tenant, a simulated node, and dialers on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from api import calls_to_end
from models import connect, db
from simulator.process import SimulatedNode
from tests import pools
from tests.factories import World, make_world
from tests.integration.dialer.dialer_rig import Dialer
from tests.integration.dialer.house import House
from tests.waiting import HANG_SECONDS


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """One tenant in a fresh database, bound to the models."""
    pool = connect(database_url)
    yield make_world()
    pools.close(pool)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[SimulatedNode]:
    """A node with a ledger, twenty times as fast as the clock."""
    with SimulatedNode(speed=20, ledger=tmp_path / "ledger") as started:
        yield started


@pytest.fixture
def start(
    world: World, database_url: str, redis_url: str, node: SimulatedNode
) -> Iterator[Callable[..., Dialer]]:
    """Starts a dialer on that node, with these settings of its own; all of them end with the test."""
    with db.connection_context():
        db.execute_sql("UPDATE agent SET max_call_seconds = 20, ring_timeout_seconds = 15")
    made: list[Dialer] = []

    def one_more(**environ: str) -> Dialer:
        made.append(Dialer(database_url, redis_url, f"{node.url}?name=fs1&cps=20", **environ))
        return made[-1].start()

    yield one_more
    for dialer in made:
        if not dialer.dead:
            dialer.end()


@pytest.fixture
def house(world: World, database_url: str, redis_url: str, tmp_path: Path) -> Iterator[House]:
    with (
        SimulatedNode(ledger=tmp_path / "ledger", track_calls=tmp_path / "calls") as node,
        ExitStack() as stack,
    ):
        yield House(world, (database_url, redis_url), node, stack)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API waits for as long as it takes until the calls that have to end are over."""
    monkeypatch.setattr(calls_to_end, "ANSWER_SECONDS", HANG_SECONDS)
