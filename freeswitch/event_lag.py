"""Detects growing event delay on a connection."""

from __future__ import annotations

from math import inf
from typing import Final

LATE_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 3.0
"""A busy node makes 20,000 events a second and freezes with 100,000 of them unread: that is 5 s."""


class EventLag:
    """How late the events of one connection come, against the earliest it has had one since it connected.

    An event's own time is by the node's clock, its arrival by ours; in the difference between two events it drops
    out by how much they disagree. `seconds` is that of the newest event.
    """

    __slots__ = ("_best", "_lagging_since", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._best = inf
        self._lagging_since: float | None = None

    def note(self, at_us: int, now: float) -> bool:
        """Take one event; `at_us` is its own time, 0 for none, `now` monotonic seconds at its arrival.

        True once every event for 3 s has come more than 2 s late: single late ones prove nothing.
        """
        if at_us == 0:
            return False
        behind = now - at_us / 1_000_000
        self._best = min(self._best, behind)
        self.seconds = behind - self._best
        if self.seconds <= LATE_SECONDS:
            self._lagging_since = None
            return False
        if self._lagging_since is None:
            self._lagging_since = now
        return now - self._lagging_since >= PATIENCE_SECONDS
