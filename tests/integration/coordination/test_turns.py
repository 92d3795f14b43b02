"""One of all dialers does what is to be done once in each period."""

from __future__ import annotations

import pytest
import redis

from coordination.turns import Turns, TurnsUnavailable
from tests.waiting import wait_until

PREFIX = "carillon:"


def test_the_first_to_ask_has_the_turn_and_each_work_its_own(client: redis.Redis) -> None:
    one, two = Turns(client, PREFIX, "d1"), Turns(client, PREFIX, "d2")
    assert [turns.take("sweep", 60.0) for turns in (one, two, one)] == [True, False, False]
    assert two.take("purge", 60.0)


def test_a_turn_is_over_with_its_period_whatever_became_of_its_taker(client: redis.Redis) -> None:
    one, two = Turns(client, PREFIX, "d1"), Turns(client, PREFIX, "d2")
    assert one.take("sweep", 0.05)
    wait_until(lambda: two.take("sweep", 60.0), what="the next period")


def test_without_redis_nobody_has_it() -> None:
    with redis.Redis(port=1, socket_connect_timeout=0.2) as nowhere, pytest.raises(TurnsUnavailable):
        Turns(nowhere, PREFIX, "d1").take("sweep", 1.0)
