"""One open event stream: its cursor, its bounded queue, and what it is sent next.

Made by `CampaignFeed.join`, drained by the greenlet that writes the response. Its cursor says what it has been given,
so that every event is given exactly once: from its bounded queue, which the reader of the process fills, or, while it
replays or after the queue ran over, from the stream itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from socket import socket
from typing import NamedTuple, Protocol

import structlog
from gevent.event import Event

from live import sse
from live.admission import Admission
from live.errors import LiveUnavailable
from live.event_ids import EventId
from live.event_log import Page

PAGE = 256
log = structlog.get_logger()


class Rendered(NamedTuple):
    """One event as the bytes that every listener is sent."""

    id: EventId
    data: bytes


class Feed(Protocol):
    """What a listener is told of its campaign by whoever feeds it: `live.campaign_feed.CampaignFeed`."""

    @property
    def campaign_id(self) -> str: ...

    @property
    def position(self) -> EventId | None:
        """The id up to which everyone has been fed; None while it is not known where the stream stands."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether the stream cannot be read at the moment."""
        ...

    @property
    def snapshot(self) -> bytes:
        """The newest one, rendered."""
        ...

    @property
    def done(self) -> int:
        """The number of that snapshot."""
        ...

    @property
    def attempted(self) -> int:
        """The number of the newest that was taken or has failed."""
        ...

    @property
    def broadcast(self) -> int:
        """The number of the newest that everyone is to get."""
        ...

    @property
    def end(self) -> bytes | None:
        """What says that the campaign has ended, rendered, once it has."""
        ...

    def read(self, cursor: EventId, count: int) -> Page:
        """What follows `cursor` in the stream. Raises LiveUnavailable."""
        ...

    def ask(self, *, fresh: bool = False) -> int:
        """Ask for a snapshot, a `fresh` one where the last will not do; its number."""
        ...


class Listener:
    """One stream's place in its campaign's events.

    `cursor` is the id after which it wants events; without one it starts with what happens from now on, and its first
    snapshot carries the id from which it may resume. `gone` says that nobody reads it any more, or may; `revoked`
    that its `admission` (tenant and key) was taken away.
    """

    def __init__(
        self,
        feed: Feed,
        cursor: EventId | None,
        sock: socket | None,
        queue_size: int,
        admission: Admission | None = None,
    ) -> None:
        self._feed = feed
        self.cursor = cursor
        self.sock = sock
        self.admission = admission
        self.gone = self.revoked = False
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
    def ended(self) -> bool:
        """Whether it was told that the campaign has ended."""
        return self._ended

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

    def revoke(self) -> None:
        """It may hear nothing any more: what waits for it is not sent."""
        self.revoked = True
        self._queue.clear()
        self.leave()

    def take(self, timeout: float) -> bytes:
        """Everything that is waiting, as one piece; b"" when nothing came within `timeout` seconds."""
        self._wake.wait(timeout)
        self._wake.clear()
        if self.gone:
            return b""
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
        feed = self._feed
        if feed.position is None:
            if feed.interrupted:
                self.fall_behind(interrupted=True)
                self._wake.clear()
                self._needs = self._needs or feed.ask()
            return
        if self.cursor is None:
            self.cursor = feed.position
            self._needs = feed.ask()
            self._rejoin()
            return
        self._needs = self._needs or feed.ask()
        try:
            page = feed.read(self.cursor, PAGE)
        except LiveUnavailable as error:
            log.debug("listener_cannot_catch_up", campaign_id=feed.campaign_id, reason=error.reason)
            return
        if page.reset:
            parts.append(sse.reset(feed.campaign_id, page.last))
            self._needs = feed.ask(fresh=True)
        parts.extend(sse.event(entry.kind, entry.data, entry.id) for entry in page.entries)
        full = len(page.entries) == PAGE
        self.cursor = page.entries[-1].id if full else page.last
        # Read again: the reader of the process may have fed or lost the stream meanwhile.
        position: EventId | None = self._feed.position
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
        feed = self._feed
        if not feed.done >= max(self._needs, feed.broadcast) > self._sent:
            return
        self._sent = feed.done
        if self._announce and self.cursor is not None:
            self._announce = False
            parts.append(sse.with_id(feed.snapshot, self.cursor))
        else:
            parts.append(feed.snapshot)

    def _add_end(self, parts: list[bytes]) -> None:
        """Say that the campaign has ended: once, after the replay and, if it can be had, a snapshot of the end."""
        feed = self._feed
        if feed.end is None or self._ended or self._behind:
            return
        if self._end_after is None:
            self._end_after = self._needs = max(self._needs, feed.ask())
        shown = self._sent >= self._end_after or feed.done < self._end_after
        if feed.attempted >= self._end_after and shown:
            self._ended = True
            parts.append(feed.end)
