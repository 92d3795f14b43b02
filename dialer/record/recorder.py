"""Writes node events to rows, in groups: one commit every few tens of milliseconds.

Events arrive by `on_event` from the readers of the ESL connections, which only append. One greenlet folds what
has come into one change for each call and writes all of it in one transaction. After the commit its transitions are
published; what else follows, permits that are freed and campaigns that have nobody left, does so beside it
(`following`), and the next group waits for none of that. While the database is away, what has
come is kept and written when it is back. A call that the database refuses, or whose rows somebody keeps locked, does
not hold up the others.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import gevent
import structlog
from gevent.event import Event as Signal
from peewee import DataError, IntegrityError

from campaigns.dispositions import Disposition
from campaigns.retry_rules import RetryTerms
from dialer.errors import DATABASE_AWAY, note
from dialer.fault_points import FaultPoint, hit
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record import call_end
from dialer.record.changes import Change, bare_end, rows_of
from dialer.record.commit import Commit, CommitFollower
from dialer.record.early_reports import EarlyReports, Report
from dialer.record.following import follow
from dialer.record.locked_rows import LockedRows, find_free, is_locked
from dialer.record.outcome_rows import COMMIT_SECONDS, Written, write
from dialer.record.switch_reports import SwitchReports
from dialer.tasks import wait_for_work
from freeswitch.events import ChannelEvent, Event, JobResult
from models import Pool

log = structlog.get_logger()

GROUP_SECONDS = 0.05
"""So long a report waits for others: a commit, and what follows it, costs much the same whatever it holds."""
GROUP_SIZE = 500
BEHIND_SECONDS = 0.13
BEHIND_COMMITS = 4
"""Reports that wait for longer than that, or than so many commits take where each has little to write, are more than
this process can write."""
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 2.0


@dataclass(slots=True)
class Recorder:
    """The one writer of outcomes in this process.

    `followers` hear of each commit, one after the other, and never wait. `ask` has recovery ask the switch about a
    call. `elsewhere` says whether there is a gateway that was not tried yet for a call's contact, `retry_terms` what
    its campaign says of retries by now: without them a call ends by those that it knows. It writes by a connection of
    `pool`, or of the one that all share.
    """

    owner: str
    live_calls: LiveCalls
    followers: Sequence[CommitFollower]
    ask: Callable[[LiveCall], None]
    elsewhere: call_end.Elsewhere = call_end.nowhere
    retry_terms: Callable[[LiveCall], RetryTerms | None] = lambda _call: None
    pool: Pool | None = None
    waiting: deque[Report] = field(default_factory=deque)
    """What has come and is in no group yet, in its order."""
    _folded: dict[str, Change] = field(default_factory=dict)
    """What is out of `waiting` and in no row yet, by call: whatever ends a write, it is written with the next."""
    locked: LockedRows = field(init=False)
    """What waits for its rows."""
    _wake: Signal = field(default_factory=Signal)
    _idle: Signal = field(default_factory=Signal)
    _ended: Signal = field(default_factory=Signal)
    _stopping: bool = False
    _took: deque[float] = field(default_factory=lambda: deque(maxlen=20))
    _oldest: float | None = None
    """When the oldest report came of the group that is being written; None while none is."""
    _early: EarlyReports = field(default_factory=EarlyReports)
    _switch: SwitchReports = field(init=False)

    def __post_init__(self) -> None:
        self._switch = SwitchReports(self.owner, self.ask, self.elsewhere, self.retry_terms)
        self.locked = LockedRows(partial(find_free, through=self.pool))
        self._idle.set()

    def on_event(self, node: str, event: Event) -> None:
        """Take an event from a connection's reader; never waits."""
        if isinstance(event, (ChannelEvent, JobResult)):
            self._add(Report(event.call_id, time.monotonic(), event=event))

    def expect_calls(self) -> None:
        """Their events come from now on, and the calls themselves a moment later: a takeover asks for the events
        first. What is told of calls that nobody here knows is kept until `calls_came`."""
        self._early.expect()

    def calls_came(self, *, more: bool = False) -> None:
        """They are among the live calls, as far as they come: what was told of them is taken up in its order. `more`
        are still to come, and what is told of these is kept for a while."""
        if known := self._early.take(self.live_calls, more=more):
            # Before what was told of the same calls since.
            self.waiting.extendleft(reversed(known))
            self._idle.clear()
            self._wake.set()

    def found_alive(self, call: LiveCall, *, progress: bool, answered_ago: float | None) -> None:
        """Recovery saw this call alive at the switch."""
        call.show()
        if progress:
            call.ring(alerted=False)
        self._add(Report(call.call_id, time.monotonic(), answered_ago=answered_ago))

    def close(
        self,
        call: LiveCall,
        disposition: Disposition,
        cause: str,
        *,
        no_channel: bool = False,
        may_live: float | None = None,
    ) -> None:
        """Recovery knows what became of this call, or that it cannot be known; `may_live` as in `Ended`."""
        now = time.monotonic()
        self._switch.learn_terms(call)
        ended = call_end.closed(call, now, disposition, cause, no_channel=no_channel, may_live=may_live)
        self._add(Report(call.call_id, now, ended=ended))

    def withdraw(self, call: LiveCall, cause: str, delay: float | None = None) -> None:
        """This call never left us: its contact goes back, or is cancelled with its campaign."""
        self._add(Report(call.call_id, time.monotonic(), ended=call_end.withdrawn(call, cause, delay)))

    def refuse(self, call: LiveCall, cause: str) -> None:
        """This call can never be sent, because of what its contact holds: the contact has failed."""
        self._add(Report(call.call_id, time.monotonic(), ended=call_end.never_sendable(call, cause)))

    def run(self) -> None:
        """The greenlet: until `stop`, and then until nothing is waiting."""
        while not (self._stopping and not self._owes() and not self.locked):
            wait_for_work(self._wake, 1.0)
            self._wake.clear()
            if self.locked.due():
                self.take_unlocked()
            if not self._owes():
                self._idle.set()
                continue
            young = self.waiting[0].at + GROUP_SECONDS - time.monotonic() if self.waiting else 0.0
            if young > 0 and not self._stopping and len(self.waiting) < GROUP_SIZE:
                gevent.sleep(young)
            self.write_group()
            if self.waiting:
                self._wake.set()
            else:
                self._idle.set()
        self._ended.set()

    def behind(self) -> bool:
        """Whether the oldest report has waited for so long that no calls should be added to those to be written."""
        return self.waited() > self.patience() or self.locked.too_many()

    def waited(self) -> float:
        """For how many seconds the oldest report has waited, that in the group being written too; 0 without one."""
        oldest = self.waiting[0].at if self._oldest is None and self.waiting else self._oldest
        return 0.0 if oldest is None else time.monotonic() - oldest

    def patience(self) -> float:
        """For how many seconds a report may wait. Of the last commits the quickest counts: where much is to be told
        each takes long, and that says nothing of the database."""
        return max(BEHIND_SECONDS, BEHIND_COMMITS * min(self._took, default=0.0))

    def flush(self, timeout: float) -> bool:
        """Wait until everything that has come is committed, but for what waits for its rows; False when the time was
        not enough."""
        self._wake.set()
        return bool(self._idle.wait(timeout=timeout))

    def stop(self) -> None:
        """Let `run` return once nothing is waiting, nor for its rows."""
        self._stopping = True
        self._wake.set()

    def wait_ended(self, timeout: float) -> bool:
        """Wait until `run` has returned; False when the time was not enough, and something is left unwritten."""
        return bool(self._ended.wait(timeout=timeout))

    def _add(self, report: Report) -> None:
        self.waiting.append(report)
        self._idle.clear()
        self._wake.set()

    def write_group(self) -> None:
        """Write the next of what has come, up to GROUP_SIZE reports. Waits for a database that is away."""
        changes = self._folded
        self._oldest = self.waiting[0].at if self.waiting else None
        try:
            for _ in range(min(len(self.waiting), GROUP_SIZE)):
                report = self.waiting.popleft()
                try:
                    self._fold(report, changes)
                except Exception:
                    # What one call reports must not cost the others theirs; recovery asks about this one.
                    log.exception("report_not_understood", call_id=report.call_id)
            hit(FaultPoint.HEARD)
            found = list(changes.values())
            # Of a campaign whose row is locked every end would make its group wait for that anew.
            if found and self.locked:
                found = self.locked.unlocked_of(found)
            if found:
                self._commit(found)
            self._folded = {}
        finally:
            self._oldest = None

    def knows_end_of(self, call_id: str) -> bool:
        """Whether how this call ended is still to be written here."""
        return call_id in self._folded or self.locked.get(call_id) is not None

    def _owes(self) -> bool:
        return bool(self.waiting or self._folded)

    def take_unlocked(self) -> None:
        """What waited for its rows is written with the next group, where these are free by now."""
        if unlocked := self.locked.take_free():
            log.info("rows_free", calls=len(unlocked))
            self._folded.update((change.call.call_id, change) for change in unlocked)
            self._idle.clear()

    def _fold(self, report: Report, changes: dict[str, Change]) -> None:
        call = self.live_calls.get(report.call_id)
        if call is None:
            self._early.note(report)
            return
        if call.over:
            return
        if report.ended is not None and report.ended.sent_age is None and call.seen:
            # It was to be taken back as never sent, and the switch has shown it meanwhile.
            return
        if report.ended is not None and call.sent_at is not None and call.sent_at > report.at:
            # It was to be over, which waited here for the database, and was sent (again) meanwhile: that decides.
            log.warning("end_void", call_id=call.call_id, cause=report.ended.cause)
            return
        ended = report.ended
        if isinstance(report.event, JobResult):
            ended = self._switch.refusal(report.event, report.at, call)
            if ended is None:
                return
        change = changes.get(report.call_id) or self.locked.get(report.call_id)
        if change is None:
            change = changes[report.call_id] = Change(call, report.at)
        if ended is not None:
            change.end(ended, report.at)
        elif isinstance(report.event, ChannelEvent):
            call.heard_at = report.at
            self._switch.fold(report.event, report.at, change)
        elif report.answered_ago is not None:
            change.answered = True
            call.answer(report.at - report.answered_ago)

    def _commit(self, changes: list[Change]) -> None:
        try:
            written = self._write(changes)
        except Exception as error:
            if is_locked(error):
                if others := self.locked.set_aside(changes):
                    self._commit(others)
                return
            # Not a server that is away, but something that it will never take, or so much of it: found by halving.
            if len(changes) > 1:
                middle = len(changes) // 2
                self._commit(changes[:middle])
                self._commit(changes[middle:])
                return
            log.exception("outcome_not_written", call_id=changes[0].call.call_id)
            self._give_up(changes[0])
            return
        hit(FaultPoint.OUTCOME_COMMITTED)
        ended = {c.call.call_id: c.ended for c in changes if c.ended is not None}
        gone = [call for call_id in ended if (call := self.live_calls.remove(call_id)) is not None]
        over = [call for call in gone if call.call_id in written.ended]
        commit = Commit(written, over, ended)
        for follower in self.followers:
            follow(follower, commit)

    def _give_up(self, change: Change) -> None:
        """Keep what the contact needs of an end that cannot be written as it is; else leave the call to the audit."""
        bare = None if change.ended is None else bare_end(change.ended)
        if bare is not None and bare != change.ended:
            change.ended = bare
            self._commit([change])
        else:
            self.live_calls.remove(change.call.call_id)

    def _write(self, changes: Sequence[Change]) -> Written:
        pause = FIRST_RETRY_SECONDS
        while True:
            began = time.monotonic()
            try:
                written = write(self.owner, *rows_of(changes, time.monotonic()), self.pool)
            except (DataError, IntegrityError):
                raise
            except DATABASE_AWAY as error:
                if is_locked(error):
                    raise
                note(error)
                if time.monotonic() - began >= COMMIT_SECONDS and len(changes) > 1:
                    # It may have taken too long, which in a pipeline the driver does not tell from a lost connection.
                    raise
                gevent.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, LAST_RETRY_SECONDS)
            else:
                self._took.append(time.monotonic() - began)
                return written
