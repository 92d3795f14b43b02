"""The Redis client of a dialer: it never retries by itself, and never waits for ever."""

from __future__ import annotations

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from coordination.command_packer import CommandPacker

CONNECTIONS = 16
WAIT_SECONDS = 1.0


def client(url: str, *, wait_seconds: float = WAIT_SECONDS) -> Redis:
    """A client for `url`, of which no read waits for longer: a Redis that stands still accepts connections all the
    same."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=WAIT_SECONDS,
        decode_responses=True,
        socket_connect_timeout=WAIT_SECONDS,
        socket_timeout=wait_seconds,
        socket_keepalive=True,
        health_check_interval=0,
        retry=Retry(NoBackoff(), 0),
        command_packer=CommandPacker(),
    )
    return Redis(connection_pool=pool)
