"""Makes every part of one dialer and wires them to one another.

Nothing runs yet: `dialer/rounds.py` says when each has its turn, `dialer/process.py` begins and ends them. They are
made in the order in which they need one another; what is made later is reached through a lambda.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog
from gevent.event import Event as Signal
from redis import Redis

from campaigns.agent_reports import looked_for_elsewhere, missing, wanted_by
from campaigns.number_hash import NumberHash
from campaigns.schedules import DueStart
from coordination.control_bus import ControlBus, Subscriber
from coordination.membership import Membership
from coordination.topics import Topic
from coordination.turns import Turns
from dialer.abandon_guard import LOOK_SECONDS as ABANDONED_EVERY_SECONDS
from dialer.abandon_guard import AbandonGuard
from dialer.calls_to_end import CallsToEnd
from dialer.capacity.agent_breaker import AgentBreaker
from dialer.capacity.backpressure import BackPressure
from dialer.capacity.gateway_breaker import GatewayBreaker
from dialer.capacity.gateway_ends import GatewayEnds
from dialer.capacity.gateway_pings import GatewayPings
from dialer.capacity.outcome_breaker import OutcomeBreaker
from dialer.capacity.permits import Permits
from dialer.capacity.second_leg_probes import SecondLegProbes
from dialer.capacity.second_leg_refusals import SecondLegRefusals
from dialer.clock_gap import ClockGap
from dialer.control import Control
from dialer.dispatch.claims import Statements, claim, claim_again, claim_pool
from dialer.dispatch.dispatch import Dispatch
from dialer.dispatch.due import due, next_due, read_pool
from dialer.dispatch.node_health import NodeHealth
from dialer.dispatch.node_orders import NodeOrders
from dialer.dispatch.node_rests import NodeRests
from dialer.dispatch.nodes import Nodes
from dialer.dispatch.originate_builder import OriginateBuilder
from dialer.dispatch.sender import Sender
from dialer.doctor_questions import required_by_database
from dialer.erasures import LOOK_SECONDS as ERASURES_EVERY_SECONDS
from dialer.erasures import Erasures
from dialer.expiry import LOOK_SECONDS as EXPIRY_EVERY_SECONDS
from dialer.expiry import Expiry
from dialer.housekeeping import EVERY_SECONDS, Housekeeping
from dialer.identity import Identity
from dialer.leftover_stops import LOOK_SECONDS as STOPS_EVERY_SECONDS
from dialer.leftover_stops import LeftoverStops
from dialer.live_calls import LiveCalls
from dialer.lookout import Lookout, look
from dialer.node_doctor import NodeDoctor
from dialer.node_needs import NodeNeeds
from dialer.openings_ahead import OpeningsAhead
from dialer.record.cdr_inbox import CdrInboxReader
from dialer.record.following import Following
from dialer.record.outbox import LEFTOVERS_SECONDS, Outbox
from dialer.record.outcome_rows import record_pool
from dialer.record.recorder import Recorder
from dialer.recovery.audit import Audit
from dialer.recovery.half_commits import EVERY_SECONDS as HALF_COMMITS_EVERY_SECONDS
from dialer.recovery.half_commits import HalfCommits
from dialer.recovery.hangup_markers import LOOK_SECONDS, HangupMarkers
from dialer.recovery.maybe_live import MaybeLiveSlots
from dialer.recovery.node_restart import NodeRestarts
from dialer.recovery.reconciler import Reconciler
from dialer.recovery.restored_database import DatabaseGuard
from dialer.recovery.takeover import Takeover
from dialer.refreshes import Refreshes
from dialer.send_gate import SendGate
from dialer.starts_and_deadlines import StartsAndDeadlines
from dialer.suppressions import LOOK_SECONDS as SUPPRESSIONS_EVERY_SECONDS
from dialer.suppressions import Suppressions
from dialer.switch_listener import SwitchListeners
from dialer.tasks import Tasks
from freeswitch.cluster import Cluster
from limits.erasing import forget_number
from limits.limiter import Limiter
from limits.rate_cuts import Kind, RateCuts, Target
from live.erasing import erase_events
from live.publisher import Publisher
from models import db
from settings import Settings

log = structlog.get_logger()

ROUND_SECONDS = 1.0


class Parts:
    """The parts of a dialer, each once, by the name of what it is."""

    def __init__(self, settings: Settings, redis: Redis, control_redis: Redis) -> None:
        assert settings.database_url is not None
        prefix = settings.redis_prefix
        self._sound_folder = settings.sound_folder
        self.leaving: set[str] = set()
        self.ending = Signal()
        self.switch_listeners = SwitchListeners()
        self.clock_gap = ClockGap(self.on_gap)
        self.live_calls = LiveCalls()
        self.send_gate = SendGate()
        self.tasks = Tasks(self.lose)
        self.membership = Membership(redis, prefix)
        self.identity = Identity(settings.database_url, self.membership, self._check_database)
        self.dialer_id = self.identity.dialer_id
        self.database_guard = DatabaseGuard(redis, prefix, self.dialer_id, lambda: self.outbox.newest)
        self.claim_pool = claim_pool(settings.database_url)
        self.record_pool = record_pool(settings.database_url)
        self.read_pool = read_pool(settings.database_url)
        self.limiter = Limiter(redis, prefix, self.dialer_id)
        self.control_bus = ControlBus(redis, prefix)
        self.refreshes = Refreshes(self.control_bus.notify, self.tasks.once)
        self.cluster = Cluster(
            [], self.dialer_id, on_event=self.switch_listeners.on_event, on_link=self.switch_listeners.on_link
        )
        self.turns = Turns(redis, prefix, self.dialer_id)
        self._wire_records(redis, prefix)
        self._wire_chores()
        self._wire_people(settings, redis, prefix)
        self._wire_capacity(settings, redis, prefix)
        self._wire_nodes(settings)
        self._wire_dispatch(settings)
        self._wire_recovery()
        self._wire_orders(control_redis, prefix)
        self._wire_listeners()

    def _wire_records(self, redis: Redis, prefix: str) -> None:
        """What is heard, written down and published."""
        self.outbox = Outbox(
            Publisher(redis, prefix),
            self.dialer_id,
            # Every dialer looked through all that web processes left, every 3 s.
            partial(self.turns.take, "publish_of_web", LEFTOVERS_SECONDS),
            self.record_pool,
        )
        self.recorder = Recorder(
            self.dialer_id,
            self.live_calls,
            followers=(),
            # Recovery and dispatch are made of the recorder.
            ask=lambda call: self.reconciler.ask(call),  # noqa: PLW0108
            elsewhere=lambda call: self.dispatch.elsewhere(call),  # noqa: PLW0108
            retry_terms=lambda call: self.dispatch.retry_terms(call),  # noqa: PLW0108
            pool=self.record_pool,
        )
        self.following = Following()

    def _wire_chores(self) -> None:
        """What any dialer does for all, and what comes at its time."""
        self.housekeeping = Housekeeping(partial(self.turns.take, "housekeeping", EVERY_SECONDS))
        self.half_commits = HalfCommits(partial(self.turns.take, "half_commits", HALF_COMMITS_EVERY_SECONDS))
        self.leftover_stops = LeftoverStops(
            self.dialer_id, partial(self.turns.take, "leftover_stops", STOPS_EVERY_SECONDS), self.outbox.nudge
        )
        self.expiry = Expiry(
            self.dialer_id,
            partial(self.turns.take, "expiry", EXPIRY_EVERY_SECONDS),
            self.outbox.nudge,
            lambda campaign_id: self.dispatch.exhausted(campaign_id),  # noqa: PLW0108
        )
        self.openings = OpeningsAhead(
            self.dialer_id,
            self.outbox.nudge,
            lambda campaign_id: self.dispatch.exhausted(campaign_id),  # noqa: PLW0108
        )
        self.starts_and_deadlines = StartsAndDeadlines(
            self.dialer_id,
            self.refreshes.tell,
            self.outbox.nudge,
            self.leftover_stops.go_on,
            self.tasks.once,
            self._no_node_can_run,
        )

    def _wire_people(self, settings: Settings, redis: Redis, prefix: str) -> None:
        """Whom nobody may call, or no more of."""
        self.abandon_guard = AbandonGuard(
            self.dialer_id,
            partial(self.turns.take, "abandoned", ABANDONED_EVERY_SECONDS),
            self.refreshes.tell,
            self.outbox.nudge,
        )
        self.suppressions = Suppressions(
            self.dialer_id,
            self.live_calls,
            NumberHash(settings.secret_key or ""),
            partial(self.turns.take, "suppressions", SUPPRESSIONS_EVERY_SECONDS),
            self.outbox.nudge,
            lambda campaign_id: self.dispatch.exhausted(campaign_id),  # noqa: PLW0108
        )
        self.erasures = Erasures(
            self.dialer_id,
            partial(self.turns.take, "erasures", ERASURES_EVERY_SECONDS),
            self.outbox.nudge,
            lambda campaign_id: self.dispatch.exhausted(campaign_id),  # noqa: PLW0108
            partial(erase_events, redis, prefix),
            partial(forget_number, redis, prefix),
        )

    def _wire_capacity(self, settings: Settings, redis: Redis, prefix: str) -> None:
        """What bounds the calls, and what holds them back."""
        self.permits = Permits(self.limiter)
        self.hangup_markers = HangupMarkers(
            self.cluster, lambda node: self.turns.take(f"hangup_markers:{node}", LOOK_SECONDS)
        )
        self.gateway_breaker = GatewayBreaker(
            self.live_calls,
            lambda *change: self.dispatch.gateway_changed(*change),  # noqa: PLW0108  dispatch is made of it
            self.refreshes.here,
            lambda call: self.dispatch.board.way_of(call),  # noqa: PLW0108
            lambda calls: self.outcome_breaker.bring_back(calls),  # noqa: PLW0108
        )
        self.outcome_breaker = OutcomeBreaker(
            self.dialer_id,
            self.live_calls,
            lambda: self.dispatch.read_plans(),  # noqa: PLW0108
            self.refreshes.everywhere,
            self.outbox.put,
            lambda campaign_id: self.dispatch.board.exempt(campaign_id),  # noqa: PLW0108
            lambda call: self.dispatch.board.way_of(call),  # noqa: PLW0108
            self.turns.take,
        )
        self.second_leg_probes = SecondLegProbes(
            self.cluster, self.live_calls, self.gateway_breaker, self.outcome_breaker
        )
        self.second_leg_refusals = SecondLegRefusals(
            self.gateway_breaker,
            lambda call: self.dispatch.board.second_way_of(call),  # noqa: PLW0108
        )
        self.gateway_pings = GatewayPings(self.cluster, self.refreshes.everywhere, time.monotonic)
        self.agent_breaker = AgentBreaker(self.refreshes.everywhere)
        self.backpressure = BackPressure(
            RateCuts(redis, prefix),
            self.live_calls,
            self._targets,
            lambda: self.dispatch.dialers[1],
            self.refreshes.here,
        )
        self.gateway_ends = GatewayEnds(self.dialer_id)

    def _wire_nodes(self, settings: Settings) -> None:
        """Which nodes there are, and what is wrong with one."""
        self.node_rests = NodeRests(self.live_calls)
        self.nodes_view = Nodes(
            settings.nodes, self.cluster, self.live_calls, self.backpressure.cps, self.node_rests
        )
        self.node_needs = NodeNeeds(
            self.cluster, settings.sound_folder, self.turns.take, self.refreshes.everywhere
        )
        self.node_doctor = NodeDoctor(
            self.dialer_id,
            self.nodes_view.configured,
            self.cluster.connected_core,
            partial(required_by_database, settings.sound_folder),
            self.tasks.once,
        )

    def _wire_dispatch(self, settings: Settings) -> None:
        """From a due contact to the frame on the wire."""
        self.node_orders = NodeOrders()
        self.sender = Sender(
            self.cluster,
            self.recorder,
            self.send_gate,
            self.identity,
            self.node_orders,
            order_listeners=(self.nodes_view, self.backpressure),
        )
        self.originate_builder = OriginateBuilder(
            settings.sound_folder,
            settings.audio_hosts,
            settings.socket_hosts,
            self.nodes_view.names,
            lambda file: looked_for_elsewhere(file, settings.sound_folder, self.dispatch.living, time.time()),
        )
        self.node_health = NodeHealth(self.node_orders)
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
            self.node_orders,
            self.originate_builder,
            self.refreshes.here,
            self.backpressure.cps,
            self.gateway_breaker,
            self.outcome_breaker,
            self.node_health,
            self.turns.take,
            Statements(
                due=partial(due, through=self.read_pool),
                next_due=partial(next_due, through=self.read_pool),
                claim=partial(claim, through=self.claim_pool, number_hash=self.suppressions.number_hash),
                claim_again=partial(claim_again, number_hash=self.suppressions.number_hash),
            ),
            self.suppressions.note_unclaimed,
            self.following.owes,
            self.gateway_pings.is_down,
        )

    def _wire_recovery(self) -> None:
        """What is asked of the switch, and what others left behind."""
        self.node_restarts = NodeRestarts()
        self.reconciler = Reconciler(
            self.dialer_id,
            self.cluster,
            self.live_calls,
            self.recorder,
            self.dispatch.resend,
            node_restarts=self.node_restarts,
            may_tell=self.may_tell,
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

    def _wire_orders(self, control_redis: Redis, prefix: str) -> None:
        """What others order, by a row or a message."""
        self.calls_to_end = CallsToEnd(
            self.dialer_id,
            self.cluster,
            self.live_calls,
            self.node_restarts,
            # The turn keeps the name that dialers of the last release know it by.
            partial(self.turns.take, "hangups", ROUND_SECONDS),
        )
        self.control = Control(
            self.dialer_id,
            self.control_bus,
            self.send_gate,
            self.calls_to_end,
            self.refreshes.here,
            self._on_handover,
            self.node_orders.wait_for_answers,
            # Whose statements the server ends soon, and that waits for no lock.
            self.claim_pool,
        )
        self.lookout = Lookout(
            self.dialer_id,
            self.calls_to_end,
            self.maybe_live,
            self.nodes_view,
            self.dispatch,
            self.starts_and_deadlines,
            self.suppressions,
            self.erasures,
            lambda: self.cluster.adopted,
            self.may_tell,
            look=partial(look, through=self.read_pool),
        )
        self.subscriber = Subscriber(control_redis, prefix, self._on_message, self.control.on_connected)

    def _wire_listeners(self) -> None:
        """Who hears of outcomes, events and links, in this order."""
        # What a node's rest goes by is heard with the end of the call that tries it: nobody else is to try meanwhile.
        self.recorder.followers = (self.outbox, self.node_rests, self.following)
        # Before a slot is free for the next call, so that it leaves at what is left of the rate, or stays.
        self.following.judges = (
            self.backpressure,
            self.gateway_breaker,
            self.agent_breaker,
            self.outcome_breaker,
            self.second_leg_probes,
            self.second_leg_refusals,
            self.node_health,
        )
        self.following.followers = (self.permits, self.dispatch, self.hangup_markers, self.gateway_ends)
        self.switch_listeners.events = (
            self.gateway_breaker,
            self.outcome_breaker,
            self.maybe_live,
            self.recorder,
        )
        self.switch_listeners.links = (
            self.reconciler,
            self.maybe_live,
            self.calls_to_end,
            self.dispatch,
            self.node_doctor,
        )

    @property
    def lost(self) -> bool:
        """Whether the identity was lost, for good."""
        return self.identity.lost

    def lose(self) -> None:
        """The identity is another's, or nobody's: nothing is sent under it any more, and the process ends."""
        if not self.lost:
            log.error("lease_lost", dialer_id=self.dialer_id)
        self.identity.lose()
        self.ending.set()

    def on_gap(self, seconds: float) -> None:
        """This process stood still for so long that others may have gone on in its place."""
        log.warning("stood_still", dialer_id=self.dialer_id, seconds=round(seconds, 1))
        self.lose()

    def may_tell(self) -> bool:
        """Whether what is concluded here still counts; looked at before anything is, so that nobody who has just
        woken goes by what he knew."""
        self.clock_gap.look()
        return not self.lost

    def _check_database(self) -> None:
        if self.database_guard.check():
            self.outbox.nudge()

    def _on_handover(self, dialer_id: str) -> None:
        self.leaving.add(dialer_id)
        self.lookout.others.set()

    def _no_node_can_run(self, due: DueStart) -> bool:
        with db.connection_context():
            wanted = wanted_by(due.campaign_id, due.tenant_id, self._sound_folder)
        return bool(missing(wanted, self.dispatch.living, time.time()))

    def _targets(self) -> list[Target]:
        return [(Kind.NODE, name) for name in self.cluster.links] + self.dispatch.targets()

    def _on_message(self, topic: Topic, payload: Mapping[str, Any]) -> None:
        if topic is Topic.CDR:
            self.lookout.records.set()
        else:
            self.control.on_message(topic, payload)
