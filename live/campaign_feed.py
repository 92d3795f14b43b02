"""One campaign's feed in this process: its listeners, what they are fed and the snapshots they share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from socket import socket

import gevent
import orjson
import structlog
from gevent.event import Event

from live import sse
from live.admission import Admission
from live.event_ids import EventId
from live.event_log import Entry, Page
from live.listener import Listener, Rendered

TERMINAL = frozenset({"completed", "failed"})
MOVES = frozenset({"running", "scheduled"})
"""States in which figures may change without an event: why a campaign is held back is in its row alone."""
DELETED = "deleted"
"""What the end of a campaign's stream says that is not there any more: no status of a campaign."""
LEAST_GAP_SECONDS = 0.25
log = structlog.get_logger()

Snapshot = Callable[[str], Mapping[str, object]]
"""A campaign's figures by its id, read from the database by the app; LookupError where it is gone, and may raise
anything else."""


class CampaignFeed:
    """One campaign as the listeners of this process see it.

    `position` is the id up to which the reader has fed everyone, None while the reader does not know where the stream
    stands. Snapshots are numbered by their beginnings: `done` is the newest that succeeded, `attempted` the newest
    that ended either way, and `broadcast` the newest that everyone is to get.
    """

    def __init__(
        self,
        campaign_id: str,
        read: Callable[[str, EventId, int], Page],
        take_snapshot: Snapshot,
        *,
        interval: float,
        unpublished_end: float,
    ) -> None:
        self.campaign_id = campaign_id
        self.listeners: set[Listener] = set()
        self.position: EventId | None = None
        self.interrupted = False
        self.end: bytes | None = None
        self.snapshot = b""
        self.done = self.attempted = self.broadcast = 0
        self._read = read
        self._take_snapshot = take_snapshot
        self._interval = interval
        self._unpublished_end = unpublished_end
        self._begun = 0
        self._begun_at = self._broadcast_at = float("-inf")
        self._begun_position: EventId | None = None
        self._wanted = 0
        self._moving = False
        self._fed = False
        self._ended_unpublished_since: float | None = None
        self._closed = self._deleted = False
        self._tick = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def join(
        self,
        cursor: EventId | None,
        status: str,
        sock: socket | None,
        queue_size: int,
        admission: Admission | None = None,
    ) -> Listener:
        """Let somebody listen from `cursor` on; `status` is the campaign's when he was let in, by `admission`."""
        if status in TERMINAL:
            self._conclude(status)
        listener = Listener(self, cursor, sock, queue_size, admission)
        self.listeners.add(listener)
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)
        return listener

    def close(self) -> None:
        """Nobody listens any more: end the snapshots."""
        self._closed = True
        self._tick.set()

    def delete(self) -> None:
        """The campaign is gone: its stream ends, where it has not ended before, and has no figures any more."""
        if not self._deleted:
            self._deleted = True
            self._conclude(DELETED)
            for listener in self.listeners:
                listener.wake()

    def read(self, cursor: EventId, count: int) -> Page:
        """What follows `cursor` in the stream. Raises LiveUnavailable."""
        return self._read(self.campaign_id, cursor, count)

    def push(self, entries: Sequence[Entry]) -> None:
        """Hand the newest entries to everyone, each rendered once."""
        batch = [Rendered(entry.id, sse.event(entry.kind, entry.data, entry.id)) for entry in entries]
        self.position = entries[-1].id
        self._fed = True
        if self._ended_unpublished_since is not None:
            # What comes before the end is being published, so that the end will be too.
            self._ended_unpublished_since = time.monotonic()
        for entry in entries:
            if entry.kind == "campaign":
                status = orjson.loads(entry.data).get("status")
                if status in TERMINAL:
                    self._conclude(status)
                self.broadcast = self.ask()
        if any(entry.cut for entry in entries):
            for listener in self.listeners:
                listener.fall_behind()
        else:
            for listener in self.listeners:
                listener.push(batch)
        self._tick.set()

    def place(self, page: Page) -> None:
        """The reader has asked where the stream stands. Where that is not past what was fed, the stream was lost."""
        if self.position is None:
            self.position = page.last
            self.interrupted = False
            for listener in self.listeners:
                listener.wake()
        elif self.position < page.since or self.position > page.last:
            self.position = page.last
            for listener in self.listeners:
                listener.fall_behind()

    def interrupt(self) -> None:
        """The reader has lost Redis: everyone is told, and reads on from the stream when it is back."""
        self.position = None
        self.interrupted = True
        for listener in self.listeners:
            listener.fall_behind(interrupted=True)

    def ask(self, *, fresh: bool = False) -> int:
        """Ask for a snapshot and return its number.

        The last one will do where it is young and nothing was fed since it began, unless it has to be `fresh`.
        """
        young = time.monotonic() - self._begun_at < self._interval and self._begun_position == self.position
        if young and not fresh and not self._failed:
            return self._begun
        self._wanted = self._begun + 1
        self._tick.set()
        return self._wanted

    @property
    def _failed(self) -> bool:
        return self.done < self.attempted

    def _conclude(self, status: str) -> None:
        if self.end is None:
            self.end = sse.end(self.campaign_id, status)

    def _run(self) -> None:
        """Take a snapshot whenever one is due, until nobody listens."""
        while not self._closed:
            self._tick.clear()
            due = self._due()
            wait = None if due is None else due - time.monotonic()
            if wait is None or wait > 0:
                self._tick.wait(wait)
            else:
                self._snap()

    def _due(self) -> float | None:
        """The monotonic time of the next snapshot: soon when one was asked for, else by the clock while it moves."""
        soon = self._begun_at + LEAST_GAP_SECONDS
        if self._wanted > self._begun:
            return soon
        if self._deleted:
            return None
        if self._failed:
            return self._begun_at + self._interval
        if self._moving or self._fed or self._ended_unpublished_since is not None:
            return max(soon, self._broadcast_at + self._interval)
        return None

    def _snap(self) -> None:
        """Take one snapshot. One that somebody asked for goes to him; those by the clock go to everyone."""
        now = time.monotonic()
        self._begun += 1
        number = self._begun
        if self.broadcast >= number or now - self._broadcast_at >= self._interval:
            self.broadcast, self._broadcast_at, self._fed = max(self.broadcast, number), now, False
        self._begun_at, self._begun_position = now, self.position
        try:
            figures = self._take_snapshot(self.campaign_id)
            rendered = sse.snapshot(figures)
        except LookupError:
            self.delete()
        except Exception as error:
            # It is the app's, and may raise whatever a database does: its troubles must not end the stream.
            log.warning("snapshot_failed", campaign_id=self.campaign_id, error=repr(error))
        else:
            self.snapshot, self.done = rendered, number
            self.learn(figures)
        self.attempted = number
        for listener in self.listeners:
            listener.wake()

    def learn(self, figures: Mapping[str, object]) -> None:
        """Note whether the campaign still moves; an end that was not published is believed after a while."""
        status = str(figures.get("status"))
        self._moving = status in MOVES or bool(figures.get("in_flight"))
        if status in TERMINAL and self.end is None:
            now = time.monotonic()
            if self._ended_unpublished_since is None:
                self._ended_unpublished_since = now
            elif now - self._ended_unpublished_since >= self._unpublished_end:
                self._conclude(status)
                self._ended_unpublished_since = None
