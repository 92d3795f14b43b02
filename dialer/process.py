"""One dialer process: what its greenlets are, how they begin and how they end.

Begins: identity (lock, row, lease), nodes, recorder, outbox, bells, then dispatchers. Ends on SIGTERM in the
opposite order: no new calls, the others take over what is in flight while this process still listens, then what
it knows is written and published.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial

import gevent
import psycopg
import structlog
from gevent.event import Event as Signal
from peewee import PeeweeException
from redis import Redis

from campaigns.lifecycle import complete_if_exhausted, fail
from dialer.adoption import Adoption
from dialer.book import Book, Flight
from dialer.claims import Claimed
from dialer.control import Control
from dialer.dispatcher import Dispatcher
from dialer.holds import Holds
from dialer.identity import Identity
from dialer.nodes import Nodes
from dialer.outbox import Outbox
from dialer.outcomes import Ended, Told, Written
from dialer.permits import Permits
from dialer.plans import Plan, running
from dialer.recorder import Recorder
from dialer.recovery import Recovery
from dialer.requests import Requests
from dialer.sender import Sender
from dialer.telling import Telling
from freeswitch.cluster import Cluster, LinkChange, NodeConfig
from freeswitch.errors import FreeswitchError
from freeswitch.events import Event
from limits.caps import NodeCaps, Permit
from limits.errors import Fenced, LimiterUnavailable, RosterUnavailable
from limits.limiter import Limiter
from limits.roster import Roster
from live.bell import Bell, Listener
from live.errors import LiveUnavailable
from live.publish import Publisher
from models import db, rows
from settings import Settings

log = structlog.get_logger()

LEASE_EVERY_SECONDS = 1.0
RENEW_EVERY_SECONDS = 10.0
ROUND_SECONDS = 1.0
EPOCH_EVERY_SECONDS = 0.5
HANDOVER_SECONDS = 10.0
FLUSH_SECONDS = 5.0

UNAVAILABLE = (
    PeeweeException,
    psycopg.Error,
    LimiterUnavailable,
    RosterUnavailable,
    LiveUnavailable,
    FreeswitchError,
)


class Process:
    """Everything of one dialer, wired. It is the surroundings of its dispatchers."""

    def __init__(self, settings: Settings, redis: Redis, bell_redis: Redis) -> None:
        assert settings.database_url is not None
        prefix = settings.redis_prefix
        self.book = Book()
        self.holds = Holds()
        self.roster = Roster(redis, prefix)
        self.identity = Identity(settings.database_url, self.roster)
        self.dialer_id = self.identity.dialer_id
        self.limiter = Limiter(redis, prefix, self.dialer_id)
        self.bell = Bell(redis, prefix)
        self.cluster = Cluster(
            [NodeConfig(n.name, n.host, n.port, n.password, n.cps, n.channels) for n in settings.nodes],
            self.dialer_id,
            on_event=self._on_event,
            on_link=self._on_link,
        )
        self.nodes_view = Nodes(settings.nodes, self.cluster, self.book)
        self.outbox = Outbox(Publisher(redis, prefix), self.dialer_id)
        self.recorder = Recorder(self.dialer_id, self.book, self._on_written, self._ask)
        self.sender = Sender(self.cluster, self.recorder, self.holds, self.identity)
        self.recovery = Recovery(self.dialer_id, self.cluster, self.book, self.recorder, self._repeat)
        self.permits = Permits(self.limiter)
        self.adoption = Adoption(
            self.identity, self.roster, self.limiter, self.cluster, self.book, self.outbox, self.recovery
        )
        self.control = Control(
            self.dialer_id, self.bell, self.holds, self.cluster, self.refresh, self._leaving_dialer
        )
        self.listener = Listener(bell_redis, prefix, self.control.on_ring, self.control.on_connected)
        self.telling = Telling()
        self.requests = Requests(settings.sound_folder, settings.audio_hosts, settings.socket_hosts)
        self._plans: dict[str, Plan] = {}
        self._dispatchers: dict[str, Dispatcher] = {}
        self._greenlets: list[gevent.Greenlet[..., None]] = []
        self._leaving: set[str] = set()
        self._share = (0, 1)
        self._refresh = Signal()
        self._ending = Signal()

    # What the dispatchers ask.

    def plan(self, campaign_id: str) -> Plan | None:
        """The plan of a campaign that runs."""
        return self._plans.get(campaign_id)

    def nodes(self) -> Sequence[NodeCaps]:
        """Nodes that can take a call, the one with the most room first."""
        return self.nodes_view.caps()

    def core_uuid(self, node: str) -> str | None:
        """The Core-UUID of a node's present run."""
        return self.nodes_view.core_uuid(node)

    def share(self) -> tuple[int, int]:
        """Which part of a list this dialer looks at first: (rank, dialers)."""
        return self._share

    def tell(self, plan: Plan, reason: str | None, next_action_at: str | None) -> None:
        """Show why a campaign is not being dialled."""
        self.telling.tell(plan, reason, next_action_at)

    def exhausted(self, campaign_id: str) -> None:
        """Close a campaign if nobody is left in it."""
        if complete_if_exhausted(uuid.UUID(campaign_id), self.dialer_id):
            log.info("campaign_completed", campaign_id=campaign_id)
            self.outbox.nudge()
            self.refresh()

    def failed(self, campaign_id: str) -> None:
        """End a campaign that cannot go on."""
        if fail(uuid.UUID(campaign_id), self.dialer_id):
            self.outbox.nudge()
            self.refresh()

    def announce(self, claimed: Sequence[Claimed]) -> None:
        """Publish the transitions of a claim that was committed."""
        self.outbox.put(
            [
                Told(
                    transition_id=item.transition_id,
                    campaign_id=item.campaign_id,
                    contact_id=item.contact_id,
                    phone_number=item.phone_number,
                    status="originated",
                    disposition=None,
                    attempt=item.attempt,
                    call_id=item.call_id,
                    cause=None,
                    version=item.version,
                    at=item.at,
                )
                for item in claimed
            ]
        )

    def doubt(self, permits: Sequence[Permit]) -> None:
        """These permits' claim may or may not have been committed."""
        self.permits.doubt(permits)

    # Beginning, running, ending.

    def refresh(self) -> None:
        """Read the plans again now."""
        self._refresh.set()

    def end(self) -> None:
        """Begin to end; called from a signal handler."""
        self._ending.set()

    def run(self) -> int:
        """Run until `end` or until the identity is lost; the exit code (0 clean, 1 lost)."""
        if not self._begin():
            return 1 if self.identity.lost else 0
        log.info("dialer_started", dialer_id=self.dialer_id, nodes=len(self.cluster.links))
        self._ending.wait()
        self._finish()
        return 1 if self.identity.lost else 0

    def _begin(self) -> bool:
        while not self._ending.is_set():
            try:
                self.identity.take({"nodes": self.nodes_view.info()})
                break
            except Fenced:
                self.identity.lost = True
                return False
            except UNAVAILABLE as error:
                log.warning("dialer_waits", error=str(error)[:200])
                self._ending.wait(timeout=ROUND_SECONDS)
        else:
            return False
        self.cluster.start()
        self._spawn(self.recorder.run)
        self._spawn(self.outbox.run)
        self._every(LEASE_EVERY_SECONDS, self._keep_lease)
        self._every(EPOCH_EVERY_SECONDS, self.permits.keep_epoch)
        self._every(RENEW_EVERY_SECONDS, self.limiter.renew)
        self._every(ROUND_SECONDS, self.identity.keep_lock)
        self._every(ROUND_SECONDS, self.recovery.patrol)
        self._every(ROUND_SECONDS, self._adopt)
        self._every(ROUND_SECONDS, self._settle_doubts)
        self._every(ROUND_SECONDS, self._read_plans, self._refresh)
        self.listener.start()
        return True

    def _finish(self) -> None:
        """No new calls; hand over; write and publish what is known; leave."""
        self.holds.draining = True
        for dispatcher in self._dispatchers.values():
            dispatcher.stop()
        if not self.identity.lost:
            self._hand_over()
        self.listener.stop()
        self.recovery.stop()
        self.recorder.stop()
        if not self.recorder.flush(FLUSH_SECONDS):
            log.error("outcomes_left_unwritten", calls=len(self.book))
        self.outbox.stop()
        gevent.joinall([g for g in self._greenlets if g.args == (self.outbox.run,)], timeout=2.0)
        self.cluster.stop()
        gevent.killall(self._greenlets, timeout=1.0)
        try:
            self.identity.release()
        except RosterUnavailable as error:
            log.warning("roster_not_left", error=str(error)[:200])
        log.info("dialer_ended", dialer_id=self.dialer_id)

    def _hand_over(self) -> None:
        """Let the others take the calls in flight while this process still records; nothing is missed."""
        try:
            self.recorder.flush(FLUSH_SECONDS)
            if len(self.roster.alive()) < 2:
                return
            self.bell.ring("handover", {"dialer_id": self.dialer_id})
            deadline = time.monotonic() + HANDOVER_SECONDS
            while self._owned() and time.monotonic() < deadline:
                gevent.sleep(0.05)
        except UNAVAILABLE as error:
            log.warning("handover_failed", error=str(error)[:200])

    def _owned(self) -> int:
        with db.connection_context():
            (row,) = rows(
                "SELECT count(*) AS calls FROM call WHERE dialer_id = %s AND state <> 'ended'", self.dialer_id
            )
        calls: int = row["calls"]
        return calls

    # What happens meanwhile.

    def _keep_lease(self) -> None:
        self.identity.renew({"nodes": self.nodes_view.info(), "calls": len(self.book)})
        if self.identity.lost:
            log.error("lease_lost", dialer_id=self.dialer_id)
            self._ending.set()
            return
        alive = sorted(self.roster.alive())
        self._share = (alive.index(self.dialer_id), len(alive)) if self.dialer_id in alive else (0, 1)

    def _read_plans(self) -> None:
        self._plans = running()
        for campaign_id in self._plans:
            dispatcher = self._dispatchers.get(campaign_id)
            if dispatcher is not None:
                dispatcher.wake()
            elif not self.holds.draining:
                self._dispatchers[campaign_id] = dispatcher = Dispatcher(
                    campaign_id,
                    self.dialer_id,
                    self,
                    self.limiter,
                    self.requests,
                    self.sender,
                    self.recorder,
                    self.book,
                )
                self._spawn(self._dispatch, dispatcher)
        for campaign_id, dispatcher in self._dispatchers.items():
            if campaign_id not in self._plans:
                dispatcher.wake()

    def _dispatch(self, dispatcher: Dispatcher) -> None:
        try:
            dispatcher.run()
        finally:
            self._dispatchers.pop(dispatcher.campaign_id, None)
            self.telling.forget(dispatcher.campaign_id)
            self.refresh()

    def _adopt(self) -> None:
        leaving, self._leaving = self._leaving, set()
        self.adoption.round(leaving)

    def _leaving_dialer(self, dialer_id: str) -> None:
        self._leaving.add(dialer_id)
        gevent.spawn(self._guarded, self._adopt)

    def _settle_doubts(self) -> None:
        for flight in self.permits.settle(self.dialer_id):
            self.book.add(flight)
            self.recorder.withdraw(flight, "NOT_SENT")

    def _repeat(self, flight: Flight) -> None:
        dispatcher = self._dispatchers.get(flight.campaign_id)
        if dispatcher is None or not dispatcher.repeat(flight):
            self.recorder.withdraw(flight, "NOT_SENT")

    def _on_event(self, node: str, event: Event) -> None:
        self.recorder.on_event(node, event)

    def _ask(self, flight: Flight) -> None:
        self.recovery.ask(flight)

    def _on_link(self, change: LinkChange) -> None:
        log.info("node_link", node=change.node, up=change.up, error=change.error)
        if change.up:
            self.recovery.node_up(change.node)
        for dispatcher in self._dispatchers.values():
            dispatcher.wake()

    def _on_written(self, written: Written, over: list[Flight], ended: dict[str, Ended]) -> None:
        """After a commit: permits, stream, dispatchers, and campaigns that may be done."""
        self.outbox.put(written.told)
        self.permits.free(over, ended)
        for campaign_id in {flight.campaign_id for flight in over}:
            dispatcher = self._dispatchers.get(campaign_id)
            if dispatcher is not None:
                dispatcher.wake()
            if not self.book.count_of_campaign(campaign_id):
                self._guarded(partial(self.exhausted, campaign_id))

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        self._greenlets = [g for g in self._greenlets if not g.dead]
        self._greenlets.append(gevent.spawn(target, *arguments))

    def _every(self, seconds: float, task: Callable[[], object], sooner: Signal | None = None) -> None:
        self._spawn(self._loop, seconds, task, sooner or Signal())

    def _loop(self, seconds: float, task: Callable[[], object], sooner: Signal) -> None:
        while True:
            self._guarded(task)
            sooner.wait(timeout=seconds)
            sooner.clear()

    def _guarded(self, task: Callable[[], object]) -> None:
        """Run a task; a server that is away is for the next round, and so is whatever else went wrong."""
        try:
            task()
        except Fenced:
            self.identity.lost = True
            self._ending.set()
        except UNAVAILABLE as error:
            log.warning("task_waits", task=getattr(task, "__qualname__", str(task)), error=str(error)[:200])
        except Exception:
            log.exception("task_failed", task=getattr(task, "__qualname__", str(task)))
