"""By how much Redis' clock and this process' monotonic one differ, as narrowly as the answers so far tell. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

FAR_SECONDS, SAID_SECONDS = 5.0, 60.0
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

    @property
    def width(self) -> float:
        """For how long it can be any moment by ours when it is one by Redis'; a round trip, where that is long."""
        return self._most - self._least

    def earliest(self, theirs: float) -> float:
        """The earliest that it can be by ours when it is `theirs` by Redis'."""
        return theirs - self._most

    def latest(self, theirs: float) -> float:
        """The latest that it can be by ours when it is `theirs` by Redis'."""
        return theirs - self._least


@dataclass(slots=True)
class Distance:
    """Whether Redis is so far away that a turn is over before it is sure to have come: nobody is called then.

    One answer that was read late, or the first of a process that is busy with its start, says nothing yet.
    """

    most: float
    _too_far_since: float | None = None
    _said_at: float = -math.inf

    def is_to_be_said(self, width: float, now: float) -> bool:
        """Whether the clock has been wider than `most` for FAR_SECONDS, once in SAID_SECONDS."""
        if width < self.most:
            self._too_far_since = None
            return False
        if self._too_far_since is None:
            self._too_far_since = now
        if now - self._too_far_since < FAR_SECONDS or now - self._said_at < SAID_SECONDS:
            return False
        self._said_at = now
        return True
