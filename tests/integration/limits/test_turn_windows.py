"""Random histories of several dialers that ask ahead: whatever they do, no window and no concurrency is exceeded.

The judge knows the turn of each permit that was told, and what is up; it reckons nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from limits.caps import CallCaps, GatewayCaps, NodeCaps, PermitRequest, TenantCaps
from limits.limiter import Permit
from tests.examples import first
from tests.integration.limits.limiter_rig import Clock, Dialer, HookedRedis

LIFE = 50_000
SECOND = 1_000_000
MINUTE = 60_050_000
TENANTS = {
    "narrow": TenantCaps(None, 60, None, None),
    "small": TenantCaps(6, 150, None, None),
    "wide": TenantCaps(None, 3000, None, None),
    "open": TenantCaps(None, None, None, None),
}
GATEWAYS = {
    "slow": GatewayCaps("slow", 5, None),
    "fast": GatewayCaps("fast", 40, 30),
    "channels": GatewayCaps("channels", None, 7),
}
NODES = [NodeCaps("fs1", 7, None), NodeCaps("fs2", 30, 25), NodeCaps("fs3", None, 9)]
CONCURRENCY = {tenant + campaign: 4 if campaign == "a" else 50 for tenant in TENANTS for campaign in "ab"}
RATES: Mapping[tuple[str, str], tuple[int, int]] = {
    **{("tenant", name): (caps.calls_per_minute or 0, MINUTE) for name, caps in TENANTS.items()},
    **{("gateway", name): (caps.cps or 0, SECOND) for name, caps in GATEWAYS.items()},
    **{("node", node.name): (node.cps or 0, SECOND) for node in NODES},
}
"""Each rate's limit, 0 for none, and its window in µs."""
SLOTS = {
    **{("tenant", name): caps.concurrent_max for name, caps in TENANTS.items()},
    **{("gateway", name): caps.channels for name, caps in GATEWAYS.items()},
    **{("node", node.name): node.channels for node in NODES},
    **{("campaign", name): concurrency for name, concurrency in CONCURRENCY.items()},
}


@dataclass(frozen=True, slots=True)
class Load:
    """How much is asked for, and how time passes. `calm` fills minutes, `busy` every second of every line."""

    steps: int
    batch: int
    pauses: Sequence[float]
    ends: float
    span: float


CALM = Load(240, 15, [0.0, 0.001, 0.02, 0.07, 0.1, 0.1, 0.3, 0.9, 6.0], 0.3, 61.0)
BUSY = Load(140, 40, [0.0, 0.001, 0.02, 0.05, 0.07, 0.1], 0.9, 2.0)


@dataclass
class Call:
    """`node` while it holds a permit; `turn` once it was told one that nobody has done away with since."""

    request: PermitRequest
    dialer: Dialer
    node: str = ""
    turn: int = -1
    sent: int = -1
    over: bool = False

    @property
    def scopes(self) -> list[tuple[str, str]]:
        """What it counts against: three rates, and besides them its campaign's slots."""
        caps = self.request.caps
        rates = [("tenant", caps.tenant_id), ("gateway", caps.gateway.id), ("node", self.node)]
        return [*rates, ("campaign", caps.campaign_id)]


