"""Forgets a called number: what the limiter keeps of it beyond its calls' permits."""

from __future__ import annotations

from redis import Redis

from coordination.errors import Unavailable, translated
from limits.keys import Keys


def forget_number(redis: Redis, prefix: str, tenant_id: str, number: str) -> None:
    """Delete when a tenant has called a number. Raises Unavailable."""
    with translated(Unavailable, "forgetting a number"):
        redis.delete(*Keys(prefix).number_history(tenant_id, number))
