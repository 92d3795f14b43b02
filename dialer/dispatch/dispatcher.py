"""Dials one campaign: a greenlet in every dialer for every running campaign.

Reads who is due, asks the limiter for permits, claims the admitted ones, commits, and only then writes. It never
waits for a call. Each decision has one binding constraint, which the campaign shows as `blocked_reason`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from gevent.event import Event as Signal

from campaigns.actions import ActionRefused
from coordination.errors import Fenced
from dialer.dispatch.claims import Claimed, ClaimRequest, Due, claim, claim_again, due, next_due
from dialer.dispatch.departures import GROUP, Departures, permits_for
from dialer.dispatch.gateway_choice import PAUSED, Deferred, GatewayCandidate, candidates
from dialer.dispatch.plans import GatewayPlan, Plan
from dialer.errors import DATABASE_AWAY
from dialer.fault_points import FaultPoint, hit
from dialer.live_calls import LiveCall
from freeswitch.errors import CommandRefused
from limits.caps import Denied, NodeCaps, Permit, PermitRequest
from limits.errors import LimiterUnavailable
from models import new_id

log = structlog.get_logger()

FIRST_GROUP = 4
IDLE_SECONDS = 1.0
SLOT_SECONDS = 0.25
UNAVAILABLE_SECONDS = 0.5
SOONEST_SECONDS = 0.002
TURN_SECONDS = 0.004
"""Who was just served comes back to a shared cap by up to twice this later than who was not. The limiter lets a late
asker catch up by 20 ms, so it costs nothing."""

SHARED_SLOTS = frozenset({"tenant_concurrency", "gateway_channels", "node_channels"})
"""Caps on slots that several campaigns may wait for."""


class Surroundings(Protocol):
    """What a dispatcher asks of the process around it."""

    def plan(self, campaign_id: str) -> Plan | None: ...
    def nodes(self) -> Sequence[NodeCaps]: ...
    def why_no_node(self) -> str: ...
    def core_uuid(self, node: str) -> str | None: ...
    def take_probe(self, gateway_id: str) -> bool: ...
    def return_probe(self, gateway_id: str) -> None: ...
    def share(self) -> tuple[int, int]: ...
    def tell(self, plan: Plan, reason: str | None, next_action_at: str | None) -> None: ...
    def exhausted(self, campaign_id: str) -> None: ...
    def failed(self, campaign_id: str) -> None: ...
    def announce(self, claimed: Sequence[Claimed]) -> None: ...
    def note_unknown_claim(self, permits: Sequence[Permit]) -> None: ...


@dataclass(slots=True)
class Dispatcher:
    """One campaign's dialling in this process.

    `waits_for` is the cap that bound the last decision, `dialled_at` when one last led to a call.
    """

    campaign_id: str
    dialer_id: str
    around: Surroundings
    departures: Departures
    now: Callable[[], float] = time.monotonic
    waits_for: str | None = None
    dialled_at: float = 0.0
    _wake: Signal = field(default_factory=Signal)
    _deferred: Deferred = field(default_factory=Deferred)
    _group: int = FIRST_GROUP
    _checked: Plan | None = None
    _stopping: bool = False
    _ended: bool = False

    def wake(self) -> None:
        """Look again now: a slot came free, or the campaign changed."""
        self._wake.set()

    def stop(self) -> None:
        """Claim nothing more; what is claimed and unsent goes back."""
        self._stopping = True
        self._wake.set()

    def resend(self, call: LiveCall) -> bool:
        """Send a call once more under its id, with a permit of now; False where it may not be sent any more.

        Its row says from now on that its events carry this dialer's id. Raises what a database that is away raises.
        """
        plan = self.around.plan(self.campaign_id)
        if self._stopping or plan is None or plan.gateway(call.gateway_id) is None:
            return False
        if not self.departures.sender.allowed(call):
            return False
        custom_fields = claim_again(call.call_id, self.dialer_id)
        if custom_fields is None:
            return False
        hit(FaultPoint.RESEND_CLAIMED)
        if not call.resend():
            return True
        call.sent_by = self.dialer_id
        call.claimed_at = self.now()
        self.departures.wait(plan, call, custom_fields)
        self.wake()
        if self._ended:
            # The greenlet withdrew what it had, and ended, while the row was written.
            self.departures.withdraw_all()
        return True

    def run(self) -> None:
        """The greenlet: until the campaign no longer runs, or `stop`. Nothing that one decision raises ends it."""
        try:
            while not self._stopping:
                plan = self.around.plan(self.campaign_id)
                if plan is None:
                    break
                self._wake.clear()
                wait = self._step_or_wait(plan)
                self._wake.wait(timeout=max(wait, SOONEST_SECONDS))
        finally:
            self._ended = True
            self.departures.withdraw_all()

    def step(self, plan: Plan) -> float:
        """One decision; returns the seconds until the next is worth making."""
        if not self._can_go_on(plan):
            return IDLE_SECONDS
        self.departures.let_go(plan)
        if plan.halted:
            self.departures.withdraw_all()
            return self._blocked(plan, "halted", IDLE_SECONDS)
        if not self.departures and all(gateway.shut for gateway in plan.gateways):
            return self._blocked(plan, "gateway_paused", IDLE_SECONDS)
        nodes = self.around.nodes()
        if not nodes:
            return self._blocked(plan, self.around.why_no_node(), UNAVAILABLE_SECONDS)
        if self.departures:
            return self.departures.ask_again(plan, nodes)
        if not self.departures.sender.may_claim(plan.tenant_id, self.campaign_id, plan.generation):
            # Blocked, or the lease or the session lock is gone: what is claimed now would only go back.
            return SLOT_SECONDS
        free = plan.max_concurrent_calls - self.departures.live_calls.count_of_campaign(self.campaign_id)
        if free <= 0:
            return self._blocked(plan, "campaign_concurrency", SLOT_SECONDS)
        wanted = self._candidates(min(free, self._group))
        if not wanted:
            return self._nobody_due(plan)
        return self._dial(plan, nodes, wanted)

    def _step_or_wait(self, plan: Plan) -> float:
        try:
            return self.step(plan)
        except (LimiterUnavailable, Fenced):
            self.around.tell(plan, "no_redis", None)
        except DATABASE_AWAY as error:
            log.warning("dispatch_waits", campaign_id=self.campaign_id, error=type(error).__name__)
        except Exception:
            log.exception("dispatch_failed", campaign_id=self.campaign_id)
        return UNAVAILABLE_SECONDS

    def _can_go_on(self, plan: Plan) -> bool:
        if plan is self._checked:
            return True
        try:
            self.departures.originate_builder.check(plan)
        except (ActionRefused, CommandRefused) as refused:
            log.error("campaign_cannot_go_on", campaign_id=self.campaign_id, reason=str(refused))
            self.around.failed(self.campaign_id)
            return False
        self._checked = plan
        return True

    def _candidates(self, count: int) -> list[Due]:
        skipped = self._deferred.now(self.now())
        limit = count + len(skipped)
        found: list[Due] = []
        shares = dict.fromkeys([self.around.share(), (0, 1)])
        for share in shares:
            found = [item for item in due(self.campaign_id, limit, share) if item.contact_id not in skipped]
            if found:
                break
        return found[:count]

    def _nobody_due(self, plan: Plan) -> float:
        skipped = self._deferred.first(self.now())
        if skipped is not None:
            return self._blocked(plan, skipped.reason, min(skipped.seconds, SLOT_SECONDS))
        self.waits_for = None
        first = next_due(self.campaign_id)
        if first is None:
            self.around.tell(plan, None, None)
            if not self.departures.live_calls.count_of_campaign(self.campaign_id):
                self.around.exhausted(self.campaign_id)
            return IDLE_SECONDS
        at, seconds = first
        if seconds <= 0:
            # Somebody else is at this very contact.
            return SOONEST_SECONDS * 5
        self.around.tell(plan, "retry_wait", at)
        return min(seconds, IDLE_SECONDS)

    def _dial(self, plan: Plan, nodes: Sequence[NodeCaps], wanted: Sequence[Due]) -> float:
        """Every contact by the first of its gateways that may take it; those of one gateway ask together."""
        waiting, denied = candidates(plan, wanted)
        sent, denied = self._dial_by_gateway(plan, nodes, waiting, denied)
        self._group = min(GROUP, self._group * 2) if not denied else max(2, min(GROUP, sent * 2))
        skipped = [self._deferred.add(plan, due, answer, self.now()) for due, answer in denied]
        return self._after(plan, bool(sent), [answer for _, answer in denied], all(skipped))

    def _dial_by_gateway(
        self,
        plan: Plan,
        nodes: Sequence[NodeCaps],
        waiting: list[GatewayCandidate],
        denied: list[tuple[Due, Denied]],
    ) -> tuple[int, list[tuple[Due, Denied]]]:
        """How many were admitted, and who was denied."""
        sent = 0
        while waiting:
            gateway = waiting[0].gateway
            together = [choice for choice in waiting if choice.gateway is gateway]
            waiting = [choice for choice in waiting if choice.gateway is not gateway]
            admitted, refused = self._ask(plan, gateway, nodes, together)
            send = self._probe if gateway.paused else self._claim_and_send
            if admitted and send(plan, admitted) is None:
                refused += [(choice, PAUSED) for choice, _ in admitted]
            else:
                sent += len(admitted)
            for choice, answer in refused:
                other = choice.next() if answer.reason in ("gateway_channels", "gateway_paused") else None
                if other is not None:
                    waiting.append(other)
                else:
                    denied.append((choice.due, answer))
        return sent, denied

    def _probe(self, plan: Plan, admitted: Sequence[tuple[GatewayCandidate, Permit]]) -> int | None:
        """`_claim_and_send` by a paused gateway; None where another call probes it. The permit comes before the
        probe: a call that a cap holds up must not keep the gateway from being probed."""
        gateway_id = admitted[0][0].gateway.gateway_id
        permits = [permit for _, permit in admitted]
        try:
            taken = self.around.take_probe(gateway_id)
        except BaseException:
            self.around.note_unknown_claim(permits)
            raise
        if not taken:
            self.departures.limiter.give_back(permits)
            return None
        claimed = 0
        try:
            claimed = self._claim_and_send(plan, admitted)
        finally:
            if not claimed:
                self.around.return_probe(gateway_id)
        return claimed

    def _ask(
        self,
        plan: Plan,
        gateway: GatewayPlan,
        nodes: Sequence[NodeCaps],
        together: Sequence[GatewayCandidate],
    ) -> tuple[list[tuple[GatewayCandidate, Permit]], list[tuple[GatewayCandidate, Denied]]]:
        """The permits and the denials for contacts that would leave by one gateway."""
        requests = [PermitRequest(str(new_id()), choice.due.phone_number) for choice in together]
        answers = permits_for(self.departures.limiter, plan, gateway, nodes, requests)
        answered = list(zip(together, answers, strict=True))
        admitted = [(choice, answer) for choice, answer in answered if isinstance(answer, Permit)]
        return admitted, [(choice, answer) for choice, answer in answered if isinstance(answer, Denied)]

    def _after(self, plan: Plan, dialled: bool, denied: Sequence[Denied], all_skipped: bool) -> float:
        """What the decision says of the campaign, and the seconds until the next."""
        binding = [answer for answer in denied if answer.reason != "number_cap"]
        first = min(binding, key=lambda answer: answer.retry_after, default=None)
        self.waits_for = None if first is None else first.reason
        if dialled:
            self.dialled_at = self.now()
        if first is None:
            if dialled:
                self.around.tell(plan, None, None)
            return 0.0
        if all_skipped:
            # Those behind them may have a gateway of their own.
            return 0.0
        if not dialled:
            self.around.tell(plan, first.reason, None)
        return first.retry_after + TURN_SECONDS * (random.random() + dialled)

    def _claim_and_send(self, plan: Plan, admitted: Sequence[tuple[GatewayCandidate, Permit]]) -> int:
        """How many of them were ours to send."""
        permits = {permit.call_id: permit for _, permit in admitted}
        tried = {permit.call_id: choice.due.tried for choice, permit in admitted}
        wanted = [
            ClaimRequest(
                choice.due.contact_id,
                permit.call_id,
                permit.node,
                self.around.core_uuid(permit.node),
                choice.gateway.gateway_id,
                choice.due.sends,
                plan.ring_timeout_seconds,
                plan.max_call_seconds,
            )
            for choice, permit in admitted
        ]
        cores = {item.call_id: item.core_uuid for item in wanted}
        hit(FaultPoint.PERMITTED)
        try:
            claimed = claim(self.campaign_id, self.dialer_id, wanted)
        except BaseException:
            # Whether the commit arrived is not known; what is certain is that nothing was sent.
            self.around.note_unknown_claim(list(permits.values()))
            raise
        hit(FaultPoint.CLAIMED)
        # All of them are ours before the first is sent: what goes wrong with one must not lose the others.
        calls = [
            self.departures.enter(plan, item, permits[item.call_id], cores[item.call_id], tried[item.call_id])
            for item in claimed
        ]
        self.around.announce(claimed)
        hit(FaultPoint.ENTERED)
        for call, item in zip(calls, claimed, strict=True):
            self.departures.leave(plan, call, item.custom_fields, permits[item.call_id])
        taken = {item.call_id for item in claimed}
        unused = [permit for call_id, permit in permits.items() if call_id not in taken]
        if unused:
            self.departures.limiter.give_back(unused)
        return len(claimed)

    def _blocked(self, plan: Plan, reason: str, wait: float) -> float:
        self.waits_for = reason
        self.around.tell(plan, reason, None)
        return wait
