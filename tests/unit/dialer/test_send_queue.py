"""Between its claim and the socket a call leaves at its turn, waits for a new one, or goes back."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from peewee import OperationalError

from dialer.dispatch.cap_waits import MOST
from dialer.dispatch.node_orders import STALLED_SECONDS
from dialer.dispatch.send_queue import UNSENT_SECONDS
from dialer.live_calls import LiveCall
from dialer.recovery.resend_or_close import AGAIN_SECONDS, is_due
from limits.caps import NodeCaps
from limits.errors import LimiterUnavailable
from tests.unit.dialer.dispatch_rig import World, many_plans, two_gateways
from tests.unit.dialer.factories import (
    CAMPAIGN,
    ME,
    OTHER,
    SECOND,
    make_call,
    make_gateway,
    make_plan,
)


@pytest.fixture
def world() -> World:
    made = World()
    made.run(make_plan())
    return made


@pytest.fixture
def lapsed(world: World) -> World:
    """A world whose first calls got permits that had lapsed when they were to leave."""
    world.life = -1.0
    world.step()
    world.life = 60.0
    return world


def test_a_call_leaves_at_its_turn_and_not_before(world: World) -> None:
    world.turn = 0.1
    world.step()
    (node,) = world.send_queue.nodes()
    assert (len(world.live_calls), world.sent) == (4, [])
    assert world.send_queue.send_due(node) == pytest.approx(0.1)
    world.clock += 0.1
    assert world.send_queue.send_due(node) is None
    assert len(world.sent) == 4


def test_no_call_leaves_at_a_turn_that_comes_after_its_window_has_closed(world: World) -> None:
    world.turn, world.closes_in = 0.2, 0.2
    world.claiming = lambda: setattr(world, "clock", world.clock + 0.05)
    world.step()
    (node,) = world.send_queue.nodes()
    world.clock += 0.16
    # By our clock it closed 0.2 s after the claim was asked for, whatever the answer took.
    world.send_queue.send_due(node)
    assert (world.sent, set(world.ends().values())) == ([], {"NOT_SENT"})


def test_what_waits_for_a_permit_goes_back_when_its_window_closes(world: World) -> None:
    world.life, world.closes_in = -1.0, 1.0
    world.step()
    assert len(world.send_queue.lapsed) == 4
    world.clock += 1.0
    world.closes_in = 60.0
    world.send_queue.withdraw_stale()
    assert (world.sent, set(world.ends().values())) == ([], {"NOT_SENT"})


def test_a_call_within_its_window_leaves(world: World) -> None:
    world.closes_in = 0.1
    world.step()
    assert len(world.sent) == 4


def test_a_repeat_leaves_within_the_window_of_now_alone(world: World) -> None:
    call = make_call()
    call.leaves_before = world.clock + 10.0
    world.live_calls.add(call)
    world.closes_in = 5.0
    assert world.scheduler.resend(call)
    assert call.leaves_before == world.clock + 5.0


def test_calls_leave_in_the_order_of_their_turns(world: World) -> None:
    world.turn = 0.2
    world.step()
    world.turn = 0.05
    world.look()
    early, late = list(world.live_calls)[4:], list(world.live_calls)[:4]
    world.clock += 0.3
    world.send_queue.send_due("fs1")
    assert world.sent == [call.call_id for call in [*early, *late]]


def test_a_node_where_calls_wait_keeps_no_other_waiting(world: World) -> None:
    world.turn = 0.2
    world.step()
    world.up = [NodeCaps("fs2", None, None)]
    world.turn = 0.0
    world.look()
    assert [call.node for call in world.live_calls if call.sent_at is not None] == ["fs2"]
    assert world.send_queue.nodes() == ["fs1", "fs2"]


def test_what_waits_behind_a_node_that_takes_nothing_goes_back(world: World) -> None:
    """Its greenlet is held up in a write for seconds: contacts and slots are not held for as long."""
    world.turn, world.contacts = 0.2, world.contacts[:4]
    assert world.scheduler.step() <= 0.2 + STALLED_SECONDS
    world.up = [NodeCaps("fs2", None, None)]
    world.clock += 0.2
    world.scheduler.step()
    assert world.ends() == {}
    world.clock += STALLED_SECONDS
    world.scheduler.step()
    assert list(world.ends().values()) == ["NOT_SENT"] * 4
    world.send_queue.send_due("fs1")
    assert world.sent == []


@pytest.mark.parametrize("why", ["its campaign ended", "its tenant was halted", "its gateway was paused"])
def test_what_may_not_leave_any_more_does_not_leave_at_its_turn(world: World, why: str) -> None:
    """Turns lie ahead: between the claim and the turn the plan may change, unheard by the guard."""
    world.turn = 0.2
    world.step()
    if why == "its campaign ended":
        world.end()
    elif why == "its tenant was halted":
        world.run(make_plan(held="halted"))
    else:
        world.run(make_plan(gateways=(make_gateway(paused=True),)))
    world.clock += 0.2
    world.send_queue.send_due("fs1")
    assert world.sent == []
    assert list(world.ends().values()) == ["NOT_SENT"] * 4


def test_what_waits_for_a_permit_goes_back_when_its_gateway_is_paused(lapsed: World) -> None:
    lapsed.run(make_plan(gateways=(make_gateway(paused=True),)))
    lapsed.step()
    assert not lapsed.send_queue.lapsed
    assert set(lapsed.ends().values()) == {"NOT_SENT"}


@pytest.mark.parametrize("why", ["its campaign is not dialled any more", "its tenant is halted"])
def test_what_waits_for_a_permit_goes_back_when_nothing_may_leave(lapsed: World, why: str) -> None:
    if why == "its tenant is halted":
        lapsed.run(make_plan(held="halted"))
    else:
        lapsed.end()
    lapsed.step()
    assert not lapsed.send_queue.lapsed
    assert list(lapsed.ends().values()) == ["NOT_SENT"] * 4


@pytest.mark.parametrize("why", ["old", "paused", "suppressed", "over", "stopped"])
def test_what_waits_in_vain_goes_back(lapsed: World, why: str) -> None:
    calls = list(lapsed.live_calls)
    if why == "old":
        for call in calls:
            call.claimed_at = lapsed.clock - UNSENT_SECONDS
    elif why == "paused":
        lapsed.send_gate.block(CAMPAIGN, 2)
    elif why == "suppressed":
        for call in calls:
            call.suppressed = True
    elif why == "over":
        for call in calls:
            call.end()
    else:
        lapsed.scheduler.stop()
        lapsed.scheduler.run()
    if why != "stopped":
        lapsed.up = []
        lapsed.step()
    assert set(lapsed.ends()) == {call.call_id for call in calls}
    assert not lapsed.send_queue.lapsed
    assert not any(call.queued for call in calls)


def test_what_waits_at_a_node_that_is_gone_goes_back(lapsed: World) -> None:
    lapsed.up = [NodeCaps("fs2", None, None)]
    lapsed.step()
    assert not lapsed.send_queue.lapsed
    assert list(lapsed.ends().values()) == ["NOT_SENT"] * 4


def test_what_has_its_turn_at_a_node_that_stalled_goes_back(world: World) -> None:
    """It would only be written into a buffer, and be carried out with whatever is due when the node goes on."""
    world.answers = False
    world.step()
    assert len(world.sent) == 4
    world.turn = 0.3
    world.look()
    world.clock += STALLED_SECONDS + 0.01
    assert not world.node_orders.stalled("fs1"), "what has come meanwhile is read first"
    world.clock += 0.05
    world.send_queue.send_due("fs1")
    assert len(world.sent) == 4
    assert list(world.ends().values()) == ["NOT_SENT"]


def test_what_has_a_turn_goes_back_at_the_stop(world: World) -> None:
    world.turn = 0.2
    world.step()
    world.scheduler.stop()
    world.scheduler.run()
    world.clock += 1.0
    world.send_queue.send_due("fs1")
    assert world.sent == []
    assert list(world.ends().values()) == ["NOT_SENT"] * 4


def test_a_lapsed_permit_is_asked_for_again_and_the_call_leaves_once(lapsed: World) -> None:
    assert (len(lapsed.send_queue.lapsed), lapsed.sent) == (4, [])
    assert all(call.queued for call in lapsed.live_calls)
    lapsed.step()
    assert len(lapsed.sent) == len(set(lapsed.sent)) == 4
    assert not any(call.queued for call in lapsed.live_calls)


def test_one_that_waits_asks_again_under_its_own_id_at_its_own_node(lapsed: World) -> None:
    lapsed.up = [*lapsed.up, NodeCaps("fs2", None, None)]
    lapsed.step()
    again = lapsed.asked[1]
    assert {request.call_id for request in again} >= {call.call_id for call in lapsed.live_calls}
    assert {tuple(request.nodes) for request in again} == {("fs1",)}


def test_a_campaign_claims_nobody_while_calls_of_it_wait(lapsed: World) -> None:
    lapsed.answer = lambda _request: "gateway_cps"
    lapsed.look()
    assert len(lapsed.live_calls) == 4
    assert len(lapsed.claims) == 1


def test_calls_that_wait_for_their_turn_keep_to_the_first_one(lapsed: World) -> None:
    turns = iter([0.4, 0.1, 0.3, 0.2])

    def answer(_request: object) -> str:
        lapsed.retry_after = next(turns)
        return "gateway_cps"

    lapsed.answer = answer
    lapsed.contacts = []
    lapsed.step()
    asked = len(lapsed.asked)
    assert lapsed.step(0.02) <= 0.08
    assert len(lapsed.asked) == asked
    lapsed.answer = lambda _request: None
    lapsed.step(0.081)
    assert [len(requests) for requests in lapsed.asked[asked:]] == [1]
    assert len(lapsed.sent) == 1


def test_a_failure_of_the_limiter_loses_nobody_that_waits(lapsed: World) -> None:
    def fail() -> None:
        raise LimiterUnavailable("asking", "away")

    lapsed.asking = fail
    lapsed.step()
    assert len(lapsed.send_queue.lapsed) == 4


def test_what_waits_leaves_although_the_database_is_away(lapsed: World) -> None:
    """Its row was committed: it needs nothing more of the database."""
    lapsed.run(*many_plans(3))
    lapsed.reading = Mock(side_effect=OperationalError("away"))
    lapsed.step()
    assert len(lapsed.sent) == 4


def test_a_call_that_ended_while_it_asked_again_gives_its_new_permit_back(lapsed: World) -> None:
    (first, *_) = lapsed.live_calls
    lapsed.asking = first.end
    lapsed.step()
    assert lapsed.given_back == [first.call_id]
    assert first.call_id not in lapsed.sent
    assert len(lapsed.sent) == 3


def test_a_permit_that_cannot_be_given_back_now_holds_up_no_other_call(
    lapsed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limiter owes it, and settles that by itself."""

    def fail(_permits: object) -> None:
        raise LimiterUnavailable("giving back", "away")

    (first, *_) = lapsed.live_calls
    lapsed.asking = first.end
    monkeypatch.setattr(lapsed, "give_back", fail)
    lapsed.step()
    assert len(lapsed.sent) == 3


