"""A client's output queue: replies, and events as the faults in force let them pass.

Like the real node's, the queue of events is bounded: past the bound events are lost, and then the client is.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from simulator.core import Core

MAX_QUEUED_EVENTS: Final = 100_000
MAX_LOST_EVENTS: Final = 500
CHUNK_BYTES: Final = 256 * 1024


class OutputQueue:
    """The frames of one connection in the order they came about.

    While `events_wait`, events stay behind; while `stalled`, everything does. `closing`: what is queued is the last.
    `dropped`: the connection is to end at once, whatever is queued.
    """

    def __init__(self, core: Core, greeting: bytes) -> None:
        self._faults = core.faults
        self._core = core
        self._frames: deque[bytes] = deque([greeting])
        self._events: deque[bytes] = deque()
        self._lost = 0
        self._delivered = 0
        self.events_wait = False
        self.stalled = False
        self.closing = False
        self.dropped = False

    def __len__(self) -> int:
        return len(self._frames) + len(self._events)

    @property
    def ready(self) -> bool:
        """Whether `take` would return anything."""
        return not self.stalled and (bool(self._frames) or bool(self._events and not self.events_wait))

    def reply(self, frame: bytes) -> None:
        """Queue the reply to a command."""
        self._frames.append(frame)

    def close(self, notice: bytes) -> None:
        """End the connection after what is queued and this notice."""
        self._frames.append(notice)
        self.closing = True

    def event(self, frame: bytes) -> None:
        """Queue an event, as often and as late as the faults in force have it."""
        if not self._faults.affects_events:
            self._queue(frame)
            return
        if self._faults.cuts(self._delivered):
            self._cut_short(frame)
            return
        for seconds in self._faults.copies():
            if seconds:
                moment = self._core.clock.moment(self._core.hub.wall() + seconds)
                self._core.scheduler.at(moment, lambda _at: self._queue(frame))
            else:
                self._queue(frame)

    def release_events(self) -> None:
        """Put the events that came so far ahead of what comes next, unless they wait."""
        if self._events and not self.events_wait:
            self._frames.extend(self._events)
            self._events.clear()

    def forget_events(self) -> None:
        """Drop the events that have not been released."""
        self._events.clear()

    def take(self) -> bytes:
        """Whole frames to send, about CHUNK_BYTES."""
        self.release_events()
        frames = self._frames
        chunks = []
        size = 0
        while frames and size < CHUNK_BYTES:
            frame = frames.popleft()
            size += len(frame)
            chunks.append(frame)
        return b"".join(chunks)

    def _cut_short(self, frame: bytes) -> None:
        """The connection ends within this frame, without another word."""
        if not self.closing:
            self.release_events()
            self._frames.append(frame[: len(frame) // 2])
            self.closing = True

    def _queue(self, frame: bytes) -> None:
        if self.closing:
            return
        self._delivered += 1
        if len(self) < MAX_QUEUED_EVENTS:
            self._events.append(frame)
            return
        self._lost += 1
        if self._lost > MAX_LOST_EVENTS:
            self.dropped = True
