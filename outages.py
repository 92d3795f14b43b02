"""What a process logs while a server is away: one line when that begins, one a minute, one when it is over.

Many parts of a process meet the same outage, some of them many times a second: they say so here instead of in a line
each. Every package may import it; it keeps state for the process, and knows no driver.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from server_faults import reason_of

DATABASE: Final = "database"
REDIS: Final = "redis"

SAY_AGAIN_SECONDS: Final = 60.0
QUIET_SECONDS: Final = 5.0
"""It is over once the server has answered, and has failed nobody for so long: longer than a client waits for one that
hangs, so that what one part got through does not end what others are still waiting in."""

log = structlog.get_logger(__name__)


class Outage:
    """One server's. `now` is monotonic, in seconds."""

    def __init__(self, server: str, now: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._now = now
        self._began: float | None = None
        self._said = self._failed_at = 0.0
        self._failures = 0

    def struck(self, error: BaseException | str) -> None:
        """Somebody could not do what needed the server; `error` is the driver's, or what to call it."""
        now = self._now()
        reason = reason_of(error)
        self._failed_at = now
        self._failures += 1
        if self._began is None:
            self._began = self._said = now
            log.error("outage_began", server=self._server, reason=reason)
        elif now - self._said >= SAY_AGAIN_SECONDS:
            self._said = now
            log.error("outage_lasts", server=self._server, reason=reason, **self._so_far(now))

    def answered(self) -> None:
        """The server did what was asked."""
        if self._began is None:
            return
        now = self._now()
        if now - self._failed_at >= QUIET_SECONDS:
            log.warning("outage_over", server=self._server, **self._so_far(self._failed_at))
            self._began, self._failures = None, 0

    def _so_far(self, until: float) -> dict[str, float]:
        return {"seconds": round(until - (self._began or until), 1), "failures": self._failures}


OUTAGES: Final = {server: Outage(server) for server in (DATABASE, REDIS)}
"""This process's."""


def struck(server: str, error: BaseException | str) -> None:
    """This process could not use DATABASE or REDIS."""
    OUTAGES[server].struck(error)


def answered(server: str) -> None:
    """This process has just used it."""
    OUTAGES[server].answered()
