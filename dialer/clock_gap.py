"""Notices that this process did not run for a while: it was stopped, its machine slept, or its loop was held up.

What it knows is old then: how long calls have lasted, which connections stand, who lives. Whoever acts by that looks
here first, so that the first thing done after a gap is to hear of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from coordination.clock import elapsed
from coordination.membership import LEASE_SECONDS

GAP_SECONDS: Final = LEASE_SECONDS
"""A process that did not run for so long renewed no lease meanwhile, and others may have taken its calls over."""


class ClockGap:
    """Looked at several times a second; calls `on_gap` with its length where the last look was too long ago."""

    def __init__(self, on_gap: Callable[[float], None], now: Callable[[], float] = elapsed) -> None:
        self._on_gap = on_gap
        self._now = now
        self._looked_at = now()

    def start(self) -> None:
        """From now on it is looked at."""
        self._looked_at = self._now()

    def look(self) -> None:
        """Hear of a gap that has just ended."""
        now = self._now()
        gap, self._looked_at = now - self._looked_at, now
        if gap > GAP_SECONDS:
            self._on_gap(gap)
