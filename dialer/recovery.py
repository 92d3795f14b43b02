"""Settles every call whose events may have been missed: a lost connection, a dead dialer, a switch that is silent.

The switch is asked about that very call id. Alive: it is ours from now on. Ended: the mark that every call leaves
in the node's hash says that it lived, and it is never sent again. Never seen: it may be sent once more under the
same id, but only when its sender is proven dead (its session lock is gone, and not because PostgreSQL restarted),
the node is the same one, and time enough has passed for a frame in a buffer to have been executed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
import structlog
from gevent.pool import Pool
from peewee import PeeweeException

from campaigns.dispositions import Disposition
from dialer.book import Book, Flight
from dialer.identity import lock_is_free
from dialer.recorder import Recorder
from freeswitch.cluster import Cluster, NodeLink
from freeswitch.commands import mark_select, uuid_dump, uuid_kill
from freeswitch.errors import FreeswitchError
from freeswitch.events import LiveChannel, channel_from_dump
from models import db, rows

log = structlog.get_logger()

ASK_SECONDS = 10.0
SETTLE_SECONDS = 5.0
"""A node may still execute what sat in a socket's buffer for so long after its sender died."""
SILENT_SECONDS = 5.0
"""An originate of ours that has shown no sign of life for so long is asked about."""
AGAIN_SECONDS = 5.0
LOST_SECONDS = 90.0
"""A call that nobody can prove anything about for so long is `outcome_unknown`."""
PDD_SECONDS = 15.0
LATE_SECONDS = 15.0
LATE_ANSWERED_SECONDS = 30.0
PARALLEL = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node says about one call id."""

    alive: LiveChannel | None
    lived: bool


@dataclass(slots=True)
class Recovery:
    """Asks the switch, and decides. `repeat` sends a call once more under its id, with a fresh permit."""

    dialer_id: str
    cluster: Cluster
    book: Book
    recorder: Recorder
    repeat: Callable[[Flight], None]
    now: Callable[[], float] = time.monotonic
    _pool: Pool = field(default_factory=lambda: Pool(PARALLEL))

    def ask(self, flight: Flight) -> None:
        """Settle this call in the background; one question at a time for each call."""
        if flight.asking or flight.over:
            return
        flight.asking = True
        flight.asked_at = self.now()
        self._pool.spawn(self._settle, flight)

    def node_up(self, node: str) -> None:
        """A node's connection is (back) up: whatever happened meanwhile was missed."""
        for flight in self.book.on_node(node):
            self.ask(flight)

    def patrol(self) -> None:
        """Ask about every call that is silent, late or in doubt. Called every second."""
        now = self.now()
        for flight in self.book:
            if now - flight.asked_at >= AGAIN_SECONDS and self._is_due(flight, now):
                self.ask(flight)

    def _is_due(self, flight: Flight, now: float) -> bool:
        if flight.sent_at is None:
            return flight.sent_by != self.dialer_id or flight.adopted_at is not None
        if flight.refusal is not None and flight.created:
            return True
        if flight.answered_at is not None:
            return now - flight.answered_at > flight.max_seconds + LATE_ANSWERED_SECONDS
        if not flight.created:
            return now - flight.sent_at > SILENT_SECONDS
        return now - flight.sent_at > PDD_SECONDS + flight.ring_seconds + LATE_SECONDS

    def _settle(self, flight: Flight) -> None:
        try:
            link = self.cluster.links.get(flight.node)
            if link is None or not link.connected:
                self._give_up_if_lost(flight, "NODE_UNREACHABLE")
                return
            self._decide(flight, link, question(link, flight.call_id))
        except (FreeswitchError, PeeweeException) as error:
            log.info("settle_later", call_id=flight.call_id, node=flight.node, error=str(error)[:200])
        finally:
            flight.asking = False

    def _decide(self, flight: Flight, link: NodeLink, answer: Answer) -> None:
        if answer.alive is not None:
            self._alive(flight, link, answer.alive)
        elif answer.lived:
            self._ended_unseen(flight, "ENDED_UNSEEN")
        elif flight.created or flight.answered_at is not None or flight.progress:
            # It lived, and neither it nor its mark is there: the node was restarted.
            self._ended_unseen(flight, "NODE_RESTARTED")
        elif flight.core_uuid is not None and link.core_uuid != flight.core_uuid:
            self._ended_unseen(flight, "NODE_RESTARTED")
        elif flight.refusal is not None:
            self.recorder.close(flight, Disposition.CONGESTION, flight.refusal)
        elif self._provably_never_seen(flight):
            log.info("originate_repeated", call_id=flight.call_id, node=flight.node)
            self.repeat(flight)
        else:
            self._give_up_if_lost(flight, "OWNER_NOT_PROVEN_DEAD")

    def _alive(self, flight: Flight, link: NodeLink, channel: LiveChannel) -> None:
        now = self.now()
        age = channel.age_ms / 1000
        if flight.sent_at is None:
            flight.sent_at = now - age
        answered_ago = None if channel.answered_ms_ago is None else channel.answered_ms_ago / 1000
        self.recorder.found_alive(flight, progress=channel.progress, answered_ago=answered_ago)
        too_long = (
            age > PDD_SECONDS + flight.ring_seconds + LATE_SECONDS
            if answered_ago is None
            else answered_ago > flight.max_seconds + LATE_ANSWERED_SECONDS
        )
        if too_long and not channel.ended:
            log.warning("call_overdue", call_id=flight.call_id, node=flight.node, age=age)
            link.api(uuid_kill(flight.call_id), timeout=ASK_SECONDS)

    def _ended_unseen(self, flight: Flight, cause: str) -> None:
        answered = flight.answered_at is not None
        disposition = Disposition.ANSWERED if answered else Disposition.OUTCOME_UNKNOWN
        flight.created = True
        self.recorder.close(flight, disposition, cause)

    def _provably_never_seen(self, flight: Flight) -> bool:
        """Ours and unsent for long, or a dead dialer's: that is, one whose session lock is gone for good."""
        since = flight.sent_at if flight.sent_at is not None else flight.adopted_at
        if since is None or self.now() - since < SETTLE_SECONDS:
            return False
        if flight.sent_by == self.dialer_id:
            return True
        with db.connection_context():
            return lock_is_free(flight.sent_by) and same_postmaster(flight.sent_by)

    def _give_up_if_lost(self, flight: Flight, cause: str) -> None:
        since = max(flight.claimed_at, flight.adopted_at or 0.0)
        limit = LOST_SECONDS
        if flight.answered_at is not None:
            since, limit = flight.answered_at, flight.max_seconds + LATE_ANSWERED_SECONDS
        if self.now() - since > limit:
            self._ended_unseen(flight, cause)

    def stop(self) -> None:
        """End the questions that are under way."""
        self._pool.kill(timeout=1)


def question(link: NodeLink, call_id: str) -> Answer:
    """Ask a node about a call: is it alive, and if not, did it ever live.

    In this order: a call leaves its mark before it stops existing. Raises FreeswitchError.
    """
    dump = link.api(uuid_dump(call_id), timeout=ASK_SECONDS)
    if dump.lstrip().startswith("{"):
        channel = channel_from_dump(orjson.loads(dump.encode("utf-8", "replace")))
        if channel is not None and not channel.ended:
            return Answer(channel, True)
        return Answer(None, True)
    return Answer(None, link.api(mark_select(call_id), timeout=ASK_SECONDS).strip() == "done")


def same_postmaster(dialer_id: str) -> bool:
    """Whether PostgreSQL has run without a restart since this dialer took its lock.

    On the connection that this greenlet holds.
    """
    found = rows(
        "SELECT postmaster_started_at = pg_postmaster_start_time() AS same FROM dialer WHERE id = %s",
        dialer_id,
    )
    return bool(found and found[0]["same"])
