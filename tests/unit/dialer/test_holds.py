"""What is held of a plan's calls, who probes it, and what leaves all the same."""

from __future__ import annotations

from dataclasses import replace

from dialer.dispatch.due import Due
from dialer.dispatch.plans import Plan
from dialer.holds import Hold, HoldKind, PrefixPause
from tests.unit.dialer.dispatch_rig import World, two_gateways
from tests.unit.dialer.factories import GATEWAY, SECOND, call_id, make_gateway, make_plan

LATER = "2026-01-31T09:00:00.000000Z"
ABROAD = [Due(call_id(), f"+4420794600{n:02d}") for n in range(3)]


def paused(*, probe_due: bool = False) -> Plan:
    gateway = make_gateway(pauses=(PrefixPause("+44", probe_due, LATER),))
    return make_plan(gateways=(gateway,), max_concurrent_calls=20)


def broken(*, prefix: str = "", probe_due: bool = False) -> Plan:
    hold = Hold(HoldKind.BREAKER, "b1", prefix, probe_due, LATER, GATEWAY if prefix else "")
    return make_plan(breakers=(hold,), max_concurrent_calls=20)


def running(plan: Plan) -> World:
    """A world whose list begins with the contacts abroad."""
    world = World()
    world.run(plan)
    world.contacts = ABROAD + world.contacts
    return world


def looked(plan: Plan) -> World:
    world = running(plan)
    for _ in range(4):
        world.step(0.01)
    return world


def dialled(world: World) -> set[str]:
    return {call.phone_number[:3] for call in world.live_calls}


def test_calls_to_a_paused_destination_wait_and_those_behind_them_leave() -> None:
    world = looked(paused())
    assert dialled(world) == {"+14"}
    assert world.words[-1] == "gateway_paused"


def test_one_call_probes_a_paused_destination() -> None:
    world = looked(paused(probe_due=True))
    assert [call.probe for call in world.live_calls if call.phone_number.startswith("+44")] == [True]
    assert not any(call.probe for call in world.live_calls if call.phone_number.startswith("+1"))


def test_a_call_elsewhere_probes_a_gateway_that_refused_one_destination_alone() -> None:
    plan = make_plan(gateways=(make_gateway(paused=True, paused_alone="+44", probe_at=LATER),))
    world = running(plan)
    world.step()
    assert [(call.phone_number[:3], call.probe) for call in world.live_calls] == [("+14", True)]


def test_a_paused_destination_leaves_by_another_gateway() -> None:
    plan = two_gateways()
    first = replace(plan.gateways[0], pauses=(PrefixPause("+1", probe_due=False),))
    world = looked(replace(plan, gateways=(first, *plan.gateways[1:])))
    assert {call.gateway_id for call in world.live_calls if call.phone_number.startswith("+1")} == {SECOND}


def test_a_breaker_holds_one_destination_and_others_leave() -> None:
    world = looked(broken(prefix="+44"))
    assert dialled(world) == {"+14"}
    assert world.words[-1] == "breaker"


def test_a_breaker_on_a_caller_id_holds_all_of_its_calls() -> None:
    world = looked(broken())
    assert (world.sent, world.asked, world.words[-1]) == ([], [], "breaker")


def test_one_call_probes_what_a_breaker_holds_and_counts_as_any_other() -> None:
    world = running(broken(probe_due=True))
    world.step()
    assert [(call.breakers, call.probe) for call in world.live_calls] == [(("b1",), False)]


def test_a_call_that_waits_does_not_leave_once_its_like_are_held() -> None:
    world = World()
    world.run(make_plan())
    world.turn = 0.1
    world.step()
    world.run(broken())
    world.step(0.1)
    assert world.sent == []


def test_when_it_may_be_probed_is_told() -> None:
    assert (paused().over_at("gateway_paused"), paused().over_at("breaker")) == (LATER, None)
    assert (broken().over_at("breaker"), broken().over_at("gateway_cps")) == (LATER, None)
