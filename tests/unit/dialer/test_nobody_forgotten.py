"""Whatever goes wrong in whatever order, every campaign that runs is looked at again, and no call is two things."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from peewee import OperationalError

from dialer.live_calls import LiveState
from limits.caps import NodeCaps
from limits.errors import LimiterUnavailable
from tests.unit.dialer.dispatch_rig import World, many_plans
from tests.unit.dialer.factories import make_gateway

REASONS = (
    *[None] * 12,
    "tenant_concurrency",
    "tenant_minute",
    "gateway_cps",
    "gateway_channels",
    "node_cps",
    "node_channels",
    "number_cap",
    "campaign_concurrency",
    "no_redis",
)


def forgotten(world: World) -> list[str]:
    """Campaigns that nothing known would have looked at."""
    return [name for name in world.plans if world.scheduler.agenda.next_look(name) is None]


def raises(draw: random.Random, *errors: Exception) -> None:
    if draw.random() < 0.1:
        raise draw.choice(errors)


@pytest.mark.parametrize("seed", range(40))
def test_every_campaign_is_looked_at_again_whatever_happened(seed: int) -> None:
    draw = random.Random(seed)
    world = World()
    plans = [*many_plans(3), *many_plans(2, tenant_id="other")]
    world.run(*plans)
    world.answer = lambda _request: draw.choice(REASONS)
    world.asking = lambda: raises(draw, LimiterUnavailable("asking", "away"), RuntimeError("a bug"))
    world.reading = lambda: raises(draw, OperationalError("away"), RuntimeError("a bug"))
    world.claiming = lambda: raises(draw, OperationalError("away"), RuntimeError("a bug"))
    for _ in range(60):
        plan = draw.choice(plans)
        world.turn = draw.choice([0.0, 0.1, 0.2])
        world.life = draw.choice([60.0, 60.0, -1.0])
        world.is_behind = draw.random() < 0.1
        world.up = [] if draw.random() < 0.1 else [NodeCaps("fs1", None, None)]
        happens = draw.random()
        if happens < 0.1:
            world.run(replace(plan, gateways=()))
        elif happens < 0.2:
            world.run(replace(plan, gateways=(make_gateway(paused=True, probe_due=draw.random() < 0.5),)))
        elif happens < 0.3 and plan.campaign_id in world.plans:
            world.end(plan.campaign_id)
        elif happens < 0.6:
            world.run(plan, contacts=20)
        elif happens < 0.7:
            over = [call for call in world.live_calls if call.state is LiveState.SENT][:3]
            for call in over:
                call.end()
                world.live_calls.remove(call.call_id)
            world.scheduler.calls_over(over)
        try:
            world.step(draw.choice([0.0, 0.01, 0.1, 0.3, 1.0]))
        finally:
            assert forgotten(world) == []
        queued = [call.call_id for call in world.send_queue.queued()]
        assert len(queued) == len(set(queued))
        assert not set(queued) & world.send_queue.lapsed.keys()
        assert not (set(queued) | world.send_queue.lapsed.keys()) & set(world.sent)
        assert len(world.sent) == len(set(world.sent))
        assert not set(world.sent) & {name for name, cause in world.ends().items() if cause == "NOT_SENT"}
