"""What each part of a dialer does again and again, and what has it do so sooner.

Here alone stands how often: what must happen is a state that is looked at again, and never one message.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from gevent.event import Event as Signal

import outages
from campaigns import call_counts, call_reports
from campaigns.opening_tables import RELEASE
from coordination.errors import Fenced
from dialer.abandon_guard import LOOK_SECONDS as ABANDONED_EVERY_SECONDS
from dialer.capacity.gateway_ends import WRITE_SECONDS as GATEWAY_ENDS_EVERY_SECONDS
from dialer.capacity.gateway_pings import LOOK_SECONDS as PINGS_EVERY_SECONDS
from dialer.housekeeping import EVERY_SECONDS
from dialer.identity import purge_locks
from dialer.node_doctor import LOOK_SECONDS as NODES_EVERY_SECONDS
from dialer.parts import ROUND_SECONDS, Parts
from dialer.recovery.half_commits import EVERY_SECONDS as HALF_COMMITS_EVERY_SECONDS
from dialer.recovery.hangup_markers import TRY_LOOK_SECONDS
from dialer.recovery.restored_database import BEAT_SECONDS

LEASE_EVERY_SECONDS = 1.0
RENEW_EVERY_SECONDS = 10.0
EPOCH_EVERY_SECONDS = 0.5
REFRESH_GAP_SECONDS = 0.2
"""Whatever is asked for, the rows are looked at once within so long: each look may read all plans again."""
POSTPONE_EVERY_SECONDS = 0.1
CALLS_EVERY_SECONDS = 5.0
SLOTS_EVERY_SECONDS = 10.0
PURGE_EVERY_SECONDS = 600.0
OPENINGS_EVERY_SECONDS = 60.0
ADD_UP_SECONDS = 10.0


class Rounds:
    """The rounds of one dialer's parts, from `start` until its tasks end."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def start(self) -> None:
        """Begin all of them."""
        self._start_identity()
        self._start_recovery()
        self._start_orders()
        self._start_people()
        self._start_capacity()
        self._start_books()

    def _start_identity(self) -> None:
        """Who this dialer is, and what it holds at the limiter."""
        parts = self._parts
        self._every(LEASE_EVERY_SECONDS, self.keep_lease)
        self._every(EPOCH_EVERY_SECONDS, parts.permits.keep_epoch)
        self._every(ROUND_SECONDS, parts.permits.keep_numbers)
        self._every(RENEW_EVERY_SECONDS, parts.limiter.renew)
        self._every(POSTPONE_EVERY_SECONDS, self._postpone_overdue)
        self._every(ROUND_SECONDS, self._keep_lock)
        self._every(BEAT_SECONDS, self._beat)

    def _start_recovery(self) -> None:
        """What became of calls."""
        parts = self._parts
        self._every(ROUND_SECONDS, parts.reconciler.round)
        parts.tasks.whenever(parts.maybe_live.wake, self._while_ours(parts.maybe_live.round))
        parts.tasks.whenever(parts.lookout.others, self._while_ours(self._adopt))
        self._every(ROUND_SECONDS, self.resolve_unknown_claims)
        parts.tasks.whenever(parts.lookout.records, parts.cdr_inbox.round)
        self._every(ROUND_SECONDS, parts.hangup_markers.round)
        self._every(TRY_LOOK_SECONDS, parts.hangup_markers.look)
        self._every(CALLS_EVERY_SECONDS, parts.audit.calls)
        self._every(SLOTS_EVERY_SECONDS, parts.audit.slots)
        self._every(HALF_COMMITS_EVERY_SECONDS, parts.half_commits.round)

    def _start_orders(self) -> None:
        """What others order."""
        parts = self._parts
        parts.tasks.whenever(parts.lookout.stops, self._while_ours(parts.leftover_stops.round))
        parts.tasks.whenever(parts.calls_to_end.wake, self._while_ours(parts.calls_to_end.round))
        parts.tasks.every(ROUND_SECONDS, parts.control.sync_halts, parts.control.lifted)
        parts.tasks.every(ROUND_SECONDS, parts.lookout.round, parts.refreshes.wanted, REFRESH_GAP_SECONDS)

    def _start_people(self) -> None:
        """When, and whom."""
        parts = self._parts
        parts.tasks.whenever(parts.lookout.expired, self._while_ours(parts.expiry.round))
        parts.tasks.whenever(
            parts.starts_and_deadlines.wake, self._while_ours(parts.starts_and_deadlines.round)
        )
        parts.tasks.whenever(parts.suppressions.wake, self._while_ours(parts.suppressions.round))
        parts.tasks.whenever(parts.erasures.wake, self._while_ours(parts.erasures.round))
        parts.tasks.whenever(parts.suppressions.left, self._while_ours(parts.suppressions.look_at_left))
        self._every(OPENINGS_EVERY_SECONDS, self._write_openings)
        self._every(ABANDONED_EVERY_SECONDS, parts.abandon_guard.round)

    def _start_capacity(self) -> None:
        """What the nodes and gateways take."""
        parts = self._parts
        self._every(ROUND_SECONDS, parts.backpressure.round)
        self._every(ROUND_SECONDS, parts.gateway_breaker.round, parts.gateway_breaker.heard)
        self._every(PINGS_EVERY_SECONDS, parts.gateway_pings.round)
        self._every(ROUND_SECONDS, parts.agent_breaker.round)
        self._every(ROUND_SECONDS, parts.outcome_breaker.round)
        self._every(ROUND_SECONDS, parts.second_leg_probes.round)
        self._every(ROUND_SECONDS, parts.node_needs.round)
        self._every(ROUND_SECONDS, parts.node_needs.probe)
        self._every(NODES_EVERY_SECONDS, parts.node_doctor.round)

    def _start_books(self) -> None:
        """What others are shown, and what is thrown away."""
        parts = self._parts
        self._every(EVERY_SECONDS, parts.housekeeping.round)
        self._every(PURGE_EVERY_SECONDS, parts.nodes_view.purge)
        self._every(PURGE_EVERY_SECONDS, purge_locks)
        self._every(ROUND_SECONDS, parts.dispatch.write_reasons, parts.dispatch.reasons.gone)
        self._every(ROUND_SECONDS, parts.dispatch.write_pace)
        self._every(ROUND_SECONDS, parts.dispatch.write_ramps)
        self._every(PURGE_EVERY_SECONDS, parts.dispatch.purge_pace)
        self._every(GATEWAY_ENDS_EVERY_SECONDS, parts.gateway_ends.round)
        self._every(ADD_UP_SECONDS, self._add_up)
        self._every(ADD_UP_SECONDS, self._fold_reports)

    def _every(self, seconds: float, task: Callable[[], object], sooner: Signal | None = None) -> None:
        """Run `task` every `seconds` for as long as the identity is this one's."""
        self._parts.tasks.every(seconds, self._while_ours(task), sooner)

    def _while_ours(self, task: Callable[[], object]) -> Callable[[], object]:
        """`task`, of which nothing is done once the identity is not this one's."""

        @wraps(task)
        def while_ours() -> None:
            if self._parts.may_tell():
                task()

        return while_ours

    def told_at_first(self) -> dict[str, object]:
        """What this dialer says of itself from its first lease on."""
        return {
            "nodes": self._parts.nodes_view.info(self._parts.node_health),
            "sound_folder": self._parts.node_needs.sound_folder,
        }

    def keep_lease(self) -> None:
        """Say that this dialer lives, and hear who else does."""
        info = self.told_at_first() | {
            "calls": len(self._parts.live_calls),
            "cannot_run": self._parts.dispatch.scheduler.checks.cannot_run,
            "needs": self._parts.node_needs.info(),
        }
        try:
            self._parts.identity.renew(info)
        except Fenced:
            self._parts.lose()
            return
        outages.answered(outages.REDIS)
        self._parts.dispatch.living = self._parts.membership.alive()
        alive = sorted(self._parts.dispatch.living)
        self._parts.dispatch.dialers = (
            (alive.index(self._parts.dialer_id), len(alive)) if self._parts.dialer_id in alive else (0, 1)
        )

    def _keep_lock(self) -> None:
        self._parts.identity.keep_lock()
        outages.answered(outages.DATABASE)

    def _beat(self) -> None:
        if self._parts.turns.take("database", BEAT_SECONDS):
            self._parts.database_guard.beat()

    def _postpone_overdue(self) -> None:
        """What may be carried out late counts for when it is."""
        if overdue := [*self._parts.node_orders.overdue(), *self._parts.reconciler.unseen()]:
            self._parts.limiter.postpone(overdue)

    def _adopt(self) -> None:
        leaving, self._parts.leaving = self._parts.leaving, set()
        # Two that end at once would hand the same calls to and fro.
        known = self._parts.lookout.take_unsettled()
        if not self._parts.send_gate.draining and self._parts.takeover.round(leaving, known):
            self._parts.calls_to_end.wake.set()

    def resolve_unknown_claims(self) -> None:
        """What a claim committed of which no answer came goes back."""
        for call in self._parts.permits.resolve_unknown_claims(self._parts.dialer_id):
            self._parts.live_calls.add(call)
            self._parts.recorder.withdraw(call, "NOT_SENT")

    def _write_openings(self) -> None:
        # Whoever has older tables writes nothing that those who have newer may go by.
        if self._parts.turns.take(f"openings:{RELEASE}", OPENINGS_EVERY_SECONDS):
            self._parts.openings.round()

    def _add_up(self) -> None:
        if self._parts.turns.take("call_counts", ADD_UP_SECONDS):
            call_counts.add_up()

    def _fold_reports(self) -> None:
        if self._parts.turns.take("call_reports", ADD_UP_SECONDS):
            call_reports.fold()
