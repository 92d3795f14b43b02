"""Fixtures of the limiter's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.limits.limiter_rig import Dialer, HookedRedis, connect


@pytest.fixture
def client(redis_url: str) -> Iterator[HookedRedis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def dialer(client: HookedRedis) -> Dialer:
    """A registered dialer over a whole, empty state."""
    return Dialer(client).open()
