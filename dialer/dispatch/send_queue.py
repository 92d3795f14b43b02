"""Sends claimed calls, each at its turn; keeps those whose permit lapsed until there is a new one; withdraws what may
not leave.

Between the scheduler, which claims and asks for permits, and the sender, which writes. A queue and a greenlet for
each node: one whose connection takes nothing keeps no call waiting that goes to another.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import gevent
import structlog
from gevent.event import Event as Signal

from campaigns.actions import ActionRefused
from campaigns.routing import match_length
from dialer.dispatch.claims import Claimed
from dialer.dispatch.gateway_choice import GatewayCandidate
from dialer.dispatch.node_orders import STALLED_SECONDS, NodeOrders
from dialer.dispatch.originate_builder import OriginateBuilder, SecondLegChangedError, SecondLegHeldError
from dialer.dispatch.plans import Plan
from dialer.dispatch.sender import Sender, SendOutcome
from dialer.errors import DATABASE_AWAY, note
from dialer.holds import Hold, HoldKind
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.recorder import Recorder
from dialer.tasks import wait_for_work
from freeswitch.errors import CommandRefused
from freeswitch.originate import OriginateRequest
from limits.caps import Permit
from limits.errors import LimiterUnavailable

log = structlog.get_logger()

AGAIN_SECONDS = 1.0
OWN_AGENT_SECONDS = 60.0
"""Whose own agent cannot be reached is claimed again so much later: that costs a claim each time."""
UNSENT_SECONDS = 5.0
"""A claimed call that gets no new permit for so long goes back: another dialer may get one."""
NO_ROUTE = "NO_ROUTE_DESTINATION"
"""Why a call is never sent whose number none of the campaign's gateways carries."""


class GivesBack(Protocol):
    """Who takes permits back: the limiter."""

    def give_back(self, permits: Sequence[Permit], /) -> None:
        """These were never used. Raises LimiterUnavailable."""


@dataclass(slots=True)
class Waiting:
    """A claimed call without a permit that holds; `ask_at` is when it is worth asking for one again. `may_have_left`:
    an order of it was written since its last permit, or before it was taken over."""

    call: LiveCall
    request: OriginateRequest
    ask_at: float = 0.0
    may_have_left: bool = False


@dataclass(slots=True)
class NodeQueue:
    """The calls that leave by one node, by their turns."""

    heap: list[tuple[float, int, LiveCall, OriginateRequest, Permit]] = field(default_factory=list)
    signal: Signal = field(default_factory=Signal)
    greenlet: gevent.Greenlet[..., None] | None = None


