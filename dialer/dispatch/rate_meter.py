"""Measures how many calls a second a node is sent: a count over the last seconds."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 5.0


class RateMeter:
    """Counts the calls that a node was sent in the last 5 s; every `now` is monotonic."""

    def __init__(self) -> None:
        self._at: deque[float] = deque()

    def note(self, now: float) -> None:
        """One more was sent."""
        self._at.append(now)
        self._forget(now)

    def rate(self, now: float) -> float:
        """How often a second, to a tenth."""
        self._forget(now)
        return round(len(self._at) / WINDOW_SECONDS, 1)

    def _forget(self, now: float) -> None:
        while self._at and now - self._at[0] > WINDOW_SECONDS:
            self._at.popleft()
