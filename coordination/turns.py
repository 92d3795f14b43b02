"""Periodic work that one dialer does for all: whose turn it is in each period.

Only for work that may be done twice: a turn that its taker could not use is over with its period, a server that lost
its memory gives it out again, and who has been refused for too long does the work all the same: the key of a turn
lasts longer where the server's clock was set back.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from redis import Redis

from coordination.errors import Unavailable, translated
from coordination.keys import CoordinationKeys


class TurnsUnavailable(Unavailable):
    """Whose turn it is cannot be asked."""


REFUSED_PERIODS = 5
"""After so many periods without a turn a process does the work whoever else may do it."""
SHARE_OF_PERIOD = 0.8
"""A turn ends before its taker asks again, also where that is a little early."""


class Turns:
    """The turns of one process. `now` is monotonic."""

    def __init__(
        self, redis: Redis, prefix: str, dialer_id: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._now = now
        self._worked_at: dict[str, float] = {}
        self._keys = CoordinationKeys(prefix)
        self._dialer_id = dialer_id

    def take(self, work: str, seconds: float) -> bool:
        """Whether this process does `work` now: the first to ask in each period of so many seconds.

        Raises TurnsUnavailable when Redis fails.
        """
        with translated(TurnsUnavailable, "taking a turn"):
            milliseconds = int(seconds * SHARE_OF_PERIOD * 1000)
            taken = self._redis.set(self._keys.turn(work), self._dialer_id, nx=True, px=milliseconds)
        now = self._now()
        refused_for = now - self._worked_at.setdefault(work, now)
        if not taken and refused_for < REFUSED_PERIODS * seconds:
            return False
        self._worked_at[work] = now
        return True
