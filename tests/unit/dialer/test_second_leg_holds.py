"""What keeps an agent from being reached keeps his campaign's calls from leaving, but the one that probes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from peewee import OperationalError

from dialer.dispatch.plans import Plan
from dialer.dispatch.second_legs import BridgeGateway, agent_number
from dialer.holds import Hold, HoldKind, PrefixPause
from tests.unit.dialer.dispatch_rig import World
from tests.unit.dialer.factories import CAMPAIGN, GATEWAY, SECOND, make_gateway, make_plan

DESK = "00000000-0000-7000-8000-0000000000d1"
LATER = "2026-01-31T09:00:00.000000Z"
ABROAD = "+442079460010"


def bridging(
    desk: dict[str, Any] | None = None,
    *,
    number: str = "+14155550100",
    gateway_id: str = DESK,
    **changes: Any,
) -> Plan:
    """A campaign whose agent is reached by a gateway of which this is known."""
    gateway = BridgeGateway(gateway_id, "sofia/gateway/desk/{digits}", **(desk or {}))
    values: dict[str, Any] = {
        "action": {"type": "bridge", "gateway_id": gateway_id, "number": number},
        "gateway_ids": (gateway_id,),
        "bridge_gateways": {gateway_id: gateway},
        "max_concurrent_calls": 20,
    }
    return make_plan(**(values | changes))


PAUSED: dict[str, Any] = {"paused": True, "probe_at": LATER}
DUE: dict[str, Any] = PAUSED | {"probe_due": True}
BROKEN = Hold(HoldKind.BREAKER, "b1", "+1", False, LATER, DESK, second_leg=True)


def running(*plans: Plan) -> World:
    world = World()
    world.run(*plans)
    world.step()
    return world


def probes(world: World) -> list[tuple[str, ...]]:
    return [tuple(hold.subject for hold in call.second_leg_probes) for call in world.live_calls]


@pytest.mark.parametrize(
    ("plan", "word"),
    [
        (bridging(PAUSED), "gateway_paused"),
        (bridging(PAUSED, number="{manager}"), "gateway_paused"),
        (bridging({"pauses": (PrefixPause("+1", probe_due=False, probe_at=LATER),)}), "gateway_paused"),
        (bridging(second_leg_breakers=(BROKEN,)), "breaker"),
    ],
    ids=["paused", "each contact's own", "its destination", "held"],
)
def test_nobody_is_called_whose_agent_cannot_be_reached_and_others_are(plan: Plan, word: str) -> None:
    world = running(plan, make_plan(campaign_id="b"))
    assert world.calls().keys() == {"b"}
    assert (CAMPAIGN, word) in world.reasons.words
    assert plan.over_at(word) == LATER


@pytest.mark.parametrize(
    "plan",
    [
        bridging({"pauses": (PrefixPause("+44", probe_due=False),)}),
        bridging(second_leg_breakers=(replace(BROKEN, prefix="+44"),)),
        make_plan(gateway_ids=(DESK,), bridge_gateways=bridging(PAUSED).bridge_gateways),
    ],
    ids=["another destination", "another is held", "no second leg"],
)
def test_what_does_not_keep_the_agent_from_being_reached_keeps_nobody(plan: Plan) -> None:
    assert len(running(plan).sent) > 1


@pytest.mark.parametrize(
    ("plan", "subject"),
    [
        (bridging(DUE), DESK),
        (bridging(PAUSED | {"paused_alone": "+44"}), DESK),
        (bridging({"pauses": (PrefixPause("+1", probe_due=True),)}), DESK),
        (bridging(second_leg_breakers=(replace(BROKEN, probe_due=True),)), "b1"),
    ],
    ids=["paused", "for another destination alone", "its destination", "held"],
)
def test_one_call_probes_by_its_second_leg_and_is_none_of_its_own_gateways(plan: Plan, subject: str) -> None:
    world = running(plan)
    assert probes(world) == [(subject,)]
    assert [(call.probe, call.breakers, call.gateway_id) for call in world.live_calls] == [
        (False, (), GATEWAY)
    ]
    assert (len(world.sent), world.probes) == (1, [subject])


def test_another_gateway_of_the_first_leg_is_no_way_around() -> None:
    world = World()
    world.take = lambda _subject: False
    world.run(bridging(DUE, gateways=(make_gateway(), make_gateway(gateway_id=SECOND))))
    world.step()
    assert (world.sent, [len(batch) for batch in world.asked]) == ([], [1])
    assert len(world.given_back) == 1
    assert world.words[-1] == "gateway_paused"


def test_the_probe_leaves_by_a_gateway_that_is_open() -> None:
    world = running(bridging(DUE, gateways=(make_gateway(paused=True), make_gateway(gateway_id=SECOND))))
    assert (world.gateways(), probes(world)) == ({SECOND: 1}, [(DESK,)])


def test_by_one_gateway_for_both_legs_the_first_one_is_the_probe() -> None:
    plan = bridging(PAUSED, gateway_id=GATEWAY, gateways=(make_gateway(paused=True, probe_due=True),))
    world = running(plan)
    assert [(call.probe, call.second_leg_probes) for call in world.live_calls] == [(True, ())]
    assert len(world.sent) == 1
    shut = running(replace(plan, gateways=(make_gateway(paused=True, probe_at=LATER),)))
    assert (shut.sent, shut.words[-1]) == ([], "gateway_paused")


@pytest.mark.parametrize("number", ["+14155550100", "{manager}"])
@pytest.mark.parametrize("gateway_id", [DESK, GATEWAY])
def test_nobody_is_called_whose_agents_gateway_is_off_and_nothing_probes_that(
    number: str, gateway_id: str
) -> None:
    """Whoever's calls leave by it too: it is no probe."""
    off = DUE | {"off": True, "paused_alone": "+44"}
    plan = bridging(off, number=number, gateway_id=gateway_id)
    world = running(plan)
    assert (world.sent, world.probes, world.words[-1]) == ([], [], "gateway_paused")
    assert plan.held_whole is HoldKind.PAUSE
    assert plan.over_at(HoldKind.PAUSE) is None


