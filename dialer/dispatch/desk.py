"""Starts and stops a dispatcher for each running campaign, and answers what it asks."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import gevent
import structlog

from campaigns.lifecycle import complete_if_exhausted, fail
from dialer.capacity.gateway_breaker import FAULTS_IN_DOUBT, GatewayBreaker
from dialer.capacity.permits import Permits
from dialer.dispatch.claims import Claimed
from dialer.dispatch.departures import Departures
from dialer.dispatch.dispatcher import SHARED_SLOTS, Dispatcher
from dialer.dispatch.nodes import CpsNow, Nodes
from dialer.dispatch.plans import GatewayPlan, Plan, running
from dialer.dispatch.telling import Telling
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.commit import Commit
from dialer.record.outbox import Outbox
from dialer.record.outcomes import Told
from freeswitch.cluster import LinkChange
from limits.caps import NodeCaps, Permit
from limits.rate_cuts import Kind, Target

log = structlog.get_logger()


@dataclass(slots=True)
class Desk:
    """Starts a dispatcher for each campaign that runs, and answers what dispatchers ask."""

    dialer_id: str
    live_calls: LiveCalls
    guarded: Callable[[Callable[[], object]], object]
    nodes_view: Nodes
    outbox: Outbox
    permits: Permits
    departures: Callable[[], Departures]
    refresh: Callable[[], None]
    cps_now: CpsNow
    gateways: GatewayBreaker
    dialers: tuple[int, int] = (0, 1)
    _telling: Telling = field(default_factory=Telling)
    _plans: dict[str, Plan] = field(default_factory=dict)
    _dispatchers: dict[str, Dispatcher] = field(default_factory=dict)
    _running: dict[str, gevent.Greenlet[..., None]] = field(default_factory=dict)
    _stopping: bool = False

    # What the dispatchers ask.

    def plan(self, campaign_id: str) -> Plan | None:
        """The plan of a campaign that runs."""
        return self._plans.get(campaign_id)

    def nodes(self) -> Sequence[NodeCaps]:
        """Nodes that can take a call, in an order drawn by lot for this decision."""
        return self.nodes_view.caps()

    def why_no_node(self) -> str:
        """The `blocked_reason` where there is none."""
        return self.nodes_view.why_none()

    def core_uuid(self, node: str) -> str | None:
        """The Core-UUID of a node's present run."""
        return self.nodes_view.core_uuid(node)

    def take_probe(self, gateway_id: str) -> bool:
        """Whether one call may leave by a paused gateway."""
        taken = self.gateways.take_probe(gateway_id)
        self._change(gateway_id, probe_due=False)
        return taken

    def return_probe(self, gateway_id: str) -> None:
        """No call left with the probe that was taken."""
        self.gateways.return_probe(gateway_id)

    def share(self) -> tuple[int, int]:
        """Which part of a list this dialer looks at first: (rank, dialers)."""
        return self.dialers

    def tell(self, plan: Plan, reason: str | None, next_action_at: str | None) -> None:
        """Show why a campaign is not being dialled."""
        self._telling.tell(plan, reason, next_action_at)

    def exhausted(self, campaign_id: str) -> None:
        """Close a campaign if nobody is left in it."""
        if complete_if_exhausted(uuid.UUID(campaign_id), self.dialer_id):
            log.info("campaign_completed", campaign_id=campaign_id)
            self.outbox.nudge()
            self.refresh()

    def failed(self, campaign_id: str) -> None:
        """End a campaign that cannot go on."""
        if fail(uuid.UUID(campaign_id), self.dialer_id):
            self.outbox.nudge()
            self.refresh()

    def announce(self, claimed: Sequence[Claimed]) -> None:
        """Publish the transitions of a claim that was committed."""
        self.outbox.put(
            [
                Told(
                    transition_id=item.transition_id,
                    campaign_id=item.campaign_id,
                    contact_id=item.contact_id,
                    phone_number=item.phone_number,
                    status="originated",
                    disposition=None,
                    attempt=item.attempt,
                    call_id=item.call_id,
                    cause=None,
                    version=item.version,
                    at=item.at,
                )
                for item in claimed
            ]
        )

    def note_unknown_claim(self, permits: Sequence[Permit]) -> None:
        """These permits' claim may or may not have been committed."""
        self.permits.note_unknown_claim(permits)

    # What the process tells it.

    def read_plans(self) -> None:
        """Look at what runs now. Raises what a database that is away raises; the plans stay as they are then."""
        self._plans = {campaign_id: self._slowed(plan) for campaign_id, plan in running().items()}
        self.gateways.degraded |= {
            gateway.gateway_id for plan in self._plans.values() for gateway in plan.gateways if gateway.faults
        }
        for campaign_id in self._plans:
            if campaign_id not in self._dispatchers and not self._stopping:
                dispatcher = Dispatcher(campaign_id, self.dialer_id, self, self.departures())
                self._dispatchers[campaign_id] = dispatcher
                self._running[campaign_id] = gevent.spawn(self._run, dispatcher)
        self.wake_all()

    def targets(self) -> list[Target]:
        """The gateways that calls may leave by now."""
        found = {gateway.gateway_id for plan in self._plans.values() for gateway in plan.gateways}
        return [(Kind.GATEWAY, gateway_id) for gateway_id in found]

    def elsewhere(self, call: LiveCall) -> bool:
        """Whether there is a gateway by which a call's contact can be sent again now, and was not tried yet."""
        plan = self._plans.get(call.campaign_id)
        return plan is not None and plan.elsewhere(call.phone_number, (*call.tried, call.gateway_id))

    def gateway_changed(self, gateway_id: str, paused: bool, faults: int) -> None:
        """Calls by this gateway were at fault: heeded before the next leaves."""
        self._change(gateway_id, paused=paused, faults=faults)

    def wake_all(self) -> None:
        """Something changed that concerns every campaign."""
        for dispatcher in self._dispatchers.values():
            dispatcher.wake()

    def on_link(self, change: LinkChange) -> None:
        """A node came or went: every campaign may have a way more, or one less."""
        self.wake_all()

    def after_commit(self, commit: Commit) -> None:
        """Calls are over: who waits for their slots looks again, and a campaign that has nobody left is completed."""
        self.slots_free(commit.over)
        for campaign_id in {call.campaign_id for call in commit.over}:
            if not self.live_calls.count_of_campaign(campaign_id):
                self.guarded(partial(self.exhausted, campaign_id))

    def slots_free(self, over: Sequence[LiveCall]) -> None:
        """These calls are over. Who waits longest for a slot that campaigns share looks first.

        The campaign whose call ended would otherwise always be the one that is there when a slot comes free.
        """
        waiting = [one for one in self._dispatchers.values() if one.waits_for in SHARED_SLOTS]
        waiting.sort(key=lambda one: one.dialled_at)
        for dispatcher in waiting[: len(over)]:
            dispatcher.wake()
        for campaign_id in {call.campaign_id for call in over}:
            own = self._dispatchers.get(campaign_id)
            if own is not None and own.waits_for in (None, "campaign_concurrency"):
                own.wake()

    def resend(self, call: LiveCall) -> bool:
        """Send a call once more; False where its campaign is not dialled any more."""
        dispatcher = self._dispatchers.get(call.campaign_id)
        return dispatcher is not None and dispatcher.resend(call)

    def stop(self, timeout: float) -> None:
        """No new calls; what is claimed and unsent goes back."""
        self._stopping = True
        for dispatcher in self._dispatchers.values():
            dispatcher.stop()
        gevent.joinall(list(self._running.values()), timeout=timeout)

    def _slowed(self, plan: Plan) -> Plan:
        return replace(plan, gateways=tuple(map(self._slowed_gateway, plan.gateways)))

    def _slowed_gateway(self, gateway: GatewayPlan) -> GatewayPlan:
        if gateway.faults >= FAULTS_IN_DOUBT:
            return replace(gateway, cps=1)
        return replace(gateway, cps=self.cps_now(Kind.GATEWAY, gateway.gateway_id, gateway.cps))

    def _change(self, gateway_id: str, **changes: Any) -> None:
        def changed(gateway: GatewayPlan) -> GatewayPlan:
            if gateway.gateway_id != gateway_id:
                return gateway
            return self._slowed_gateway(replace(gateway, **changes))

        self._plans = {
            campaign_id: replace(plan, gateways=tuple(map(changed, plan.gateways)))
            if plan.gateway(gateway_id) is not None
            else plan
            for campaign_id, plan in self._plans.items()
        }

    def _run(self, dispatcher: Dispatcher) -> None:
        try:
            dispatcher.run()
        finally:
            del self._dispatchers[dispatcher.campaign_id]
            del self._running[dispatcher.campaign_id]
            self._telling.forget(dispatcher.campaign_id)
            self.refresh()
