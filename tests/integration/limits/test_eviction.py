"""In a Redis that may drop keys of its own choice nobody dials; and once it may not, on a rebuilt state only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from limits.caps import OpenCall
from limits.limiter import Usage
from tests.integration.limits.limiter_rig import Dialer, HookedRedis, snapshot, words


@contextmanager
def memory(client: HookedRedis, maxmemory: str, policy: str) -> Iterator[None]:
    """The server with these settings; with no limit and no eviction after."""
    client.config_set("maxmemory-policy", policy)
    client.config_set("maxmemory", maxmemory)
    try:
        yield
    finally:
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("policy", ["volatile-lru", "allkeys-lfu"])
def test_nobody_dials_in_a_redis_that_evicts_and_all_do_after_a_rebuild(
    client: HookedRedis, dialer: Dialer, policy: str
) -> None:
    dialer.ask("a")
    other = Dialer(client, "d2")
    with memory(client, "1gb", policy):
        assert dialer.limiter.evicting() == policy
        assert words(dialer.ask("b")) == ["no_redis"]
        assert words(other.ask("b")) == ["no_redis"]
        assert other.limiter.rebuild(lambda: pytest.fail("the database was asked")) is False
    assert other.limiter.evicting() is None
    assert words(other.ask("b")) == ["no_redis"], "what was dropped meanwhile nobody can tell"
    assert other.limiter.rebuild(snapshot([OpenCall("a", "d1", "c", "t", "gw", "fs1", "+a")]))
    assert words(dialer.ask("b", concurrency=1)) == ["campaign_concurrency"]
    assert dialer.limiter.usage("t") == Usage(1, 0, 0, 0)


@pytest.mark.parametrize(("maxmemory", "policy"), [("1gb", "noeviction"), ("0", "allkeys-lru")])
def test_a_redis_that_drops_nothing_is_dialled_on(
    client: HookedRedis, dialer: Dialer, maxmemory: str, policy: str
) -> None:
    with memory(client, maxmemory, policy):
        assert dialer.limiter.evicting() is None
        assert dialer.limiter.whole()
        assert words(dialer.ask("a")) == ["fs1"]
