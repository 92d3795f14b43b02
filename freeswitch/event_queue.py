"""A connection's queue of events between its reader and the callback, in the order of the wire.

Two greenlets stand between the reader and the callback: one turns each event's bytes (kilobytes) into a small record
as fast as they are read, one calls back. So a burst costs little memory however long the callback takes over it, and
the reader never has to wait. Both work for a few milliseconds at a time, then let the others run.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import structlog
from gevent.event import Event

from cooperative import let_others_run
from freeswitch.protocol import ProtocolError

MAX_WAITING_EVENTS: Final = 250_000
"""A node that finds nobody reading queues 100,000: no burst it can send is more than this."""
MAX_WAITING_BYTES: Final = 96 * 1024 * 1024
_TURN_EVENTS: Final = 64
"""Decoded in a turn: about a millisecond, and more than the reader reads meanwhile."""
_TURN_SECONDS: Final = 0.002

Record = TypeVar("Record")

log = structlog.get_logger(__name__)


class _Call:
    """Something other than an event that has its place between them."""

    __slots__ = ("run",)

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run


class EventQueue(Generic[Record]):
    """Events and calls of one connection. `decode` gives None for an event that nobody needs.

    `on_fault` is told when an event cannot be read; what else goes wrong in a callback is logged. `now` is the clock
    by which a turn is over.
    """

    def __init__(
        self,
        node: str,
        decode: Callable[[bytes], Record | None],
        on_event: Callable[[Record], None],
        on_fault: Callable[[str], None],
        max_waiting: int,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._decode = decode
        self._on_event = on_event
        self._on_fault = on_fault
        self._max_waiting = max_waiting
        self._now = now
        self._read: deque[bytes | _Call] = deque()
        self._read_bytes = 0
        self._records: deque[Record | _Call] = deque()
        self._arrived = Event()
        self._decoded = Event()
        self._complete = False
        self._all_decoded = False

    @property
    def waiting(self) -> int:
        """Events and calls that have not been delivered."""
        return len(self._read) + len(self._records)

    def put(self, body: bytes) -> None:
        """Take one event as it was read. To be followed by `wake`, once for all that were read together."""
        self._read_bytes += len(body)
        self._read.append(body)

    def wake(self) -> bool:
        """Set to work on what was put; False when more is waiting than there is room for."""
        self._arrived.set()
        return self.waiting <= self._max_waiting and self._read_bytes <= MAX_WAITING_BYTES

    def call(self, run: Callable[[], None]) -> None:
        """Run this after what was put before it."""
        self._read.append(_Call(run))
        self._arrived.set()

    def finish(self) -> None:
        """Nothing will be put any more: both greenlets end once everything is delivered."""
        self._complete = True
        self._arrived.set()

    def decode_all(self) -> None:
        """The first greenlet."""
        while self._read or not self._complete:
            if not self._read:
                self._arrived.clear()
                self._arrived.wait()
                continue
            self._decode_some()
            if self._records:
                self._decoded.set()
            if self._read:
                let_others_run()
        self._all_decoded = True
        self._decoded.set()

    def deliver_all(self) -> None:
        """The second greenlet."""
        while self._records or not self._all_decoded:
            if not self._records:
                self._decoded.clear()
                self._decoded.wait()
                continue
            until = self._now() + _TURN_SECONDS
            while self._records and self._now() < until:
                self._deliver_one(self._records.popleft())
            if self._records:
                let_others_run()

    def _decode_some(self) -> None:
        read, records, decode = self._read, self._records, self._decode
        for _ in range(min(len(read), _TURN_EVENTS)):
            item = read.popleft()
            if isinstance(item, _Call):
                records.append(item)
                continue
            self._read_bytes -= len(item)
            try:
                record = decode(item)
            except ProtocolError as exc:
                self._on_fault(f"protocol error: {exc}")
            except Exception:
                # A fault of the decoder's in one event must not end the greenlet that decodes all others.
                log.exception("esl_event_not_decoded", node=self._node)
            else:
                if record is not None:
                    records.append(record)

    def _deliver_one(self, item: Record | _Call) -> None:
        try:
            if isinstance(item, _Call):
                item.run()
            else:
                self._on_event(item)
        except Exception:
            # Whoever is called back has his own faults; the events and replies behind this one are for others.
            log.exception("esl_callback_failed", node=self._node)
