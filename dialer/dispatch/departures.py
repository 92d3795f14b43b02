"""Sends one campaign's claimed calls; asks again for lapsed permits; withdraws what may not leave.

Used by one dispatcher. A call whose permit lapsed before it was written waits here and asks again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from campaigns.actions import ActionRefused
from campaigns.routing import match_length
from dialer.dispatch.claims import Claimed
from dialer.dispatch.originate_builder import OriginateBuilder
from dialer.dispatch.plans import GatewayPlan, Plan
from dialer.dispatch.sender import Sender, SendOutcome
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.recorder import Recorder
from freeswitch.errors import CommandRefused
from freeswitch.originate import OriginateRequest
from limits.caps import Denied, GatewayCaps, NodeCaps, Permit, PermitRequest, TenantCaps

log = structlog.get_logger()

GROUP = 50
AGAIN_SECONDS = 1.0
UNSENT_SECONDS = 5.0
"""A claimed call that gets no new permit for so long goes back: another dialer may get one."""
NO_ROUTE = "NO_ROUTE_DESTINATION"
"""Why a call is never sent whose number none of the campaign's gateways carries."""


class PermitSource(Protocol):
    """Who hands out permits: the limiter."""

    def acquire(  # noqa: PLR0917  as the limiter has them
        self,
        tenant_id: str,
        campaign_id: str,
        concurrent: int,
        tenant: TenantCaps,
        gateway: GatewayCaps,
        nodes: Sequence[NodeCaps],
        requests: Sequence[PermitRequest],
        /,
    ) -> list[Permit | Denied]:
        """An answer for each request. Raises LimiterUnavailable or Fenced."""

    def give_back(self, permits: Sequence[Permit], /) -> None:
        """These were never used. Raises LimiterUnavailable."""


@dataclass(slots=True)
class Waiting:
    """A claimed call whose permit lapsed before it was written."""

    call: LiveCall
    request: OriginateRequest


