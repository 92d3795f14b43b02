"""Turns what the switch reports into rows, in groups: one commit every few tens of milliseconds.

Events arrive by `on_event` from the readers of the ESL connections, which only append. One greenlet folds what
has come into one change for each call, writes all of it in one transaction, and then, after the commit, frees
permits, publishes transitions and closes campaigns that have nobody left. While the database is away, what has
come is kept and written when it is back.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import gevent
import structlog
from gevent.event import Event as Signal
from peewee import PeeweeException

from campaigns.dispositions import Disposition, Evidence, dispose
from campaigns.retry import History, Next, after_call
from dialer.book import Book, Flight
from dialer.outcomes import Answered, Ended, Seen, Told, Written, write
from freeswitch.events import ChannelEvent, ChannelEventKind, Event, Hangup, JobResult
from models import ContactStatus

log = structlog.get_logger()

GROUP_SECONDS = 0.02
GROUP_SIZE = 500
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 2.0


@dataclass(slots=True)
class Change:
    """What one group has learnt about one call."""

    flight: Flight
    at: float
    progress: bool = False
    answered: bool = False
    ended: Ended | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Something learnt about a call, with the monotonic time when it was."""

    call_id: str
    at: float
    event: ChannelEvent | JobResult | None = None
    answered_ago: float | None = None
    ended: Ended | None = None


@dataclass(slots=True)
class Recorder:
    """The one writer of outcomes in this process.

    `on_written` is called after each commit with what it changed and the flights that are over.
    """

    owner: str
    book: Book
    on_written: Callable[[Written, list[Flight], dict[str, Ended]], None]
    ask: Callable[[Flight], None]
    _waiting: deque[Report] = field(default_factory=deque)
    _wake: Signal = field(default_factory=Signal)
    _idle: Signal = field(default_factory=Signal)
    _stopping: bool = False

    def on_event(self, _node: str, event: Event) -> None:
        """Take an event from a connection's reader; never blocks."""
        if isinstance(event, (ChannelEvent, JobResult)):
            self._add(Report(event.call_id, time.monotonic(), event=event))

    def found_alive(self, flight: Flight, *, progress: bool, answered_ago: float | None) -> None:
        """Recovery saw this call alive at the switch."""
        flight.created = True
        flight.progress = flight.progress or progress
        self._add(Report(flight.call_id, time.monotonic(), answered_ago=answered_ago))

    def close(self, flight: Flight, disposition: Disposition, cause: str) -> None:
        """Recovery knows what became of this call, or that it cannot be known."""
        now = time.monotonic()
        ended = closing(flight, now, disposition, cause, refused=not flight.created)
        self._add(Report(flight.call_id, now, ended=ended))

    def withdraw(self, flight: Flight, cause: str, delay: float | None = None) -> None:
        """This call never left us: its contact goes back, or is cancelled with its campaign."""
        now = time.monotonic()
        ended = Ended(flight.call_id, ContactStatus.PENDING, False, delay, 0.0, None, None, cause)
        self._add(Report(flight.call_id, now, ended=ended))

    def refuse(self, flight: Flight, cause: str) -> None:
        """This call can never be sent, because of what its contact holds: the contact has failed."""
        now = time.monotonic()
        ended = Ended(
            flight.call_id, ContactStatus.FAILED, False, None, 0.0, None, Disposition.INVALID, cause
        )
        self._add(Report(flight.call_id, now, ended=ended))

    def run(self) -> None:
        """The greenlet: until `stop`, and then until nothing is waiting."""
        while not (self._stopping and not self._waiting):
            self._wake.wait(timeout=1.0)
            self._wake.clear()
            if not self._waiting:
                self._idle.set()
                continue
            if not self._stopping and len(self._waiting) < GROUP_SIZE:
                gevent.sleep(GROUP_SECONDS)
            self._write_group()
            if self._waiting:
                self._wake.set()
            else:
                self._idle.set()

    def flush(self, timeout: float) -> bool:
        """Wait until everything that has come is committed; False when the time was not enough."""
        if not self._waiting and self._idle.is_set():
            return True
        self._wake.set()
        return bool(self._idle.wait(timeout=timeout))

    def stop(self) -> None:
        """Let `run` return once nothing is waiting."""
        self._stopping = True
        self._wake.set()

    def _add(self, report: Report) -> None:
        self._waiting.append(report)
        self._idle.clear()
        self._wake.set()

    def _write_group(self) -> None:
        changes: dict[str, Change] = {}
        for _ in range(min(len(self._waiting), GROUP_SIZE)):
            self._fold(self._waiting.popleft(), changes)
        if changes:
            self._commit(list(changes.values()))

    def _fold(self, report: Report, changes: dict[str, Change]) -> None:
        flight = self.book.get(report.call_id)
        if flight is None or flight.over:
            return
        change = changes.get(report.call_id)
        if change is None:
            change = changes[report.call_id] = Change(flight, report.at)
        if report.ended is not None:
            change.ended = change.ended or report.ended
        elif report.answered_ago is not None:
            change.answered = True
            flight.answered_at = flight.answered_at or report.at - report.answered_ago
        elif isinstance(report.event, ChannelEvent):
            self._fold_event(report.event, report.at, change)
        elif isinstance(report.event, JobResult) and not report.event.ok:
            self._fold_refusal(report.event, report.at, change)
        flight.over = flight.over or change.ended is not None

    def _fold_event(self, event: ChannelEvent, at: float, change: Change) -> None:
        flight = change.flight
        flight.created = True
        if event.kind in (ChannelEventKind.PROGRESS, ChannelEventKind.PROGRESS_MEDIA):
            change.progress = flight.progress = True
        elif event.kind is ChannelEventKind.ANSWERED:
            change.answered = True
            flight.answered_at = flight.answered_at or at
        elif event.hangup is not None:
            change.ended = ended_by(flight, at, event.hangup)

    def _fold_refusal(self, result: JobResult, at: float, change: Change) -> None:
        """A failed job with no channel is a refusal; with one, its own HANGUP_COMPLETE says more and always comes.

        A repeated send is refused in the same words when the first is alive, so that is asked about.
        """
        flight = change.flight
        flight.refusal = result.text
        if flight.created:
            return
        if flight.repeated:
            self.ask(flight)
            return
        cause = result.text or "UNKNOWN"
        disposition = dispose(Evidence(cause=cause, channel=False))
        change.ended = closing(flight, at, disposition, cause, refused=True)

    def _commit(self, changes: list[Change]) -> None:
        now = time.monotonic()
        seen = [
            Seen(c.flight.call_id, now - c.at, c.flight.sent_age(now), c.flight.progress)
            for c in changes
            if c.ended is None
        ]
        answered = [
            Answered(c.flight.call_id, now - (c.flight.answered_at or c.at), c.flight.sent_age(now))
            for c in changes
            if c.answered or (c.ended is not None and c.ended.answered)
        ]
        ended = {c.flight.call_id: c.ended for c in changes if c.ended is not None}
        written = self._write(seen, answered, list(ended.values()))
        over = [flight for call_id in ended if (flight := self.book.remove(call_id)) is not None]
        self.on_written(written, over, ended)

    def _write(self, seen: list[Seen], answered: list[Answered], ended: list[Ended]) -> Written:
        pause = FIRST_RETRY_SECONDS
        while True:
            try:
                return write(self.owner, seen, answered, ended)
            except PeeweeException as error:
                log.warning("outcomes_not_written", calls=len(ended), error=type(error).__name__)
                gevent.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, LAST_RETRY_SECONDS)