@dataclass
class World:
    """Three dialers, what they have asked for, and the moves that they make."""

    clock: Clock
    dialers: list[Dialer]
    chance: random.Random
    load: Load
    calls: dict[str, Call] = field(default_factory=dict)

    def fresh(self) -> list[PermitRequest]:
        """A batch of new calls of any campaigns."""
        found: list[PermitRequest] = []
        for _ in range(self.chance.randint(1, self.load.batch)):
            call_id = f"call{len(self.calls) + len(found)}"
            tenant, gateway = (
                self.chance.choice([*TENANTS, "open", "open"]),
                self.chance.choice(list(GATEWAYS)),
            )
            campaign = tenant + self.chance.choice("ab")
            caps = CallCaps(tenant, campaign, CONCURRENCY[campaign], TENANTS[tenant], GATEWAYS[gateway])
            names = [node.name for node in self.chance.sample(NODES, self.chance.randint(1, 3))]
            found.append(PermitRequest(call_id, f"+{call_id}", caps, names))
        return found

    def once_more(self, dialer: Dialer) -> list[PermitRequest]:
        """Some of those that wait for a permit, or have one that they did not use."""
        unsent = [call for call in self.calls.values() if call.dialer is dialer and call.sent < 0][-40:]
        return [
            call.request for call in self.chance.sample(unsent, min(len(unsent), self.chance.randint(0, 8)))
        ]

    def ask(self) -> None:
        """One dialer asks, for as far ahead as it likes."""
        dialer = self.chance.choice(self.dialers)
        requests = self.once_more(dialer) + (self.fresh() if self.chance.random() < 0.8 else [])
        self.chance.shuffle(requests)
        lead, horizon = self.chance.choice([0.0, 0.01, 0.06, 0.12]), self.chance.choice([0.0, 0.05, 0.13])
        answers = dialer.limiter.acquire(NODES, requests, lead=lead, horizon=horizon)
        logs = {rate: dialer.turns(*rate) for rate in RATES}
        soonest = self.clock.now + round(lead * 1e6)
        for request, answer in zip(requests, answers, strict=True):
            call = self.calls.setdefault(request.call_id, Call(request, dialer))
            call.turn = -1
            if isinstance(answer, Permit):
                held = bool(call.node)
                assert call.node in {"", answer.node}
                call.node = answer.node
                call.turn = logs["node", answer.node][request.call_id]
                assert {logs[scope][request.call_id] for scope in call.scopes[:3]} == {call.turn}
                assert call.turn <= soonest + horizon * 1e6
                assert call.turn >= soonest or (held and call.turn >= self.clock.now - LIFE)

    def move(self) -> None:
        """Time passes; of the permits some are used, some given back, and calls end."""
        self.clock.advance(self.chance.choice(self.load.pauses))
        for dialer in self.dialers:
            dialer.limiter.renew()
        for call_id, call in self.calls.items():
            lot = self.chance.random()
            if call.over or not call.node:
                continue
            if call.sent >= 0:
                if lot < self.load.ends:
                    call.dialer.end(call_id)
                    call.over = True
            elif lot < 0.1 or (0 <= call.turn < self.clock.now - LIFE and lot < 0.5):
                call.dialer.limiter.give_back([Permit(call_id, call.node, 0.0, 0.0)])
                call.node, call.turn = "", -1
            elif lot < 0.8 and 0 <= call.turn <= self.clock.now:
                # Whoever sends has looked at the permit's end; when that was is anybody's guess.
                call.sent = call.turn + self.chance.choice([0, LIFE, self.chance.randint(0, LIFE)])

    def judge(self) -> None:
        """No more up than may be, no window too full."""
        for scope, limit in SLOTS.items():
            live = [
                call for call in self.calls.values() if call.node and not call.over and scope in call.scopes
            ]
            assert limit is None or len(live) <= limit, scope
        for scope, (limit, window) in RATES.items():
            counted = [call for call in self.calls.values() if call.node and scope in call.scopes]
            assert not limit or most((call.turn for call in counted if call.turn >= 0), window) <= limit, (
                scope
            )
            sends = [call.sent for call in counted if call.sent >= 0]
            assert not limit or most(sends, window - LIFE) <= limit, scope


def most(moments: Iterable[int], window: int) -> int:
    """The most of these in any window, half open."""
    found, first, ordered = 0, 0, sorted(moments)
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= window:
            first += 1
        found = max(found, last - first + 1)
    return found


@pytest.mark.parametrize("seed", first(*range(3)))
@pytest.mark.parametrize("load", [CALM, BUSY], ids=["calm", "busy"])
def test_whatever_is_asked_ahead_no_window_and_no_slots_are_exceeded(
    client: HookedRedis, virtual_clock: Clock, load: Load, seed: int
) -> None:
    virtual_clock.advance(0.0)
    dialers = [Dialer(client, name) for name in ("d1", "d2", "d3")]
    dialers[0].open()
    world = World(virtual_clock, dialers, random.Random(seed), load)
    for _ in range(load.steps):
        world.ask()
        if world.chance.random() < 0.7:
            world.move()
        world.judge()
    told = [call.turn for call in world.calls.values() if call.turn >= 0]
    assert len(told) > load.steps
    assert max(told) - min(told) > load.span * SECOND
