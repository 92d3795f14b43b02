"""No call leaves whose agent's leg could not: what is asked for, which nodes are asked, and who waits for what."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.dispatch.cap_waits import CHANNELS, caps_over, gateway_caps
from dialer.dispatch.gateway_choice import Deferred
from dialer.dispatch.plans import Plan
from dialer.dispatch.second_legs import BridgeGateway, shares
from limits.caps import Denied, GatewayCaps, NodeCaps, Permit, PermitRequest
from tests.unit.dialer.dispatch_rig import World
from tests.unit.dialer.factories import CAMPAIGN, GATEWAY, SECOND, make_call, make_gateway, make_plan

DESK = "00000000-0000-7000-8000-0000000000d1"


def bridging(*, cps: int | None = None, channels: int | None = 3, desk: str = DESK, **changes: Any) -> Plan:
    """A campaign whose agent is reached by a gateway of its own, unless it is said."""
    gateway = BridgeGateway(desk, "sofia/gateway/desk/{digits}", channels=channels, cps=cps)
    action = {"type": "bridge", "gateway_id": desk, "number": "+14155550100"}
    granted = {"gateway_ids": (desk,), "bridge_gateways": {desk: gateway}}
    return make_plan(action=action, **(granted | changes))


class FullDesk(World):
    """The second leg's gateway has no channel free."""

    def _answer(self, request: PermitRequest, offered: set[str]) -> Permit | Denied:
        if request.caps.second_leg is not None:
            return Denied(request.call_id, "gateway_channels", self.retry_after, of_second_leg=True)
        return super()._answer(request, offered)

    def of_second_legs(self) -> int:
        """How many permits were asked for with a second leg."""
        return sum(request.caps.second_leg is not None for batch in self.asked for request in batch)


def test_a_permit_is_asked_for_both_legs_and_the_row_says_so() -> None:
    world = World()
    world.run(bridging(), contacts=1)
    world.step()
    ((request,),) = world.asked
    assert request.caps.gateway == GatewayCaps(GATEWAY, None, None)
    assert request.caps.second_leg == GatewayCaps(DESK, None, 3)
    ((claim,),) = world.claims
    assert claim.second_leg_gateway_id == DESK
    (call,) = world.live_calls
    assert call.second_leg_gateway_id == DESK
    assert len(world.sent) == 1


def test_where_the_agent_is_reached_otherwise_nothing_more_is_asked_for() -> None:
    world = World()
    queue = {"type": "bridge", "queue": "q"}
    world.run(make_plan(), make_plan(campaign_id="b", action=queue, queues=("q",)))
    world.step()
    assert {request.caps.campaign_id for request in world.asked[0]} == {CAMPAIGN, "b"}
    assert {request.caps.second_leg for request in world.asked[0]} == {None}


def test_another_gateway_of_the_first_leg_is_no_way_around_a_full_second_one() -> None:
    world = FullDesk()
    plan = bridging(gateways=(make_gateway(), make_gateway(gateway_id=SECOND)))
    world.run(plan, contacts=1)
    world.step()
    assert [len(batch) for batch in world.asked] == [1]
    assert world.words[-1] == "gateway_channels"


def test_who_waits_for_the_second_legs_gateway_keeps_nobody_from_the_first_ones() -> None:
    world = FullDesk()
    world.run(bridging(), make_plan(campaign_id="b", max_concurrent_calls=50), contacts=9)
    world.look()
    world.step(0.01)
    world.run(make_plan(campaign_id="c"))
    world.step(0.01)
    assert world.calls()["c"] > 0, "its gateway is the first leg's"
    asked = world.of_second_legs()
    world.run(bridging(campaign_id="d", gateways=(make_gateway(gateway_id=SECOND),)))
    world.step(0.01)
    assert world.of_second_legs() == asked, "the same second gateway is known to be full"
    world.scheduler.calls_over([make_call(campaign_id="z", second_leg_gateway_id=DESK)])
    world.step(0.01)
    assert world.of_second_legs() > asked, "a channel of it came free"


