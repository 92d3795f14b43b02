"""The cuts as any number of dialers share them."""

from __future__ import annotations

import gevent
import pytest

from limits.backpressure import Kind, Pressure
from limits.errors import LimiterUnavailable
from tests.integration.limits.limiter_rig import PREFIX, HookedRedis, connect

FS1 = (Kind.NODE, "fs1")
TRUNK = (Kind.GATEWAY, "fs1")


def test_what_one_dialer_was_refused_slows_all(client: HookedRedis) -> None:
    one, other = Pressure(client, PREFIX), Pressure(client, PREFIX)
    assert one.refuse(*FS1, 8)
    (found,) = other.read([FS1, TRUNK]).items()
    assert (found[0], found[1].rate(20), found[1].rate(None)) == (FS1, 10, 4)


def test_dialers_that_are_refused_at_once_cut_once(redis_url: str) -> None:
    clients = [connect(redis_url) for _ in range(8)]
    jobs = [gevent.spawn(Pressure(client, PREFIX).refuse, *TRUNK, 10) for client in clients]
    gevent.joinall(jobs, raise_error=True)
    assert sum(job.get() for job in jobs) == 1
    assert Pressure(clients[0], PREFIX).read([TRUNK])[TRUNK].share == 0.5
    for client in clients:
        client.close()


def test_a_cut_is_forgotten_when_all_of_it_has_come_back(client: HookedRedis) -> None:
    pressure = Pressure(client, PREFIX)
    pressure.refuse(*FS1, 10)
    (key,) = client.keys(f"{PREFIX}pressure:*")
    assert 24_000 < client.pttl(key) <= 25_000


def test_without_redis_nobody_says_that_all_is_well(redis_url: str) -> None:
    away = connect("redis://127.0.0.1:1")
    with pytest.raises(LimiterUnavailable):
        Pressure(away, PREFIX).read([FS1])
    with pytest.raises(LimiterUnavailable):
        Pressure(away, PREFIX).refuse(*FS1, 1)
