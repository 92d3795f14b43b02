"""One dialer, from its first lease to its last: makes its parts, starts them and ends them.

Begins: identity (lock, lease, row), nodes, recorder, outbox, control bus, then the scheduler. Ends on SIGTERM, or
once its identity is lost, in the opposite order: no new calls, what was written is acknowledged or else noted as of
unknown delivery, the others take over what is in flight while this one still listens, then what it knows is written
and published; all of it within 20 s, whoever is away. One that has lost its identity sends nothing from then on, and
tells only what it hears: what it would conclude, its successor asks the switch about (`dialer/succession.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any

import gevent
import structlog
from gevent.event import Event as Signal
from redis import Redis

import outages
from campaigns import call_counts
from campaigns.agent_reports import missing, wanted_by
from campaigns.number_hash import NumberHash
from campaigns.schedules import DueStart
from coordination.control_bus import ControlBus, Subscriber
from coordination.errors import Fenced
from coordination.membership import Membership
from coordination.topics import Topic
from coordination.turns import Turns
from dialer.capacity.agent_breaker import AgentBreaker
from dialer.capacity.backpressure import BackPressure
from dialer.capacity.gateway_breaker import GatewayBreaker
from dialer.capacity.gateway_pings import LOOK_SECONDS as PINGS_EVERY_SECONDS
from dialer.capacity.gateway_pings import GatewayPings
from dialer.capacity.outcome_breaker import OutcomeBreaker
from dialer.capacity.permits import Permits
from dialer.clock_gap import ClockGap
from dialer.control import Control
from dialer.dispatch.claims import Statements, claim, claim_again, claim_pool
from dialer.dispatch.dispatch import Dispatch
from dialer.dispatch.node_health import NodeHealth
from dialer.dispatch.nodes import Nodes
from dialer.dispatch.originate_builder import OriginateBuilder
from dialer.dispatch.sender import Sender
from dialer.erasures import LOOK_SECONDS as ERASURES_EVERY_SECONDS
from dialer.erasures import Erasures
from dialer.errors import UNAVAILABLE, note
from dialer.expiry import LOOK_SECONDS as EXPIRY_EVERY_SECONDS
from dialer.expiry import Expiry
from dialer.fault_points import FaultPoint, hit
from dialer.hangups import Hangups
from dialer.housekeeping import EVERY_SECONDS, Housekeeping
from dialer.identity import Identity, purge_locks
from dialer.leftover_stops import LOOK_SECONDS as STOPS_EVERY_SECONDS
from dialer.leftover_stops import LeftoverStops
from dialer.live_calls import LiveCalls
from dialer.lookout import Lookout
from dialer.node_needs import NodeNeeds
from dialer.openings_ahead import OpeningsAhead
from dialer.record.cdr_inbox import CdrInboxReader
from dialer.record.outbox import SWEEP_SECONDS, Outbox
from dialer.record.outcomes import record_pool
from dialer.record.recorder import Recorder
from dialer.recovery import delivery_unknown
from dialer.recovery.audit import Audit
from dialer.recovery.hangup_markers import LOOK_SECONDS, TRY_LOOK_SECONDS, HangupMarkers
from dialer.recovery.maybe_live import MaybeLiveSlots
from dialer.recovery.node_restart import NodeRestarts
from dialer.recovery.reconciler import Reconciler
from dialer.recovery.restored_database import BEAT_SECONDS, DatabaseGuard
from dialer.recovery.takeover import Takeover
from dialer.schedules import Schedules
from dialer.send_gate import SendGate
from dialer.suppressions import LOOK_SECONDS as SUPPRESSIONS_EVERY_SECONDS
from dialer.suppressions import Suppressions
from dialer.switch_listener import EventListener, LinkListener
from dialer.tasks import Tasks
from freeswitch.cluster import Cluster, LinkChange
from freeswitch.events import Event
from limits.erasing import forget_number
from limits.limiter import Limiter
from limits.rate_cuts import Kind, RateCuts, Target
from live.erasing import erase_events
from live.publisher import Publisher
from models import db, rows
from settings import Settings

log = structlog.get_logger()

_OWNED = "SELECT 1 FROM call WHERE dialer_id = %s AND ended_at IS NULL LIMIT 1"

LEASE_EVERY_SECONDS = 1.0
RENEW_EVERY_SECONDS = 10.0
ROUND_SECONDS = 1.0
EPOCH_EVERY_SECONDS = 0.5
POSTPONE_EVERY_SECONDS = 0.1
CALLS_EVERY_SECONDS = 5.0
SLOTS_EVERY_SECONDS = 10.0
PURGE_EVERY_SECONDS = 600.0
OPENINGS_EVERY_SECONDS = 60.0
ADD_UP_SECONDS = 10.0
WRITES_SECONDS = 1.0
NOTIFY_AGAIN_SECONDS = 0.5
SUBSCRIBER_SECONDS = 1.0
"""A Redis that stands still answers no subscription, and holds up no end."""
DISPATCHED_BY, PROVEN_BY, HANDED_OVER_BY = 2.0, 6.0, 11.0
WRITTEN_BY, PUBLISHED_BY, DISCONNECTED_BY = 14.0, 16.0, 18.0
"""Seconds after the order to end by which each part of it is over, done or not."""


class Process:
    """Everything of one dialer, wired. A process of the operating system may have one after another."""

    def __init__(self, settings: Settings, redis: Redis, control_redis: Redis) -> None:
        assert settings.database_url is not None
        prefix = settings.redis_prefix
        self._sound_folder = settings.sound_folder
        self._leaving: set[str] = set()
        self._refresh = Signal()
        self._ending = Signal()
        self._begun = False
        self._publishing: gevent.Greenlet[..., None] | None = None
        self._clock_gap = ClockGap(self._on_gap)
        self.live_calls = LiveCalls()
        self.send_gate = SendGate()
        self.tasks = Tasks(self._lose)
        self.membership = Membership(redis, prefix)
        self.identity = Identity(settings.database_url, self.membership, self._check_database)
        self.dialer_id = self.identity.dialer_id
        self.database_guard = DatabaseGuard(redis, prefix, self.dialer_id, lambda: self.outbox.newest)
        self.claim_pool = claim_pool(settings.database_url)
        self.record_pool = record_pool(settings.database_url)
        self.limiter = Limiter(redis, prefix, self.dialer_id)
        self.control_bus = ControlBus(redis, prefix)
        self.cluster = Cluster([], self.dialer_id, on_event=self._on_event, on_link=self._on_link)
        self._turns = turns = Turns(redis, prefix, self.dialer_id)
        self.outbox = Outbox(
            Publisher(redis, prefix),
            self.dialer_id,
            # Every dialer looked through all that web processes left, every 3 s.
            partial(turns.take, "publish_of_web", SWEEP_SECONDS),
            self.record_pool,
        )
        self.housekeeping = Housekeeping(partial(turns.take, "housekeeping", EVERY_SECONDS))
        self.leftover_stops = LeftoverStops(
            self.dialer_id, partial(turns.take, "leftover_stops", STOPS_EVERY_SECONDS), self.outbox.nudge
        )
        self.expiry = Expiry(
            self.dialer_id,
            partial(turns.take, "expiry", EXPIRY_EVERY_SECONDS),
            self.outbox.nudge,
            lambda campaign_id: self.dispatch.exhausted(campaign_id),  # noqa: PLW0108
        )
        self.openings = OpeningsAhead(
            self.dialer_id,
            self.outbox.nudge,
            lambda campaign_id: self.dispatch.exhausted(campaign_id),  # noqa: PLW0108
        )
        self.schedules = Schedules(
            self.dialer_id,
            self._tell,
            self.outbox.nudge,
            self.leftover_stops.go_on,
            lambda work: gevent.spawn(self.tasks.guarded, work),
            self._no_node_can_run,
        )
        self.suppressions = Suppressions(
            self.dialer_id,
            self.live_calls,
            NumberHash(settings.secret_key or ""),
            partial(turns.take, "suppressions", SUPPRESSIONS_EVERY_SECONDS),
            self.outbox.nudge,
            self._lost_contacts,
        )
        self.erasures = Erasures(
            self.dialer_id,
            self.suppressions.number_hash,
            partial(turns.take, "erasures", ERASURES_EVERY_SECONDS),
            self.outbox.nudge,
            self._lost_contacts,
            partial(erase_events, redis, prefix),
            partial(forget_number, redis, prefix),
        )
        self.permits = Permits(self.limiter)
        self.hangup_markers = HangupMarkers(
            self.cluster, lambda node: turns.take(f"hangup_markers:{node}", LOOK_SECONDS)
        )
        self.gateway_breaker = GatewayBreaker(
            self.live_calls,
            lambda *change: self.dispatch.gateway_changed(*change),  # noqa: PLW0108  dispatch is made of it
            self.refresh,
            lambda call: self.dispatch.board.way_of(call),  # noqa: PLW0108
        )
        self.outcome_breaker = OutcomeBreaker(
            self.dialer_id,
            self.live_calls,
            lambda: self.dispatch.read_plans(),  # noqa: PLW0108
            self._tell_all,
            self.outbox.put,
            lambda campaign_id: self.dispatch.board.exempt(campaign_id),  # noqa: PLW0108
            lambda call: self.dispatch.board.way_of(call),  # noqa: PLW0108
            turns.take,
        )
        self.gateway_pings = GatewayPings(self.cluster, self._tell_all, time.monotonic)
        self.agent_breaker = AgentBreaker(self._tell_all)
        self.node_needs = NodeNeeds(self.cluster, settings.sound_folder, turns.take, self._tell_all)
        self.backpressure = BackPressure(
            RateCuts(redis, prefix),
            self.live_calls,
            self._targets,
            lambda: self.dispatch.dialers[1],
            self.refresh,
        )
        self.nodes_view = Nodes(settings.nodes, self.cluster, self.live_calls, self.backpressure.cps)
        self.recorder = Recorder(
            self.dialer_id,
            self.live_calls,
            followers=(),
            # Recovery and dispatch are made of the recorder.
            ask=lambda call: self.reconciler.ask(call),  # noqa: PLW0108
            elsewhere=lambda call: self.dispatch.elsewhere(call),  # noqa: PLW0108
            pool=self.record_pool,
        )
        self._wire_dispatch(settings)
        self._wire_recovery()
        self.hangups = Hangups(
            self.dialer_id,
            self.cluster,
            self.live_calls,
            self.node_restarts,
            partial(turns.take, "hangups", ROUND_SECONDS),
        )
        self.control = Control(
            self.dialer_id,
            self.control_bus,
            self.send_gate,
            self.hangups,
            self.refresh,
            self._on_handover,
            # Whose statements the server ends soon, and that waits for no lock.
            self.claim_pool,
        )
        self.lookout = Lookout(
            self.dialer_id,
            self.hangups,
            self.maybe_live,
            self.nodes_view,
            self.dispatch,
            self.schedules,
            self.suppressions,
            self.erasures,
            lambda: self.cluster.adopted,
            self._may_tell,
        )
        self.subscriber = Subscriber(control_redis, prefix, self._on_message, self.control.on_connected)
        self.recorder.followers = (
            self.outbox,
            # Before a slot is free for the next call, so that it leaves at what is left of the rate, or stays.
            self.backpressure,
            self.gateway_breaker,
            self.agent_breaker,
            self.outcome_breaker,
            self.node_health,
            self.permits,
            self.dispatch,
            self.hangup_markers,
        )
        self._event_listeners: tuple[EventListener, ...] = (
            self.gateway_breaker,
            self.outcome_breaker,
            self.maybe_live,
            self.recorder,
        )
        self._link_listeners: tuple[LinkListener, ...] = (
            self.reconciler,
            self.maybe_live,
            self.hangups,
            self.dispatch,
        )

    def _wire_recovery(self) -> None:
        self.node_restarts = NodeRestarts()
        self.reconciler = Reconciler(
            self.dialer_id,
            self.cluster,
            self.live_calls,
            self.recorder,
            self.dispatch.resend,
            node_restarts=self.node_restarts,
            may_tell=self._may_tell,
        )
        self.maybe_live = MaybeLiveSlots(
            self.dialer_id,
            self.cluster,
            self.limiter,
            self.hangup_markers,
            self.node_restarts,
            on_free=self.dispatch.scheduler.wake_all,
        )
        self.audit = Audit(self.dialer_id, self.live_calls, self.permits, self.limiter, self.reconciler)
        self.cdr_inbox = CdrInboxReader(
            self.dialer_id,
            self.live_calls,
            self.recorder,
            self.outbox.put,
            self.limiter.add_seconds,
            self.limiter.uncount,
        )
        self.takeover = Takeover(
            self.identity,
            self.membership,
            self.limiter,
            self.cluster,
            self.live_calls,
            self.outbox,
            self.reconciler,
        )

    def _wire_dispatch(self, settings: Settings) -> None:
        self.sender = Sender(
            self.cluster,
            self.recorder,
            self.send_gate,
            self.identity,
            (self.nodes_view, self.backpressure),
        )
        self.originate_builder = OriginateBuilder(
            settings.sound_folder, settings.audio_hosts, settings.socket_hosts, self.nodes_view.names
        )
        self.node_health = NodeHealth(self.sender)
        self.dispatch = Dispatch(
            self.dialer_id,
            self.live_calls,
            self.tasks.guarded,
            self.tasks.spawn,
            self.nodes_view,
            self.outbox,
            self.permits,
            self.limiter,
            self.recorder,
            self.sender,
            self.originate_builder,
            self.refresh,
            self.backpressure.cps,
            self.gateway_breaker,
            self.outcome_breaker,
            self.node_health,
            self._turns.take,
            Statements(
                claim=partial(claim, through=self.claim_pool, number_hash=self.suppressions.number_hash),
                claim_again=partial(claim_again, number_hash=self.suppressions.number_hash),
            ),
            self.suppressions.note_unclaimed,
        )

    def refresh(self) -> None:
        """Read the plans again now."""
        self._refresh.set()

    def end(self) -> None:
        """Begin to end; called from a signal handler."""
        self._ending.set()

    @property
    def lost(self) -> bool:
        """Whether the identity was lost, for good."""
        return self.identity.lost

    def begin(self) -> bool:
        """Take an identity, as soon as the servers are there, and begin to dial; False where it was ended, or lost
        its identity, before."""
        while not self._ending.is_set():
            try:
                self.identity.take({"nodes": self.nodes_view.info(self.node_health)})
            except Fenced:
                self._lose()
            except UNAVAILABLE as error:
                note(error)
                self._ending.wait(timeout=ROUND_SECONDS)
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
        self._ending.wait()

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
        self._clock_gap.start()
        self.cluster.start()
        self.tasks.spawn(self.recorder.run)
        self._publishing = self.tasks.spawn(self.outbox.run)
        self._every(LEASE_EVERY_SECONDS, self._keep_lease)
        self._every(EPOCH_EVERY_SECONDS, self.permits.keep_epoch)
        self._every(ROUND_SECONDS, self.permits.keep_numbers)
        self._every(RENEW_EVERY_SECONDS, self.limiter.renew)
        self._every(POSTPONE_EVERY_SECONDS, self._postpone_overdue)
        self._every(ROUND_SECONDS, self._keep_lock)
        self._every(ROUND_SECONDS, self.reconciler.sweep)
        self.tasks.whenever(self.maybe_live.wake, self._while_ours(self.maybe_live.round))
        self.tasks.whenever(self.lookout.others, self._while_ours(self._adopt))
        self.tasks.every(ROUND_SECONDS, self._resolve_unknown_claims)
        self.tasks.whenever(self.lookout.records, self.cdr_inbox.round)
        self.tasks.whenever(self.lookout.stops, self._while_ours(self.leftover_stops.round))
        self.tasks.whenever(self.lookout.expired, self._while_ours(self.expiry.round))
        self.tasks.whenever(self.schedules.wake, self._while_ours(self.schedules.round))
        self.tasks.whenever(self.suppressions.wake, self._while_ours(self.suppressions.round))
        self.tasks.whenever(self.erasures.wake, self._while_ours(self.erasures.round))
        self.tasks.whenever(self.suppressions.left, self._while_ours(self.suppressions.look_at_left))
        self._every(ROUND_SECONDS, self.hangup_markers.round)
        self._every(TRY_LOOK_SECONDS, self.hangup_markers.look)
        self._every(EVERY_SECONDS, self.housekeeping.round)
        self._every(PURGE_EVERY_SECONDS, self.nodes_view.purge)
        self._every(PURGE_EVERY_SECONDS, purge_locks)
        self._every(CALLS_EVERY_SECONDS, self.audit.calls)
        self._every(SLOTS_EVERY_SECONDS, self.audit.slots)
        self.tasks.whenever(self.hangups.wake, self._while_ours(self.hangups.round))
        self._every(ROUND_SECONDS, self.backpressure.round)
        self._every(ROUND_SECONDS, self.gateway_breaker.round, self.gateway_breaker.heard)
        self._every(PINGS_EVERY_SECONDS, self.gateway_pings.round)
        self._every(ROUND_SECONDS, self.agent_breaker.round)
        self._every(ROUND_SECONDS, self.outcome_breaker.round)
        self._every(ROUND_SECONDS, self.node_needs.round)
        self._every(ROUND_SECONDS, self.node_needs.probe)
        self.tasks.spawn(self.backpressure.watch)
        self.tasks.every(ROUND_SECONDS, self.control.sync_halts, self.control.lifted)
        self.tasks.every(ROUND_SECONDS, self.lookout.round, self._refresh)
        self._every(ROUND_SECONDS, self.dispatch.write_reasons, self.dispatch.reasons.gone)
        self._every(ROUND_SECONDS, self.dispatch.write_pace)
        self._every(ROUND_SECONDS, self.dispatch.write_ramps)
        self._every(PURGE_EVERY_SECONDS, self.dispatch.purge_pace)
        self._every(OPENINGS_EVERY_SECONDS, self._write_openings)
        self._every(ADD_UP_SECONDS, self._add_up)
        self._every(BEAT_SECONDS, self._beat)
        self.dispatch.start()
        self.subscriber.start()

    def _every(self, seconds: float, task: Callable[[], object], sooner: Signal | None = None) -> None:
        """Run `task` every `seconds` for as long as the identity is this one's."""
        self.tasks.every(seconds, self._while_ours(task), sooner)

    def _while_ours(self, task: Callable[[], object]) -> Callable[[], object]:
        """`task`, of which nothing is done once the identity is not this one's."""

        @wraps(task)
        def while_ours() -> None:
            if self._may_tell():
                task()

        return while_ours

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
        self.hangup_markers.stop()
        self.hangups.stop()
        self.recorder.stop()
        if not self.recorder.flush(left(WRITTEN_BY)):
            log.error("outcomes_left_unwritten", calls=len(self.live_calls))
        self.outbox.stop()
        if self._publishing is not None:
            self._publishing.join(timeout=left(PUBLISHED_BY))
        gevent.spawn(self.cluster.stop).join(timeout=left(DISCONNECTED_BY))
        self.tasks.end(timeout=1.0)
        for pool in (self.claim_pool, self.record_pool):
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
            return bool(rows(_OWNED, self.dialer_id))

    def _on_message(self, topic: Topic, payload: Mapping[str, Any]) -> None:
        if topic is Topic.CDR:
            self.lookout.records.set()
        else:
            self.control.on_message(topic, payload)

    def _lose(self) -> None:
        if not self.lost:
            log.error("lease_lost", dialer_id=self.dialer_id)
        self.identity.lose()
        self._ending.set()

    def _on_gap(self, seconds: float) -> None:
        log.warning("stood_still", dialer_id=self.dialer_id, seconds=round(seconds, 1))
        self._lose()

    def _may_tell(self) -> bool:
        """Whether what is concluded here still counts; looked at before anything is, so that nobody who has just
        woken goes by what he knew."""
        self._clock_gap.look()
        return not self.lost

    def _keep_lease(self) -> None:
        info = {
            "nodes": self.nodes_view.info(self.node_health),
            "calls": len(self.live_calls),
            "cannot_run": self.dispatch.scheduler.checks.cannot_run,
            "needs": self.node_needs.info(),
        }
        try:
            self.identity.renew(info)
        except Fenced:
            self._lose()
            return
        outages.answered(outages.REDIS)
        self.dispatch.living = self.membership.alive()
        alive = sorted(self.dispatch.living)
        self.dispatch.dialers = (
            (alive.index(self.dialer_id), len(alive)) if self.dialer_id in alive else (0, 1)
        )

    def _keep_lock(self) -> None:
        self.identity.keep_lock()
        outages.answered(outages.DATABASE)

    def _check_database(self) -> None:
        if self.database_guard.check():
            self.outbox.nudge()

    def _beat(self) -> None:
        if self._turns.take("database", BEAT_SECONDS):
            self.database_guard.beat()

    def _postpone_overdue(self) -> None:
        """What may be carried out late counts for when it is."""
        if overdue := [*self.sender.overdue(), *self.reconciler.unseen()]:
            self.limiter.postpone(overdue)

    def _adopt(self) -> None:
        leaving, self._leaving = self._leaving, set()
        # Two that end at once would hand the same calls to and fro.
        known = self.lookout.take_unsettled()
        if not self.send_gate.draining and self.takeover.round(leaving, known):
            self.hangups.wake.set()

    def _on_handover(self, dialer_id: str) -> None:
        self._leaving.add(dialer_id)
        self.lookout.others.set()

    def _resolve_unknown_claims(self) -> None:
        for call in self.permits.resolve_unknown_claims(self.dialer_id):
            self.live_calls.add(call)
            self.recorder.withdraw(call, "NOT_SENT")

    def _lost_contacts(self, campaign_id: str) -> None:
        """Contacts of a campaign were cancelled, perhaps the last."""
        if not self.live_calls.count_of_campaign(campaign_id):
            self.dispatch.exhausted(campaign_id)

    def _write_openings(self) -> None:
        if self._turns.take("openings", OPENINGS_EVERY_SECONDS):
            self.openings.round()

    def _add_up(self) -> None:
        if self._turns.take("call_counts", ADD_UP_SECONDS):
            call_counts.add_up()

    def _tell_all(self) -> None:
        """Every dialer reads its plans again now; one that does not hear it does so within a second."""
        self._tell(Topic.WAKE, {})

    def _tell(self, topic: Topic, payload: Mapping[str, object]) -> None:
        self.refresh()
        # Whoever says so has a group of outcomes to go on with, and a Redis that hangs is not to hold it up.
        gevent.spawn(self.tasks.guarded, partial(self.control_bus.notify, topic, payload))

    def _no_node_can_run(self, due: DueStart) -> bool:
        with db.connection_context():
            wanted = wanted_by(due.campaign_id, due.tenant_id, self._sound_folder)
        return bool(missing(wanted, self.dispatch.living, time.time()))

    def _targets(self) -> list[Target]:
        return [(Kind.NODE, name) for name in self.cluster.links] + self.dispatch.targets()

    def _on_event(self, node: str, event: Event) -> None:
        for listener in self._event_listeners:
            listener.on_event(node, event)

    def _on_link(self, change: LinkChange) -> None:
        log.info("node_link", node=change.node, up=change.up, error=change.error)
        for listener in self._link_listeners:
            listener.on_link(change)
