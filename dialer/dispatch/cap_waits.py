"""Which caps that campaigns share are full, until when, and who waits for each. Pure.

A cap that denied one call denies the next: it is asked again when a slot of it came free here, or when the time is
over that the limiter named, and then for a few calls first, not for all that wait.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from dialer.dispatch.plans import Plan

CapKey = tuple[str, str]
"""What kind of thing has the cap, and its name."""

NODES: CapKey = ("node", "*")
REDIS: CapKey = ("redis", "*")
FEWEST = 2
MOST = 200
SLOTS = frozenset({"tenant_concurrency", "gateway_channels", "node_channels"})
"""Caps on calls at a time: the end of one makes room for the next."""


def cap_of(reason: str, tenant_id: str, gateway_id: str) -> CapKey | None:
    """The shared cap that a denial speaks of; None where it concerns one campaign, contact or number alone."""
    if reason.startswith("tenant_"):
        return "tenant", tenant_id
    if reason in ("gateway_cps", "gateway_channels"):
        return "gateway", gateway_id
    if reason in ("node_cps", "node_channels", "no_node"):
        return NODES
    return REDIS if reason == "no_redis" else None


def caps_over(plan: Plan) -> list[CapKey]:
    """The shared caps without which nothing of a campaign leaves. With several gateways no single one's is."""
    found = [REDIS, NODES, ("tenant", plan.tenant_id)]
    return found if len(plan.gateways) > 1 else [*found, ("gateway", plan.gateways[0].gateway_id)]


@dataclass(slots=True)
class _Cap:
    reason: str
    until: float
    group: int = FEWEST
    waiters: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """Who waits, the longest first."""
    asking: set[str] = field(default_factory=set)
    """Those that ask now because it was their turn: who is denied keeps its place, who gets a call loses it."""


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
        """A campaign waits for this cap: behind those that do already, unless it asked as the first of them and got
        nothing. Of several of these the first is to be named last."""
        cap = self._caps[key]
        if campaign_id not in cap.waiters:
            cap.waiters[campaign_id] = None
            if campaign_id in cap.asking:
                cap.waiters.move_to_end(campaign_id, last=False)

    def served(self, campaign_id: str) -> None:
        """It got a call: its next waits behind the others'."""
        for cap in self._caps.values():
            cap.asking.discard(campaign_id)

    def waits(self, campaign_id: str) -> bool:
        """Whether a campaign waits for a cap."""
        return any(campaign_id in cap.waiters for cap in self._caps.values())

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

    def due(self, now: float) -> list[str]:
        """Who may ask again now, the longest waiting first: of each cap as many as it may be asked for."""
        found: list[str] = []
        for cap in self._caps.values():
            if cap.until <= now and cap.waiters:
                first = list(cap.waiters)[: cap.group]
                for campaign_id in first:
                    del cap.waiters[campaign_id]
                cap.asking = set(first)
                found += first
        return found

    def forget(self, campaign_id: str) -> None:
        """It is not dialled any more, or is looked at for another reason."""
        for cap in self._caps.values():
            cap.waiters.pop(campaign_id, None)
            cap.asking.discard(campaign_id)

    def next_at(self) -> float | None:
        """When the first cap that somebody waits for is asked again."""
        return min((cap.until for cap in self._caps.values() if cap.waiters), default=None)