class SpentDesk(World):
    """The first legs of the second legs' gateway have its rate for themselves, and it is spent."""

    def _answer(self, request: PermitRequest, offered: set[str]) -> Permit | Denied:
        if request.caps.gateway.id == DESK:
            return Denied(request.call_id, "gateway_cps", 60.0)
        return super()._answer(request, offered)


def test_who_bridges_by_a_gateway_does_not_wait_for_the_rate_of_its_first_legs() -> None:
    world = SpentDesk()
    first_legs = make_plan(campaign_id="b", gateways=(make_gateway(gateway_id=DESK, cps=1),))
    world.run(first_legs)
    world.step(0.01)
    assert world.words[-1] == "gateway_cps"
    world.run(bridging())
    world.step(0.01)
    assert world.calls()[CAMPAIGN] > 0


def test_both_gateways_bind_a_campaign() -> None:
    assert {*gateway_caps(GATEWAY), (CHANNELS, DESK)} <= set(caps_over(bridging()))
    same = caps_over(bridging(desk=GATEWAY))
    assert [cap for cap in same if cap[1] == GATEWAY] == gateway_caps(GATEWAY)
    several = bridging(gateways=(make_gateway(), make_gateway(gateway_id=SECOND)))
    assert [cap for cap in caps_over(several) if cap[0].startswith("gateway")] == [(CHANNELS, DESK)]


def test_a_contact_is_not_passed_over_for_what_denies_the_next_one_too() -> None:
    plan = bridging(gateways=(make_gateway(prefixes=("+1",)),))
    world = World()
    world.run(plan, contacts=1)
    (due,) = world.contacts
    deferred = Deferred()
    assert not deferred.add(plan, due, Denied("", "gateway_channels", 1.0, of_second_leg=True), 0.0)
    assert deferred.add(plan, due, Denied("", "gateway_channels", 1.0), 0.0)


@pytest.mark.parametrize("cps", [1, 2])
def test_only_nodes_with_a_share_of_the_agents_gateway_are_asked(cps: int) -> None:
    world = World()
    world.up = [NodeCaps("fs1", None, None), NodeCaps("fs2", None, None)]
    world.run(bridging(cps=cps), contacts=6)
    world.step()
    expected = set(shares(DESK, cps, frozenset(("fs1", "fs2"))))
    assert len(expected) == cps
    assert {frozenset(request.nodes) for request in world.asked[0]} == {frozenset(expected)}
    assert {call.node for call in world.live_calls} <= expected
    limit = f"hash carillon_gw {DESK} 1/{2} bridge "
    assert all(limit in str(request.applications) for request in world.originates)


def test_without_a_node_that_has_a_share_the_campaign_waits_and_others_do_not() -> None:
    (owner,) = shares(DESK, 1, frozenset(("fs1", "fs2")))
    world = World()
    world.up = [NodeCaps(name, None, None) for name in ("fs1", "fs2") if name != owner]
    world.run(bridging(cps=1), make_plan(campaign_id="b"))
    world.step()
    assert world.calls().keys() == {"b"}
    assert (CAMPAIGN, "no_node") in world.reasons.words
    world.run(make_plan(campaign_id="c"))
    world.step(0.01)
    assert world.calls()["c"] > 0, "that there is no node for the one says nothing of the others"


def test_a_full_node_that_alone_has_a_share_keeps_no_other_campaign_waiting() -> None:
    world = World()
    world.up = [NodeCaps("fs1", None, None), NodeCaps("fs2", None, None)]
    world.answer = lambda request: "node_channels" if request.caps.second_leg is not None else None
    world.run(bridging(cps=1))
    world.step()
    world.run(make_plan(campaign_id="b"))
    world.step(0.01)
    assert world.calls().keys() == {"b"}


def test_a_call_that_waits_for_a_permit_goes_back_where_its_agent_is_reached_otherwise_by_now() -> None:
    world = World()
    world.life = -1.0
    world.run(bridging(), contacts=1)
    world.step()
    assert len(world.send_queue.lapsed) == 1
    world.life = 60.0
    world.run(bridging(desk=SECOND))
    world.step(0.3)
    assert not world.send_queue.lapsed
    assert not world.sent
    assert list(world.ends().values()) == ["NOT_SENT"]
