"""Which caps that campaigns share are full, until when, and who waits for each. Pure.

A cap that denied one call denies the next: it is asked again when a slot of it came free here, or when the time is
over that the limiter named, and then for a few calls first, not for all that wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

from dialer.dispatch.plans import Plan

CapKey = tuple[str, str]
"""What kind of thing has the cap, and its name."""

NODES: CapKey = ("node", "*")
REDIS: CapKey = ("redis", "*")
RATE, CHANNELS = "gateway_cps", "gateway_channels"
FEWEST = 2
MOST = 200
SLOTS = frozenset({"tenant_concurrency", CHANNELS, "node_channels"})
"""Caps on calls at a time: the end of one makes room for the next."""


def tenant_caps(tenant_id: str, *, single: bool = False) -> CapKey:
    """A tenant's caps, over its campaigns' calls or its single calls: what is full for the former, since places are
    kept for the latter, is not for these."""
    return "single" if single else "tenant", tenant_id


def cap_of(reason: str, tenant_id: str, gateway_id: str, *, single: bool = False) -> CapKey | None:
    """The shared cap that a denial speaks of; None where it concerns one campaign, contact or number alone."""
    if reason.startswith("tenant_"):
        return tenant_caps(tenant_id, single=single)
    if reason in (RATE, CHANNELS):
        return reason, gateway_id
    if reason in ("node_cps", "node_channels", "no_node"):
        return NODES
    return REDIS if reason == "no_redis" else None


def caps_over(plan: Plan) -> list[CapKey]:
    """The shared caps without which nothing of a campaign leaves. With several gateways no single one's is. Of the
    gateway of a second leg a channel is taken, and nothing of the rate that its first legs have."""
    found = [REDIS, NODES, tenant_caps(plan.tenant_id, single=plan.single_call)]
    if len(plan.gateways) == 1:
        found += gateway_caps(plan.gateways[0].gateway_id)
    second = plan.second_leg
    if second is not None and (CHANNELS, second.gateway_id) not in found:
        found.append((CHANNELS, second.gateway_id))
    return found


def gateway_caps(gateway_id: str) -> list[CapKey]:
    """The caps of a gateway over a call that leaves by it: one may be full while the other is not."""
    return [(RATE, gateway_id), (CHANNELS, gateway_id)]


@dataclass(slots=True)
class _Cap:
    reason: str
    until: float
    group: int = FEWEST
    waiters: dict[str, None] = field(default_factory=dict)
    """Who waits, the longest first."""


@dataclass(slots=True)
class CapWaits:
    """The caps that denied a call lately."""

    _caps: dict[CapKey, _Cap] = field(default_factory=dict)

    def denied(self, key: CapKey, reason: str, until: float, granted: int) -> None:
        """It denied a call, after `granted` others of the same batch."""
        cap = self._caps.setdefault(key, _Cap(reason, until))
        cap.reason, cap.until = reason, until
        cap.group = min(MOST, max(FEWEST, granted * 2))

    def granted(self, key: CapKey) -> None:
        """It denied none of a batch."""
        cap = self._caps.get(key)
        if cap is not None:
            cap.group *= 2
            if cap.group > MOST and not cap.waiters:
                del self._caps[key]

    def most(self, key: CapKey) -> int:
        """For how many calls it may be asked at a time."""
        cap = self._caps.get(key)
        return MOST if cap is None else cap.group

    def binding(self, keys: list[CapKey], now: float) -> tuple[CapKey, str] | None:
        """The first of these caps that is known to be full, and its word."""
        for key in keys:
            cap = self._caps.get(key)
            if cap is not None and cap.until > now:
                return key, cap.reason
        return None

    def wait(self, key: CapKey, campaign_id: str) -> None:
        """A campaign waits for this cap, behind those that do already."""
        self._caps[key].waiters.setdefault(campaign_id)

    def waits(self, campaign_id: str) -> bool:
        """Whether a campaign waits for a cap."""
        return any(campaign_id in cap.waiters for cap in self._caps.values())

    def asked_at(self, campaign_id: str) -> float | None:
        """When the first cap that a campaign waits for is asked again; None where it waits for none."""
        return min((cap.until for cap in self._caps.values() if campaign_id in cap.waiters), default=None)

    def free(self, key: CapKey, now: float) -> bool:
        """A slot of it came free here; whether anybody waits for one."""
        cap = self._caps.get(key)
        if cap is None or cap.reason not in SLOTS:
            return False
        cap.until = min(cap.until, now)
        return bool(cap.waiters)

    def changed(self, keys: list[CapKey], now: float) -> None:
        """They may be other caps than they were: who waits for them asks again now."""
        for key in keys:
            cap = self._caps.get(key)
            if cap is not None:
                cap.until = min(cap.until, now)

    def due(self, now: float, order: Callable[[Iterable[str]], Iterable[str]]) -> list[str]:
        """Who may ask again now: of those that wait for each cap the first by `order`, as many as it may be asked
        for. `order` gets the longest waiting first."""
        found: list[str] = []
        for cap in self._caps.values():
            if cap.until <= now and cap.waiters:
                first = list(islice(order(cap.waiters), cap.group))
                for campaign_id in first:
                    del cap.waiters[campaign_id]
                found += first
        return found

    def forget(self, campaign_id: str) -> None:
        """It is not dialled any more, or is looked at for another reason."""
        for cap in self._caps.values():
            cap.waiters.pop(campaign_id, None)

    def next_at(self) -> float | None:
        """When the first cap that somebody waits for is asked again."""
        return min((cap.until for cap in self._caps.values() if cap.waiters), default=None)
