"""The cuts as any number of dialers share them."""

from __future__ import annotations

import gevent
import pytest

from limits.errors import LimiterUnavailable
from limits.rate_cuts import Kind, RateCuts
from tests.integration.limits.limiter_rig import PREFIX, HookedRedis, connect

FS1 = (Kind.NODE, "fs1")
CARRIER = (Kind.GATEWAY, "fs1")


def test_what_one_dialer_was_refused_slows_all(client: HookedRedis) -> None:
    one, other = RateCuts(client, PREFIX), RateCuts(client, PREFIX)
    assert one.record_refusal(*FS1, 8)
    (found,) = other.read([FS1, CARRIER]).items()
    assert (found[0], found[1].rate(20), found[1].rate(None)) == (FS1, 10, 4)


def test_dialers_that_are_refused_at_once_cut_once(redis_url: str) -> None:
    clients = [connect(redis_url) for _ in range(8)]
    jobs = [gevent.spawn(RateCuts(client, PREFIX).record_refusal, *CARRIER, 10) for client in clients]
    gevent.joinall(jobs, raise_error=True)
    assert sum(job.get() for job in jobs) == 1
    assert RateCuts(clients[0], PREFIX).read([CARRIER])[CARRIER].share == 0.5
    for client in clients:
        client.close()


def test_a_cut_is_forgotten_when_all_of_it_has_come_back(client: HookedRedis) -> None:
    pressure = RateCuts(client, PREFIX)
    pressure.record_refusal(*FS1, 10)
    (key,) = client.keys(f"{PREFIX}pressure:*")
    assert 24_000 < client.pttl(key) <= 25_000


def test_without_redis_nobody_says_that_all_is_well(redis_url: str) -> None:
    away = connect("redis://127.0.0.1:1")
    with pytest.raises(LimiterUnavailable):
        RateCuts(away, PREFIX).read([FS1])
    with pytest.raises(LimiterUnavailable):
        RateCuts(away, PREFIX).record_refusal(*FS1, 1)
