"""A connected database with one tenant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models import connect
from tests import pools
from tests.factories import World, make_world


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """One tenant in a fresh database, bound to the models."""
    pool = connect(database_url)
    yield make_world()
    pools.close(pool)
