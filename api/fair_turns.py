"""So many may do costly work at a time. Who waits is let in in turns by tenant, not in the order of coming: however
many requests one tenant has sent, another's waits for one of them at most.

For greenlets of one thread: nothing here switches between taking a thing and noting who has it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event


class FairTurns:
    """`number` turns, shared by tenants."""

    def __init__(self, number: int) -> None:
        self._free = number
        # In the order in which the tenants are let in next.
        self._waiting: dict[str, deque[Event]] = {}

    @property
    def free(self) -> int:
        """How many turns nobody has."""
        return self._free

    @contextmanager
    def turn(self, tenant_id: str, seconds: float) -> Iterator[bool]:
        """Have a turn while the block runs; False where none came within `seconds`."""
        has = self._take(tenant_id, seconds)
        try:
            yield has
        finally:
            if has:
                self._give()

    def _take(self, tenant_id: str, seconds: float) -> bool:
        if self._free > 0:
            self._free -= 1
            return True
        turn = Event()
        self._waiting.setdefault(tenant_id, deque()).append(turn)
        try:
            turn.wait(seconds)
        except BaseException:  # a kill, somebody's Timeout: a turn that came is passed on
            self._leave(tenant_id, turn)
            raise
        if not turn.is_set():
            self._leave(tenant_id, turn)
            return False
        return True

    def _give(self) -> None:
        if not self._waiting:
            self._free += 1
            return
        tenant_id, waiting = next(iter(self._waiting.items()))
        del self._waiting[tenant_id]
        turn = waiting.popleft()
        if waiting:
            # Behind everybody else who waits.
            self._waiting[tenant_id] = waiting
        turn.set()

    def _leave(self, tenant_id: str, turn: Event) -> None:
        if turn.is_set():
            self._give()
            return
        waiting = self._waiting[tenant_id]
        waiting.remove(turn)
        if not waiting:
            del self._waiting[tenant_id]
