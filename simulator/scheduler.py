"""One heap of timers for the whole node, in simulated seconds, and the clock that maps them to the wall."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection


class Clock:
    """Simulated time: it starts at the wall clock's `epoch` and runs `speed` times as fast as `monotonic`."""

    __slots__ = ("epoch", "monotonic", "speed")

    def __init__(self, epoch: float, monotonic: float, speed: float) -> None:
        self.epoch = epoch
        self.monotonic = monotonic
        self.speed = speed

    def simulated(self, monotonic: float) -> float:
        """Simulated seconds since the epoch at a monotonic moment."""
        return self.epoch + (monotonic - self.monotonic) * self.speed

    def wall(self, at: float) -> float:
        """Wall seconds since the epoch at a simulated moment."""
        return self.epoch + (at - self.epoch) / self.speed

    def moment(self, wall: float) -> float:
        """The simulated moment at a wall second."""
        return self.epoch + (wall - self.epoch) * self.speed

    def real_seconds(self, simulated: float) -> float:
        """How long a simulated span lasts on the wall."""
        return simulated / self.speed


def tick(at: float, seconds: int) -> float:
    """When a timer of whole seconds set at `at` fires: N-1 to N seconds later, on a second."""
    return math.floor(at) + seconds if seconds > 0 else at


class Timer:
    """An action that is to come; `number` is its own, and that of the task which `sched_cancel` names."""

    __slots__ = ("action", "arguments", "number")

    def __init__(self, number: int, action: Callable[..., None], arguments: tuple[object, ...]) -> None:
        self.number = number
        self.action: Callable[..., None] | None = action
        self.arguments = arguments

    def disarm(self) -> None:
        """Let go of what the action needs: it has run, or never will."""
        self.action = None
        self.arguments = ()


class Scheduler:
    """Calls `action(at, *arguments)` at its simulated moment, in order; equal moments in the order they were set."""

    def __init__(self) -> None:
        # The number decides between equal moments, so that timers themselves are never compared.
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    @property
    def in_memory(self) -> int:
        """Timers in memory, those cancelled and not yet cleared away included."""
        return len(self._heap)

    def at(self, due: float, action: Callable[..., None], *arguments: object) -> Timer:
        """Schedule `action`; the result is good for `cancel`."""
        self._count += 1
        timer = Timer(self._count, action, arguments)
        heapq.heappush(self._heap, (due, self._count, timer))
        return timer

    def cancel(self, timer: Timer) -> None:
        """Forget a timer; what its action needs is freed at once. A timer that has run is left alone."""
        if timer.action is None:
            return
        timer.disarm()
        self._cancelled += 1
        if self._cancelled > 1_000 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def delay(self, until: float, behind: Collection[Callable[..., None]]) -> None:
        """Whoever runs this stood still until then: what was due before is due at `until`, in its order, and the
        actions `behind` after all others."""
        late = sorted(entry for entry in self._heap if entry[0] < until)
        late.sort(key=lambda entry: entry[2].action in behind)
        self._heap = [entry for entry in self._heap if entry[0] >= until]
        # Negative: before what is due at that very moment.
        self._heap += [(until, place - len(late), timer) for place, (_, _, timer) in enumerate(late)]
        heapq.heapify(self._heap)

    @property
    def next_due(self) -> float | None:
        """The simulated moment of the next timer."""
        return self._heap[0][0] if self._heap else None

    def run(self, now: float, limit: int = 2_000) -> None:
        """Run what is due, at most `limit` timers, so that the sockets get their turn."""
        while self._heap and limit and self._heap[0][0] <= now:
            due, _, timer = heapq.heappop(self._heap)
            action, arguments = timer.action, timer.arguments
            if action is None:
                self._cancelled -= 1
                continue
            timer.disarm()
            action(due, *arguments)
            limit -= 1
