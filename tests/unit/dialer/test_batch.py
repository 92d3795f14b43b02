"""One batch over all campaigns: by which gateway each call leaves, who probes, and what the claim won or lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from unittest.mock import Mock

import pytest
from peewee import IntegrityError, OperationalError

from dialer.dispatch.due import Due
from limits.caps import PermitRequest
from limits.errors import LimiterUnavailable
from models import CallerIdFormat, CallerIdHeader
from tests.unit.dialer.dispatch_rig import World, full_gateway, many_plans, two_gateways
from tests.unit.dialer.factories import CAMPAIGN, GATEWAY, SECOND, call_id, make_gateway, make_plan


@pytest.fixture
def world() -> World:
    made = World()
    made.run(make_plan())
    return made


def probing() -> tuple[object, ...]:
    return (make_gateway(paused=True, probe_due=True),)


# Many campaigns.


def test_one_question_and_one_claim_are_for_all_campaigns(world: World) -> None:
    world.run(*many_plans(5), *many_plans(4, tenant_id="other"))
    world.step()
    assert [len(some) for some in (world.read, world.asked, world.claims)] == [1, 1, 1]
    assert set(world.calls()) == set(world.plans)
    assert len(world.sent) == len(world.announced) == len(world.live_calls) == 40


def test_a_batch_goes_through_the_campaigns_in_turns(world: World) -> None:
    world.run(*many_plans(5))
    world.step()
    order = [request.caps.campaign_id for request in world.asked[0]]
    for first in range(0, len(order), 6):
        assert set(order[first : first + 6]) == set(world.plans)


def test_a_batch_goes_through_the_tenants_in_turns_however_many_campaigns_they_have(world: World) -> None:
    world.end()
    world.run(*many_plans(5, tenant_id="large"), *many_plans(1, tenant_id="small"))
    world.step()
    order = [request.caps.tenant_id for request in world.asked[0]]
    assert all(one != next_one for one, next_one in pairwise(order[:8]))
    assert Counter(order) == {"large": 20, "small": 4}


@pytest.mark.parametrize("error", [None, IntegrityError("no such gateway")])
def test_a_row_that_the_database_refuses_holds_up_no_other_of_twenty_campaigns(
    world: World, error: Exception | None
) -> None:
    world.end()
    plans = many_plans(20, max_concurrent_calls=50)
    world.run(*plans)
    sick = plans[7].campaign_id
    poison = world.lists[sick][1].contact_id
    world.poison = {poison}
    if error is not None:
        world.claiming = lambda: _refuse(world, poison, error)
    world.step()
    assert len(world.sent) == 79
    assert world.calls() == {plan.campaign_id: 3 if plan.campaign_id == sick else 4 for plan in plans}
    # Its permit goes back as one whose claim may have been committed; nobody else's does.
    assert len(world.unknown_claims) == 1
    # Two questions to the database for each time that the batch is halved.
    assert len(world.claims) <= 2 * 7 + 1
    world.look()
    world.look()
    assert [due.contact_id for due in world.lists[sick]] == [poison]
    assert world.calls()[sick] == 5


def _refuse(world: World, poison: str, error: Exception) -> None:
    if any(item.contact_id == poison for item in world.claims[-1]):
        raise error


def test_a_row_that_the_database_refuses_is_told_and_tried_again_after_a_minute(world: World) -> None:
    world.contacts = world.contacts[:1]
    world.poison = {world.contacts[0].contact_id}
    world.step()
    world.look()
    assert world.words[-1] == "contact_not_claimable"
    assert len(world.claims) == 1
    world.poison = set()
    world.step(61.0)
    assert len(world.sent) == 1


def test_a_campaign_that_ends_while_its_calls_are_claimed_keeps_none_of_the_others_waiting(
    world: World,
) -> None:
    (other,) = many_plans(1)
    world.run(other)
    world.claiming = world.end
    world.step()
    world.claiming = lambda: None
    world.step(0.01)
    assert world.calls()[other.campaign_id] == 5
    assert not any(call.campaign_id == CAMPAIGN and call.sent_at is not None for call in world.live_calls)


def test_a_campaign_that_ends_while_its_contacts_are_read_keeps_none_of_the_others_waiting(
    world: World,
) -> None:
    (other,) = many_plans(1)
    world.run(other)
    world.reading = world.end
    world.step()
    assert world.calls()[other.campaign_id] == 4


# By which gateway.


def test_a_paused_gateway_is_passed_over_where_another_may_take_the_call(world: World) -> None:
    world.run(two_gateways(paused=True))
    world.step()
    assert world.gateways() == {SECOND: 4}
    assert world.words == [None]


def test_a_gateway_without_a_free_channel_is_passed_over_and_one_at_its_rate_is_waited_for(
    world: World,
) -> None:
    world.run(two_gateways())
    world.answer = full_gateway("gateway_channels")
    world.step()
    assert world.gateways() == {SECOND: 4}
    world.answer = full_gateway("gateway_cps")
    world.look()
    assert world.gateways() == {SECOND: 4}
    assert world.words[-1] == "gateway_cps"


def test_a_gateway_that_was_tried_for_a_contact_is_not_tried_again_before_the_others(world: World) -> None:
    world.run(two_gateways())
    world.contacts = [replace(world.contacts[0], sends=1, tried=(GATEWAY,))]
    world.step()
    assert [(call.gateway_id, call.tried) for call in world.live_calls] == [(SECOND, (GATEWAY,))]


def test_a_prefix_sends_each_number_its_own_way(world: World) -> None:
    world.contacts += [Due(call_id(), "+442079460000")]
    abroad = make_gateway(gateway_id=SECOND, prefixes=("+44",))
    world.run(make_plan(gateways=(make_gateway(), abroad), max_concurrent_calls=20))
    world.step()
    world.look()
    assert {call.phone_number[:3] for call in world.live_calls if call.gateway_id == SECOND} == {"+44"}
    assert world.gateways() == {GATEWAY: 6, SECOND: 1}


def test_contacts_whose_gateway_is_shut_do_not_hold_up_those_behind_them(world: World) -> None:
    world.contacts = [Due(call_id(), f"+4420794600{n:02d}") for n in range(8)] + world.contacts
    abroad = make_gateway(gateway_id=SECOND, prefixes=("+44",), paused=True)
    world.run(make_plan(gateways=(make_gateway(prefixes=("+1",)), abroad), max_concurrent_calls=20))
    for _ in range(6):
        world.step(0.01)
    assert world.gateways() == {GATEWAY: 6}
    assert world.words[-1] == "gateway_paused"


def test_the_caller_is_written_as_the_gateways_carrier_wants_it(world: World) -> None:
    gateway = make_gateway(caller_id_header=CallerIdHeader.PAI, caller_id_format=CallerIdFormat.DIGITS)
    world.run(make_plan(gateways=(gateway,)))
    world.step()
    assert {(r.caller_id_header, r.caller_id_number) for r in world.originates} == {("pai", "14155550199")}


# Probes.


def test_one_contact_probes_a_paused_gateway_while_the_others_leave_by_another(world: World) -> None:
    world.run(two_gateways(paused=True, probe_due=True))
    world.step()
    assert world.gateways() == {GATEWAY: 1, SECOND: 3}
    assert [call.probe for call in world.live_calls if call.gateway_id == GATEWAY] == [True]


def test_a_paused_gateway_is_probed_with_one_call_when_that_is_due(world: World) -> None:
    world.run(make_plan(gateways=probing()))
    world.step()
    assert (len(world.sent), len(world.probes)) == (1, 1)
    assert [call.probe for call in world.live_calls] == [True]
    assert world.returned == []


def test_two_campaigns_with_one_gateway_probe_it_once(world: World) -> None:
    world.run(make_plan(gateways=probing()), *many_plans(3, gateways=probing()))
    taken: list[str] = []

    def take(gateway_id: str) -> bool:
        taken.append(gateway_id)
        return len(taken) == 1

    world.take = take
    world.step()
    assert (len(world.sent), len(world.given_back), world.returned) == (1, 3, [])


@pytest.mark.parametrize("lost", ["claimed by another", "database away"])
def test_a_probe_that_no_call_came_of_is_given_back(world: World, lost: str) -> None:
    world.run(make_plan(gateways=probing()))
    if lost == "claimed by another":
        world.claiming = world.contacts.clear
    else:
        world.claiming = Mock(side_effect=OperationalError("away"))
    world.step()
    assert (world.sent, world.probes, world.returned) == ([], [GATEWAY], [GATEWAY])


def test_a_probe_whose_permit_lapsed_meanwhile_leaves_with_the_next(world: World) -> None:
    world.run(make_plan(gateways=probing()))
    world.life = -1.0
    world.step()
    assert (world.probes, world.sent) == ([GATEWAY], [])
    world.life = 60.0
    world.run(make_plan(gateways=(make_gateway(paused=True),)))
    world.step()
    assert len(world.sent) == 1
    assert [call.probe for call in world.live_calls] == [True]


def test_a_probe_leaves_at_its_turn_by_its_paused_gateway(world: World) -> None:
    world.run(make_plan(gateways=probing()))
    world.turn = 0.1
    world.step()
    world.run(make_plan(gateways=(make_gateway(paused=True),)))
    world.step(0.1)
    assert len(world.sent) == 1


def test_of_all_dialers_one_may_probe(world: World) -> None:
    world.take = lambda _gateway: False
    world.run(make_plan(gateways=probing()))
    world.step()
    assert (world.sent, world.words) == ([], ["gateway_paused"])
    assert len(world.given_back) == 1


def test_who_may_not_probe_leaves_by_another_gateway(world: World) -> None:
    world.take = lambda _gateway: False
    world.run(two_gateways(paused=True, probe_due=True))
    world.step()
    assert world.gateways() == {SECOND: 4}
    assert len(world.given_back) == 1


def test_a_call_that_a_cap_holds_up_takes_no_probe(world: World) -> None:
    world.run(make_plan(gateways=probing()))
    world.answer = lambda _request: "tenant_minute"
    for _ in range(3):
        world.look()
        world.clock += 0.3
    assert (world.probes, world.returned, set(world.words)) == ([], [], {"tenant_minute"})


def test_a_probe_that_cannot_be_taken_keeps_no_permit(world: World) -> None:
    world.run(make_plan(gateways=probing()))
    world.take = Mock(side_effect=OperationalError("away"))
    world.step()
    assert (world.sent, len(world.unknown_claims)) == ([], 1)


def test_no_probe_is_spent_where_nobody_is_due(world: World) -> None:
    world.contacts = []
    world.run(make_plan(gateways=probing()))
    world.step()
    assert world.probes == []


# What the claim won, and what it lost.


def test_only_what_the_claim_won_is_sent(world: World) -> None:
    lost: list[str] = []

    def another_dialer_is_quicker() -> None:
        assert world.sent == [], "a frame left before its claim was committed"
        lost.append(world.contacts.pop(0).contact_id)

    world.claiming = another_dialer_is_quicker
    world.step()
    assert len(lost) == 1
    assert len(world.sent) == len(world.live_calls) == 3
    assert len(world.given_back) == 1
    assert not set(world.given_back) & set(world.sent)


@pytest.mark.parametrize("broken", ["limiter", "claim"])
def test_what_was_claimed_leaves_although_what_follows_fails(world: World, broken: str) -> None:
    """Of a batch whose second way, or second half, cannot be gone any more the first leaves all the same."""
    world.run(two_gateways())
    asked: list[PermitRequest] = []

    def one_is_full(request: PermitRequest) -> str | None:
        asked.append(request)
        return "gateway_channels" if len(asked) == 1 else None

    world.answer = one_is_full
    if broken == "limiter":
        world.asking = _second_time(LimiterUnavailable("asking", "away"))
    else:
        world.claiming = _second_time(OperationalError("away"))
    world.step()
    assert len(world.sent) == 3
    assert len(world.unknown_claims) == (0 if broken == "limiter" else 1)


def _second_time(error: Exception) -> Callable[[], None]:
    times: list[int] = []

    def fail() -> None:
        times.append(1)
        if len(times) == 2:
            raise error

    return fail
