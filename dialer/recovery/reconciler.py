"""Settles every call whose events may have been missed: lost connection, dead dialer, silent node.

The switch is asked about that very call id. Alive: it is ours from now on. Ended: the hangup marker that every call
leaves in the node's hash says that it lived, and it is never sent again; the record that the node wrote of it may
come by the inbox. Never seen: it may be sent once more under the same id, but only when its sender is proven dead
(its session lock is gone, and not because PostgreSQL lost all of them), the node is the same one, and it has answered
at once for long enough to have executed every frame in its buffers.
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
from dialer.fault_points import FaultPoint, hit
from dialer.identity import lock_was_released
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.recorder import Recorder
from dialer.recovery import delivery_unknown
from dialer.recovery.buffer_drain import BufferDrain
from dialer.recovery.node_restart import NodeRestarts
from dialer.recovery.resend_or_close import (
    LOST_SECONDS,
    UNSEEN_SECONDS,
    Answer,
    RecoveryAction,
    Verdict,
    decide,
    force_close,
    is_due,
    is_gone,
)
from dialer.tasks import kill_all
from freeswitch.cluster import Cluster, LinkChange, NodeLink
from freeswitch.commands import hangup_marker_select, uptime, uuid_dump, uuid_kill
from freeswitch.errors import FreeswitchError
from freeswitch.events import LiveChannel, channel_from_dump
from models import db, rows

log = structlog.get_logger()

ASK_SECONDS = 10.0
PARALLEL = 5
"""Questions under way at one node; one that does not answer must not keep the others waiting."""

_IS_OVER = "SELECT FROM campaign WHERE id = %s AND status IN ('completed', 'failed')"


def campaign_is_over(campaign_id: str) -> bool:
    """Whether a campaign was stopped or is at its end. Raises what a database that is away raises."""
    with db.connection_context():
        return bool(rows(_IS_OVER, campaign_id))


@dataclass(slots=True)
class Reconciler:
    """Asks the switch, and acts on the verdict.

    `resend` sends a call once more under its id, with a fresh permit; False where it may not leave now.
    `node_restarts` is shared with whoever else asks about calls of a node's earlier run, so that each run is told to
    recover once. `note` lets the rows of calls say that their delivery is unknown, for whoever takes them over.
    `may_tell`: whether what is found still counts; not for a process that has lost its identity, or was stopped and
    wakes here.
    """

    dialer_id: str
    cluster: Cluster
    live_calls: LiveCalls
    recorder: Recorder
    resend: Callable[[LiveCall], bool]
    node_restarts: NodeRestarts
    may_tell: Callable[[], bool]
    now: Callable[[], float] = time.monotonic
    note: Callable[[str, Sequence[LiveCall]], None] = delivery_unknown.note
    is_over: Callable[[str], bool] = campaign_is_over
    buffer_drain: BufferDrain = field(default_factory=BufferDrain)
    _asked: dict[str, deque[LiveCall]] = field(default_factory=dict)
    _workers: dict[str, list[gevent.Greenlet[..., None]]] = field(default_factory=dict)
    _node_probes: dict[str, gevent.Greenlet[..., None]] = field(default_factory=dict)
    _waits: list[gevent.Greenlet[..., None]] = field(default_factory=list)
    _doubted: list[LiveCall] = field(default_factory=list)
    """Written to a connection that was given up, and not shown since."""

    def ask(self, call: LiveCall) -> None:
        """Settle this call in the background; one question at a time for each call. Never waits."""
        if call.asking or call.over:
            return
        call.asking = True
        call.asked_at = self.now()
        waiting = self._asked.setdefault(call.node, deque())
        waiting.append(call)
        workers = self._workers.setdefault(call.node, [])
        workers[:] = [worker for worker in workers if not worker.dead]
        if len(workers) < PARALLEL:
            workers.append(gevent.spawn(self._work, waiting))

    def on_link(self, change: LinkChange) -> None:
        """What happened while a node could not be heard was missed."""
        if change.up:
            self.node_up(change.node)
        else:
            self.node_down(change.node, change.peer_closed)

    def node_down(self, node: str, closings: Sequence[Signal]) -> None:
        """A node's connections are gone. Until all of `closings` are set, the node may still have what we wrote in
        its buffers, for as long as it is stuck: such a call is not sent again before."""
        closed = all(one.is_set() for one in closings)
        sent = [call for call in self.live_calls.on_node(node) if call.sent_at is not None]
        undelivered = [call for call in sent if not call.seen and not call.delivery_unknown]
        for call in self.live_calls.on_node(node):
            call.doubt()
        for call in sent:
            call.lose_connection(self.now())
        if closed:
            return
        for call in undelivered:
            call.doubt_delivery()
        self._doubted += undelivered
        self._waits = [wait for wait in self._waits if not wait.dead]
        self._waits.append(gevent.spawn(self._await_peer_close, undelivered, closings))

    def node_up(self, node: str) -> None:
        """A node's connection is (back) up: whatever happened meanwhile was missed."""
        for call in self.live_calls.on_node(node):
            if not call.queued:
                self.ask(call)

    def round(self) -> None:
        """Ask about every call that is silent, late or in doubt, close what its switch has failed to end, and hear
        how each node is. Called every second."""
        if not self.may_tell():
            return
        now = self.now()
        self.buffer_drain.look((call for call in self.live_calls if call.adopted_at is not None), now)
        for name, link in self.cluster.links.items():
            probe = self._node_probes.get(name)
            if link.connected and self.live_calls.count_on_node(name) and (probe is None or probe.dead):
                self._node_probes[name] = gevent.spawn(self._probe, link)
        for call in self.live_calls:
            if (verdict := force_close(call, now)) is not None:
                self._force_close(call, verdict)
            elif is_due(call, self.dialer_id, now):
                self.ask(call)

    def unseen(self) -> list[str]:
        """The calls that their nodes have not shown, and may show at any moment: those of dead dialers, and our own
        that were written to a connection that was given up."""
        self._doubted = [call for call in self._doubted if call.delivery_unknown and not call.seen]
        ours = [call.call_id for call in self._doubted if not (call.over or call.queued or call.resent)]
        return [*ours, *self.buffer_drain.unseen()]

    def stop(self) -> None:
        """End the questions that are under way."""
        kill_all(self.greenlets(), timeout=1.0)

    def greenlets(self) -> list[gevent.Greenlet[..., None]]:
        """What runs of it, for whoever ends it or waits for it."""
        workers = [worker for workers in self._workers.values() for worker in workers]
        return [*workers, *self._node_probes.values(), *self._waits]

    def _probe(self, link: NodeLink) -> None:
        asked_at = self.now()
        try:
            link.api(uptime(), timeout=ASK_SECONDS)
        except FreeswitchError as error:
            log.info("node_probe_failed", node=link.name, error=str(error)[:200])
        else:
            self.buffer_drain.answered(link.name, asked_at, self.now())

    def _await_peer_close(self, undelivered: Sequence[LiveCall], closings: Sequence[Signal]) -> None:
        """Once the node has closed every connection that these were written to, what it says of them is final."""
        try:
            self.note(self.dialer_id, undelivered)
        except DATABASE_AWAY as error:
            log.warning("delivery_unknown_not_noted", calls=len(undelivered), error=str(error)[:200])
        if len(gevent.wait(closings, timeout=LOST_SECONDS)) == len(closings):
            for call in undelivered:
                call.settle_delivery(self.now())

    def _force_close(self, call: LiveCall, verdict: Verdict) -> None:
        if call.force_closed:
            return
        call.force_closed = True
        log.warning(
            "call_force_closed", call_id=call.call_id, node=call.node, disposition=verdict.disposition
        )
        self.recorder.close(call, verdict.disposition, verdict.cause, may_live=verdict.may_live)

    def _work(self, waiting: deque[LiveCall]) -> None:
        while waiting:
            call = waiting.popleft()
            try:
                self.resolve(call)
            except (FreeswitchError, *DATABASE_AWAY) as error:
                log.info("asked_later", call_id=call.call_id, node=call.node, error=str(error)[:200])
            except Exception:
                # A fault about one call must not end the worker that the others wait for; the next round asks again.
                log.exception("ask_failed", call_id=call.call_id, node=call.node)
            finally:
                call.asking = False

    def resolve(self, call: LiveCall) -> None:
        """Ask the switch about this call now, and act on the verdict.

        Raises FreeswitchError, and what a database that is away raises.
        """
        link = self.cluster.links.get(call.node)
        answer = None
        asked = self.now()
        if link is not None and link.connected:
            self.node_restarts.bring_back(link, call)
            asked = self.now()
            answer = question(link, call.call_id)
        if call.over or call.queued:
            return
        quiet = self.buffer_drain.drained_since(call, self.now())
        # What the node said is as old as the question: a frame may have left its buffer between the two parts of it.
        verdict = decide(
            call, answer, self.dialer_id, asked, lambda: sender_is_dead(call.sent_by), drained_since=quiet
        )
        hit(FaultPoint.DECIDED)
        if not self.may_tell():
            return
        if verdict.denied:
            call.deny(self.now())
        else:
            call.doubt()
        if answer is not None and answer.alive is not None:
            self._note_alive(call, answer.alive)
            if link is not None:
                self.node_restarts.bound(link, call, answer.alive)
        elif answer is not None and is_gone(call, answer):
            call.gone_since = call.gone_since or self.now()
        self._act(call, link, verdict)

    def _act(self, call: LiveCall, link: NodeLink | None, verdict: Verdict) -> None:
        """Do what was decided."""
        if verdict.act is RecoveryAction.KILL and link is not None:
            log.warning("call_overdue", call_id=call.call_id, node=call.node)
            link.api(uuid_kill(call.call_id), timeout=ASK_SECONDS)
        elif verdict.act is RecoveryAction.CLOSE:
            self.recorder.close(
                call,
                verdict.disposition,
                verdict.cause,
                no_channel=verdict.no_channel,
                may_live=verdict.may_live,
            )
        elif verdict.act is RecoveryAction.RESEND:
            self._resend(call)

    def _resend(self, call: LiveCall) -> None:
        """Once more under its id, as soon as it may leave. Its contact goes back, to be called under another id, only
        where it never left, or once its node has said for long enough that it never had it: beside another id it
        would not refuse an order that comes out of a buffer. Nobody of a campaign that has ended is called anew."""
        unseen_seconds = call.denied_seconds(self.now())
        if unseen_seconds < UNSEEN_SECONDS and self.resend(call):
            log.info("originate_resent", call_id=call.call_id, node=call.node)
        elif not call.may_have_left or unseen_seconds >= UNSEEN_SECONDS or self.is_over(call.campaign_id):
            self.recorder.withdraw(call, "NOT_SENT")

    def _note_alive(self, call: LiveCall, channel: LiveChannel) -> None:
        call.gone_since = None
        if call.sent_at is None:
            call.sent_at = self.now() - channel.age_ms / 1000
        answered_ago = None if channel.answered_ms_ago is None else channel.answered_ms_ago / 1000
        self.recorder.found_alive(call, progress=channel.progress, answered_ago=answered_ago)


def question(link: NodeLink, call_id: str) -> Answer:
    """Ask a node about a call: is it alive, and if not, did it ever live.

    In this order: a call leaves its marker before it stops existing. Raises FreeswitchError.
    """
    dump = link.api(uuid_dump(call_id), timeout=ASK_SECONDS)
    if dump.lstrip().startswith("{"):
        channel = channel_from_dump(orjson.loads(dump.encode("utf-8", "replace")))
        alive = channel if channel is not None and not channel.ended else None
        return Answer(alive, True, link.core_uuid)
    marked = link.api(hangup_marker_select(call_id), timeout=ASK_SECONDS).strip() == "done"
    return Answer(None, marked, link.core_uuid)


def sender_is_dead(dialer_id: str) -> bool:
    """Whether this dialer can never write again: its session lock is gone, and PostgreSQL has lost no other lock.

    Raises what a database that is away raises.
    """
    with db.connection_context():
        return lock_was_released(dialer_id)