# What a contact, or a gateway, makes impossible.


def test_a_number_that_no_gateway_carries_fails_without_a_call(world: World) -> None:
    world.run(make_plan(gateways=(make_gateway(prefixes=("+44",)),)))
    world.step()
    assert world.sent == []
    assert set(world.ends().values()) == {"NO_ROUTE_DESTINATION"}


@pytest.mark.parametrize("poison", [{"note": "x" * 5000}, {"note": "a}b"}, {"note": None}, {"note": 7}])
def test_a_contact_that_no_switch_can_be_told_fails_alone(world: World, poison: dict[str, Any]) -> None:
    world.fields = {world.contacts[1].contact_id: poison}
    world.step()
    assert len(world.sent) == 3
    (refused,) = world.ends().values()
    assert refused.startswith("REFUSED")


def test_a_column_that_the_action_does_not_take_fails_its_contact_alone(world: World) -> None:
    world.run(make_plan(action={"type": "transfer", "extension": "{desk}"}, dialplan_context="demo"))
    world.fields = {c.contact_id: {"desk": "100"} for c in world.contacts}
    world.fields[world.contacts[0].contact_id] = {"desk": "1 0;rm"}
    world.fields[world.contacts[1].contact_id] = {}
    world.step()
    assert len(world.sent) == 2
    assert len(world.ends()) == 2


