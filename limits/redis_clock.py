"""By how much Redis' clock and this process' monotonic one differ, as narrowly as the answers so far tell. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

DRIFT = 0.002
"""So many seconds in each the two clocks come apart at most: each may be slewed by 0.0005, and its crystal be off."""


@dataclass(slots=True)
class RedisClock:
    """Bounds of Redis' time less ours.

    Of one answer Redis' time is known, and that it lies between the question and its reading: of one that took 80 ms
    the difference is known to 80 ms. The answers before it say more, as long as they agree; of clocks that were set
    meanwhile the newest answer counts alone. So how late an answer is read makes no turn shorter.
    """

    _least: float = -math.inf
    _most: float = math.inf
    _known_at: float = 0.0

    def note(self, asked_at: float, theirs: float, read_at: float) -> None:
        """It was `theirs` by Redis at some moment between two of ours; all in seconds."""
        drift = DRIFT * max(0.0, read_at - self._known_at)
        least = max(self._least - drift, theirs - read_at)
        most = min(self._most + drift, theirs - asked_at)
        if least > most:
            least, most = theirs - read_at, theirs - asked_at
        self._least, self._most, self._known_at = least, most, read_at

    def earliest(self, theirs: float) -> float:
        """The earliest that it can be by ours when it is `theirs` by Redis'."""
        return theirs - self._most

    def latest(self, theirs: float) -> float:
        """The latest that it can be by ours when it is `theirs` by Redis'."""
        return theirs - self._least
