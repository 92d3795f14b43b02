"""How often a long piece of work lets others run."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Lets others run: calls `breathe` when `interval` seconds have passed since it last did, by the clock `now`."""

    def __init__(
        self,
        breathe: Callable[[], None],
        interval: float = 0.003,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._breathe = breathe
        self._interval = interval
        self._now = now
        self._next = now() + interval

    def check(self) -> None:
        """Call `breathe` if it is time."""
        if self._now() >= self._next:
            self._breathe()
            self._next = self._now() + self._interval


def no_breath() -> None:
    """For callers that have nobody else to let run."""
