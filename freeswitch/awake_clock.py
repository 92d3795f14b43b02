"""A clock for what a node has to do in time, which stands still while this process does.

A process that was stopped, or whose machine slept, has not waited meanwhile: what the node sent lies unread, and what
is due counts from there on. So a look at the clock adds what has passed since the last one only where that is as
little as it is while the process runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LOOK_SECONDS: Final = 0.25
"""Who waits by this clock looks at it so often."""
GAP_SECONDS: Final = 2.0
"""Longer than a loop is held up between two looks, and shorter than any stop that a node's deadline would notice."""


class AwakeClock:
    """Seconds in which this process ran. To be looked at all the time by somebody who waits."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._looked_at = now()
        self._awake = 0.0

    def __call__(self) -> float:
        """What the clock says now."""
        now = self._now()
        passed, self._looked_at = now - self._looked_at, now
        if passed <= GAP_SECONDS:
            self._awake += passed
        return self._awake
