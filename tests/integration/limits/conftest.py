"""Fixtures of the limiter's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.integration.limits.limiter_rig import Desk, connect


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def desk(client: redis.Redis) -> Desk:
    """A registered dialer over a whole, empty state."""
    return Desk(client).open()
