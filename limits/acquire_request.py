"""A batch of requests as `acquire.lua` reads it, and its answers as the caller does. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from limits.caps import (
    PERMIT_LIFE,
    CallCaps,
    Denied,
    GatewayCaps,
    NodeCaps,
    NumberCaps,
    Permit,
    PermitRequest,
    Rate,
    TenantCaps,
)
from limits.keys import EpochKeys, Keys, campaign_scope
from limits.redis_clock import RedisClock

SHORTEST_WAIT = 0.005
NO_REDIS_WAIT = 0.25
WIRE_SECONDS = 0.010
NO_LIMIT = -1
OF_SECOND_LEG, OF_TENANT = 1, 2
"""Behind a denial: the second leg's gateway is full, or what the tenant's numbers were called is not known."""


@dataclass(slots=True)
class AcquireRequest:
    """Who wants to place which calls, and every cap over them, each of which is said once.

    `lead` and `horizon` are seconds: no turn before `lead` from now, none later than `horizon` after that.
    """

    nodes: Sequence[NodeCaps]
    requests: Sequence[PermitRequest]
    lead: float = 0.0
    horizon: float = 0.0
    _tenants: dict[str, TenantCaps] = field(default_factory=dict)
    _campaigns: dict[str, tuple[str, int, bool]] = field(default_factory=dict)
    _gateways: dict[str, GatewayCaps] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for request in self.requests:
            caps = request.caps
            self._tenants[caps.tenant_id] = _remembering(
                self._tenants.get(caps.tenant_id, caps.tenant), request.number_caps
            )
            concurrency = NO_LIMIT if caps.single else caps.campaign_concurrency
            self._campaigns.setdefault(_scope(caps), (caps.tenant_id, concurrency, caps.single))
            self._gateways.setdefault(caps.gateway.id, caps.gateway)
        # Behind all first legs', whose rate is the one that counts.
        for request in self.requests:
            if (second := request.caps.second_leg) is not None:
                self._gateways.setdefault(second.id, second)

    def keys(self, outer: Keys, keys: EpochKeys, dialer_id: str) -> list[str]:
        """The keys of the script, from its second on."""
        paths = [
            outer.lease(dialer_id),
            outer.fenced(dialer_id),
            keys.clock,
            keys.permits,
            keys.held(dialer_id),
            keys.holders,
            keys.next_due,
        ]
        for tenant_id in self._tenants:
            paths += [keys.day(tenant_id), keys.slots("tenant", tenant_id), keys.rate("tenant", tenant_id)]
            paths.append(keys.slots("campaign", campaign_scope("", tenant_id, single=True)))
        paths += [keys.slots("campaign", scope) for scope in self._campaigns]
        for gateway_id in self._gateways:
            paths += [keys.slots("gateway", gateway_id), keys.rate("gateway", gateway_id)]
        for node in self.nodes:
            paths += [keys.slots("node", node.name), keys.rate("node", node.name)]
        for request in self.requests:
            tenant_id = request.caps.tenant_id
            paths.append(keys.number_slots(tenant_id, request.number))
            if self._tenants[tenant_id].number.any:
                paths += outer.number_history(tenant_id, request.number)
        return paths

    def job(self) -> dict[str, object]:
        """The script's argument, but for who asks."""
        tenants, campaigns = _places(self._tenants), _places(self._campaigns)
        gateways, nodes = _places(self._gateways), _places({node.name: node for node in self.nodes})
        return {
            "life": _micros(PERMIT_LIFE),
            "lead": _micros(self.lead),
            "horizon": _micros(self.horizon),
            "tenants": [
                [
                    name,
                    _number(caps.concurrent_max),
                    _rate(caps.minute_rate),
                    _number(caps.daily_calls_max),
                    _number(caps.daily_minutes_max),
                    0 if caps.concurrent_max is None else caps.reserved,
                    *_numbers(caps.number),
                ]
                for name, caps in self._tenants.items()
            ],
            "campaigns": [
                [scope, tenants[tenant_id], concurrency, int(single)]
                for scope, (tenant_id, concurrency, single) in self._campaigns.items()
            ],
            "gateways": [
                [caps.id, _number(caps.channels), _rate(caps.rate)] for caps in self._gateways.values()
            ],
            "nodes": [[node.name, _number(node.channels), _rate(node.rate)] for node in self.nodes],
            "asked": self._asked(campaigns, gateways, nodes),
        }

    def _asked(
        self, campaigns: Mapping[str, int], gateways: Mapping[str, int], nodes: Mapping[str, int]
    ) -> dict[str, object]:
        """A list for each part of the requests; what hardly any has by its place. Calls are mostly offered the same
        nodes, each list of which is said once."""
        requests = self.requests
        offers: dict[tuple[int, ...], int] = {}
        offered = [
            offers.setdefault(tuple([nodes[name] for name in one.nodes if name in nodes]), len(offers) + 1)
            for one in requests
        ]
        return {
            "ids": [one.call_id for one in requests],
            "numbers": [one.number for one in requests],
            "campaigns": [campaigns[_scope(one.caps)] for one in requests],
            "gateways": [gateways[one.caps.gateway.id] for one in requests],
            "offered": offered,
            "offers": list(offers),
            "may_have_left": {str(n): True for n, one in enumerate(requests, 1) if one.may_have_left},
            "second_legs": {
                str(n): gateways[second.id]
                for n, one in enumerate(requests, 1)
                if (second := one.caps.second_leg) is not None
            },
            "windows": {
                str(n): windows for n, one in enumerate(requests, 1) if (windows := one.number_caps.windows)
            },
        }

    def answers(self, now: int, replies: Sequence[Any], clock: RedisClock) -> list[Permit | Denied]:
        """The script's replies, three values for each request, in their order; `now` is Redis' time at them, in µs.

        A permit ends a little before its life does: what lies between the last check and the wire is part of it.
        A turn begins when it is sure to have come by Redis' clock, and ends while it is sure to last.
        """
        found: list[Permit | Denied] = []
        words = zip(self.requests, replies[::3], replies[1::3], replies[2::3], strict=True)
        for request, word, node_or_wait, value in words:
            if word == "permit":
                turn = (now + value) / 1_000_000
                expires_at = clock.earliest(turn) + PERMIT_LIFE - WIRE_SECONDS
                found.append(Permit(request.call_id, node_or_wait, clock.latest(turn), expires_at))
            else:
                wait = max(SHORTEST_WAIT, node_or_wait / 1_000_000)
                found.append(
                    Denied(
                        request.call_id,
                        word,
                        wait,
                        of_second_leg=value == OF_SECOND_LEG,
                        of_tenant=value == OF_TENANT,
                    )
                )
        return found

    def unknown_numbers(self, replies: Sequence[Any]) -> dict[str, NumberCaps]:
        """The tenants, with their caps, of which is not known how often their numbers were called."""
        tenants = [
            request.caps.tenant_id
            for request, word, value in zip(self.requests, replies[::3], replies[2::3], strict=True)
            if value == OF_TENANT and word != "permit"
        ]
        return {tenant_id: self._tenants[tenant_id].number for tenant_id in tenants}

    def no_redis(self) -> list[Permit | Denied]:
        """The answers where the state is not whole."""
        return [Denied(request.call_id, "no_redis", NO_REDIS_WAIT) for request in self.requests]


def _scope(caps: CallCaps) -> str:
    return campaign_scope(caps.campaign_id, caps.tenant_id, single=caps.single)


def _places(of: Mapping[str, object]) -> dict[str, int]:
    """The place of each name, as Lua counts: from 1 on."""
    return {name: place for place, name in enumerate(of, 1)}


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _number(limit: int | None) -> int:
    return NO_LIMIT if limit is None else limit


def _numbers(caps: NumberCaps) -> list[list[object]]:
    memory = [caps.memory_ms] if caps.memory_ms else []
    return [[caps.gap_seconds * 1000, caps.windows, *memory]] if caps.any else []


def _remembering(tenant: TenantCaps, own: NumberCaps) -> TenantCaps:
    """A tenant's caps, of which calls are known as far back as those of one of its calls look."""
    if own is tenant.number or own.longest_ms <= tenant.number.longest_ms:
        return tenant
    return replace(tenant, number=replace(tenant.number, memory_ms=own.longest_ms))


def _rate(rate: Rate) -> list[int]:
    return [_number(rate.limit), rate.window_ms]
