"""How late this process was: the times in which it should have run and did not, or was busy with something else.

What a node answers meanwhile is read afterwards, and is no slower for that. A timer is as late as a socket is read
late: gevent looks at both at the same moments.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

KEEP_SECONDS = 10.0
TICK_SECONDS = 0.005
"""So often somebody should run who notes when he does: what is shorter is not noticed."""
LEAST_SECONDS = 0.001


@dataclass(slots=True)
class OwnLag:
    """When it was late, the oldest first: (when it was due, when it ran), both monotonic."""

    _late: deque[tuple[float, float]] = field(default_factory=deque)

    def note(self, due: float, ran: float) -> None:
        """What was due at one moment ran at another."""
        if ran - due >= LEAST_SECONDS:
            self._late.append((due, ran))
        while self._late and self._late[0][1] < ran - KEEP_SECONDS:
            self._late.popleft()

    def within(self, began: float, ended: float) -> float:
        """How many of the seconds between two moments it was late."""
        found = 0.0
        for due, ran in reversed(self._late):
            if ran <= began:
                break
            found += max(0.0, min(ran, ended) - max(due, began))
        return found
