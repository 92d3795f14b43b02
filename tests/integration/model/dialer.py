"""One dialer of the rig: the product's process with every part wired, doing one thing at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unittest import mock

import gevent
from gevent.event import Event as Signal

from coordination.errors import Fenced
from dialer import parts as parts_module
from dialer.clock_gap import ClockGap
from dialer.dispatch.claims import Statements, claim, claim_again
from dialer.live_calls import LiveCall
from dialer.process import Process
from tests.integration.model.switch import NODE, Cluster, Link, cluster_of

if TYPE_CHECKING:
    from tests.integration.model.rig import Rig

PROBE_SECONDS = 1.0


class Dialer:
    """One process. `running` while it is neither stopped nor dead."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.stopped = self.dead = False
        self.trap: str | None = None
        self._reached, self._go = Signal(), Signal()
        self._jobs: list[gevent.Greenlet[..., Any]] = []
        self._probed_at: float | None = None
        with mock.patch.object(parts_module, "Cluster", cluster_of(rig.switch, self.point)):
            self.process = Process(rig.settings, rig.redis, rig.redis)
        # Its steps are far apart, and it is awake between them.
        self.process.clock_gap = ClockGap(self.process.on_gap, lambda: 0.0)
        self.id = self.process.dialer_id
        self.process.reconciler.now = rig.clock
        self.process.identity.take({})
        self.dispatch = self.process.dispatch
        self.dispatch.scheduler.statements = Statements(
            claim=rig.pointed(claim, 0, "before the claim", "claimed"),
            claim_again=rig.pointed(claim_again, 1, "before the second claim", "claimed again"),
        )
        self.dispatch.send_queue.now = self.dispatch.scheduler.now = rig.clock
        # What leaves is written by the step that claims it.
        self.dispatch.send_queue.spawn = lambda _work: gevent.Greenlet()
        self.link.before_write = lambda call_id: rig.on_write(self, call_id)
        self._mark_points()

    @property
    def running(self) -> bool:
        return not self.stopped and not self.dead

    @property
    def link(self) -> Link:
        cluster: Any = self.process.cluster
        assert isinstance(cluster, Cluster)
        return next(iter(cluster.links.values()))

    def point(self, name: str) -> None:
        """The process has got to here. Where a trap is set it goes no further, until it is woken."""
        if self.trap is not None and name.startswith(self.trap):
            self.trap = None
            self.stop()
            self._reached.set()
        if not self.running:
            self._go.wait()

    def run(self, action: Callable[[], object], trap: str | None = None) -> bool:
        """Do one thing; False where it was stopped at the trap."""
        assert self.running
        self.trap = trap
        self._reached.clear()
        self._jobs = [gevent.spawn(action)]
        return self._until_done()

    def stop(self) -> None:
        """As by SIGSTOP."""
        self.stopped = True
        self._go.clear()

    def wake(self) -> bool:
        """As by SIGCONT: what it was at goes on."""
        self.stopped = False
        self._reached.clear()
        self._go.set()
        return self._until_done()

    def kill(self, *, lock_stays: bool = False) -> None:
        """As by SIGKILL, or, where the lock stays, as a host that vanished: PostgreSQL has not noticed yet."""
        self.dead = True
        self.stopped = False
        if not lock_stays:
            self.drop_lock()
        markers = self.process.hangup_markers.greenlets()
        gevent.killall([*self._jobs, *self.process.reconciler.greenlets(), *markers], block=True, timeout=10)
        for pool in (self.process.claim_pool, self.process.record_pool, self.process.read_pool):
            pool.close_all()

    def drop_lock(self) -> None:
        """PostgreSQL notices that the process is gone."""
        self.process.identity.drop_lock()

    # What a process does all the time, one at a time.

    def dial(self) -> None:
        """One look of its scheduler, until all that it claimed has had its turn."""
        self.dispatch.read_plans()
        self.dispatch.scheduler.wake_all()
        self.dispatch.scheduler.one_look([])
        send_queue = self.dispatch.send_queue
        for node in send_queue.nodes():
            while (left := send_queue.send_due(node)) is not None:
                gevent.sleep(left)

    def round(self) -> None:
        self.process.reconciler.round()

    def adopt(self) -> None:
        # Who has lost its lease ends; it is a matter of time here as there.
        with suppress(Fenced):
            self.process.takeover.round()

    def record(self) -> None:
        self.process.recorder.write_group()
        self.process.following.follow()

    def publish(self) -> None:
        self.process.outbox.nudge()
        self.process.outbox.publish_all()

    def look_around(self) -> None:
        """What it does every few seconds."""
        self.process.rounds.resolve_unknown_claims()
        self.process.audit.calls()
        self.process.audit.slots()
        self.process.cdr_inbox.round()
        self.process.leftover_stops.round()
        if not self.process.live_calls.count_of_campaign(self.rig.campaign_id):
            self.dispatch.exhausted(self.rig.campaign_id)

    def keep_alive(self) -> None:
        self.process.rounds.keep_lease()
        self.process.identity.keep_lock()

    def probe_nodes(self) -> None:
        """The node answers its every question at once, however much time passes between two of them here."""
        now = self.rig.clock()
        if self._probed_at is None:
            self._probed_at = now
        while self._probed_at < now:
            self._probed_at = min(now, self._probed_at + PROBE_SECONDS)
            self._answer_probe(self._probed_at)
        self._answer_probe(now)

    def _answer_probe(self, now: float) -> None:
        self.process.reconciler.buffer_drain.answered(NODE, now, now)

    def _until_done(self) -> bool:
        reconciler = self.process.reconciler
        while self.running and (
            left := [job for job in (*self._jobs, *reconciler.greenlets()) if not job.ready()]
        ):
            awaited: list[gevent.Greenlet[..., Any] | Signal] = [*left, self._reached]
            gevent.wait(awaited, timeout=20, count=1)
        if self.stopped:
            return False
        for job in self._jobs:
            job.get(block=False)
        return True

    def _mark_points(self) -> None:
        process = self.process
        self._around(process.limiter, "acquire", None, "permitted")
        self._around(process.limiter, "release", "before the release", "released")
        self._around(process.limiter, "take_over", "before the permits", "permits taken")
        self._around(process.outbox.publisher, "publish", "before publishing", "published")
        self._around(process.live_calls, "add", None, "among the live calls")
        add = process.live_calls.add

        def at_our_clock(call: LiveCall) -> None:
            if call.adopted_at is None:
                call.claimed_at = self.rig.clock()
            add(call)

        setattr(process.live_calls, "add", at_our_clock)  # noqa: B010  a method, which mypy lets nobody assign

    def _around(self, owner: object, name: str, before: str | None, after: str) -> None:
        method = getattr(owner, name)

        def pointed(*arguments: Any, **named: Any) -> Any:
            if before is not None:
                self.point(before)
            answer = method(*arguments, **named)
            self.point(after)
            return answer

        setattr(owner, name, pointed)
