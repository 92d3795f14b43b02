"""One open event stream: what it has been sent, and what it is to be sent next.

Made by `Channel.join`, drained by the greenlet that writes the response. Its cursor says what it has been given, so
that every event is given exactly once: from its bounded queue, which the reader of the process fills, or, while it
replays or after the queue ran over, from the stream itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from socket import socket
from typing import TYPE_CHECKING, NamedTuple

import structlog
from gevent.event import Event

from live import sse
from live.errors import LiveUnavailable
from live.event_ids import EventId

if TYPE_CHECKING:
    from live.channel import Channel

PAGE = 256
log = structlog.get_logger()


class Rendered(NamedTuple):
    """One event as the bytes that every listener is sent."""

    id: EventId
    data: bytes


class Listener:
    """One stream's place in its campaign's events.

    `cursor` is the id after which it wants events; without one it starts with what happens from now on, and its first
    snapshot carries the id from which it may resume. `gone` says that nobody reads it any more.
    """

    def __init__(
        self, channel: Channel, cursor: EventId | None, sock: socket | None, queue_size: int
    ) -> None:
        self.channel = channel
        self.cursor = cursor
        self.sock = sock
        self.gone = False
        self._queue: deque[Rendered] = deque()
        self._queue_size = queue_size
        self._behind = True
        self._announce = cursor is None
        self._interrupted = False
        self._notes: list[bytes] = []
        self._needs = 0
        self._sent = 0
        self._end_after: int | None = None
        self._ended = False
        self._wake = Event()
        self._wake.set()

    @property
    def behind(self) -> bool:
        """Whether it reads the stream itself at the moment, instead of being fed."""
        return self._behind

    def push(self, batch: Sequence[Rendered]) -> None:
        """Take the newest events; a queue that cannot hold them is dropped, and they are read from the stream."""
        if self._behind:
            return
        if len(self._queue) + len(batch) > self._queue_size:
            self._queue.clear()
            self._behind = True
        else:
            self._queue.extend(batch)
        self._wake.set()

    def fall_behind(self, *, interrupted: bool = False) -> None:
        """Stop being fed: what follows must be read from the stream, which proves that nothing is missing."""
        self._queue.clear()
        self._behind = True
        if interrupted and not self._interrupted:
            self._interrupted = True
            self._notes.append(sse.INTERRUPTED)
        self._wake.set()

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def probe(self) -> None:
        """Send something that says nothing, so that a closed connection shows itself."""
        self._notes.append(sse.PROBE)
        self._wake.set()

    def leave(self) -> None:
        """The other end has gone: `take` returns at once from now on."""
        self.gone = True
        self._wake.set()

    def take(self, timeout: float) -> bytes:
        """Everything that is waiting, as one piece; b"" when nothing came within `timeout` seconds."""
        self._wake.wait(timeout)
        self._wake.clear()
        parts: list[bytes] = []
        if self._behind:
            self._catch_up(parts)
        self._drain(parts)
        if self._notes:
            parts[:0] = self._notes
            self._notes = []
        self._add_snapshot(parts)
        self._add_end(parts)
        return b"".join(parts)

    def _drain(self, parts: list[bytes]) -> None:
        if not self._queue:
            return
        cursor = self.cursor
        parts.extend(data for event_id, data in self._queue if cursor is None or event_id > cursor)
        self.cursor = self._queue[-1].id if cursor is None else max(cursor, self._queue[-1].id)
        self._queue.clear()

    def _catch_up(self, parts: list[bytes]) -> None:
        """Read one page; where that reaches the point to which the reader has fed the others, join them."""
        channel = self.channel
        if channel.position is None:
            if channel.interrupted:
                self.fall_behind(interrupted=True)
                self._wake.clear()
                self._needs = self._needs or channel.ask()
            return
        if self.cursor is None:
            self.cursor = channel.position
            self._needs = channel.ask()
            self._rejoin()
            return
        self._needs = self._needs or channel.ask()
        try:
            page = channel.read(self.cursor, PAGE)
        except LiveUnavailable as error:
            log.debug("listener_cannot_catch_up", campaign_id=channel.campaign_id, reason=error.reason)
            return
        if page.reset:
            parts.append(sse.reset(channel.campaign_id, page.last))
            self._needs = channel.ask(fresh=True)
        parts.extend(sse.event(entry.kind, entry.data, entry.id) for entry in page.entries)
        full = len(page.entries) == PAGE
        self.cursor = page.entries[-1].id if full else page.last
        # Read again by the changed state of the channel: the reader may have fed or lost it meanwhile.
        position: EventId | None = self.channel.position
        if not full and position is not None and self.cursor >= position:
            self._rejoin()
        elif parts:
            self._wake.set()

    def _rejoin(self) -> None:
        """No other greenlet runs between the comparison of the cursors and this: nothing is fed in between."""
        self._behind = False
        if self._interrupted:
            self._interrupted = False
            self._notes.append(sse.RESUMED)

    def _add_snapshot(self, parts: list[bytes]) -> None:
        channel = self.channel
        if not channel.done >= max(self._needs, channel.broadcast) > self._sent:
            return
        self._sent = channel.done
        if self._announce and self.cursor is not None:
            self._announce = False
            parts.append(sse.with_id(channel.snapshot, self.cursor))
        else:
            parts.append(channel.snapshot)

    def _add_end(self, parts: list[bytes]) -> None:
        """Say that the campaign has ended: once, after the replay and, if it can be had, a snapshot of the end."""
        channel = self.channel
        if channel.end is None or self._ended or self._behind:
            return
        if self._end_after is None:
            self._end_after = self._needs = max(self._needs, channel.ask())
        shown = self._sent >= self._end_after or channel.done < self._end_after
        if channel.attempted >= self._end_after and shown:
            self._ended = True
            parts.append(channel.end)
