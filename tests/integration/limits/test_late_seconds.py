"""A call's length that becomes known after its end still counts for the day."""

from __future__ import annotations

import datetime as dt

import pytest

from limits.caps import Denied, LateSeconds, TenantCaps
from limits.errors import LimiterUnavailable
from limits.limiter import Limiter
from tests.integration.limits.limiter_rig import PREFIX, Dialer, HookedRedis, words

ONE_MINUTE = TenantCaps(None, None, None, 1)


def test_they_add_to_what_was_spoken_and_to_the_cap(client: HookedRedis) -> None:
    dialer = Dialer(client).open()
    dialer.ask("a")
    dialer.end("a", billsec=20)
    dialer.limiter.add_seconds([LateSeconds("x", "t", 25), LateSeconds("y", "t", 5)])
    usage = dialer.limiter.usage("t")
    assert usage is not None
    assert usage.day_seconds == 50
    assert words(dialer.ask("b", tenant=ONE_MINUTE)) == ["fs1"]
    dialer.limiter.add_seconds([LateSeconds("z", "t", 10)])
    assert [isinstance(answer, Denied) for answer in dialer.ask("c", tenant=ONE_MINUTE)] == [True]
    others = dialer.limiter.usage("other")
    assert others is not None
    assert others.day_seconds == 0


def test_they_are_forgotten_with_the_day(client: HookedRedis) -> None:
    dialer = Dialer(client).open()
    dialer.limiter.add_seconds([LateSeconds("x", "t", 5)])
    day = (dt.datetime.now(dt.UTC).date() - dt.date(1970, 1, 1)).days
    (key,) = client.keys("*:day:t")
    assert client.hgetall(key) == {f"{day}:seconds": "5"}
    assert 0 < client.ttl(key) <= 2 * 86_400
    (added,) = client.keys("*:late:t")
    assert 0 < client.ttl(added) <= 2 * 86_400


def test_each_call_s_are_added_once_however_often_that_is_asked(client: HookedRedis) -> None:
    dialer = Dialer(client).open()
    for _ in range(3):
        dialer.limiter.add_seconds([LateSeconds("x", "t", 5)])
    dialer.limiter.add_seconds([LateSeconds("x", "t", 5), LateSeconds("y", "t", 2)])
    usage = dialer.limiter.usage("t")
    assert usage is not None
    assert usage.day_seconds == 7


def test_where_the_state_is_not_whole_nothing_is_added_and_whoever_asked_is_told(client: HookedRedis) -> None:
    with pytest.raises(LimiterUnavailable):
        Limiter(client, PREFIX, "d1").add_seconds([LateSeconds("x", "t", 5)])
    assert client.keys("*day*") == []
