"""Which dialers live, as this web process last heard, and the `blocked_reason` that the API shows: the row's, or
`no_dialer`. Asked in the background, so that no request waits for Redis.

A campaign that nobody can dial says so, and a request that has to tell the dialers something knows at once that
nobody can be told.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import gevent

import outages
from coordination.errors import CoordinationError
from models import CampaignStatus

EVERY_SECONDS: Final = 0.5
ANEW_SECONDS: Final = 1.5
"""A dialer whose lease was lost, or forgotten by a Redis that was emptied, has another one by then."""
NO_DIALER: Final = "no_dialer"


class Living(Protocol):
    """Who lives (`coordination.membership`)."""

    def alive(self) -> Mapping[str, object]:
        """The living dialers by id. Raises CoordinationError."""
        ...


class DialerWatch:
    """Asks `living` twice a second, from the first question on, for as long as somebody keeps this.

    `spawn` begins that in the background.
    """

    def __init__(
        self,
        living: Living,
        now: Callable[[], float] = time.monotonic,
        spawn: Callable[..., object] = gevent.spawn,
    ) -> None:
        self._living = living
        self._now = now
        self._spawn = spawn
        self._watching = False
        self._away = self._nobody = False
        self._alive_at: float | None = None

    @property
    def redis_is_away(self) -> bool:
        """Whether Redis failed when it was last asked."""
        self._watch()
        return self._away

    def blocked_reason(self, status: str, said: str | None) -> str | None:
        """Why a campaign is not dialled: what the dialers `said`, unless it runs and none is left."""
        self._watch()
        return NO_DIALER if self._nobody and status == CampaignStatus.RUNNING else said

    def look(self) -> None:
        """Ask once."""
        try:
            alive = bool(self._living.alive())
        except CoordinationError as error:
            outages.struck(outages.REDIS, error)
            self._away, self._nobody = True, False
            return
        self._away = False
        outages.answered(outages.REDIS)
        now = self._now()
        if alive:
            self._alive_at = now
        # At the first look nobody is about to come back.
        self._nobody = not alive and (self._alive_at is None or now - self._alive_at > ANEW_SECONDS)

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._spawn(_keep_looking, weakref.ref(self))


def _keep_looking(watch: weakref.ref[DialerWatch]) -> None:
    while (found := watch()) is not None:
        found.look()
        del found
        gevent.sleep(EVERY_SECONDS)
