"""How far ahead turns are asked for: as long as a call takes from asking to leaving, and some batches more. Pure."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field

from limits.caps import FURTHEST_TURN

SAMPLES = 20
FIRST_LEAD = 0.010
LONGEST_LEAD = FURTHEST_TURN / 2
SHORTEST_HORIZON = 0.160
"""Half of it lies between two questions for a rate's turns, each of which costs a claim: at 50 calls a second four
share one. Longer, and the slots of calls that wait for their turns would be missed."""
BATCHES_AHEAD = 4
"""A look takes as long as its batch; with turns for a few of them in hand no instant passes unused while one is
late."""
MARGIN = 1.2


@dataclass(slots=True)
class TurnTiming:
    """Measured: how long the last batches took from asking for their turns until they could leave."""

    _took: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    def ready_after(self, seconds: float) -> None:
        """A batch could leave so long after its turns were asked for."""
        self._took.append(seconds)

    @property
    def lead(self) -> float:
        """Seconds from asking before which no turn can be used: what nine batches in ten take."""
        if len(self._took) < 2:
            return FIRST_LEAD
        return min(LONGEST_LEAD, statistics.quantiles(self._took, n=10, method="inclusive")[-1] * MARGIN)

    @property
    def horizon(self) -> float:
        """Seconds after `lead` up to which turns are taken; the slots of calls that wait for theirs idle so long."""
        return min(FURTHEST_TURN - self.lead, max(SHORTEST_HORIZON, BATCHES_AHEAD * self.lead))
