"""A second leg's gateway in the rows: what of its rate is whose, and which call holds a channel of it."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from peewee import fn

from dialer.call_rows import adopt_calls, open_calls
from dialer.capacity.limiter_snapshot import snapshot
from dialer.dispatch.plan_rows import running
from models import Agent, Call, CampaignStatus, Gateway, Tenant, db, new_id, transaction
from tests.factories import World, make_campaign, make_world
from tests.integration.dialer.one_campaign import claim, due, wanted
from tests.integration.dialer.test_claims_and_outcomes import DIALER

HEIR = "d0000000000aa"


@pytest.fixture
def desk(world: World) -> uuid.UUID:
    """A gateway that the tenant's agent is reached by."""
    with transaction():
        gateway = Gateway.create(name="desk", dial_string="sofia/gateway/desk/{number}", cps=5, channels=2)
        bridge_to(world, gateway.id)
    return gateway.id


def bridge_to(world: World, gateway_id: uuid.UUID) -> None:
    """The agent of this tenant is reached by this gateway."""
    Tenant.update(gateway_ids=[str(gateway_id)]).where(Tenant.id == world.tenant_id).execute()
    action = {"type": "bridge", "gateway_id": str(gateway_id), "number": "+14155550100"}
    Agent.update(action=action).where(Agent.id == world.agent_id).execute()


def rates(campaign_id: uuid.UUID) -> tuple[int | None, int | None]:
    """What first legs have of their gateway, and second ones of theirs."""
    plan = running()[str(campaign_id)]
    assert plan.second_leg is not None
    return plan.gateways[0].cps, plan.second_leg.cps


def test_a_gateway_of_agents_alone_has_all_of_its_rate_for_them(world: World, desk: uuid.UUID) -> None:
    campaign_id = make_campaign(world, 1)
    plan = running()[str(campaign_id)]
    assert plan.second_leg is not None
    assert (plan.second_leg.gateway_id, plan.second_leg.channels, plan.second_leg.cps) == (str(desk), 2, 5)
    assert plan.gateways[0].cps is None
    assert plan.held is None


@pytest.mark.parametrize("way", ["own", "failover"])
def test_a_gateway_that_calls_leave_by_keeps_half_of_its_rate_for_them(
    world: World, desk: uuid.UUID, way: str
) -> None:
    campaign_id = make_campaign(world, 1)
    with transaction():
        if way == "own":
            bridge_to(world, world.gateway_id)
            Gateway.update(cps=5).where(Gateway.id == world.gateway_id).execute()
        else:
            Gateway.update(failover=[str(desk)]).where(Gateway.id == world.gateway_id).execute()
    plan = running()[str(campaign_id)]
    assert plan.second_leg is not None
    assert (plan.gateways[-1].cps, plan.second_leg.cps) == (3, 2)


def test_a_single_call_a_second_is_not_divided_and_whoever_could_not_be_connected_is_not_called(
    world: World,
) -> None:
    other = make_world("other", "+14155550111")
    with transaction():
        bridge_to(world, world.gateway_id)
        Gateway.update(cps=1).where(Gateway.id == world.gateway_id).execute()
    held, dialled = make_campaign(world, 1), make_campaign(other, 1)
    assert rates(held) == (1, 0)
    assert running()[str(held)].held == "gateway_cps"
    assert running()[str(dialled)].held is None


def test_first_legs_have_the_whole_rate_once_no_second_leg_can_leave_any_more(world: World) -> None:
    """A campaign that is paused leaves calls that ring: who answers one is still connected."""
    other = make_world("other", "+14155550111")
    with transaction():
        bridge_to(world, world.gateway_id)
        Gateway.update(cps=6).where(Gateway.id == world.gateway_id).execute()
        Gateway.update(failover=[str(world.gateway_id)]).where(Gateway.id == other.gateway_id).execute()
    bridging, dialled = make_campaign(world, 1), make_campaign(other, 1)

    def left() -> int | None:
        return running()[str(dialled)].gateways[1].cps

    assert left() == 3
    call_id = claimed(bridging, world.gateway_id)
    with db.connection_context():
        db.execute_sql("UPDATE campaign SET status = %s WHERE id = %s", (CampaignStatus.PAUSED, bridging))
    assert left() == 3
    with db.connection_context():
        Call.update(state="ended", ended_at=fn.now()).where(Call.id == call_id).execute()
    assert left() == 6


def claimed(campaign_id: uuid.UUID, second_leg: uuid.UUID | None) -> str:
    """One contact of it, claimed for a call with this second leg."""
    (found,) = due(str(campaign_id), 1, (0, 1))
    name = None if second_leg is None else str(second_leg)
    (call,) = claim(str(campaign_id), DIALER, [replace(wanted(found), second_leg_gateway_id=name)])
    return call.call_id


def test_a_claim_notes_the_second_legs_gateway_and_all_who_read_the_row_learn_it(
    world: World, desk: uuid.UUID
) -> None:
    both, one = (claimed(make_campaign(world, 1), leg) for leg in (desk, None))
    expected = {both: str(desk), one: None}
    held = {call.call_id: call.second_leg_gateway_id for call in snapshot().open_calls}
    assert held == expected
    known = {
        call.call_id: call.second_leg_gateway_id for call in open_calls(DIALER, [both, one, str(new_id())])
    }
    assert known == expected
    assert {call.call_id: call.second_leg_gateway_id for call in adopt_calls(DIALER, HEIR)} == expected


def test_a_call_that_may_be_up_all_the_same_holds_both_its_channels(world: World, desk: uuid.UUID) -> None:
    call_id = claimed(make_campaign(world, 1), desk)
    with db.connection_context():
        db.execute_sql(
            "UPDATE call SET state = 'ended', ended_at = now(), slot_until = now() + interval '1 min' WHERE id = %s",
            (call_id,),
        )
    (held,) = snapshot().open_calls
    assert (held.call_id, held.second_leg_gateway_id) == (call_id, str(desk))