def test_a_call_that_waits_does_not_leave_once_its_agent_cannot_be_reached() -> None:
    world = World()
    world.run(bridging())
    world.turn = 0.1
    world.step()
    world.run(bridging(PAUSED))
    world.step(0.1)
    assert world.sent == []


def test_a_probe_leaves_at_its_turn_although_none_is_due_any_more() -> None:
    world = World()
    world.run(bridging(DUE))
    world.turn = 0.1
    world.step()
    world.run(bridging(PAUSED))
    world.step(0.1)
    assert len(world.sent) == 1


class Managers(World):
    """Each contact has a manager of its own: the first abroad."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.send_queue.take_probe = self.take_probe
        self.send_queue.return_probe = self.return_probe
        self.run(plan)
        for place, due in enumerate(self.contacts):
            self.fields[due.contact_id] = {"manager": ABROAD if place < 2 else "+14155550100"}


def own(*pauses: PrefixPause, **changes: Any) -> Plan:
    return bridging({"pauses": pauses}, number="{manager}", **changes)


def test_of_agents_that_are_each_contacts_own_only_those_leave_who_can_be_reached() -> None:
    world = Managers(own(PrefixPause("+44", probe_due=False)))
    world.step()
    assert (len(world.sent), world.probes) == (2, [])
    assert list(world.ends().values()) == ["NOT_SENT"] * 2
    assert not any(call.second_leg_probes for call in world.live_calls)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        # By the gateway that both legs could leave by nobody is called either way.
        {"gateway_id": GATEWAY, "gateways": (make_gateway(paused=True), make_gateway(gateway_id=SECOND))},
    ],
    ids=["a gateway of agents", "one of first legs too"],
)
def test_while_no_agent_is_reached_nobody_is_claimed_to_learn_whose_own_he_is(
    changes: dict[str, Any],
) -> None:
    plan = bridging(PAUSED | {"paused_alone": "+44"}, number="{manager}", **changes)
    world = Managers(plan)
    world.step()
    assert (world.claims, world.words[-1]) == ([], "gateway_paused")
    assert plan.over_at("gateway_paused") == LATER


def test_one_of_them_probes_when_that_is_due() -> None:
    world = Managers(own(PrefixPause("+44", probe_due=True)))
    taken: list[str] = []
    world.take = lambda subject: not taken and not taken.append(subject)  # type: ignore[func-returns-value]
    world.step()
    assert (len(world.sent), len(world.probes), world.returned) == (3, 2, [])
    assert sorted(probes(world)) == [(), (), (), (DESK,)]
    assert len(world.ends()) == 1


def test_of_what_is_held_twice_nothing_is_taken_where_not_all_can_be() -> None:
    broken = replace(BROKEN, prefix="+44", probe_due=True)
    world = Managers(own(PrefixPause("+44", probe_due=True), second_leg_breakers=(broken,)))
    world.take = lambda subject: subject == DESK
    world.step()
    assert world.returned == [DESK, DESK]
    assert len(world.sent) == 2


def test_without_the_database_a_contact_waits_and_has_not_failed() -> None:
    def away(_subject: str) -> bool:
        raise OperationalError("away")

    world = Managers(own(PrefixPause("+44", probe_due=True)))
    world.take = away
    world.step()
    assert list(world.ends().values()) == ["NOT_SENT"] * 2
    assert len(world.sent) == 2


def test_an_agents_number_is_known_as_it_is_dialled_and_unless_it_is_each_contacts_own() -> None:
    assert agent_number("+44 20 7946 0010") == ABROAD
    assert agent_number("{manager}") is None
    assert agent_number("+44207946{desk}") is None
    assert agent_number("12") is None
