"""The Redis client of a dialer: it never retries by itself, and never waits long."""

from __future__ import annotations

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

CONNECTIONS = 16
WAIT_SECONDS = 1.0


def client(url: str, *, blocking: bool = False) -> Redis:
    """A client for `url`; with `blocking`, one whose reads may wait for as long as the command says."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=WAIT_SECONDS,
        decode_responses=True,
        socket_connect_timeout=WAIT_SECONDS,
        socket_timeout=None if blocking else WAIT_SECONDS,
        socket_keepalive=True,
        health_check_interval=0,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis(connection_pool=pool)