@dataclass(slots=True)
class Departures:
    """One campaign's calls between their claim and the socket."""

    dialer_id: str
    limiter: PermitSource
    originate_builder: OriginateBuilder
    sender: Sender
    recorder: Recorder
    live_calls: LiveCalls
    now: Callable[[], float] = time.monotonic
    _waiting: list[Waiting] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(
        self, plan: Plan, item: Claimed, permit: Permit, core_uuid: str | None, tried: tuple[str, ...]
    ) -> LiveCall:
        """Enter a claimed call among the live ones: from now on it is ours to see to its end."""
        gateway = plan.gateway(item.gateway_id)
        call = LiveCall(
            call_id=item.call_id,
            contact_id=item.contact_id,
            campaign_id=item.campaign_id,
            tenant_id=plan.tenant_id,
            gateway_id=item.gateway_id,
            caller_id=item.caller_id,
            tried=tried,
            node=item.node,
            core_uuid=core_uuid,
            phone_number=item.phone_number,
            generation=item.generation,
            attempt=item.attempt,
            free_sends=item.free_sends,
            carrier_refusals=item.carrier_refusals,
            gateway_faults=item.gateway_faults,
            rejected=item.rejected,
            retries_per_contact=plan.retries_per_contact,
            retry_delay_seconds=plan.retry_delay_seconds,
            ring_seconds=plan.ring_timeout_seconds,
            max_seconds=plan.max_call_seconds,
            sent_by=self.dialer_id,
            claimed_at=self.now(),
            permit=permit,
            probe=gateway is not None and gateway.paused,
        )
        self.live_calls.add(call)
        return call

    def leave(self, plan: Plan, call: LiveCall, custom_fields: Mapping[str, str], permit: Permit) -> None:
        """Send an entered call now; what may not leave goes back. Raises LimiterUnavailable."""
        request = self._request(plan, call, custom_fields)
        if request is not None:
            self._send(call, request, permit)

    def wait(self, plan: Plan, call: LiveCall, custom_fields: Mapping[str, str]) -> None:
        """Send this call as soon as there is a permit for it."""
        request = self._request(plan, call, custom_fields)
        if request is not None:
            self._queue(call, request)

    def let_go(self, plan: Plan) -> None:
        """Withdraw what may not leave any more, or has waited for too long; who is next may have more luck."""
        shut = {gateway.gateway_id for gateway in plan.gateways if gateway.paused}
        now = self.now()
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            call = item.call
            held = call.gateway_id in shut and not call.probe
            patient = now - call.claimed_at < UNSENT_SECONDS
            if call.unsent and self.sender.allowed(call) and patient and not held:
                self._waiting.append(item)
            else:
                self._withdraw(call)

    def withdraw_all(self) -> None:
        """Nothing of this campaign leaves any more."""
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            self._withdraw(item.call)

    def ask_again(self, plan: Plan, nodes: Sequence[NodeCaps]) -> float:
        """Permits for what waits: counted once, stamped anew. The seconds until the next one's turn.

        Raises LimiterUnavailable or Fenced, and keeps what waits.
        """
        asked, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
        by_way: dict[tuple[str, str], list[Waiting]] = {}
        for item in asked:
            by_way.setdefault((item.call.node, item.call.gateway_id), []).append(item)
        caps = {candidate.name: candidate for candidate in nodes}
        turns: list[float] = []
        while by_way:
            (node, gateway_id), items = by_way.popitem()
            gateway = plan.gateway(gateway_id)
            if node not in caps or gateway is None:
                for item in items:
                    self._withdraw(item.call, delay=AGAIN_SECONDS)
                continue
            requests = [PermitRequest(item.call.call_id, item.call.phone_number) for item in items]
            try:
                answers = permits_for(self.limiter, plan, gateway, [caps[node]], requests)
            except BaseException:
                left = [item for others in by_way.values() for item in others]
                self._waiting = [*items, *left, *self._waiting]
                raise
            for item, answer in zip(items, answers, strict=True):
                if isinstance(answer, Permit):
                    item.call.dequeue()
                    self._send(item.call, item.request, answer)
                else:
                    self._waiting.append(item)
                    turns.append(answer.retry_after)
        # The first turn, not the last: one that is missed by 50 ms is gone.
        return min(turns, default=0.0)

    def _request(
        self, plan: Plan, call: LiveCall, custom_fields: Mapping[str, str]
    ) -> OriginateRequest | None:
        """The originate of a call; None where it cannot leave: with the contact back where another gateway may do,
        and failed where what it holds cannot be said to a switch."""
        gateway = plan.gateway(call.gateway_id)
        if gateway is None:
            self._withdraw(call)
            return None
        if match_length(gateway.prefixes, call.phone_number) is None:
            if plan.route(call.phone_number, ()):
                # The prefixes changed since this gateway was chosen: another one carries it.
                self._withdraw(call)
                return None
            log.warning("contact_without_route", contact_id=call.contact_id, call_id=call.call_id)
            self.recorder.refuse(call, NO_ROUTE)
            return None
        try:
            return self.originate_builder.build(plan, gateway, call, custom_fields)
        except (ActionRefused, CommandRefused) as refused:
            self.sender.refuse(call, refused)
        except Exception as error:
            # One contact that nobody foresaw must not stop the list.
            log.exception("contact_not_understood", contact_id=call.contact_id)
            self.sender.refuse(call, error)
        return None

    def _send(self, call: LiveCall, request: OriginateRequest, permit: Permit) -> None:
        try:
            outcome = self.sender.send(call, request, permit.expires_at)
        except Exception as error:
            log.exception("call_not_sent", call_id=call.call_id, contact_id=call.contact_id)
            if call.sent_at is None:
                self.sender.refuse(call, error)
            return
        if outcome is SendOutcome.LAPSED:
            self._queue(call, request)
        elif outcome is SendOutcome.BLOCKED and call.over:
            # It ended while it waited, and its slots were freed then: these are of a new permit.
            self.limiter.give_back([permit])
        elif outcome is SendOutcome.BLOCKED:
            self._withdraw(call)
        elif outcome is SendOutcome.NO_NODE:
            self._withdraw(call, delay=AGAIN_SECONDS)

    def _queue(self, call: LiveCall, request: OriginateRequest) -> None:
        call.enqueue()
        self._waiting.append(Waiting(call, request))

    def _withdraw(self, call: LiveCall, delay: float | None = None) -> None:
        call.dequeue()
        self.recorder.withdraw(call, "NOT_SENT", delay)


def permits_for(
    limiter: PermitSource,
    plan: Plan,
    gateway: GatewayPlan,
    nodes: Sequence[NodeCaps],
    requests: Sequence[PermitRequest],
) -> list[Permit | Denied]:
    """Ask for permits to leave by `gateway`, under every cap of its plan. Raises LimiterUnavailable or Fenced."""
    return limiter.acquire(
        plan.tenant_id,
        plan.campaign_id,
        plan.max_concurrent_calls,
        TenantCaps(plan.concurrent_max, plan.calls_per_minute, plan.daily_calls_max, plan.daily_minutes_max),
        GatewayCaps(gateway.gateway_id, gateway.cps, gateway.channels),
        nodes,
        requests,
    )
