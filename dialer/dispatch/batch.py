"""One batch of calls over all campaigns: its turns, its claim, and its calls handed to the send queue."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from peewee import DataError, IntegrityError

from dialer.dispatch.claim_window import ClaimWindow
from dialer.dispatch.claims import Claimed, ClaimRequest, Statements
from dialer.dispatch.due import Due
from dialer.dispatch.gateway_choice import UNCLAIMABLE, GatewayCandidate, candidates, denied_by, postponed
from dialer.dispatch.plans import GatewayPlan, Plan
from dialer.dispatch.postponing import Postponed
from dialer.dispatch.send_queue import AGAIN_SECONDS, SendQueue, Waiting
from dialer.dispatch.turn_timing import TurnTiming
from dialer.fault_points import FaultPoint, hit
from dialer.holds import Hold, HoldKind
from dialer.live_calls import LiveCall
from limits.caps import CallCaps, Denied, GatewayCaps, NodeCaps, Permit, PermitRequest, TenantCaps
from models import new_id

log = structlog.get_logger()

UNCLAIMABLE_SECONDS = 60.0
NO_NODE = Denied("", "no_node", 1.0)
"""No node that can take a call has a share of the rate of the gateway that the agent is reached by."""


class PermitSource(Protocol):
    """Who hands out permits: the limiter."""

    def acquire(
        self, nodes: Sequence[NodeCaps], requests: Sequence[PermitRequest], *, lead: float, horizon: float
    ) -> list[Permit | Denied]:
        """An answer for each request. Raises LimiterUnavailable or Fenced."""

    def give_back(self, permits: Sequence[Permit], /) -> None:
        """These were never used. Raises LimiterUnavailable."""


class ClaimSurroundings(Protocol):
    """What a batch asks of the process around it."""

    def core_uuid(self, node: str) -> str | None: ...
    def node_names(self) -> Sequence[str]: ...
    def take_probe(self, hold: Hold) -> bool: ...
    def return_probe(self, hold: Hold) -> None: ...
    def announce(self, claimed: Sequence[Claimed]) -> None: ...
    def note_unknown_claim(self, permits: Sequence[Permit]) -> None: ...
    def note_unclaimed(self, contacts: Sequence[Due]) -> None: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """A contact of a campaign, and the gateway it would leave by."""

    plan: Plan
    candidate: GatewayCandidate

    @property
    def gateway(self) -> GatewayPlan:
        return self.candidate.gateway


@dataclass(frozen=True, slots=True)
class Answered:
    """What the limiter said of one call by one gateway. `some_nodes`: not every node may take it."""

    tenant_id: str
    gateway_id: str
    answer: Permit | Denied
    second_leg_gateway_id: str | None = None
    some_nodes: bool = False
    single: bool = False


@dataclass(slots=True)
class Outcome:
    """What a batch brought one campaign: contacts that it asked for, calls that were claimed, and contacts that may
    not be called yet."""

    offered: int = 0
    claimed: int = 0
    denied: list[tuple[Due, Denied]] = field(default_factory=list)


def caps_of(plan: Plan, gateway: GatewayPlan) -> CallCaps:
    """Every cap over a call of this campaign by this gateway, but its node's."""
    tenant = TenantCaps(
        plan.concurrent_max,
        plan.calls_per_minute,
        plan.daily_calls_max,
        plan.daily_minutes_max,
        plan.number_caps,
        plan.reserved_concurrency,
    )
    return CallCaps(
        plan.tenant_id,
        plan.campaign_id,
        plan.max_concurrent_calls,
        tenant,
        GatewayCaps(gateway.gateway_id, gateway.cps, gateway.channels),
        None
        if plan.second_leg is None
        else GatewayCaps(plan.second_leg.gateway_id, None, plan.second_leg.channels),
        plan.single_call,
    )


