"""Dials one campaign: a greenlet in every dialer for every running campaign.

Reads who is due, asks the limiter for permits, claims the admitted ones, commits, and only then writes. It never
waits for a call. Each decision has one binding constraint, which the campaign shows as `blocked_reason`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from gevent.event import Event as Signal

from campaigns.actions import ActionRefused
from dialer.book import Book, Flight
from dialer.claims import Claimed, Due, Wanted, claim, claim_again, due, next_due
from dialer.errors import DATABASE_AWAY
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
TURN_SECONDS = 0.004
"""Who was just served comes back to a shared cap by up to so much later than who was not. The limiter lets a late
asker catch up by 20 ms, so this costs nothing."""
SHARED_SLOTS = frozenset({"tenant_concurrency", "gateway_channels", "node_channels"})


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
    """One campaign's dialling in this process.

    `waits_for` is the cap that bound the last decision, `dialled_at` when one last led to a call.
    """

    campaign_id: str
    dialer_id: str
    around: Surroundings
    limiter: Limiter
    requests: Requests
    sender: Sender
    recorder: Recorder
    book: Book
    now: Callable[[], float] = time.monotonic
    waits_for: str | None = None
    dialled_at: float = 0.0
    _unsent: list[Unsent] = field(default_factory=list)
    _wake: Signal = field(default_factory=Signal)
    _skip_until: dict[str, float] = field(default_factory=dict)
    _group: int = 4
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

    def repeat(self, flight: Flight) -> bool:
        """Send a call once more under its id, with a permit of now; False where it may not be sent any more.

        Its row says from now on that its events carry this dialer's id. Raises what a database that is away raises.
        """
        if flight.queued:
            return True
        plan = self.around.plan(self.campaign_id)
        if self._stopping or plan is None or not self.sender.allowed(flight):
            return False
        custom_fields = claim_again(flight.call_id, self.dialer_id)
        if custom_fields is None:
            return False
        if flight.seen or flight.over:
            return True
        flight.sent_by = self.dialer_id
        flight.repeated = flight.repeated or flight.sent_at is not None or flight.adopted_at is not None
        flight.sent_at = None
        flight.claimed_at = self.now()
        request = self._request(plan, flight, custom_fields)
        if request is not None:
            self._queue(flight, request)
            self.wake()
        # The greenlet may have ended, and withdrawn what it had, while the row was written.
        if self._ended:
            self._withdraw_all()
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
            self._withdraw_all()

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
        self._let_go()
        nodes = self.around.nodes()
        if not nodes:
            return self._blocked(plan, "no_node", UNAVAILABLE_SECONDS)
        if self._unsent:
            return self._ask_again(plan)
        if not self.sender.may_claim(plan.tenant_id, self.campaign_id, plan.generation):
            # Held, or the lease or the session lock is gone: what is claimed now would only go back.
            return SLOT_SECONDS
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
        first = min(binding, key=lambda answer: answer.retry_after, default=None)
        self.waits_for = first.reason if first is not None else None
        if dialled:
            self.dialled_at = self.now()
        if first is None:
            if dialled:
                self.around.tell(plan, None, None)
            return 0.0
        if not dialled:
            self.around.tell(plan, first.reason, None)
        return first.retry_after + TURN_SECONDS * (random.random() + dialled)

    def _claim_and_send(self, plan: Plan, contacts: dict[str, Due], permits: dict[str, Permit]) -> None:
        wanted = [
            Wanted(contacts[call_id].contact_id, call_id, permit.node, self.around.core_uuid(permit.node))
            for call_id, permit in permits.items()
        ]
        try:
            claimed = claim(self.campaign_id, self.dialer_id, wanted)
        except BaseException:
            # Whether the commit arrived is not known; what is certain is that nothing was sent.
            self.around.doubt(list(permits.values()))
            raise
        # All of them are ours before the first is sent: what goes wrong with one must not lose the others.
        flights = [self._enter(plan, item, permits[item.call_id]) for item in claimed]
        self.around.announce(claimed)
        for flight, item in zip(flights, claimed, strict=True):
            request = self._request(plan, flight, item.custom_fields)
            if request is not None:
                self._send(flight, request, permits[item.call_id])
        taken = {item.call_id for item in claimed}
        unused = [permit for call_id, permit in permits.items() if call_id not in taken]
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
        except (ActionRefused, CommandRefused) as refused:
            self.sender.refuse(flight, refused)
        except Exception as error:
            # One contact that nobody foresaw must not stop the list.
            log.exception("contact_not_understood", contact_id=flight.contact_id)
            self.sender.refuse(flight, error)
        return None

    def _send(self, flight: Flight, request: OriginateRequest, permit: Permit) -> None:
        outcome = self.sender.send(flight, request, permit.expires_at)
        if outcome is Outcome.LAPSED:
            self._queue(flight, request)
        elif flight.over:
            # It ended while it waited, and its slots were freed then: these are of a new permit.
            self.limiter.give_back([permit])
        elif outcome is Outcome.HELD:
            self.recorder.withdraw(flight, "NOT_SENT")
        elif outcome is Outcome.NO_NODE:
            self.recorder.withdraw(flight, "NOT_SENT", delay=IDLE_SECONDS)

    def _queue(self, flight: Flight, request: OriginateRequest) -> None:
        flight.queued = True
        self._unsent.append(Unsent(flight, request))

    def _let_go(self) -> None:
        """Withdraw what may not leave any more, or has waited for too long; who is next may have more luck."""
        now = self.now()
        kept: list[Unsent] = []
        for item in self._unsent:
            flight = item.flight
            if flight.unsent and self.sender.allowed(flight) and now - flight.claimed_at < UNSENT_SECONDS:
                kept.append(item)
            else:
                self._withdraw(flight)
        self._unsent = kept

    def _ask_again(self, plan: Plan) -> float:
        """Permits for what was claimed but not written within their 50 ms: counted once, stamped anew."""
        asked, self._unsent = self._unsent[:GROUP], self._unsent[GROUP:]
        by_node: dict[str, list[Unsent]] = {}
        for item in asked:
            by_node.setdefault(item.flight.node, []).append(item)
        nodes = {candidate.name: candidate for candidate in self.around.nodes()}
        waits: list[float] = []
        while by_node:
            node, items = by_node.popitem()
            if node not in nodes:
                for item in items:
                    self._withdraw(item.flight, delay=IDLE_SECONDS)
                continue
            requests = [PermitRequest(item.flight.call_id, item.flight.phone_number) for item in items]
            try:
                answers = self._permits(plan, [nodes[node]], requests)
            except BaseException:
                left = [item for others in by_node.values() for item in others]
                self._unsent = [*items, *left, *self._unsent]
                raise
            for item, answer in zip(items, answers, strict=True):
                if isinstance(answer, Permit):
                    item.flight.queued = False
                    self._send(item.flight, item.request, answer)
                else:
                    self._unsent.append(item)
                    waits.append(answer.retry_after)
        # The first turn, not the last: a turn that is missed by 50 ms is gone.
        return min(waits, default=0.0)

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

    def _withdraw(self, flight: Flight, delay: float | None = None) -> None:
        flight.queued = False
        self.recorder.withdraw(flight, "NOT_SENT", delay)

    def _withdraw_all(self) -> None:
        unsent, self._unsent = self._unsent, []
        for item in unsent:
            self._withdraw(item.flight)
