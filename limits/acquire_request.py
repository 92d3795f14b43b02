"""A batch of requests as `acquire.lua` reads it, and its answers as the caller does. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from limits.caps import PERMIT_LIFE, Denied, GatewayCaps, NodeCaps, Permit, PermitRequest, Rate, TenantCaps
from limits.keys import EpochKeys, Keys

SHORTEST_WAIT = 0.005
NO_REDIS_WAIT = 0.25


@dataclass(frozen=True, slots=True)
class AcquireRequest:
    """Who wants to place which calls, and every cap over them."""

    tenant_id: str
    campaign_id: str
    concurrency: int
    tenant: TenantCaps
    gateway: GatewayCaps
    nodes: Sequence[NodeCaps]
    requests: Sequence[PermitRequest]

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
            keys.day(self.tenant_id),
            keys.slots("campaign", self.campaign_id),
            keys.slots("tenant", self.tenant_id),
            keys.slots("gateway", self.gateway.id),
            keys.rate("tenant", self.tenant_id),
            keys.rate("gateway", self.gateway.id),
        ]
        for node in self.nodes:
            paths += [keys.slots("node", node.name), keys.rate("node", node.name)]
        return paths + [keys.number_slots(self.tenant_id, request.number) for request in self.requests]

    def job(self) -> dict[str, object]:
        """The script's argument, but for who asks."""
        return {
            "life": int(PERMIT_LIFE * 1_000_000),
            "campaign": self.campaign_id,
            "concurrency": self.concurrency,
            "tenant": self.tenant_id,
            "concurrent": _number(self.tenant.concurrent_max),
            "rate": _rate(self.tenant.minute_rate),
            "calls": _number(self.tenant.daily_calls_max),
            "minutes": _number(self.tenant.daily_minutes_max),
            "gateway": self.gateway.id,
            "channels": _number(self.gateway.channels),
            "gateway_rate": _rate(self.gateway.rate),
            "nodes": [[node.name, _number(node.channels), _rate(node.rate)] for node in self.nodes],
            "requests": [[request.call_id, request.number] for request in self.requests],
        }

    def answers(self, replies: Sequence[Any], expires_at: float) -> list[Permit | Denied]:
        """The script's replies, in the order of the requests."""
        return [
            Permit(request.call_id, detail, expires_at)
            if word == "permit"
            else Denied(request.call_id, word, max(SHORTEST_WAIT, detail / 1_000_000))
            for request, (word, detail) in zip(self.requests, replies, strict=True)
        ]

    def no_redis(self) -> list[Permit | Denied]:
        """The answers where the state is not whole."""
        return [Denied(request.call_id, "no_redis", NO_REDIS_WAIT) for request in self.requests]


def _number(limit: int | None) -> int:
    return -1 if limit is None else limit


def _rate(rate: Rate) -> list[int]:
    return [_number(rate.limit), rate.window_ms]
