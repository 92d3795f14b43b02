"""Dials every running campaign: one greenlet for each dialer, one batch over all campaigns at a time.

A look chooses whose calls are next, reads who is due, asks the limiter for their turns and claims those that got one;
what leaves, leaves at its turn (`send_queue`). It never waits for a call. Each campaign that is not dialled has one
binding constraint, which it shows as `blocked_reason`. What nobody woke and nothing is due for is not looked at.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import structlog
from gevent.event import Event as Signal

from campaigns.number_waits import NUMBER_CAP
from coordination.errors import Fenced
from dialer.dispatch.agenda import (
    IDLE_SECONDS,
    SLOT_SECONDS,
    SOONEST_SECONDS,
    TAKEN_SECONDS,
    Agenda,
)
from dialer.dispatch.batch import Batch, ClaimSurroundings, Outcome, PermitSource
from dialer.dispatch.blocked_reasons import BlockedReasons
from dialer.dispatch.cap_waits import MOST
from dialer.dispatch.claim_window import ClaimWindow
from dialer.dispatch.claims import Statements
from dialer.dispatch.denial_times import over_at, pause
from dialer.dispatch.dialled_campaign import DialledCampaign
from dialer.dispatch.due import Due, NextDue
from dialer.dispatch.pace_counts import PaceCounts
from dialer.dispatch.plan_checks import PlanChecks
from dialer.dispatch.plans import Plan
from dialer.dispatch.send_queue import SendQueue, Waiting
from dialer.dispatch.slow_start import SlowStarts
from dialer.dispatch.turn_timing import TurnTiming
from dialer.dispatch.wishes import Wishes
from dialer.errors import DATABASE_AWAY, note
from dialer.fault_points import FaultPoint, hit
from dialer.holds import HoldKind
from dialer.live_calls import LiveCall
from dialer.tasks import wait_for_work
from limits.caps import Denied, NodeCaps
from limits.errors import LimiterUnavailable

log = structlog.get_logger()

TOGETHER_SECONDS = 1.0
"""Those of which nothing was heard are looked at in groups, so far from each other."""
UNAVAILABLE_SECONDS = 0.5
BEHIND_SECONDS = 0.02
READ_AHEAD = 3
"""So many batches are read of a list at a time: a read keeps the batch waiting that it is for."""
LATE_SECONDS = 0.002
"""What is due at a moment is read a moment after it: this process' clock and the database's are not one."""


class Surroundings(ClaimSurroundings, Protocol):
    """What the scheduler asks of the process around it."""

    def behind(self) -> bool: ...
    def patience(self) -> float: ...
    def offers(self) -> tuple[Sequence[NodeCaps], Callable[[], Sequence[str]]]: ...
    def why_no_node(self) -> str: ...
    def refused(self) -> str | None: ...
    def share(self) -> tuple[int, int]: ...
    def exhausted(self, campaign_id: str) -> None: ...


@dataclass(slots=True)
class Scheduler:
    """The dialling of one process. `plan` gives a running campaign's."""

    dialer_id: str
    around: Surroundings
    plan: Callable[[str], Plan | None]
    limiter: PermitSource
    send_queue: SendQueue
    reasons: BlockedReasons
    statements: Statements = field(default_factory=Statements)
    now: Callable[[], float] = time.monotonic
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    timing: TurnTiming = field(default_factory=TurnTiming)
    window: ClaimWindow = field(default_factory=ClaimWindow)
    slow_starts: SlowStarts = field(default_factory=SlowStarts)
    pace: PaceCounts = field(default_factory=PaceCounts)
    stopping: bool = False
    agenda: Agenda = field(init=False)
    checks: PlanChecks = field(init=False)
    wishes: Wishes = field(init=False)
    _ended: bool = False
    _wake: Signal = field(default_factory=Signal)

    def __post_init__(self) -> None:
        self.agenda = Agenda(self.now)
        self.checks = PlanChecks(self.send_queue.originate_builder)
        self.wishes = Wishes(self.agenda, self.send_queue, self.reasons, self.slow_starts, self.checks)

    # What others tell it.

    def follow(self, campaign_ids: Iterable[str]) -> None:
        """These campaigns came, went or changed: look at them now."""
        self.agenda.follow({campaign_id: self.plan(campaign_id) for campaign_id in campaign_ids})
        self._wake.set()

    def wake(self, campaign_id: str) -> None:
        """Something happened to this campaign: look at it now."""
        if self.agenda.wake(campaign_id):
            self._wake.set()

    def wake_all(self) -> None:
        """Something changed that concerns every campaign."""
        self.agenda.wake_all()
        self._wake.set()

    def look(self) -> None:
        """Calls wait for a new permit."""
        self._wake.set()

    def calls_over(self, over: Sequence[LiveCall]) -> None:
        """These calls are over, and their slots free: who waits longest for one looks first."""
        if self.agenda.calls_over(over):
            self._wake.set()

    def resend(self, call: LiveCall) -> bool:
        """Send a call once more under its id, with a permit of now; False where it may not be sent any more.

        Its row says from now on that its events carry this dialer's id. Raises what a database that is away raises.
        """
        plan = self.plan(call.campaign_id)
        if self.stopping or plan is None or plan.gateway(call.gateway_id) is None:
            return False
        if plan.held is not None or self.checks.hindrance(plan) is not None:
            return False
        if not self.send_queue.sender.allowed(call):
            return False
        asked_at = self.now()
        again = self.statements.claim_again(call.call_id, self.dialer_id, call.phone_number)
        if again is None:
            return False
        hit(FaultPoint.RESEND_CLAIMED)
        if not call.resend():
            return True
        call.sent_by = self.dialer_id
        call.claimed_at = self.now()
        call.unsuppressed_at = asked_at
        call.closes(again.closes_in, asked_at)
        self.send_queue.resend(plan, call, again.custom_fields)
        if self._ended:
            # The greenlet withdrew what it had, and ended, while the row was written.
            self.send_queue.withdraw_all()
        return True

    def stop(self) -> None:
        """Claim nothing more; what is claimed and unsent goes back."""
        self.stopping = True
        self._wake.set()

    # The greenlet.

    def run(self) -> None:
        """Until `stop`. Nothing that one look raises ends it."""
        self._ended = False
        try:
            while not self.stopping:
                self._wake.clear()
                wait = self.step()
                wait_for_work(self._wake, max(wait, SOONEST_SECONDS))
        finally:
            self._ended = True
            self.send_queue.withdraw_all()

    def step(self) -> float:
        """One look; returns the seconds until the next is worth taking."""
        looked: list[DialledCampaign] = []
        try:
            return self.one_look(looked)
        except (LimiterUnavailable, Fenced):
            self._put_off(looked, "no_redis")
        except DATABASE_AWAY as error:
            note(error)
            self._put_off(looked, None)
        except Exception:
            # What nobody foresaw must not end the one greenlet that dials every campaign.
            log.exception("dispatch_failed", campaigns=[one.campaign_id for one in looked][:10])
            self._put_off(looked, None)
        return UNAVAILABLE_SECONDS

    def one_look(self, looked: list[DialledCampaign]) -> float:
        """The look that `step` takes, which notes in `looked` whom it looked at; whatever it meets it raises."""
        self.send_queue.withdraw_stale()
        now = self.now()
        # After a takeover thousands may wait: asked for at once, the answer would outlast the life of their permits.
        ripe = (item for item in self.send_queue.lapsed.values() if item.ask_at <= now)
        waiting = heapq.nsmallest(MOST, ripe, key=lambda item: item.ask_at)
        room = 0 if self.around.behind() else self.window.room(now, self.around.patience())
        if room:
            looked += self.agenda.due(now)
            looked[:] = self._awake(looked)
        if not waiting and not looked:
            return self._until_next(now) if room else BEHIND_SECONDS
        offered, order = self.around.offers()
        if not offered:
            reason = self.around.why_no_node()
            for item in waiting:
                item.ask_at = now + UNAVAILABLE_SECONDS
            for campaign in looked:
                self.wishes.block(campaign, reason, UNAVAILABLE_SECONDS)
            return self._until_next(now)
        wishes = self.wishes.of(looked, now)
        batch = Batch(
            self.dialer_id,
            self.limiter,
            self.around,
            self.send_queue,
            offered,
            order,
            self.timing,
            self.window,
            self.statements,
            self.now,
        )
        # Limiter and database are waited for, and campaigns may come and go meanwhile.
        asking = {campaign.campaign_id: campaign for campaign in looked if campaign.campaign_id in wishes}
        try:
            self._fill(batch, asking, wishes, room, now)
        finally:
            # Also where nobody can be read: what is claimed and waits for a permit leaves all the same.
            self._dial(batch, waiting, asking)
        return self._until_next(self.now())

    def _dial(self, batch: Batch, waiting: Sequence[Waiting], asking: Mapping[str, DialledCampaign]) -> None:
        try:
            batch.dial(waiting)
        finally:
            self.agenda.learn(batch.answered, batch.asked_at, self._pause)
            self.agenda.give(asking, batch.outcomes)
            for campaign_id, outcome in batch.outcomes.items():
                self._after(asking[campaign_id], outcome, batch.asked_at)
            # Whose numbers may not be called for a while are not due before: nobody reads or asks about them.
            if late := batch.late():
                self.statements.postpone(late, NUMBER_CAP)

    def _fill(
        self,
        batch: Batch,
        asking: Mapping[str, DialledCampaign],
        wishes: Mapping[str, int],
        room: int,
        now: float,
    ) -> None:
        """Choose whose contacts go into this batch, in what order, as far as they are due and there is room."""
        if not wishes:
            return
        order = self.agenda.choose(asking, wishes, room)
        counts = Counter(order)
        known = self._read(asking, counts, now)
        nobody = [asking[name] for name, found in known.items() if not found]
        for campaign_id in order:
            if known[campaign_id]:
                batch.add(asking[campaign_id].plan, known[campaign_id].pop(0))
        if nobody:
            self._nobody_due(nobody)
        self.agenda.look_at_once(campaign_id for campaign_id in wishes if campaign_id not in counts)

    def _read(
        self, asking: Mapping[str, DialledCampaign], counts: Mapping[str, int], now: float
    ) -> dict[str, list[Due]]:
        """Who is due of each campaign, up to its count."""
        wanted = {name: more for name, count in counts.items() if (more := asking[name].to_read(count, now))}
        for share in dict.fromkeys([self.around.share(), (0, 1)]):
            if not wanted:
                break
            asked_for = {name: more * READ_AHEAD for name, more in wanted.items()}
            skipped = [one for name in asked_for for one in asking[name].skipped(now)]
            for name, found in self.statements.due(asked_for, share, skipped).items():
                asking[name].read(found, now)
            wanted = {name: more for name, more in wanted.items() if not asking[name].due}
        return {name: asking[name].take(count) for name, count in counts.items()}

    def _awake(self, looked: Sequence[DialledCampaign]) -> list[DialledCampaign]:
        """Those that do not sleep, and of the others, which are asked about in one statement, those in which somebody
        is due now."""
        awake = [campaign for campaign in looked if not campaign.asleep]
        asleep = [campaign for campaign in looked if campaign.asleep]
        first = self.statements.next_due([one.campaign_id for one in asleep]) if asleep else {}
        for campaign in asleep:
            pending = first.get(campaign.campaign_id)
            # Something may have woken it while the database was waited for.
            if not campaign.asleep or (pending is not None and pending.seconds <= 0):
                campaign.asleep = False
                awake.append(campaign)
            else:
                self._rest(campaign, pending)
        return awake

    def _nobody_due(self, campaigns: Sequence[DialledCampaign]) -> None:
        now, waiting = self.now(), []
        for campaign in campaigns:
            passed_over = campaign.passed_over(now)
            if passed_over is not None:
                until = campaign.plan.over_at(passed_over.reason)
                self.wishes.block(campaign, passed_over.reason, min(passed_over.seconds, SLOT_SECONDS), until)
            else:
                waiting.append(campaign)
        first = self.statements.next_due([one.campaign_id for one in waiting]) if waiting else {}
        for campaign in waiting:
            pending = first.get(campaign.campaign_id)
            if pending is not None and pending.seconds <= 0:
                # Somebody else is at this very contact.
                self.agenda.look_again(campaign, TAKEN_SECONDS)
            else:
                self._rest(campaign, pending)

    def _rest(self, campaign: DialledCampaign, pending: NextDue | None) -> None:
        """Nobody is due in a campaign before `pending`; None: nobody is left."""
        up = self.send_queue.live_calls.count_of_campaign(campaign.campaign_id)
        if pending is None:
            # Of one that is not over by that, contacts are to come back.
            word = HoldKind.BREAKER if campaign.plan.breakers and not up else None
            self.reasons.tell(campaign.campaign_id, word, campaign.plan.over_at(word))
        elif pending.window:
            self.reasons.tell(campaign.campaign_id, "window", pending.at)
        else:
            refused = self.around.refused() or pending.reason
            self.reasons.tell(campaign.campaign_id, refused or "retry_wait", pending.at)
        if pending is not None and pending.seconds + LATE_SECONDS < IDLE_SECONDS:
            self.agenda.look_again(campaign, pending.seconds + LATE_SECONDS)
            return
        campaign.asleep = True
        # All that sleep are looked at together, once a second.
        self.agenda.look_again(campaign, IDLE_SECONDS + -self.now() % TOGETHER_SECONDS)
        if pending is None and not up and not campaign.plan.keep_open:
            self.around.exhausted(campaign.campaign_id)

    def _after(self, campaign: DialledCampaign, outcome: Outcome, asked_at: float) -> None:
        """What a batch says of a campaign, and when it is looked at next."""
        plan = campaign.plan
        if not self.agenda.dials(campaign):
            return
        now = self.now()
        binding = campaign.asked(outcome.claimed, outcome.denied, now)
        self.slow_starts.placed(plan, outcome.claimed, now)
        slowed = None if binding is not None else self.slow_starts.word(plan, now)
        cap = slowed if binding is None else binding.reason
        self.pace.note(plan.campaign_id, outcome.offered, outcome.claimed, cap)
        if outcome.claimed:
            self.reasons.tell(plan.campaign_id, self.around.refused() or slowed)
        elif binding is not None:
            self.reasons.tell(plan.campaign_id, binding.reason, over_at(plan, binding, self.clock()))
        if binding is None:
            # Where others got all of them, they are at the next as well.
            busy = outcome.claimed or outcome.denied
            self.agenda.look_again(campaign, SOONEST_SECONDS if busy else TAKEN_SECONDS)
            return
        bound = self.agenda.binding(plan, self.now())
        if bound is not None:
            self.agenda.wait_for(bound[0], plan.campaign_id)
        else:
            self.agenda.look_again(campaign, asked_at + self._pause(binding) - self.now())

    def _pause(self, denial: Denied) -> float:
        return pause(denial, self.timing.horizon)

    def _put_off(self, looked: Sequence[DialledCampaign], reason: str | None) -> None:
        """Something that all need is away; those that were looked at are looked at again in a while."""
        for campaign in looked:
            if reason is not None:
                self.reasons.tell(campaign.campaign_id, reason)
            self.agenda.look_again(campaign, UNAVAILABLE_SECONDS * random.uniform(0.8, 1.0))

    def _until_next(self, now: float) -> float:
        """The seconds until somebody is due for a look."""
        at = self.agenda.next_at()
        times = [] if at is None else [at]
        times += [item.ask_at for item in self.send_queue.lapsed.values()]
        times += self.send_queue.overdue_at()
        return max(0.0, min(times, default=now + IDLE_SECONDS) - now)
