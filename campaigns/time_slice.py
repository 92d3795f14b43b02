"""Lets other greenlets run every few milliseconds of a long piece of work."""

from __future__ import annotations

import time
from collections.abc import Callable


class TimeSlice:
    """Calls `let_others_run` once `interval` seconds have passed since it last did, by the clock `now`."""

    def __init__(
        self,
        let_others_run: Callable[[], None],
        interval: float = 0.003,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._let_others_run = let_others_run
        self._interval = interval
        self._now = now
        self._next = now() + interval

    def check(self) -> None:
        """Call `let_others_run` if it is time."""
        if self._now() >= self._next:
            self._let_others_run()
            self._next = self._now() + self._interval


def nobody_else() -> None:
    """For callers that have nobody else to let run."""