@dataclass(slots=True)
class SendQueue:
    """The calls of this process between their claim and the socket. `plan` gives a running campaign's, `wake` has the
    scheduler look at what `lapsed` holds; `spawn` starts a greenlet that is started again where it fails."""

    dialer_id: str
    limiter: GivesBack
    originate_builder: OriginateBuilder
    sender: Sender
    node_orders: NodeOrders
    recorder: Recorder
    live_calls: LiveCalls
    plan: Callable[[str], Plan | None]
    wake: Callable[[], None]
    spawn: Callable[[Callable[[], None]], gevent.Greenlet[..., None]]
    now: Callable[[], float] = time.monotonic
    take_probe: Callable[[Hold], bool] = lambda _hold: False
    return_probe: Callable[[Hold], None] = lambda _hold: None
    lapsed: dict[str, Waiting] = field(default_factory=dict)
    """By call id, the calls that wait for a permit."""
    _queues: dict[str, NodeQueue] = field(default_factory=dict)
    _serial: itertools.count[int] = field(default_factory=itertools.count)

    def register(
        self,
        plan: Plan,
        item: Claimed,
        permit: Permit,
        core_uuid: str | None,
        chosen: GatewayCandidate,
        *,
        asked_at: float = 0.0,
    ) -> LiveCall:
        """Enter a claimed call among the live ones: from now on it is ours to see to its end. Its claim began at
        `asked_at` or later."""
        first = [hold for hold in chosen.probes if not hold.second_leg]
        call = LiveCall(
            call_id=item.call_id,
            contact_id=item.contact_id,
            campaign_id=item.campaign_id,
            tenant_id=plan.tenant_id,
            gateway_id=item.gateway_id,
            second_leg_gateway_id=None if plan.second_leg is None else plan.second_leg.gateway_id,
            caller_id=item.caller_id,
            tried=chosen.due.tried,
            node=item.node,
            core_uuid=core_uuid,
            phone_number=item.phone_number,
            generation=item.generation,
            attempt=item.attempt,
            free_sends=item.free_sends,
            carrier_refusals=item.carrier_refusals,
            gateway_faults=item.gateway_faults,
            disturbed=item.disturbed,
            rejected=item.rejected,
            other_number=item.other_number,
            retries_per_contact=plan.retries_per_contact,
            retry_delay_seconds=plan.retry_delay_seconds,
            retry_rules=plan.retry_rules,
            ring_seconds=plan.ring_seconds_on(item.phone_number),
            max_seconds=plan.max_call_seconds,
            sent_by=self.dialer_id,
            claimed_at=self.now(),
            unsuppressed_at=asked_at,
            permit=permit,
            probe=any(hold.kind is HoldKind.PAUSE for hold in first),
            breakers=tuple(hold.subject for hold in first if hold.kind is HoldKind.BREAKER),
            second_leg_probes=tuple(hold for hold in chosen.probes if hold.second_leg),
        )
        self.live_calls.add(call)
        return call

    def send(self, plan: Plan, call: LiveCall, custom_fields: Mapping[str, str], permit: Permit) -> None:
        """Send an entered call at the turn of its permit; what cannot leave goes back, or has failed."""
        request = self._request(plan, call, custom_fields)
        if request is not None:
            self._queue(call, request, permit)

    def resend(self, plan: Plan, call: LiveCall, custom_fields: Mapping[str, str]) -> None:
        """Send this call once more, as soon as there is a permit for it."""
        request = self._request(plan, call, custom_fields)
        if request is not None:
            self._lapse(call, request, may_have_left=True)

    def renewed(self, item: Waiting, permit: Permit) -> None:
        """There is a permit for a call that waited for one."""
        del self.lapsed[item.call.call_id]
        self._queue(item.call, item.request, permit)

    def withdraw(self, call: LiveCall, delay: float | None = None) -> None:
        """This call does not leave now; who is next may have more luck. One that may have left before is not called
        under another id so soon: recovery asks about it again."""
        self.lapsed.pop(call.call_id, None)
        call.dequeue()
        if not call.may_have_left:
            self.recorder.withdraw(call, "NOT_SENT", delay)

    def withdraw_stale(self) -> None:
        """Withdraw what waits for a permit and may not leave any more, or has waited for too long; what a node that
        takes nothing let pass its turn waits for a permit from now on."""
        now = self.now()
        for queue in self._queues.values():
            while queue.heap and now >= queue.heap[0][0] + STALLED_SECONDS:
                _, _, call, request, _ = heapq.heappop(queue.heap)
                self._lapse(call, request)
        for item in list(self.lapsed.values()):
            call = item.call
            patient = now - call.claimed_at < UNSENT_SECONDS
            if self._held(call) or not (call.unsent and self.sender.allowed(call) and patient):
                self.withdraw(call)

    def overdue_at(self) -> list[float]:
        """When the first call of each node is to wait for another permit, if it has not left by then."""
        return [queue.heap[0][0] + STALLED_SECONDS for queue in self._queues.values() if queue.heap]

    def waiting_by_campaign(self) -> Counter[str]:
        """How many calls of each campaign wait for a permit."""
        return Counter(item.call.campaign_id for item in self.lapsed.values())

    def withdraw_all(self) -> None:
        """Nothing leaves any more."""
        for item in list(self.lapsed.values()):
            self.withdraw(item.call)
        left = self.queued()
        for queue in self._queues.values():
            queue.heap = []
        for call in left:
            self.withdraw(call)

    def send_due(self, node: str) -> float | None:
        """Write what leaves by a node now, in order; the seconds until the next turn, None where nothing waits."""
        queue = self._queues[node]
        while queue.heap:
            left = queue.heap[0][0] - self.now()
            if left > 0:
                return left
            _, _, call, request, permit = heapq.heappop(queue.heap)
            self._send(call, request, permit)
        return None

    def queued(self) -> list[LiveCall]:
        """The calls that have their turn."""
        return [call for queue in self._queues.values() for _, _, call, _, _ in queue.heap]

    def nodes(self) -> list[str]:
        """The nodes that calls have left by."""
        return list(self._queues)

    def _queue(self, call: LiveCall, request: OriginateRequest, permit: Permit) -> None:
        queue = self._queues.get(call.node)
        if queue is None:
            queue = self._queues[call.node] = NodeQueue()
            node = call.node
            queue.greenlet = self.spawn(lambda: self._keep_sending(node))
        # From now on recovery leaves it alone: resent meanwhile, it would be taken back once it was sent from here.
        call.enqueue()
        heapq.heappush(queue.heap, (permit.leaves_at, next(self._serial), call, request, permit))
        queue.signal.set()

    def _keep_sending(self, node: str) -> None:
        queue = self._queues[node]
        while True:
            queue.signal.clear()
            wait_for_work(queue.signal, self.send_due(node))

    def _request(
        self, plan: Plan, call: LiveCall, custom_fields: Mapping[str, str]
    ) -> OriginateRequest | None:
        """The originate of a call; None where it cannot leave: with the contact back where another gateway may do,
        and failed where what it holds cannot be said to a switch. One that may have left is left to recovery."""
        gateway = plan.gateway(call.gateway_id)
        if gateway is None:
            self.withdraw(call)
            return None
        if match_length(gateway.prefixes, call.phone_number) is None:
            if plan.route(call.phone_number, ()) or call.may_have_left:
                # The prefixes changed since this gateway was chosen: another one may carry it.
                self.withdraw(call)
                return None
            log.warning("contact_without_route", contact_id=call.contact_id, call_id=call.call_id)
            self.recorder.refuse(call, NO_ROUTE)
            return None
        try:
            return self.originate_builder.build(plan, gateway, call, custom_fields)
        except SecondLegChangedError as changed:
            log.info("second_leg_changed", call_id=call.call_id, reason=str(changed))
            self.withdraw(call, delay=AGAIN_SECONDS)
        except SecondLegHeldError as held:
            if self._probe_second_leg(call, held.holds):
                return self._request(plan, call, custom_fields)
            log.info("second_leg_held", call_id=call.call_id, reason=str(held))
            self.withdraw(call, delay=OWN_AGENT_SECONDS)
        except (ActionRefused, CommandRefused) as refused:
            self._refuse(call, refused)
        except Exception as error:
            # One contact that nobody foresaw must not stop the list.
            log.exception("contact_not_understood", contact_id=call.contact_id)
            self._refuse(call, error)
        return None

    def _probe_second_leg(self, call: LiveCall, holds: Sequence[Hold]) -> bool:
        """Whether this call may be the probe of what keeps its contact's own agent from being reached."""
        if call.may_have_left or not all(hold.probe_due for hold in holds):
            return False
        taken: list[Hold] = []
        try:
            # One taking is for all that one gateway holds of a destination.
            for hold in {hold.subject: hold for hold in holds}.values():
                if self.take_probe(hold):
                    taken.append(hold)
                else:
                    break
            else:
                call.second_leg_probes = tuple(holds)
                return True
        except DATABASE_AWAY as error:
            note(error)
        for hold in taken:
            self.return_probe(hold)
        return False

    def _refuse(self, call: LiveCall, refused: Exception) -> None:
        """What its agent or columns are now cannot be said; what they were may lie at the node."""
        if call.may_have_left:
            self.withdraw(call)
        else:
            self.sender.refuse(call, refused)

    def _held(self, call: LiveCall) -> bool:
        """Whether what was read since its claim forbids a call to leave; what was told the guard knows."""
        plan = self.plan(call.campaign_id)
        gateway = None if plan is None else plan.gateway(call.gateway_id)
        if plan is None or plan.held is not None or gateway is None:
            return True
        return any(not call.probes(hold) for hold in plan.holds(gateway, call.phone_number))

    def _send(self, call: LiveCall, request: OriginateRequest, permit: Permit) -> None:
        if call.unsent and (self._held(call) or self.node_orders.stalled(call.node)):
            # Of a node that has stalled since its turn was given, another may take the call.
            self.withdraw(call)
            return
        try:
            outcome = self.sender.send(call, request, permit.expires_at)
        except Exception as error:
            # A fault about one call must not end the greenlet that sends all others of its node.
            log.exception("call_not_sent", call_id=call.call_id, contact_id=call.contact_id)
            if call.sent_at is None:
                self.sender.refuse(call, error)
            return
        finally:
            # Whatever comes of it, it stands in no line now: recovery may ask about it.
            call.dequeue()
        if outcome is SendOutcome.LAPSED:
            self._lapse(call, request)
        elif outcome is SendOutcome.BLOCKED and call.over:
            # It ended while it waited, and its slots were freed then: these are of a new permit.
            self._give_back(permit)
        elif outcome is SendOutcome.BLOCKED:
            self.withdraw(call)
        elif outcome is SendOutcome.NO_NODE:
            self.withdraw(call, delay=AGAIN_SECONDS)

    def _give_back(self, permit: Permit) -> None:
        try:
            self.limiter.give_back([permit])
        except LimiterUnavailable as error:
            # The limiter owes it. Raised, it would end the greenlet by which the other calls leave.
            note(error)

    def _lapse(self, call: LiveCall, request: OriginateRequest, *, may_have_left: bool = False) -> None:
        call.enqueue()
        self.lapsed[call.call_id] = Waiting(call, request, may_have_left=may_have_left)
        self.wake()
