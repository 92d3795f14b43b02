"""A connected database with one tenant."""

from __future__ import annotations

import gc
import warnings
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
    # Greenlets that were killed while they connected leave connections that nobody else knows of.
    for left in list(pool._in_use.values()):
        left.connection.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
