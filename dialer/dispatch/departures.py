"""Gets claimed calls out of the door: each once, under a permit of that moment, or back to where it came from.

Used by one dispatcher. A call whose permit lapsed before it was written waits here and asks again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from campaigns.actions import ActionRefused
from campaigns.routing import match_length
from dialer.dispatch.claims import Claimed
from dialer.dispatch.originate import Requests
from dialer.dispatch.plans import Plan, Trunk
from dialer.dispatch.sender import Outcome, Sender
from dialer.live_calls import Book, Flight
from dialer.record.recorder import Recorder
from freeswitch.commands import OriginateRequest
from freeswitch.errors import CommandRefused
from limits.caps import Denied, GatewayCaps, NodeCaps, Permit, PermitRequest, TenantCaps
from limits.limiter import Limiter

log = structlog.get_logger()

GROUP = 50
AGAIN_SECONDS = 1.0
UNSENT_SECONDS = 5.0
"""A claimed call that gets no new permit for so long goes back: its contact may be called by who has room."""
NO_ROUTE = "NO_ROUTE_DESTINATION"
"""Why a call is never sent whose number none of the campaign's gateways carries."""


@dataclass(slots=True)
class Waiting:
    """A claimed call whose permit lapsed before it was written."""

    flight: Flight
    request: OriginateRequest


@dataclass(slots=True)
class Departures:
    """One campaign's calls between their claim and the socket."""

    dialer_id: str
    limiter: Limiter
    requests: Requests
    sender: Sender
    recorder: Recorder
    book: Book
    now: Callable[[], float] = time.monotonic
    _waiting: list[Waiting] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(
        self, plan: Plan, item: Claimed, permit: Permit, core_uuid: str | None, tried: tuple[str, ...]
    ) -> Flight:
        """Note a claimed call in the book: from now on it is ours to settle."""
        trunk = plan.trunk(item.gateway_id)
        flight = Flight(
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
            permit=permit,
            probe=trunk is not None and trunk.paused,
        )
        self.book.add(flight)
        return flight

    def leave(self, plan: Plan, flight: Flight, custom_fields: Mapping[str, str], permit: Permit) -> None:
        """Send an entered call now; what may not leave goes back. Raises LimiterUnavailable."""
        request = self._request(plan, flight, custom_fields)
        if request is not None:
            self._send(flight, request, permit)

    def wait(self, plan: Plan, flight: Flight, custom_fields: Mapping[str, str]) -> None:
        """Send this call as soon as there is a permit for it."""
        request = self._request(plan, flight, custom_fields)
        if request is not None:
            self._queue(flight, request)

    def let_go(self, plan: Plan) -> None:
        """Withdraw what may not leave any more, or has waited for too long; who is next may have more luck."""
        shut = {trunk.gateway_id for trunk in plan.trunks if trunk.paused}
        now = self.now()
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            flight = item.flight
            held = flight.gateway_id in shut and not flight.probe
            patient = now - flight.claimed_at < UNSENT_SECONDS
            if flight.unsent and self.sender.allowed(flight) and patient and not held:
                self._waiting.append(item)
            else:
                self._withdraw(flight)

    def withdraw_all(self) -> None:
        """Nothing of this campaign leaves any more."""
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            self._withdraw(item.flight)

    def ask_again(self, plan: Plan, nodes: Sequence[NodeCaps]) -> float:
        """Permits for what waits: counted once, stamped anew. The seconds until the next one's turn.

        Raises LimiterUnavailable or Fenced, and keeps what waits.
        """
        asked, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
        by_way: dict[tuple[str, str], list[Waiting]] = {}
        for item in asked:
            by_way.setdefault((item.flight.node, item.flight.gateway_id), []).append(item)
        caps = {candidate.name: candidate for candidate in nodes}
        turns: list[float] = []
        while by_way:
            (node, gateway_id), items = by_way.popitem()
            trunk = plan.trunk(gateway_id)
            if node not in caps or trunk is None:
                for item in items:
                    self._withdraw(item.flight, delay=AGAIN_SECONDS)
                continue
            requests = [PermitRequest(item.flight.call_id, item.flight.phone_number) for item in items]
            try:
                answers = permits_for(self.limiter, plan, trunk, [caps[node]], requests)
            except BaseException:
                left = [item for others in by_way.values() for item in others]
                self._waiting = [*items, *left, *self._waiting]
                raise
            for item, answer in zip(items, answers, strict=True):
                if isinstance(answer, Permit):
                    item.flight.queued = False
                    self._send(item.flight, item.request, answer)
                else:
                    self._waiting.append(item)
                    turns.append(answer.retry_after)
        # The first turn, not the last: one that is missed by 50 ms is gone.
        return min(turns, default=0.0)

    def _request(
        self, plan: Plan, flight: Flight, custom_fields: Mapping[str, str]
    ) -> OriginateRequest | None:
        """The originate of a call; None where it cannot leave: with the contact back where another gateway may do,
        and failed where what it holds cannot be said to a switch."""
        trunk = plan.trunk(flight.gateway_id)
        if trunk is None:
            self._withdraw(flight)
            return None
        if match_length(trunk.prefixes, flight.phone_number) is None:
            if plan.route(flight.phone_number, ()):
                # The prefixes changed since this gateway was chosen: another one carries it.
                self._withdraw(flight)
                return None
            log.warning("contact_without_route", contact_id=flight.contact_id, call_id=flight.call_id)
            self.recorder.refuse(flight, NO_ROUTE)
            return None
        try:
            return self.requests.build(plan, trunk, flight, custom_fields)
        except (ActionRefused, CommandRefused) as refused:
            self.sender.refuse(flight, refused)
        except Exception as error:
            # One contact that nobody foresaw must not stop the list.
            log.exception("contact_not_understood", contact_id=flight.contact_id)
            self.sender.refuse(flight, error)
        return None

    def _send(self, flight: Flight, request: OriginateRequest, permit: Permit) -> None:
        try:
            outcome = self.sender.send(flight, request, permit.expires_at)
        except Exception as error:
            log.exception("call_not_sent", call_id=flight.call_id, contact_id=flight.contact_id)
            if flight.sent_at is None:
                self.sender.refuse(flight, error)
            return
        if outcome is Outcome.LAPSED:
            self._queue(flight, request)
        elif outcome is Outcome.HELD and flight.over:
            # It ended while it waited, and its slots were freed then: these are of a new permit.
            self.limiter.give_back([permit])
        elif outcome is Outcome.HELD:
            self._withdraw(flight)
        elif outcome is Outcome.NO_NODE:
            self._withdraw(flight, delay=AGAIN_SECONDS)

    def _queue(self, flight: Flight, request: OriginateRequest) -> None:
        flight.queued = True
        self._waiting.append(Waiting(flight, request))

    def _withdraw(self, flight: Flight, delay: float | None = None) -> None:
        flight.queued = False
        self.recorder.withdraw(flight, "NOT_SENT", delay)


def permits_for(
    limiter: Limiter, plan: Plan, trunk: Trunk, nodes: Sequence[NodeCaps], requests: Sequence[PermitRequest]
) -> list[Permit | Denied]:
    """Ask for permits to leave by `trunk`, under every cap of its plan. Raises LimiterUnavailable or Fenced."""
    return limiter.acquire(
        plan.tenant_id,
        plan.campaign_id,
        plan.max_concurrent_calls,
        TenantCaps(plan.concurrent_max, plan.calls_per_minute, plan.daily_calls_max, plan.daily_minutes_max),
        GatewayCaps(trunk.gateway_id, trunk.cps, trunk.channels),
        nodes,
        requests,
    )
