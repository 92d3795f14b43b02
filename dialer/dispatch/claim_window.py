"""How many calls may be claimed now, so that what becomes of them can be recorded soon after it happens. Pure.

A process that claims as fast as it can has hundreds of calls under way before the first of them shows that it cannot
keep up: what they report is late then, by as long as all of it takes to write down. So only so many are under way as
were shown lately within the time that a call takes until it is shown, and a little more. Where this process can do
more than that, more are shown the next time, and the window grows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from dialer.live_calls import LiveCall

RATE_SECONDS = 0.5
"""Over so long it is counted how many calls were shown."""
FORGET_SECONDS = 1.0
"""A call that was not shown by then says nothing of this process: its node does not answer, or its link was cut."""
FLOOR = 64
"""So many may be under way whatever was shown: of who begins, or went at a slow rate until now. A process can follow
them within a tenth of a second; a node that shows its calls late and unevenly gets so many all the same."""
WORTHWHILE = 4
"""The part of the window that has to be free: fewer calls are not worth a claim of their own."""
SAMPLES = 64


@dataclass(slots=True)
class ClaimWindow:
    """The calls that were claimed and not shown since, as far as this process is what they wait for. `floor` is for
    how many there is room whatever was shown."""

    floor: int = FLOOR
    _under_way: list[LiveCall] = field(default_factory=list)
    _shown: deque[tuple[float, int]] = field(default_factory=deque)
    _node_took: dict[str, deque[float]] = field(default_factory=dict)
    """By node, of the last calls that were shown, how long that took from their orders on."""
    _ahead: float = 0.0

    def claimed(self, calls: Iterable[LiveCall], ahead: float) -> None:
        """These were claimed, and the last of them has its turn `ahead` seconds from now."""
        self._under_way += calls
        self._ahead = max(0.0, ahead)

    def room(self, now: float, patience: float) -> int:
        """How many more may be claimed; 0 where it is better to wait for more room. What is told of a call may
        wait for `patience` seconds to be recorded."""
        waiting = self._look(now)
        shown = sum(count for _, count in self._shown) / RATE_SECONDS
        most = max(self.floor, round(shown * (self._ahead + patience)))
        free = most - waiting
        return free if free * WORTHWHILE >= most else 0

    def _look(self, now: float) -> int:
        """How many calls are under way that wait for this process: of those that were sent a moment ago it is their
        node's turn."""
        quickest = {node: min(took) for node, took in self._node_took.items()}
        left: list[LiveCall] = []
        waiting = shown = 0
        for call in self._under_way:
            sent_at = call.sent_at
            if call.over or call.seen:
                shown += 1
                if sent_at is not None:
                    self._node_took.setdefault(call.node, deque(maxlen=SAMPLES)).append(now - sent_at)
            elif now - call.claimed_at < FORGET_SECONDS:
                left.append(call)
                waiting += sent_at is None or now - sent_at > quickest.get(call.node, 0.0)
        self._under_way = left
        if shown:
            self._shown.append((now, shown))
        while self._shown and self._shown[0][0] < now - RATE_SECONDS:
            self._shown.popleft()
        return waiting
