"""A Redis client like the app's, and a small server of the event routes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.integration.live.stream_server import StreamServer

PREFIX = "test:"


def make_client(url: str) -> Redis:
    """A client with a small pool, as the app makes it."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=4,
        timeout=2,
        decode_responses=True,
        socket_timeout=2,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


def now(client: Redis) -> int:
    """Redis' time in milliseconds."""
    seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    with make_client(redis_url) as found:
        yield found


@pytest.fixture
def streams(client: Redis) -> Iterator[StreamServer]:
    with StreamServer(client, PREFIX) as found:
        yield found
