"""One dialer, from its first lease to its last: starts its parts, hands its calls over at its end, and ends them.

Begins: identity (lock, lease, row), nodes, recorder, outbox, control bus, then the scheduler. Ends on SIGTERM, or
once its identity is lost, in the opposite order: no new calls, what was written is acknowledged or else noted as of
unknown delivery, the others take over what is in flight while this one still listens, then what it knows is written
and published; all of it within 20 s, whoever is away. One that has lost its identity sends nothing from then on, and
tells only what it hears: what it would conclude, its successor asks the switch about (`dialer/own_identities.py`).
"""

from __future__ import annotations

import time

import gevent
import structlog
from redis import Redis

import outages
from coordination.errors import Fenced
from coordination.topics import Topic
from dialer.errors import UNAVAILABLE, note
from dialer.fault_points import FaultPoint, hit
from dialer.hung_greenlets import LOOK_SECONDS as HUNG_LOOK_SECONDS
from dialer.hung_greenlets import HungGreenlets
from dialer.parts import ROUND_SECONDS, Parts
from dialer.recovery import delivery_unknown
from dialer.rounds import Rounds
from dialer.watchdog import end_process
from models import db, rows
from settings import Settings

log = structlog.get_logger()

OWNED = "SELECT 1 FROM call WHERE dialer_id = %s AND ended_at IS NULL LIMIT 1"
"""Whether any call under way is a dialer's."""

WRITES_SECONDS = 1.0
NOTIFY_AGAIN_SECONDS = 0.5
SUBSCRIBER_SECONDS = 1.0
"""A Redis that stands still answers no subscription, and holds up no end."""
DISPATCHED_BY, PROVEN_BY, HANDED_OVER_BY = 2.0, 6.0, 11.0
WRITTEN_BY, PUBLISHED_BY, DISCONNECTED_BY = 14.0, 16.0, 18.0
"""Seconds after the order to end by which each part of it is over, done or not."""


class Process(Parts):
    """One dialer. A process of the operating system may have one after another."""

    def __init__(self, settings: Settings, redis: Redis, control_redis: Redis) -> None:
        super().__init__(settings, redis, control_redis)
        self.rounds = Rounds(self)
        self.hung_greenlets = HungGreenlets(
            lambda: [*self.tasks.greenlets(), *self.reconciler.greenlets()], end_process
        )
        self._begun = False
        self._publishing: gevent.Greenlet[..., None] | None = None

    def end(self) -> None:
        """Begin to end; called from a signal handler."""
        self.ending.set()

    def begin(self) -> bool:
        """Take an identity, as soon as the servers are there, and begin to dial; False where it was ended, or lost
        its identity, before."""
        while not self.ending.is_set():
            try:
                self.identity.take(self.rounds.told_at_first())
            except Fenced:
                self.lose()
            except UNAVAILABLE as error:
                note(error)
                self.ending.wait(timeout=ROUND_SECONDS)
            else:
                self._begun = True
                outages.answered(outages.DATABASE)
                outages.answered(outages.REDIS)
                self._start()
                log.info("dialer_started", dialer_id=self.dialer_id, nodes=len(self.cluster.links))
                return True
        return False

    def wait(self) -> None:
        """Return at the order to end, or once the identity is lost."""
        self.ending.wait()

    def finish(self) -> None:
        """No new calls; hand over; write and publish what is known; leave."""
        if self._begun:
            self._stop()
        try:
            self.identity.release()
        except UNAVAILABLE as error:
            log.warning("membership_not_left", error=str(error)[:200])
        log.info("dialer_ended", dialer_id=self.dialer_id)

    def _start(self) -> None:
        self.clock_gap.start()
        self.cluster.start()
        self.tasks.spawn(self.recorder.run)
        self.tasks.spawn(self.following.run)
        self._publishing = self.tasks.spawn(self.outbox.run)
        self.tasks.spawn(self.backpressure.watch)
        self.tasks.every(HUNG_LOOK_SECONDS, self.hung_greenlets.look)
        self.rounds.start()
        self._hear_who_lives()
        self.dispatch.start()
        self.subscriber.start()

    def _hear_who_lives(self) -> None:
        """Before anybody is called: a file may be theirs alone who look for sounds in another folder."""
        try:
            self.rounds.keep_lease()
        except UNAVAILABLE as error:
            # Nor is a permit to be had from it.
            note(error)

    def _stop(self) -> None:
        began = time.monotonic()

        def left(until: float) -> float:
            return max(0.0, began + until - time.monotonic())

        self.send_gate.draining = True
        self.dispatch.stop(left(DISPATCHED_BY))
        if self.lost:
            self._leave()
        delivery_unknown.wait_for_delivery(self.live_calls, began + PROVEN_BY)
        self._hand_over(began + HANDED_OVER_BY)
        self.subscriber.stop(SUBSCRIBER_SECONDS)
        self.reconciler.stop()
        self.calls_to_end.stop()
        self.recorder.stop()
        if not self.recorder.wait_ended(left(WRITTEN_BY)):
            log.error("outcomes_left_unwritten", calls=len(self.live_calls), locked=len(self.recorder.locked))
        # What is not done by then the heirs do: a permit of a call that is over is theirs to free.
        self.following.flush(left(WRITTEN_BY))
        self.outbox.stop()
        if self._publishing is not None:
            self._publishing.join(timeout=left(PUBLISHED_BY))
        self.hangup_markers.stop()
        gevent.spawn(self.cluster.stop).join(timeout=left(DISCONNECTED_BY))
        self.tasks.end(timeout=1.0)
        for pool in (self.claim_pool, self.record_pool, self.read_pool):
            pool.close_all()

    def _leave(self) -> None:
        """Let the successor take over at once: of what was lost nothing is sent any more."""
        if not self.send_gate.wait_for_writes(WRITES_SECONDS):
            return
        try:
            self.membership.leave(self.dialer_id)
        except UNAVAILABLE as error:
            log.warning("membership_not_left", error=str(error)[:200])

    def _hand_over(self, until: float) -> None:
        """Let the others take the calls in flight while this process still records; nothing is missed.

        Where there is nobody, they may end meanwhile, or somebody may come.
        """
        try:
            self.recorder.flush(max(0.0, until - time.monotonic()))
            delivery_unknown.note(self.dialer_id, delivery_unknown.unproven(self.live_calls))
            while self._owned() and time.monotonic() < until:
                # Again and again: a message may be missed, and who heard it may fail at the first attempt.
                self.control_bus.notify(Topic.HANDOVER, {"dialer_id": self.dialer_id})
                gevent.sleep(NOTIFY_AGAIN_SECONDS)
            hit(FaultPoint.HANDED_OVER)
        except UNAVAILABLE as error:
            log.warning("handover_failed", error=str(error)[:200])

    def _owned(self) -> bool:
        with db.connection_context():
            return bool(rows(OWNED, self.dialer_id))
