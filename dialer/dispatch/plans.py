"""Plans: all that dialling a running campaign needs, and what of it a number, a pause or a breaker leaves. Pure.

A plan is a snapshot; what must hold at the moment of a call (the campaign runs, nobody halted the tenant) is
asked again by the claim and by the sender's guard.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from campaigns.policies import NumberLimits, Policy
from campaigns.retry_rules import RetryRules, RetryTerms
from campaigns.routing import destination, in_order
from dialer.dispatch.second_legs import BridgeGateway, agent_number
from dialer.holds import Hold, HoldKind, PrefixPause, pauses_of
from limits.caps import NO_NUMBER_CAPS, NumberCaps
from models import CallerIdFormat, CallerIdHeader


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """One gateway that a campaign's calls may leave by. `cps` is what second legs and back-pressure leave of its own.

    `faults` are those in a row, and `faulty`: one of its destinations has some; a paused one may be probed with one
    call when `probe_due`, and by a call elsewhere than to `paused_alone` at once. `pauses` are the destinations for
    which it is paused alone. `off`: an operator switched it off, and nothing leaves by it until he switches it on.
    """

    gateway_id: str
    dial_string: str
    cps: int | None
    channels: int | None
    prefixes: tuple[str, ...] = ()
    cost: float | None = None
    caller_id_header: CallerIdHeader = CallerIdHeader.FROM
    caller_id_format: CallerIdFormat = CallerIdFormat.E164
    faults: int = 0
    paused: bool = False
    probe_due: bool = False
    probe_at: str | None = None
    faulty: bool = False
    paused_alone: str | None = None
    pauses: tuple[PrefixPause, ...] = ()
    off: bool = False

    @property
    def shut(self) -> bool:
        """Whether no call may leave by it, wherever to, not even a probe."""
        return self.off or (self.paused and not self.probe_due and self.paused_alone is None)

    def destination(self, number: str) -> str:
        """Where a number is, as far as this gateway tells destinations apart."""
        return destination(number, self.prefixes)

    def holds(self, number: str) -> list[Hold]:
        """What keeps a call to this number from leaving by it; nothing where none is paused."""
        return pauses_of(self, number)

    def caller_id(self, e164: str) -> str:
        """A caller's number as this gateway's carrier wants it written."""
        return e164.removeprefix("+") if self.caller_id_format is CallerIdFormat.DIGITS else e164


@dataclass(frozen=True, slots=True)
class Plan:
    """One running campaign with its agent, caller id, gateways and caps. `held`: why none of its calls may leave
    now, as its `blocked_reason` says it.

    `gateways` are the number's own, in front, and those it fails over to. `bridge_gateways` are, by id, all that the
    tenant may bridge to. `weight` is its share beside the tenant's other campaigns, `tenant_weight` the tenant's
    beside other tenants. In a `slow_start`, `ramp_level` says how often its rate was doubled since it began to run;
    `has_ramp`: there is a row that says so. `limits_version` is another one after every change of the tenant's caps,
    empty where it has none. `breakers` are those that hold calls by its gateways or of its caller id,
    `second_leg_breakers` those of the gateway that its agent is reached by; none where it is exempt.
    """

    campaign_id: str
    tenant_id: str
    generation: int
    max_concurrent_calls: int
    retries_per_contact: int
    retry_delay_seconds: int
    blocked_reason: str | None
    next_action_at: str | None
    held: str | None
    caller_id: str
    gateways: tuple[GatewayPlan, ...]
    action: Mapping[str, Any]
    ring_timeout_seconds: int
    max_call_seconds: int
    variables: tuple[str, ...] | None
    concurrent_max: int | None
    calls_per_minute: int | None
    daily_calls_max: int | None
    daily_minutes_max: int | None
    dialplan_context: str | None
    gateway_ids: tuple[str, ...]
    queues: tuple[str, ...]
    bridge_gateways: Mapping[str, BridgeGateway]
    safe_harbour: Mapping[str, Any] | None = None
    columns: Mapping[str, str] | None = None
    """The variable of each column of its list; None of a list that an older release imported."""
    region: str | None = None
    """The country of numbers without a `+` in its list, where that is not its caller id's."""
    weight: int = 1
    tenant_weight: int = 1
    slow_start: bool = False
    has_ramp: bool = False
    ramp_level: int = 0
    breakers: tuple[Hold, ...] = ()
    second_leg_breakers: tuple[Hold, ...] = ()
    breaker_exempt: bool = False
    keep_open: bool = False
    """It goes on where nobody is left."""
    retry_rules: RetryRules = field(default_factory=dict)
    number_caps: NumberCaps = NO_NUMBER_CAPS
    limits_version: str = ""
    single_call: bool = False
    """It is one call that somebody asked for by itself, and goes before campaigns."""
    reserved_concurrency: int = 0
    policy: Policy | None = None
    """What policy packs ask of its calls; None where they do not bind it."""

    def caps_on(self, number: str) -> NumberCaps:
        """What they ask of calls to a number, beside the tenant's caps."""
        return NO_NUMBER_CAPS if self.policy is None else caps_of(self.policy.limits_of(number))

    def ring_seconds_on(self, number: str) -> int:
        """For how long a call to a number rings: as its agent says, and never shorter than they ask."""
        asked = 0 if self.policy is None else self.policy.demands_of(number).ring_seconds
        return max(self.ring_timeout_seconds, asked)

    def rests_of(self, number: str) -> str | None:
        """After which calls a number is left alone, and for how long, as the claim reads it."""
        return None if self.policy is None else self.policy.rests_of(number)

    @property
    def retry_terms(self) -> RetryTerms:
        """What it says of retries."""
        return RetryTerms(self.retries_per_contact, self.retry_delay_seconds, self.retry_rules)

    @property
    def probe_at(self) -> str | None:
        """When the first of its gateways that are paused, or for a destination, may be probed."""
        on = [one for one in self.gateways if not one.off]
        found = [one.probe_at for one in on if one.paused]
        found += [pause.probe_at for one in on for pause in one.pauses]
        return min((at for at in found if at), default=None)

    @property
    def held_in_part(self) -> bool:
        """Whether some of its contacts may be held while others are not."""
        return bool(self.breakers) or any(
            one.prefixes or one.pauses or one.paused_alone for one in self.gateways
        )

    @property
    def held_whole(self) -> HoldKind | None:
        """What keeps all of its calls from leaving, even as a probe."""
        if all(gateway.shut for gateway in self.gateways):
            return HoldKind.PAUSE
        if any(not hold.gateway_id and not hold.probe_due for hold in self.breakers):
            return HoldKind.BREAKER
        return self._second_leg_shut

    def over_at(self, word: str | None) -> str | None:
        """When the first of what holds it by this word may be probed; None for a word of something else."""
        if word not in tuple(HoldKind):
            return None
        # Around these there is no way, whoever is called.
        if second := [hold.probe_at for hold in self._agents_holds if hold.kind == word]:
            return max(at for at in second if at) if all(second) else None
        if word == HoldKind.PAUSE:
            return self.probe_at
        return min((hold.probe_at for hold in self.breakers if hold.probe_at), default=None)

    def holds(self, gateway: GatewayPlan, number: str) -> list[Hold]:
        """What keeps its call to a number from leaving by one of its gateways, or from reaching its agent then."""
        found = gateway.holds(number) + [
            hold
            for hold in self.breakers
            if not hold.gateway_id
            or (hold.gateway_id == gateway.gateway_id and hold.prefix == gateway.destination(number))
        ]
        # What the first leg probes the second one need not: it rings before, and disturbs nobody where it does not.
        probed = {hold.subject for hold in found}
        return found + [hold for hold in self._agents_holds if hold.subject not in probed]

    def second_leg_holds(self, number: str) -> list[Hold]:
        """What keeps its agent from being reached at this number."""
        second = self.second_leg
        if second is None:
            return []
        found = second.holds(number)
        if self.second_leg_breakers:
            where = destination(number, second.prefixes)
            found += [hold for hold in self.second_leg_breakers if hold.prefix == where]
        return found

    @property
    def _agents_holds(self) -> list[Hold]:
        """What keeps its agent from being reached, whoever is called. Where he is each contact's own that is known
        once the contact is claimed: not even then while nobody is reached by his gateway."""
        second = self.second_leg
        if second is None:
            return []
        number = self.agents_number
        return second.shut if number is None else self.second_leg_holds(number)

    @property
    def agents_number(self) -> str | None:
        """The number at which all reach its agent; None where there is none, or it is each contact's own."""
        return agent_number(str(self.action.get("number")))

    @property
    def _second_leg_shut(self) -> HoldKind | None:
        """What keeps its agent from being reached even as a probe. Where calls leave by the same gateway, the first
        one to leave is the probe; none does by what is off."""
        second = self.second_leg
        if second is None or (not second.off and self.gateway(second.gateway_id) is not None):
            return None
        return next((hold.kind for hold in self._agents_holds if not hold.probe_due), None)

    @property
    def second_leg(self) -> BridgeGateway | None:
        """The gateway that its agent is reached by; None where no second leg of ours leaves."""
        match self.action:
            case {"type": "bridge", "gateway_id": str(gateway_id)}:
                return self.bridge_gateways.get(gateway_id.strip())
            case _:
                return None

    def gateway(self, gateway_id: str) -> GatewayPlan | None:
        """One of its gateways; None where calls no longer leave by it."""
        return next((gateway for gateway in self.gateways if gateway.gateway_id == gateway_id), None)

    def route(self, number: str, tried: Collection[str]) -> list[GatewayPlan]:
        """The gateways that carry a number, in order: those not tried for it, or all where none of these is open."""
        carrying = in_order(self.gateways, number)
        left = [gateway for gateway in carrying if gateway.gateway_id not in tried]
        return left if any(self._open(gateway, number) for gateway in left) else carrying

    def elsewhere(self, number: str, tried: Collection[str]) -> bool:
        """Whether another gateway than those tried may be given a call to this number now."""
        return any(
            one.gateway_id not in tried and not self.holds(one, number)
            for one in in_order(self.gateways, number)
        )

    def _open(self, gateway: GatewayPlan, number: str) -> bool:
        """Whether a call to a number may leave by it, if only as a probe."""
        return all(hold.probe_due for hold in self.holds(gateway, number))


def caps_of(limits: NumberLimits) -> NumberCaps:
    """What packs ask of calls to one number, as caps."""
    return NumberCaps(0, limits.calls_24h, limits.calls_7d, limits.calls_30d)
