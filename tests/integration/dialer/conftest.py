"""A connected database with one tenant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models import connect
from tests.factories import World, make_world


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """One tenant in a fresh database, bound to the models."""
    pool = connect(database_url)
    yield make_world()
    pool.close_all()
    # Those of greenlets that were killed while they connected: nobody else knows of them.
    for left in list(pool._in_use.values()):
        left.connection.close()
