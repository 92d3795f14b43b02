"""Fixtures of the limiter's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.limits.limiter_rig import CLOCK, Clock, Dialer, HookedRedis, connect


@pytest.fixture
def client(redis_url: str) -> Iterator[HookedRedis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def dialer(client: HookedRedis) -> Dialer:
    """A registered dialer over a whole, empty state."""
    return Dialer(client).open()


@pytest.fixture
def virtual_clock(client: HookedRedis) -> Iterator[Clock]:
    """Redis' time is what the test says."""

    def moved(text: str, send: Callable[[str], Any]) -> Any:
        assert text.count("redis.call('TIME')") == 1
        # A second of the test may be minutes of a busy machine's: no log lapses meanwhile.
        text = text.replace("rate.last - now + 2 * rate.window", "rate.last - now + 600000000")
        return send(
            text.replace(
                "redis.call('TIME')",
                f"{{math.floor(redis.call('GET', '{CLOCK}') / 1000000), redis.call('GET', '{CLOCK}') % 1000000}}",
            )
        )

    with client.hooked(moved):
        yield Clock(client)


@pytest.fixture
def timed_dialer(client: HookedRedis, virtual_clock: Clock) -> Dialer:
    """A registered dialer over a whole, empty state, all of it by the virtual clock."""
    virtual_clock.advance(0.0)
    return Dialer(client).open()
