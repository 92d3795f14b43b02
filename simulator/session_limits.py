"""Whether a node starts another session, and why it refuses one before it makes a channel: sessions per second,
maximum, pause, shutdown.

All end in DESTINATION_OUT_OF_ORDER, so that a client cannot tell them from a dead number by the cause.
"""

from __future__ import annotations

from collections import deque


class SessionLimits:
    """The node's limits and counters. `wall` is wall seconds: the allowance is refilled each wall second."""

    def __init__(self, sps: int, max_sessions: int) -> None:
        self.sps = sps
        self.max_sessions = max_sessions
        self.paused_inbound = self.paused_outbound = False
        self.shutting_down = False
        self.refusing = False
        self.sessions_since_startup = 0
        self.peak_sessions = 0
        self.peak_sps = self.last_sps = 0
        self._second = 0
        self._left = sps
        self._recent: deque[tuple[int, int]] = deque(maxlen=300)

    @property
    def ready(self) -> bool:
        """What `fsctl ready_check` says: false only when both directions are paused, or asap is on."""
        return not (self.refusing or (self.paused_inbound and self.paused_outbound))

    @property
    def left(self) -> int:
        """Session-Per-Sec of the heartbeat: what is left of this second's allowance."""
        return self._left

    def refill(self, wall: float) -> None:
        """Start a new second if one has begun."""
        second = int(wall)
        if second != self._second:
            used = self.sps - self._left
            self.last_sps = used if second == self._second + 1 else 0
            self.peak_sps = max(self.peak_sps, used)
            if used:
                self._recent.append((self._second, used))
            self._second = second
            self._left = self.sps

    def set_sps(self, sps: int) -> None:
        """`fsctl sps N`; it holds from the next second on."""
        self.sps = sps

    def five_minute_peak(self) -> int:
        """The most sessions asked for in one second of the last five minutes."""
        return max((used for second, used in self._recent if second > self._second - 300), default=0)

    def admit(self, wall: float, sessions: int) -> bool:
        """Take a token; whether a session may start. N admits N-1 a second, and a refused one costs a token too."""
        if self.paused_outbound or self.refusing:
            return False
        self.refill(wall)
        self._left -= 1
        if self._left <= 0 or sessions + 1 > self.max_sessions:
            return False
        self.sessions_since_startup += 1
        self.peak_sessions = max(self.peak_sessions, sessions + 1)
        return True
