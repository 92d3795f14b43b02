"""The plans of the running campaigns as this process holds them, with what back-pressure and pauses leave of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from campaigns.retry_rules import RetryTerms
from campaigns.routing import destination
from dialer.capacity.gateway_breaker import FAULTS_IN_DOUBT
from dialer.dispatch.nodes import CpsNow
from dialer.dispatch.plan_rows import retry_terms, running
from dialer.dispatch.plans import GatewayPlan, Plan
from dialer.dispatch.second_legs import BridgeGateway
from dialer.holds import Hold
from dialer.live_calls import LiveCall
from limits.rate_cuts import Kind, Target

_OF_AGENTS: Final = frozenset({"paused", "paused_alone", "pauses"})
"""What of a gateway's changes concerns those who reach their agents by it."""
Pausing = TypeVar("Pausing", GatewayPlan, BridgeGateway)

ALL_SECONDS = 10.0
"""A database that was promoted may have rows that differ and were written by transactions of the same numbers."""


@dataclass(slots=True)
class PlanBoard:
    """Looked at once a second and on a control message, read where the rows are others than those that were read, or
    as long ago as ALL_SECONDS; a plan that did not change stays the very same object.

    What a campaign says of itself (`blocked_reason`, `next_action_at`) is no change: we wrote it, and whoever waits
    in a line keeps its place there.
    """

    cps_now: CpsNow
    running: Callable[[], Mapping[str, Plan]] = running
    terms: Callable[[Collection[str]], Mapping[str, RetryTerms]] = retry_terms
    plans: Mapping[str, Plan] = field(default_factory=dict)
    now: Callable[[], float] = time.monotonic
    is_down: Callable[[str], bool] = lambda _gateway_id: False
    """Whether nodes say of a gateway that is paused that nobody answers its pings."""
    _rows: Mapping[str, Plan] = field(default_factory=dict)
    """The plans as they were read."""
    _at_rest: Mapping[str, RetryTerms] = field(default_factory=dict)
    """The terms of campaigns that do not run, and have calls up."""
    _version: str | None = None
    """Of the rows, before these were read; None where they are to be read whatever it is."""
    _read_at: float = float("-inf")
    _cuts: Mapping[str, int | None] = field(default_factory=dict)
    _down: Collection[str] = frozenset()
    _changes: int = 0
    """How often the plans were read or changed."""

    def read(self, version: str | None = None) -> set[str]:
        """The campaigns that came, went or changed. `version` is that of the rows just now (`plan_rows.VERSION`);
        without it they are read. Raises what a database that is away raises; the plans stay as they are then."""
        now = self.now()
        if version is None or version != self._version or now - self._read_at >= ALL_SECONDS:
            self._version = None
            self._rows = self._read_rows()
            self._version, self._read_at = version, now
        elif (self._cuts, self._down) == (self._cuts_now(), self._down_now()):
            return set()
        self._cuts, self._down = self._cuts_now(), self._down_now()
        found = {campaign_id: self._slowed(plan) for campaign_id, plan in self._rows.items()}
        before = self.plans
        changed = {
            campaign_id
            for campaign_id in found.keys() | before.keys()
            if not _same(found.get(campaign_id), before.get(campaign_id))
        }
        self.plans = {
            campaign_id: before[campaign_id] if plan == before.get(campaign_id) else plan
            for campaign_id, plan in found.items()
        }
        return changed

    def _read_rows(self) -> Mapping[str, Plan]:
        """The plans as they are now. What was read before another reading, or a change, was heeded is older than
        that: a call would leave that is held by now."""
        while True:
            before = self._changes
            found = self.running()
            if self._changes == before:
                self._changes += 1
                return found

    def plan(self, campaign_id: str) -> Plan | None:
        """The plan of a campaign that runs."""
        return self.plans.get(campaign_id)

    def faulty_gateways(self) -> set[str]:
        """The gateways whose last calls were at fault, or that nobody responded by, or that are paused for it."""
        gateways = [gateway for plan in self.plans.values() for gateway in plan.gateways]
        found = {one.gateway_id for one in gateways if one.faults or one.faulty or one.paused}
        second_legs = (plan.second_leg for plan in self.plans.values())
        return found | {
            one.gateway_id for one in second_legs if one is not None and (one.faulty or one.paused)
        }

    def breakers(self) -> set[str]:
        """The breakers that hold calls of these campaigns."""
        return {hold.subject for plan in self.plans.values() for hold in plan.breakers}

    def exempt(self, campaign_id: str) -> bool:
        """Whether no breaker holds a campaign, nor counts it."""
        plan = self.plans.get(campaign_id)
        return plan is not None and plan.breaker_exempt

    def breaker_probed(self, breaker_id: str) -> Collection[str]:
        """A probe was taken, by this process or another: it is not due any more. The campaigns that are held."""
        touched = {
            campaign_id: replace(
                plan,
                breakers=_probed(plan.breakers, breaker_id),
                second_leg_breakers=_probed(plan.second_leg_breakers, breaker_id),
            )
            for campaign_id, plan in self.plans.items()
            if any(hold.subject == breaker_id for hold in (*plan.breakers, *plan.second_leg_breakers))
        }
        return self._heed(touched)

    def targets(self) -> list[Target]:
        """The gateways that calls may leave by now."""
        found = {gateway.gateway_id for plan in self.plans.values() for gateway in plan.gateways}
        return [(Kind.GATEWAY, gateway_id) for gateway_id in found]

    def elsewhere(self, call: LiveCall) -> bool:
        """Whether there is a gateway by which a call's contact can be sent again now, and was not tried yet."""
        plan = self.plans.get(call.campaign_id)
        return plan is not None and plan.elsewhere(call.phone_number, (*call.tried, call.gateway_id))

    def read_terms(self, campaigns: Collection[str]) -> None:
        """Read what those of these campaigns say of retries that do not run, such as a paused one. Raises what a
        database that is away raises; what was known of them stays then."""
        at_rest = [campaign_id for campaign_id in campaigns if campaign_id not in self.plans]
        self._at_rest = self.terms(at_rest) if at_rest else {}

    def retry_terms(self, call: LiveCall) -> RetryTerms | None:
        """What a call's campaign says of retries now; None where that is not known."""
        plan = self.plans.get(call.campaign_id)
        return self._at_rest.get(call.campaign_id) if plan is None else plan.retry_terms

    def way_of(self, call: LiveCall) -> tuple[str, str]:
        """A call's gateway, and where its number is, as far as that tells destinations apart."""
        plan = self.plans.get(call.campaign_id)
        gateway = None if plan is None else plan.gateway(call.gateway_id)
        prefixes = () if gateway is None else gateway.prefixes
        return call.gateway_id, destination(call.phone_number, prefixes)

    def second_way_of(self, call: LiveCall) -> tuple[str, str] | None:
        """The gateway by which a call's agent is reached, and where he is; None where that is not known any more, or
        is each contact's own."""
        plan = self.plans.get(call.campaign_id)
        second, number = (None, None) if plan is None else (plan.second_leg, plan.agents_number)
        if second is None or number is None or second.gateway_id != call.second_leg_gateway_id:
            return None
        return second.gateway_id, destination(number, second.prefixes)

    def gateway_changed(self, gateway_id: str, **changes: Any) -> Collection[str]:
        """What is known of a gateway changed since it was read: heeded before the next call leaves. The campaigns
        that leave by it, or reach their agents."""
        of_agents = {name: value for name, value in changes.items() if name in _OF_AGENTS}
        return self._change(
            gateway_id,
            lambda gateway: self._slowed_gateway(replace(gateway, **changes)),
            lambda second: replace(second, **of_agents),
        )

    def _change(
        self,
        gateway_id: str,
        how: Callable[[GatewayPlan], GatewayPlan],
        how_second: Callable[[BridgeGateway], BridgeGateway],
    ) -> Collection[str]:
        touched: dict[str, Plan] = {}
        for campaign_id, plan in self.plans.items():
            second = plan.second_leg
            reaches = second is not None and second.gateway_id == gateway_id
            if not reaches and plan.gateway(gateway_id) is None:
                continue
            gateways = tuple(how(one) if one.gateway_id == gateway_id else one for one in plan.gateways)
            bridging = plan.bridge_gateways
            if second is not None and reaches:
                bridging = {**bridging, gateway_id: how_second(second)}
            touched[campaign_id] = replace(plan, gateways=gateways, bridge_gateways=bridging)
        return self._heed(touched)

    def _heed(self, touched: Mapping[str, Plan]) -> Collection[str]:
        self.plans = {**self.plans, **touched}
        self._changes += 1
        # The rows are to have the last word, also where they do not change.
        self._version = None
        return touched.keys()

    def probe_taken(self, gateway_id: str, prefix: str) -> Collection[str]:
        """A probe of what is paused was taken, by this process or another: it is not due any more. The campaigns that
        leave by the gateway, or reach their agents."""

        def taken(gateway: Pausing) -> Pausing:
            pauses = tuple(
                replace(one, probe_due=False) if one.prefix == prefix else one for one in gateway.pauses
            )
            return replace(gateway, probe_due=False, paused_alone=None, pauses=pauses)

        return self._change(gateway_id, taken, taken)

    def _cuts_now(self) -> dict[str, int | None]:
        """What is left of each gateway's rate."""
        gateways = {one.gateway_id: one.cps for plan in self._rows.values() for one in plan.gateways}
        return {name: self.cps_now(Kind.GATEWAY, name, cps) for name, cps in gateways.items()}

    def _down_now(self) -> frozenset[str]:
        """The gateways that agents are reached by, are paused, and do not answer."""
        second_legs = (plan.second_leg for plan in self._rows.values())
        paused = {second.gateway_id for second in second_legs if second is not None and second.paused}
        return frozenset(filter(self.is_down, paused))

    def _slowed(self, plan: Plan) -> Plan:
        second = plan.second_leg
        if second is not None and second.gateway_id in self._down:
            plan = replace(
                plan,
                bridge_gateways={**plan.bridge_gateways, second.gateway_id: second.unanswered()},
                second_leg_breakers=tuple(
                    replace(hold, probe_due=False, probe_at=None) for hold in plan.second_leg_breakers
                ),
            )
        return replace(plan, gateways=tuple(map(self._slowed_gateway, plan.gateways)))

    def _slowed_gateway(self, gateway: GatewayPlan) -> GatewayPlan:
        if gateway.faults >= FAULTS_IN_DOUBT:
            return replace(gateway, cps=1)
        return replace(gateway, cps=self.cps_now(Kind.GATEWAY, gateway.gateway_id, gateway.cps))


def _probed(holds: Sequence[Hold], breaker_id: str) -> tuple[Hold, ...]:
    return tuple(replace(hold, probe_due=False) if hold.subject == breaker_id else hold for hold in holds)


def _same(one: Plan | None, other: Plan | None) -> bool:
    if one is not None and other is not None:
        one = replace(one, blocked_reason=other.blocked_reason, next_action_at=other.next_action_at)
    return one == other
