"""Work that one dialer does for all of them: whose turn it is in each period.

Only for work that may be done twice: a turn that its taker could not use is over with its period, and a server that
lost its memory gives it out again.
"""

from __future__ import annotations

from redis import Redis

from coordination.errors import Unavailable, translated
from coordination.keys import CoordinationKeys


class TurnsUnavailable(Unavailable):
    """Whose turn it is cannot be asked."""


class Turns:
    """The turns of one process."""

    def __init__(self, redis: Redis, prefix: str, dialer_id: str) -> None:
        self._redis = redis
        self._keys = CoordinationKeys(prefix)
        self._dialer_id = dialer_id

    def take(self, work: str, seconds: float) -> bool:
        """Whether this process does `work` now: the first to ask in each period of so many seconds.

        Raises TurnsUnavailable when Redis fails.
        """
        with translated(TurnsUnavailable, "taking a turn"):
            taken = self._redis.set(self._keys.turn(work), self._dialer_id, nx=True, px=int(seconds * 1000))
        return bool(taken)
