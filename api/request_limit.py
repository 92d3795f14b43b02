"""Limits the requests of each tenant to the API, by minute, hour and day, and how many are in flight at once.

Off unless the installation turns it on. Redis counts, by its own clock; without Redis nobody is limited: this
protects the service from load, never people from calls. What stops calls (halt, stop, pause) is neither counted nor
refused: nobody asks here for those.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
import structlog

from api.errors import ApiError
from coordination import lua

log = structlog.get_logger(__name__)

WINDOWS = (("minute", 60, 60), ("hour", 3600, 1000), ("day", 86400, 10_000))
IN_FLIGHT = 20
LEASE_SECONDS = 60
PAUSE_AFTER_FAILURE = 5.0

ENTER = lua.load(Path(__file__).with_name("request_limit.lua"))


class RequestLimiter:
    """Counts the requests of each tenant in Redis."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._skip_until = 0.0

    def enter(self, tenant_id: str) -> str | None:
        """Count one request; its id, to `leave` with, or None where Redis could not be asked.

        Raises ApiError 429 with Retry-After where a window or the number in flight is full.
        """
        if time.monotonic() < self._skip_until:
            return None
        request_id = uuid.uuid4().hex
        sizes = [number for _, seconds, most in WINDOWS for number in (seconds, most)]
        try:
            answer: tuple[int, int] = lua.run(
                self._client,
                ENTER,
                self._keys(tenant_id),
                [request_id, IN_FLIGHT, LEASE_SECONDS, *sizes],
            )
        except redis.RedisError as error:
            self._skip_until = time.monotonic() + PAUSE_AFTER_FAILURE
            log.warning("api_rate_limit_off", reason=str(error))
            return None
        full, retry_after = answer
        if full == 0:
            return request_id
        if full < 0:
            which = f"in-flight ({IN_FLIGHT})"
        else:
            name, _, most = WINDOWS[full - 1]
            which = f"per-{name} ({most})"
        raise ApiError(
            429, f"rate_limited: {which} exceeded", headers={"Retry-After": str(max(1, retry_after))}
        )

    def leave(self, tenant_id: str, request_id: str) -> None:
        """Say that a request is over; one that never says so is forgotten after a minute."""
        try:
            self._client.zrem(self._keys(tenant_id)[1], request_id)
        except redis.RedisError as error:
            log.warning("api_rate_limit_leave_failed", reason=str(error))

    def _keys(self, tenant_id: str) -> list[str]:
        return [f"{self._prefix}api_rate:{tenant_id}", f"{self._prefix}api_in_flight:{tenant_id}"]


@contextmanager
def slot(limiter: RequestLimiter | None, tenant_id: str) -> Iterator[None]:
    """Count a request of the tenant, and have it in flight until the block ends; without a limiter, nothing."""
    request_id = limiter.enter(tenant_id) if limiter is not None else None
    try:
        yield
    finally:
        if limiter is not None and request_id is not None:
            limiter.leave(tenant_id, request_id)
