"""Whether a node may still hold orders of a dialer that died, or of a connection that broke.

A node that stands still keeps what was written to it in the buffers of its sockets. When it goes on it carries that
out, one connection beside the other: a question on a new connection overtakes an order on an old one, and "never
seen" means nothing yet. It means something once the node has answered at once for some seconds, and none of the calls
that the same dialer left there has come to light meanwhile: a connection's orders are carried out in their order,
within milliseconds of each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dialer.live_calls import LiveCall

PROMPT_SECONDS = 1.0
"""A node that takes longer to answer may have stood still."""
GAP_SECONDS = 3.0
"""A node that was not heard to answer for so long may have stood still meanwhile."""


@dataclass(slots=True)
class BufferDrain:
    """Used by recovery, which lets each node answer every second and looks at its calls. Times are monotonic."""

    _steady_since: dict[str, float] = field(default_factory=dict)
    _answered_at: dict[str, float] = field(default_factory=dict)
    _unseen: dict[tuple[str, str], list[LiveCall]] = field(default_factory=dict)
    _moved_at: dict[tuple[str, str], float] = field(default_factory=dict)

    def answered(self, node: str, asked_at: float, now: float) -> None:
        """A node has answered, at `now`, what it was asked at `asked_at`."""
        prompt = now - asked_at <= PROMPT_SECONDS
        if not prompt or now - self._answered_at.get(node, -GAP_SECONDS) > GAP_SECONDS:
            self._steady_since[node] = now
        self._answered_at[node] = now

    def look(self, adopted: Iterable[LiveCall], now: float) -> None:
        """Note which adopted calls no node has shown yet, and whose orders were carried out since the last look."""
        for left, calls in self._unseen.items():
            if any(call.seen or call.refusal is not None for call in calls):
                self._moved_at[left] = now
        self._unseen = {}
        for call in adopted:
            if not call.seen and call.refusal is None:
                self._unseen.setdefault((call.node, call.sent_by), []).append(call)
        self._moved_at = {left: at for left, at in self._moved_at.items() if left in self._unseen}

    def unseen(self) -> list[str]:
        """The calls of other dialers that no node had shown at the last look: it may do so at any moment. One that is
        to be sent again waits for a turn of its own: postponed as well, it would never come."""
        return [
            call.call_id
            for calls in self._unseen.values()
            for call in calls
            if not (call.seen or call.queued or call.resent)
        ]

    def drained_since(self, call: LiveCall, now: float) -> float | None:
        """Since when everything says that the node of this call is past its order; None where nothing says so."""
        steady = self._steady_since.get(call.node)
        if steady is None or now - self._answered_at[call.node] > GAP_SECONDS:
            return None
        return max(steady, self._moved_at.get((call.node, call.sent_by), steady))
