"""Dials one campaign: a greenlet in every dialer for every running campaign.

Reads who is due, asks the limiter for permits, claims the admitted ones, commits, and only then writes. It never
waits for a call. Each decision has one binding constraint, which the campaign shows as `blocked_reason`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from gevent.event import Event as Signal
from peewee import PeeweeException

from campaigns.actions import ActionRefused
from dialer.book import Book, Flight
from dialer.claims import Claimed, Due, Wanted, claim, claim_again, due, next_due
from dialer.plans import Plan
from dialer.recorder import Recorder
from dialer.requests import Requests
from dialer.sender import Outcome, Sender
from freeswitch.commands import OriginateRequest
from freeswitch.errors import CommandRefused
from limits.caps import Denied, GatewayCaps, NodeCaps, Permit, PermitRequest, TenantCaps
from limits.errors import Fenced, LimiterUnavailable
from limits.limiter import Limiter
from models import new_id

log = structlog.get_logger()

GROUP = 50
IDLE_SECONDS = 1.0
SLOT_SECONDS = 0.25
UNAVAILABLE_SECONDS = 0.5
SOONEST_SECONDS = 0.002
SKIP_SECONDS = 1.0
UNSENT_SECONDS = 5.0
"""A claimed call that gets no new permit for so long goes back: its contact may be called by who has room."""


class Surroundings(Protocol):
    """What a dispatcher asks of the process around it."""

    def plan(self, campaign_id: str) -> Plan | None: ...
    def nodes(self) -> Sequence[NodeCaps]: ...
    def core_uuid(self, node: str) -> str | None: ...
    def share(self) -> tuple[int, int]: ...
    def tell(self, plan: Plan, reason: str | None, next_action_at: str | None) -> None: ...
    def exhausted(self, campaign_id: str) -> None: ...
    def failed(self, campaign_id: str) -> None: ...
    def announce(self, claimed: Sequence[Claimed]) -> None: ...
    def doubt(self, permits: Sequence[Permit]) -> None: ...


@dataclass(slots=True)
class Unsent:
    """A claimed call whose permit lapsed before it was written."""

    flight: Flight
    request: OriginateRequest


@dataclass(slots=True)
class Dispatcher:
    """One campaign's dialling in this process."""

    campaign_id: str
    dialer_id: str
    around: Surroundings
    limiter: Limiter
    requests: Requests
    sender: Sender
    recorder: Recorder
    book: Book
    now: Callable[[], float] = time.monotonic
    _unsent: list[Unsent] = field(default_factory=list)
    _wake: Signal = field(default_factory=Signal)
    _skip_until: dict[str, float] = field(default_factory=dict)
    _group: int = 4
    _checked: Plan | None = None
    _stopping: bool = False

    def wake(self) -> None:
        """Look again now: a slot came free, or the campaign changed."""
        self._wake.set()

    def stop(self) -> None:
        """Claim nothing more; what is claimed and unsent goes back."""
        self._stopping = True
        self._wake.set()

    def repeat(self, flight: Flight) -> bool:
        """Send a call once more under its id, with a permit of now; False where it may not be sent any more.

        Its row says from now on that its events carry this dialer's id.
        """
        plan = self.around.plan(self.campaign_id)
        if self._stopping or plan is None or not self.sender.allowed(flight):
            return False
        custom_fields = claim_again(flight.call_id, self.dialer_id)
        if custom_fields is None:
            return False
        flight.sent_by = self.dialer_id
        flight.repeated = True
        flight.sent_at = None
        flight.claimed_at = self.now()
        request = self._request(plan, flight, custom_fields)
        if request is not None:
            self._unsent.append(Unsent(flight, request))
            self.wake()
        return True

    def run(self) -> None:
        """The greenlet: until the campaign no longer runs, or `stop`."""
        while not self._stopping:
            plan = self.around.plan(self.campaign_id)
            if plan is None:
                break
            self._wake.clear()
            try:
                wait = self.step(plan)
            except (LimiterUnavailable, Fenced):
                self.around.tell(plan, "no_redis", None)
                wait = UNAVAILABLE_SECONDS
            except PeeweeException as error:
                log.warning("dispatch_failed", campaign_id=self.campaign_id, error=type(error).__name__)
                wait = UNAVAILABLE_SECONDS
            self._wake.wait(timeout=max(wait, SOONEST_SECONDS))
        self._withdraw_all()

    def step(self, plan: Plan) -> float:
        """One decision; returns the seconds until the next is worth making."""
        if plan is not self._checked:
            try:
                self.requests.check(plan)
            except (ActionRefused, CommandRefused) as refused:
                log.error("campaign_cannot_go_on", campaign_id=self.campaign_id, reason=str(refused))
                self.around.failed(self.campaign_id)
                return IDLE_SECONDS
            self._checked = plan
        if plan.halted:
            self._withdraw_all()
            return self._blocked(plan, "halted", IDLE_SECONDS)
        nodes = self.around.nodes()
        if not nodes:
            return self._blocked(plan, "no_node", UNAVAILABLE_SECONDS)
        if self._unsent:
            return self._ask_again(plan)
        room = plan.max_concurrent_calls - self.book.count_of_campaign(self.campaign_id)
        if room <= 0:
            return self._blocked(plan, "campaign_concurrency", SLOT_SECONDS)
        wanted = self._candidates(min(room, self._group))
        if not wanted:
            return self._nobody_due(plan)
        return self._dial(plan, nodes, wanted)

    def _candidates(self, count: int) -> list[Due]:
        now = self.now()
        self._skip_until = {key: until for key, until in self._skip_until.items() if until > now}
        limit = count + len(self._skip_until)
        found: list[Due] = []
        shares = dict.fromkeys([self.around.share(), (0, 1)])
        for share in shares:
            found = [
                item
                for item in due(self.campaign_id, limit, share)
                if item.contact_id not in self._skip_until
            ]
            if found:
                break
        return found[:count]

    def _nobody_due(self, plan: Plan) -> float:
        if self._skip_until:
            return self._blocked(plan, "number_cap", SLOT_SECONDS)
        first = next_due(self.campaign_id)
        if first is None:
            self.around.tell(plan, None, None)
            if not self.book.count_of_campaign(self.campaign_id):
                self.around.exhausted(self.campaign_id)
            return IDLE_SECONDS
        at, seconds = first
        if seconds <= 0:
            # Somebody else is at this very contact.
            return SOONEST_SECONDS * 5
        self.around.tell(plan, "retry_wait", at)
        return min(seconds, IDLE_SECONDS)

    def _dial(self, plan: Plan, nodes: Sequence[NodeCaps], wanted: Sequence[Due]) -> float:
        contacts = {str(new_id()): item for item in wanted}
        answers = self._permits(
            plan, nodes, [PermitRequest(call_id, item.phone_number) for call_id, item in contacts.items()]
        )
        permits = {answer.call_id: answer for answer in answers if isinstance(answer, Permit)}
        denied = [answer for answer in answers if isinstance(answer, Denied)]
        for answer in denied:
            if answer.reason == "number_cap":
                self._skip_until[contacts[answer.call_id].contact_id] = self.now() + SKIP_SECONDS
        if permits:
            self._claim_and_send(plan, contacts, permits)
        self._group = min(GROUP, self._group * 2) if not denied else max(2, min(GROUP, len(permits) * 2))
        return self._after(plan, bool(permits), denied)

    def _after(self, plan: Plan, dialled: bool, denied: Sequence[Denied]) -> float:
        binding = [answer for answer in denied if answer.reason != "number_cap"]
        if not binding:
            if dialled:
                self.around.tell(plan, None, None)
            return 0.0
        first = min(binding, key=lambda answer: answer.retry_after)
        if not dialled:
            self.around.tell(plan, first.reason, None)
        return first.retry_after

    def _claim_and_send(self, plan: Plan, contacts: dict[str, Due], permits: dict[str, Permit]) -> None:
        wanted = [
            Wanted(contacts[call_id].contact_id, call_id, permit.node, self.around.core_uuid(permit.node))
            for call_id, permit in permits.items()
        ]
        try:
            claimed = claim(self.campaign_id, self.dialer_id, wanted)
        except PeeweeException:
            # Whether the commit arrived is not known; what is certain is that nothing was sent.
            self.around.doubt(list(permits.values()))
            raise
        taken = {item.call_id for item in claimed}
        unused = [permit for call_id, permit in permits.items() if call_id not in taken]
        self.around.announce(claimed)
        for item in claimed:
            flight = self._enter(plan, item, permits[item.call_id])
            request = self._request(plan, flight, item.custom_fields)
            if request is not None:
                self._send(flight, request, permits[item.call_id].expires_at)
        if unused:
            self.limiter.give_back(unused)

    def _enter(self, plan: Plan, item: Claimed, permit: Permit) -> Flight:
        flight = Flight(
            call_id=item.call_id,
            contact_id=item.contact_id,
            campaign_id=item.campaign_id,
            tenant_id=plan.tenant_id,
            gateway_id=plan.gateway_id,
            node=item.node,
            core_uuid=self.around.core_uuid(item.node),
            phone_number=item.phone_number,
            generation=item.generation,
            attempt=item.attempt,
            free_sends=item.free_sends,
            last_disposition=item.last_disposition,
            retries_per_contact=plan.retries_per_contact,
            retry_delay_seconds=plan.retry_delay_seconds,
            ring_seconds=plan.ring_timeout_seconds,
            max_seconds=plan.max_call_seconds,
            sent_by=self.dialer_id,
            permit=permit,
        )
        self.book.add(flight)
        return flight

    def _request(
        self, plan: Plan, flight: Flight, custom_fields: Mapping[str, str]
    ) -> OriginateRequest | None:
        """The originate of a call; None, with the contact failed, where what it holds cannot be said to a switch."""
        try:
            return self.requests.build(plan, flight, custom_fields)
        except CommandRefused as refused:
            log.warning(
                "contact_refused", contact_id=flight.contact_id, field=refused.name, rule=refused.rule
            )
            self.recorder.refuse(flight, f"REFUSED: {refused.name} {refused.rule}"[:200])
            return None

    def _send(self, flight: Flight, request: OriginateRequest, expires_at: float) -> None:
        outcome = self.sender.send(flight, request, expires_at)
        if outcome is Outcome.LAPSED:
            self._unsent.append(Unsent(flight, request))
        elif outcome is Outcome.HELD:
            self.recorder.withdraw(flight, "NOT_SENT")
        elif outcome is Outcome.NO_NODE:
            self.recorder.withdraw(flight, "NOT_SENT", delay=IDLE_SECONDS)

    def _ask_again(self, plan: Plan) -> float:
        """Permits for what was claimed but not written within their 50 ms: counted once, stamped anew."""
        asked, self._unsent = self._unsent[:GROUP], self._unsent[GROUP:]
        wait = 0.0
        by_node: dict[str, list[Unsent]] = {}
        for item in asked:
            by_node.setdefault(item.flight.node, []).append(item)
        for node, items in by_node.items():
            caps = [candidate for candidate in self.around.nodes() if candidate.name == node]
            if not caps:
                for item in items:
                    self.recorder.withdraw(item.flight, "NOT_SENT", delay=IDLE_SECONDS)
                continue
            try:
                answers = self._permits(
                    plan,
                    caps,
                    [PermitRequest(item.flight.call_id, item.flight.phone_number) for item in items],
                )
            except (LimiterUnavailable, Fenced):
                self._unsent = [*items, *self._unsent]
                raise
            for item, answer in zip(items, answers, strict=True):
                if isinstance(answer, Permit):
                    self._send(item.flight, item.request, answer.expires_at)
                elif (
                    self.sender.allowed(item.flight) and self.now() - item.flight.claimed_at < UNSENT_SECONDS
                ):
                    self._unsent.append(item)
                    wait = max(wait, answer.retry_after)
                else:
                    self.recorder.withdraw(item.flight, "NOT_SENT")
        return wait

    def _permits(
        self, plan: Plan, nodes: Sequence[NodeCaps], requests: Sequence[PermitRequest]
    ) -> list[Permit | Denied]:
        return self.limiter.acquire(
            plan.tenant_id,
            plan.campaign_id,
            plan.max_concurrent_calls,
            TenantCaps(
                plan.concurrent_max, plan.calls_per_minute, plan.daily_calls_max, plan.daily_minutes_max
            ),
            GatewayCaps(plan.gateway_id, plan.gateway_cps, plan.gateway_channels),
            nodes,
            requests,
        )

    def _blocked(self, plan: Plan, reason: str, wait: float) -> float:
        self.around.tell(plan, reason, None)
        return wait

    def _withdraw_all(self) -> None:
        for item in self._unsent:
            self.recorder.withdraw(item.flight, "NOT_SENT")
        self._unsent = []
