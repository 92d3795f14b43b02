"""Checks that Redis does not evict (maxmemory-policy).

A Redis that evicts drops single keys once it is full: the count of one cap would be gone while everything else
stands, and the cap be granted again. All keys of the limiter have a time to live, so every policy but `noeviction`
may choose them.

Asked by the limiter before it calls a state whole, and by the API for `/readyz`. By INFO: managed services forbid
CONFIG.
"""

from __future__ import annotations

from collections.abc import Mapping

from redis import Redis

from coordination.errors import translated
from limits.errors import LimiterUnavailable


def evicting(redis: Redis) -> str | None:
    """The policy by which Redis drops keys once its memory is full; None where it drops none.

    Raises LimiterUnavailable when Redis fails.
    """
    with translated(LimiterUnavailable, "reading the eviction policy"):
        return eviction_policy(redis.info("memory"))


def eviction_policy(memory: Mapping[str, object]) -> str | None:
    """The same, of what INFO memory says; a server that tells no limit or no policy counts as keeping all."""
    policy = memory.get("maxmemory_policy", "noeviction")
    return str(policy) if memory.get("maxmemory", 0) and policy != "noeviction" else None


def evicts(policy: str) -> str:
    """What an operator is told of `policy`, as a sentence."""
    return f"Redis may drop keys: its maxmemory-policy is {policy}; set it to noeviction."