@dataclass(slots=True)
class Batch:
    """Made for one look. `offered` are the nodes that can take a call, `order` draws the order for one."""

    dialer_id: str
    limiter: PermitSource
    around: ClaimSurroundings
    send_queue: SendQueue
    offered: Sequence[NodeCaps]
    order: Callable[[], Sequence[str]]
    timing: TurnTiming
    window: ClaimWindow
    statements: Statements = field(default_factory=Statements)
    now: Callable[[], float] = time.monotonic
    outcomes: dict[str, Outcome] = field(default_factory=lambda: defaultdict(Outcome))
    answered: list[Answered] = field(default_factory=list)
    asked_at: float = field(init=False)
    """When the limiter was last asked."""
    _wanted: list[tuple[Plan, Due]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.asked_at = self.now()

    def add(self, plan: Plan, due: Due) -> None:
        """A contact that wants to be called; in the order of the adding they get their turns."""
        self._wanted.append((plan, due))
        self.outcomes[plan.campaign_id].offered += 1

    def late(self) -> list[Postponed]:
        """Whose numbers may not be called for a while, by the plans that they were asked for with."""
        plans = {plan.campaign_id: plan for plan, _ in self._wanted}
        return [
            Postponed(
                due.contact_id, denied.retry_after, plan.tenant_id, plan.generation, plan.limits_version
            )
            for campaign_id, plan in plans.items()
            for due, denied in self.outcomes[campaign_id].denied
            if postponed(denied)
        ]

    def dial(self, waiting: Sequence[Waiting]) -> None:
        """Ask for turns, for calls that wait for one again and for those that were added; claim and hand over who got
        one. Raises what limiter and database raise; what was claimed by then leaves all the same."""
        choices = self._choices()
        answers = self._ask_with(waiting, choices)
        while choices:
            admitted = [(c, a) for c, a in zip(choices, answers, strict=True) if isinstance(a, Permit)]
            refused = [(c, a) for c, a in zip(choices, answers, strict=True) if isinstance(a, Denied)]
            refused += self._send(admitted)
            choices = []
            for choice, answer in refused:
                other = (
                    choice.candidate.next()
                    if answer.reason in ("gateway_channels", *HoldKind) and not answer.of_second_leg
                    else None
                )
                if other is not None:
                    choices.append(Choice(choice.plan, other))
                else:
                    self.outcomes[choice.plan.campaign_id].denied.append((choice.candidate.due, answer))
            if choices:
                answers = self._ask_with((), choices)

    def _choices(self) -> list[Choice]:
        """Every contact with the first of its gateways that may take it; for some there is none now."""
        by_campaign: dict[str, tuple[Plan, list[Due]]] = {}
        for plan, due in self._wanted:
            by_campaign.setdefault(plan.campaign_id, (plan, []))[1].append(due)
        found: dict[str, GatewayCandidate] = {}
        for plan, wanted in by_campaign.values():
            if not any(self._may_take(plan, node.name) for node in self.offered):
                self.outcomes[plan.campaign_id].denied += [(due, NO_NODE) for due in wanted]
                continue
            open_now, closed = candidates(plan, wanted)
            found |= {candidate.due.contact_id: candidate for candidate in open_now}
            self.outcomes[plan.campaign_id].denied += closed
        return [Choice(plan, found[due.contact_id]) for plan, due in self._wanted if due.contact_id in found]

    def _ask_with(self, waiting: Sequence[Waiting], choices: Sequence[Choice]) -> list[Permit | Denied]:
        """The answers for `choices`; those for `waiting` are acted on. All in one question."""
        again = self._requests_again(waiting)
        requests = [*(request for _, request in again), *map(self._first_request, choices)]
        if not requests:
            return []
        self.asked_at = self.now()
        answers = self.limiter.acquire(
            self.offered, requests, lead=self.timing.lead, horizon=self.timing.horizon
        )
        self.answered += [
            Answered(
                request.caps.tenant_id,
                request.caps.gateway.id,
                answer,
                None if request.caps.second_leg is None else request.caps.second_leg.id,
                # Who waits for a permit has its node, which is as full for the others.
                place >= len(again) and len(request.nodes) < len(self.offered),
                request.caps.single,
            )
            for place, (request, answer) in enumerate(zip(requests, answers, strict=True))
        ]
        for (item, _), answer in zip(again, answers, strict=False):
            if isinstance(answer, Permit):
                self.send_queue.renewed(item, answer)
            else:
                item.ask_at = self.now() + answer.retry_after
        return answers[len(again) :]

    def _requests_again(self, waiting: Sequence[Waiting]) -> list[tuple[Waiting, PermitRequest]]:
        """What is asked for calls that have to have another permit; those that cannot leave any more as they were
        claimed go back."""
        found: list[tuple[Waiting, PermitRequest]] = []
        names = {node.name for node in self.offered}
        for item in waiting:
            plan = self.send_queue.plan(item.call.campaign_id)
            gateway = None if plan is None else plan.gateway(item.call.gateway_id)
            if (
                plan is None
                or gateway is None
                or item.call.node not in names
                or not _same_leg(plan, item.call)
            ):
                self.send_queue.withdraw(item.call, delay=AGAIN_SECONDS)
                continue
            request = PermitRequest(
                item.call.call_id,
                item.call.phone_number,
                caps_of(plan, gateway),
                (item.call.node,),
                item.may_have_left,
                plan.caps_on(item.call.phone_number),
            )
            found.append((item, request))
        return found

    def _first_request(self, choice: Choice) -> PermitRequest:
        """What is asked for a contact that is to be claimed, under the id that its call will have."""
        return PermitRequest(
            str(new_id()),
            choice.candidate.due.phone_number,
            caps_of(choice.plan, choice.gateway),
            [name for name in self.order() if self._may_take(choice.plan, name)],
            number_caps=choice.plan.caps_on(choice.candidate.due.phone_number),
        )

    def _may_take(self, plan: Plan, node: str) -> bool:
        """Whether a node may connect a campaign's people to its agent: it has a share of that one's gateway."""
        second = plan.second_leg
        if second is None or second.cps is None:
            return True
        return second.rate(self.around.node_names(), node) is not None

    def _send(self, admitted: Sequence[tuple[Choice, Permit]]) -> list[tuple[Choice, Denied]]:
        """Claim and hand over; back come those that were to probe what another call probes."""
        if not admitted:
            return []
        hit(FaultPoint.PERMITTED)
        refused: list[tuple[Choice, Denied]] = []
        left: dict[str, Permit] = {permit.call_id: permit for _, permit in admitted}
        try:
            probing = [one for one in admitted if one[0].candidate.probes]
            self._claim([one for one in admitted if not one[0].candidate.probes], left)
            refused += [
                (one[0], denied_by(one[0].candidate.probes)) for one in probing if not self._probe(one, left)
            ]
        finally:
            if left:
                # Whether their commit arrived is not known; what is certain is that nothing was sent.
                self.around.note_unknown_claim(list(left.values()))
        return refused

    def _probe(self, one: tuple[Choice, Permit], left: dict[str, Permit]) -> bool:
        """`_claim` by what is held; False where another call probes it. The permit comes before the probe: a call
        that a cap holds up must not keep it from being probed."""
        choice, permit = one
        # One taking is for all that one gateway holds of a destination.
        wanted = {(hold.kind, hold.subject): hold for hold in choice.candidate.probes}.values()
        taken: list[Hold] = []
        claimed = 0
        try:
            for hold in wanted:
                if not self.around.take_probe(hold):
                    self.send_queue.limiter.give_back([left.pop(permit.call_id)])
                    return False
                taken.append(hold)
            claimed = self._claim([one], left)
        finally:
            if not claimed:
                for hold in taken:
                    self.around.return_probe(hold)
        return True

    def _claim(self, admitted: Sequence[tuple[Choice, Permit]], left: dict[str, Permit]) -> int:
        """How many of them were ours to send. A row that the database refuses does not hold up the others."""
        if not admitted:
            return 0
        wanted = [self._request(choice, permit) for choice, permit in admitted]
        dues = [choice.candidate.due for choice, _ in admitted]
        claimed_at = self.now()
        try:
            claimed = self.statements.claim(self.dialer_id, wanted)
        except (DataError, IntegrityError):
            # Not a server that is away, but something that it will never take: found by halving.
            if len(admitted) > 1:
                ordered = sorted(admitted, key=lambda one: one[0].plan.campaign_id)
                middle = len(ordered) // 2
                first = self._claim(ordered[:middle], left)
                return first + self._claim(ordered[middle:], left)
            ((choice, _),) = admitted
            log.exception("contact_not_claimed", contact_id=choice.candidate.due.contact_id)
            denied = Denied("", UNCLAIMABLE, UNCLAIMABLE_SECONDS)
            self.outcomes[choice.plan.campaign_id].denied.append((choice.candidate.due, denied))
            return 0
        hit(FaultPoint.CLAIMED)
        self._hand_over(admitted, wanted, claimed, left, claimed_at)
        self.timing.ready_after(self.now() - self.asked_at)
        unused = [left.pop(permit.call_id) for _, permit in admitted if permit.call_id in left]
        if unused:
            self.send_queue.limiter.give_back(unused)
            ours = {item.contact_id for item in claimed}
            self._postpone([item for item in wanted if item.contact_id not in ours])
            self.around.note_unclaimed([due for due in dues if due.contact_id not in ours])
        return len(claimed)

    def _postpone(self, unclaimed: Sequence[ClaimRequest]) -> None:
        """Whose number is to be left alone is read again when that is over."""
        resting = {item.contact_id: item.rests for item in unclaimed if item.rests is not None}
        if resting:
            self.statements.postpone_resting(resting)

    def _hand_over(
        self,
        admitted: Sequence[tuple[Choice, Permit]],
        wanted: Sequence[ClaimRequest],
        claimed: Sequence[Claimed],
        left: dict[str, Permit],
        claimed_at: float,
    ) -> None:
        """They are ours by a claim that was asked for at `claimed_at`."""
        choices = {permit.call_id: choice for choice, permit in admitted}
        cores = {item.call_id: item.core_uuid for item in wanted}
        permits = {item.call_id: left.pop(item.call_id) for item in claimed}
        # All of them are ours before the first is sent: what goes wrong with one must not lose the others.
        calls = [
            self.send_queue.register(
                choices[item.call_id].plan,
                item,
                permits[item.call_id],
                cores[item.call_id],
                choices[item.call_id].candidate,
                asked_at=self.asked_at,
            )
            for item in claimed
        ]
        for call, item in zip(calls, claimed, strict=True):
            call.closes(item.closes_in, claimed_at)
        last_turn = max((permit.leaves_at for permit in permits.values()), default=0.0)
        self.window.claimed(calls, last_turn - self.now())
        self.around.announce(claimed)
        hit(FaultPoint.ENTERED)
        for call, item in zip(calls, claimed, strict=True):
            plan = choices[item.call_id].plan
            self.outcomes[plan.campaign_id].claimed += 1
            self.send_queue.send(plan, call, item.custom_fields, permits[item.call_id])

    def _request(self, choice: Choice, permit: Permit) -> ClaimRequest:
        plan, due = choice.plan, choice.candidate.due
        return ClaimRequest(
            plan.campaign_id,
            plan.generation,
            due.contact_id,
            permit.call_id,
            permit.node,
            self.around.core_uuid(permit.node),
            choice.gateway.gateway_id,
            due.sends,
            plan.ring_seconds_on(due.phone_number),
            plan.max_call_seconds,
            None if plan.second_leg is None else plan.second_leg.gateway_id,
            plan.rests_of(due.phone_number),
            phone_number=due.phone_number,
        )


def _same_leg(plan: Plan, call: LiveCall) -> bool:
    """Whether a call's agent is still reached as when it was claimed."""
    return call.second_leg_gateway_id == (None if plan.second_leg is None else plan.second_leg.gateway_id)