def test_a_call_whose_sending_fails_is_left_to_recovery_where_its_end_gets_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recovery asks about none that waits in a line."""
    monkeypatch.setattr(world.sender, "send", Mock(side_effect=RuntimeError("a bug")))
    world.step()
    assert len(world.ends()) == 4
    assert not any(call.queued for call in world.live_calls)


def test_the_permit_of_a_contact_that_cannot_leave_is_not_lost(world: World) -> None:
    """It goes back, or is released, with the end of its call: which has it."""
    world.fields = {world.contacts[1].contact_id: {"note": "a}b"}}
    world.step()
    (call_id,) = world.ends()
    call = world.live_calls.get(call_id)
    assert call is not None
    assert call.permit is not None
    assert call.permit.call_id == call_id


# Calls that are sent a second time.


def adopted(world: World, **changes: Any) -> LiveCall:
    call = make_call(sent_by=OTHER, adopted_at=1.0, claimed_at=world.clock, **changes)
    world.live_calls.add(call)
    return call


def test_a_repeat_is_sent_once_however_often_it_is_asked_for(world: World) -> None:
    world.contacts = []
    call = adopted(world)
    assert world.scheduler.resend(call)
    assert world.scheduler.resend(call)
    assert len(world.send_queue.lapsed) == 1
    world.step()
    assert world.sent == [call.call_id]
    assert call.sent_by == ME
    assert call.resent


def test_a_repeat_leaves_its_first_order_counted_until_it_has_a_permit(
    world: World,
) -> None:
    world.contacts = []
    assert world.scheduler.resend(adopted(world))
    world.answer, world.retry_after = lambda _request: "gateway_cps", 0.005
    world.step(0.005)
    world.answer, world.life = lambda _request: None, -1.0
    world.step(0.005)
    world.step(world.retry_after)
    assert [request.may_have_left for requests in world.asked for request in requests] == [True, True, False]


def test_many_repeats_are_asked_for_in_groups_and_none_is_passed_over(world: World) -> None:
    world.contacts = []
    calls = [adopted(world) for _ in range(3 * MOST)]
    for call in calls:
        world.scheduler.resend(call)
    world.answer, world.retry_after = lambda _request: "gateway_cps", 0.005
    for _ in range(3):
        world.step(0.005)
    assert [len(requests) for requests in world.asked] == [MOST] * 3
    assert {request.call_id for requests in world.asked for request in requests} == {c.call_id for c in calls}
    world.answer = lambda _request: None
    for _ in range(3):
        world.step(world.retry_after)
    assert sorted(world.sent) == sorted(call.call_id for call in calls)


def test_a_call_that_has_its_turn_is_not_repeated_and_so_not_taken_back_once_it_left(world: World) -> None:
    """A node that stood still keeps the calls behind it waiting, until recovery asks about them."""
    world.turn = 0.2
    world.step()
    (call, *_) = world.live_calls
    assert call.queued
    assert world.scheduler.resend(call)
    world.clock += 0.2
    world.send_queue.send_due("fs1")
    world.clock += UNSENT_SECONDS
    world.step()
    assert world.sent.count(call.call_id) == 1
    assert world.ends() == {}


def test_a_call_that_shows_itself_while_its_row_is_written_is_not_repeated(world: World) -> None:
    call = adopted(world)

    def seen_meanwhile(_call: str) -> dict[str, str]:
        call.show()
        return {}

    world.again = seen_meanwhile
    assert world.scheduler.resend(call)
    assert not world.send_queue.lapsed


def test_a_call_that_is_not_ours_any_more_is_not_repeated(world: World) -> None:
    call = adopted(world)
    world.again = lambda _call: None
    assert not world.scheduler.resend(call)
    assert (call.sent_by, world.send_queue.lapsed) == (OTHER, {})


def test_nothing_is_repeated_for_a_campaign_that_is_held_or_has_ended(world: World) -> None:
    call = adopted(world)
    world.send_gate.block(CAMPAIGN, 2)
    assert not world.scheduler.resend(call)
    world.end()
    assert not world.scheduler.resend(adopted(world))


@pytest.mark.parametrize("why", ["no permit", "no node", "paused", "held", "stopped"])
def test_a_repeat_that_cannot_leave_is_left_to_recovery_and_its_contact_not_called_anew(
    world: World, why: str
) -> None:
    """Its first order may come out of a buffer: the node refuses it beside a repeat of the same id only."""
    world.contacts = []
    call = adopted(world)
    assert world.scheduler.resend(call)
    if why == "no permit":
        world.answer, world.retry_after = lambda _request: "gateway_cps", 0.5
        world.step()
        world.clock += UNSENT_SECONDS
    elif why == "no node":
        world.up = [NodeCaps("fs2", None, None)]
    elif why == "paused":
        world.send_gate.block(CAMPAIGN, 2)
    elif why == "held":
        world.run(make_plan(held="halted"))
    if why == "stopped":
        world.scheduler.stop()
        world.scheduler.run()
    else:
        world.step()
    assert (world.send_queue.lapsed, world.sent, world.ends()) == ({}, [], {})
    assert not call.queued
    assert is_due(call, ME, call.asked_at + AGAIN_SECONDS)


def test_a_repeat_whose_row_was_written_as_the_process_ended_is_left_to_whoever_takes_it_over(
    world: World,
) -> None:
    call = adopted(world)

    def ends_meanwhile(_call: str) -> dict[str, str]:
        world.scheduler.stop()
        world.scheduler.run()
        return {}

    world.again = ends_meanwhile
    assert world.scheduler.resend(call)
    assert (world.ends(), world.send_queue.lapsed) == ({}, {})
    assert not world.scheduler.resend(adopted(world))


def test_a_repeat_leaves_by_the_gateway_in_its_row_or_not_at_all(world: World) -> None:
    world.contacts = []
    call = adopted(world, gateway_id=SECOND)
    assert not world.scheduler.resend(call)
    world.run(two_gateways())
    assert world.scheduler.resend(call)
    world.step()
    assert world.sent == [call.call_id]


@pytest.mark.parametrize(
    ("prefixes", "end"),
    [((), []), (("+44",), [])],
    ids=["another gateway carries it", "none does"],
)
def test_a_repeat_whose_gateway_no_longer_carries_its_number(
    world: World, prefixes: tuple[str, ...], end: list[tuple[str, str]]
) -> None:
    call = adopted(world, phone_number="+14155550100")
    other = make_gateway(gateway_id=SECOND, prefixes=prefixes)
    world.run(make_plan(gateways=(make_gateway(prefixes=("+44",)), other)))
    world.scheduler.resend(call)
    ends = [report.ended for report in world.recorder.waiting]
    assert [(ended.status, ended.cause) for ended in ends if ended is not None] == end
    assert world.sent == []