def ended_by(flight: Flight, at: float, hangup: Hangup) -> Ended:
    """The end of a call as its HANGUP_COMPLETE tells it. `at` is monotonic."""
    answered = hangup.answered or flight.answered_at is not None
    evidence = Evidence(
        cause=hangup.cause,
        answered=answered,
        progress=hangup.progress or flight.progress,
        sip_status=hangup.sip_status,
        sip_phrase=hangup.sip_phrase,
        sip_603plus=hangup.sip_603plus_reason is not None,
        q850=hangup.q850,
    )
    following = _following(flight, dispose(evidence), refused=False)
    return Ended(
        call_id=flight.call_id,
        status=following.status,
        counts=following.counts,
        delay=following.delay_seconds,
        age=max(0.0, time.monotonic() - at),
        sent_age=flight.sent_age(time.monotonic()),
        disposition=following.disposition,
        cause=hangup.cause,
        q850=hangup.q850,
        sip_status=hangup.sip_status,
        sip_phrase=hangup.sip_phrase,
        sip_603plus_reason=hangup.sip_603plus_reason,
        hung_up_by=hangup.hung_up_by,
        billsec=hangup.billsec if answered else 0,
        duration_ms=hangup.duration_ms,
        pdd_ms=hangup.pdd_ms,
        ring_ms=hangup.ring_ms,
        answered=answered,
    )


def closing(flight: Flight, at: float, disposition: Disposition, cause: str, *, refused: bool) -> Ended:
    """The end of a call that no HANGUP_COMPLETE tells: refused by the switch, or settled by recovery."""
    following = _following(flight, disposition, refused=refused)
    now = time.monotonic()
    return Ended(
        call_id=flight.call_id,
        status=following.status,
        counts=following.counts,
        delay=following.delay_seconds,
        age=max(0.0, now - at),
        sent_age=flight.sent_age(now) if flight.sent_at is not None else now - flight.claimed_at,
        disposition=following.disposition,
        cause=cause,
    )


def _following(flight: Flight, disposition: Disposition, *, refused: bool) -> Next:
    history = History(
        attempts=flight.attempt,
        free_sends=flight.free_sends,
        last_disposition=flight.last_disposition,
        retries_per_contact=flight.retries_per_contact,
        retry_delay_seconds=flight.retry_delay_seconds,
    )
    return after_call(disposition, history, refused=refused, jitter=random.random())


__all__ = ["Recorder", "Report", "Told"]
