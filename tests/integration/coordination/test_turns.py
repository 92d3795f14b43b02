"""One of all dialers does what is to be done once in each period."""

from __future__ import annotations

import pytest
import redis

from coordination.turns import Turns, TurnsUnavailable
from tests.waiting import wait_until

PREFIX = "carillon:"


def test_the_first_to_ask_has_the_turn_and_each_work_its_own(client: redis.Redis) -> None:
    one, two = Turns(client, PREFIX, "d1"), Turns(client, PREFIX, "d2")
    assert [turns.take("publish", 60.0) for turns in (one, two, one)] == [True, False, False]
    assert two.take("purge", 60.0)


def test_a_turn_is_over_with_its_period_whatever_became_of_its_taker(client: redis.Redis) -> None:
    one, two = Turns(client, PREFIX, "d1"), Turns(client, PREFIX, "d2")
    assert one.take("publish", 0.05)
    wait_until(lambda: two.take("publish", 60.0), what="the next period")


def test_who_is_refused_for_too_long_does_the_work_all_the_same(client: redis.Redis) -> None:
    """As where the server's clock was set back: the key outlives its period."""
    clock = [100.0]
    Turns(client, PREFIX, "d1").take("publish", 3600.0)
    two = Turns(client, PREFIX, "d2", now=lambda: clock[0])
    had = []
    for _ in range(13):
        had.append(two.take("publish", 3.0))
        clock[0] += 3.0
    assert [place for place, turn in enumerate(had) if turn] == [5, 10]


def test_a_turn_is_over_before_its_taker_asks_for_the_next(client: redis.Redis) -> None:
    Turns(client, PREFIX, "d1").take("publish", 3.0)
    assert 0 < client.pttl(f"{PREFIX}turn:publish") <= 2400


def test_without_redis_nobody_has_it() -> None:
    with redis.Redis(port=1, socket_connect_timeout=0.2) as nowhere, pytest.raises(TurnsUnavailable):
        Turns(nowhere, PREFIX, "d1").take("publish", 1.0)
