"""What INFO memory says of a server that may drop keys."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from limits.eviction import eviction_policy


@pytest.mark.parametrize(
    ("memory", "policy"),
    [
        ({"maxmemory": 1, "maxmemory_policy": "volatile-lru"}, "volatile-lru"),
        ({"maxmemory": 1, "maxmemory_policy": "allkeys-random"}, "allkeys-random"),
        ({"maxmemory": 1, "maxmemory_policy": "noeviction"}, None),
        ({"maxmemory": 0, "maxmemory_policy": "allkeys-lru"}, None),
        ({"maxmemory_policy": "allkeys-lru"}, None),
        ({"maxmemory": 1}, None),
        ({}, None),
    ],
)
def test_only_a_limited_memory_with_another_policy_than_noeviction_drops_keys(
    memory: Mapping[str, object], policy: str | None
) -> None:
    assert eviction_policy(memory) == policy
