"""Orders that nodes have not answered. A node that leaves one unanswered for 0.25 s stands still and is offered no
call until it answers.

The sender notes each order here as it leaves (`dialer/dispatch/sender.py`); the call itself knows of its answer.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import gevent

from dialer.live_calls import LiveCall

STALLED_SECONDS = 0.250
"""A node that leaves an order unanswered for so long is at its limit, or gone: what it is sent would only wait."""

OWN_LAG_SECONDS = 0.020


class NodeOrders:
    """What each node owes this process an answer to; one for each process. `now` is monotonic."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # By node, the calls whose orders it may not have answered, the oldest first.
        self._ordered: dict[str, deque[LiveCall]] = {}
        self._late_since: dict[str, float] = {}

    def note(self, call: LiveCall) -> None:
        """The order of this call leaves for its node now."""
        self._ordered.setdefault(call.node, deque()).append(call)

    def stalled(self, node: str) -> bool:
        """Whether a node has left an order unanswered for so long that it gets no new ones.

        An answer that this process was too busy to read looks the same: the node is late only once it is still so a
        moment later, in which what has come was read.
        """
        ordered = self._ordered.get(node, deque())
        while ordered and not ordered[0].unacknowledged:
            ordered.popleft()
        now, sent_at = self._now(), ordered[0].sent_at if ordered else None
        if sent_at is None or now - sent_at <= STALLED_SECONDS:
            self._late_since.pop(node, None)
            return False
        return now - self._late_since.setdefault(node, now) >= OWN_LAG_SECONDS

    def overdue(self) -> list[str]:
        """The calls whose orders a node that has stalled may carry out at any moment."""
        return [
            call.call_id
            for node, ordered in self._ordered.items()
            if self.stalled(node)
            for call in ordered
            if call.unacknowledged
        ]

    def owed(self, node: str) -> int:
        """How many orders a node has not answered yet."""
        return sum(call.unacknowledged for call in self._ordered.get(node, ()))

    def waits(self, node: str) -> float:
        """For how many seconds the oldest of these has waited."""
        sent = [call.sent_at for call in self._ordered.get(node, ()) if call.unacknowledged and call.sent_at]
        return self._now() - min(sent) if sent else 0.0

    def wait_for_answers(self, timeout: float) -> bool:
        """Wait until the nodes have answered the orders that are under way now: one that was late to read its order
        would carry it out after we had said that none leaves. False when one took longer: it stands still, or is
        gone."""
        under_way = [call for ordered in self._ordered.values() for call in ordered if call.unacknowledged]
        deadline = self._now() + timeout
        while any(call.unacknowledged for call in under_way):
            if self._now() >= deadline:
                return False
            gevent.sleep(0.001)
        return True
