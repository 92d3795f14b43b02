"""Settles every call whose events may have been missed: a lost connection, a dead dialer, a switch that is silent.

The switch is asked about that very call id. Alive: it is ours from now on. Ended: the mark that every call leaves
in the node's hash says that it lived, and it is never sent again; the record that the node wrote of it may come by
the inbox. Never seen: it may be sent once more under the same id, but only when its sender is proven dead (its
session lock is gone, and not because PostgreSQL lost all of them), the node is the same one, and it has answered at
once for long enough to have executed every frame in its buffers.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gevent
import orjson
import structlog
from gevent.event import Event as Signal

from dialer.errors import DATABASE_AWAY
from dialer.fault_points import Point, reach
from dialer.identity import lock_was_let_go
from dialer.live_calls import Book, Flight
from dialer.record.recorder import Recorder
from dialer.recovery import delivery_unknown
from dialer.recovery.buffer_drain import Backlogs
from dialer.recovery.decisions import LOST_SECONDS, Act, Answer, Verdict, decide, is_due, is_gone, reap
from dialer.recovery.node_restart import Restarts
from dialer.tasks import kill_all
from freeswitch.cluster import Cluster, NodeLink
from freeswitch.commands import mark_select, uptime, uuid_dump, uuid_kill
from freeswitch.errors import FreeswitchError
from freeswitch.events import LiveChannel, channel_from_dump
from models import db

log = structlog.get_logger()

ASK_SECONDS = 10.0
PARALLEL = 5
"""Questions under way at one node; one that does not answer must not keep the others waiting."""


@dataclass(slots=True)
class Recovery:
    """Asks the switch, and acts on the verdict. `repeat` sends a call once more under its id, with a fresh permit;
    `note` lets the rows of calls in doubt say so, for whoever takes them over."""

    dialer_id: str
    cluster: Cluster
    book: Book
    recorder: Recorder
    repeat: Callable[[Flight], None]
    now: Callable[[], float] = time.monotonic
    note: Callable[[str, Sequence[Flight]], None] = delivery_unknown.note
    _restarts: Restarts = field(default_factory=Restarts)
    _backlogs: Backlogs = field(default_factory=Backlogs)
    _asked: dict[str, deque[Flight]] = field(default_factory=dict)
    _workers: dict[str, list[gevent.Greenlet[..., None]]] = field(default_factory=dict)
    _pulses: dict[str, gevent.Greenlet[..., None]] = field(default_factory=dict)
    _waits: list[gevent.Greenlet[..., None]] = field(default_factory=list)

    def ask(self, flight: Flight) -> None:
        """Settle this call in the background; one question at a time for each call. Never waits."""
        if flight.asking or flight.over:
            return
        flight.asking = True
        flight.asked_at = self.now()
        waiting = self._asked.setdefault(flight.node, deque())
        waiting.append(flight)
        workers = self._workers.setdefault(flight.node, [])
        workers[:] = [worker for worker in workers if not worker.dead]
        if len(workers) < PARALLEL:
            workers.append(gevent.spawn(self._work, waiting))

    def node_down(self, node: str, held: Sequence[Signal]) -> None:
        """A node's connections are gone. Until all of `held` is set, the node may still have what we wrote in its
        buffers, for as long as it is stuck: such a call is not sent again before."""
        let_go = all(one.is_set() for one in held)
        sent = [flight for flight in self.book.on_node(node) if flight.sent_at is not None]
        doubted = [flight for flight in sent if not flight.seen and not flight.doubtful]
        for flight in sent:
            flight.missed = True
            if flight.unanswered:
                flight.unanswered = False
                flight.let_go_at = self.now()
        if let_go:
            return
        for flight in doubted:
            flight.doubtful = True
        self._waits = [wait for wait in self._waits if not wait.dead]
        self._waits.append(gevent.spawn(self._believe, doubted, held))

    def node_up(self, node: str) -> None:
        """A node's connection is (back) up: whatever happened meanwhile was missed."""
        for flight in self.book.on_node(node):
            if not flight.queued:
                self.ask(flight)

    def patrol(self) -> None:
        """Ask about every call that is silent, late or in doubt, close what its switch has failed to end, and hear
        how each node is. Called every second."""
        now = self.now()
        self._backlogs.look((flight for flight in self.book if flight.adopted_at is not None), now)
        for name, link in self.cluster.links.items():
            pulse = self._pulses.get(name)
            if link.connected and self.book.count_on_node(name) and (pulse is None or pulse.dead):
                self._pulses[name] = gevent.spawn(self._feel, link)
        for flight in self.book:
            if (verdict := reap(flight, now)) is not None:
                self._reap(flight, verdict)
            elif is_due(flight, self.dialer_id, now):
                self.ask(flight)

    def stop(self) -> None:
        """End the questions that are under way."""
        workers = [worker for workers in self._workers.values() for worker in workers]
        kill_all([*workers, *self._pulses.values(), *self._waits], timeout=1.0)

    def _feel(self, link: NodeLink) -> None:
        asked_at = self.now()
        try:
            link.api(uptime(), timeout=ASK_SECONDS)
        except FreeswitchError as error:
            log.info("no_pulse", node=link.name, error=str(error)[:200])
        else:
            self._backlogs.answered(link.name, asked_at, self.now())

    def _believe(self, doubted: Sequence[Flight], held: Sequence[Signal]) -> None:
        """Once the node has closed every connection that these were written to, what it says of them is final."""
        try:
            self.note(self.dialer_id, doubted)
        except DATABASE_AWAY as error:
            log.warning("doubts_not_noted", calls=len(doubted), error=str(error)[:200])
        if len(gevent.wait(held, timeout=LOST_SECONDS)) == len(held):
            for flight in doubted:
                flight.doubtful = False
                flight.let_go_at = self.now()

    def _reap(self, flight: Flight, verdict: Verdict) -> None:
        if flight.reaped:
            return
        flight.reaped = True
        log.warning("call_reaped", call_id=flight.call_id, node=flight.node, disposition=verdict.disposition)
        self.recorder.close(flight, verdict.disposition, verdict.cause, hold=verdict.hold)

    def _work(self, waiting: deque[Flight]) -> None:
        while waiting:
            flight = waiting.popleft()
            try:
                self._settle(flight)
            except (FreeswitchError, *DATABASE_AWAY) as error:
                log.info("settle_later", call_id=flight.call_id, node=flight.node, error=str(error)[:200])
            except Exception:
                log.exception("settle_failed", call_id=flight.call_id, node=flight.node)
            finally:
                flight.asking = False

    def _settle(self, flight: Flight) -> None:
        link = self.cluster.links.get(flight.node)
        answer = None
        asked = self.now()
        if link is not None and link.connected:
            self._restarts.bring_back(link, flight)
            asked = self.now()
            answer = question(link, flight.call_id)
        if flight.over or flight.queued:
            return
        quiet = self._backlogs.quiet_since(flight, self.now())
        # What the node said is as old as the question: a frame may have left its buffer between the two parts of it.
        verdict = decide(
            flight, answer, self.dialer_id, asked, lambda: sender_is_dead(flight.sent_by), quiet_since=quiet
        )
        reach(Point.DECIDED)
        if answer is not None and answer.alive is not None:
            self._note_alive(flight, answer.alive)
            if link is not None:
                self._restarts.bound(link, flight, answer.alive)
        elif answer is not None and is_gone(flight, answer):
            flight.gone_since = flight.gone_since or self.now()
        if verdict.act is Act.KILL and link is not None:
            log.warning("call_overdue", call_id=flight.call_id, node=flight.node)
            link.api(uuid_kill(flight.call_id), timeout=ASK_SECONDS)
        elif verdict.act is Act.CLOSE:
            self.recorder.close(
                flight, verdict.disposition, verdict.cause, no_channel=verdict.no_channel, hold=verdict.hold
            )
        elif verdict.act is Act.REPEAT:
            log.info("originate_repeated", call_id=flight.call_id, node=flight.node)
            self.repeat(flight)

    def _note_alive(self, flight: Flight, channel: LiveChannel) -> None:
        flight.gone_since = None
        if flight.sent_at is None:
            flight.sent_at = self.now() - channel.age_ms / 1000
        answered_ago = None if channel.answered_ms_ago is None else channel.answered_ms_ago / 1000
        self.recorder.found_alive(flight, progress=channel.progress, answered_ago=answered_ago)


def question(link: NodeLink, call_id: str) -> Answer:
    """Ask a node about a call: is it alive, and if not, did it ever live.

    In this order: a call leaves its mark before it stops existing. Raises FreeswitchError.
    """
    dump = link.api(uuid_dump(call_id), timeout=ASK_SECONDS)
    if dump.lstrip().startswith("{"):
        channel = channel_from_dump(orjson.loads(dump.encode("utf-8", "replace")))
        alive = channel if channel is not None and not channel.ended else None
        return Answer(alive, True, link.core_uuid)
    marked = link.api(mark_select(call_id), timeout=ASK_SECONDS).strip() == "done"
    return Answer(None, marked, link.core_uuid)


def sender_is_dead(dialer_id: str) -> bool:
    """Whether this dialer can never write again: its session lock is gone, and PostgreSQL has lost no other lock.

    Raises what a database that is away raises.
    """
    with db.connection_context():
        return lock_was_let_go(dialer_id)
