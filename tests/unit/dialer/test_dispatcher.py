"""One decision at a time: the binding constraint of each, and what goes wrong with one contact or one server."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import gevent
import pytest
from peewee import OperationalError
from playhouse.pool import MaxConnectionsExceeded

from coordination.errors import Fenced
from dialer.dispatch import dispatcher as dispatcher_module
from dialer.dispatch.claims import Claimed, ClaimRequest, Due
from dialer.dispatch.departures import UNSENT_SECONDS, Departures
from dialer.dispatch.dispatcher import Dispatcher
from dialer.dispatch.originate_builder import OriginateBuilder
from dialer.dispatch.plans import Plan
from dialer.dispatch.sender import Sender
from dialer.identity import Identity
from dialer.live_calls import LiveCall, LiveCalls
from dialer.send_gate import SendGate
from freeswitch.cluster import Cluster
from freeswitch.errors import NotConnected, Withheld
from freeswitch.originate import OriginateRequest
from freeswitch.originate import originate as command_of
from limits.caps import Denied, NodeCaps, Permit, PermitRequest
from limits.errors import LimiterUnavailable
from models import CallerIdFormat, CallerIdHeader
from tests.unit.dialer.factories import (
    CAMPAIGN,
    GATEWAY,
    ME,
    SECOND,
    call_id,
    make_call,
    make_gateway,
    make_permit,
    make_plan,
    make_recorder,
)
from tests.waiting import wait_until


class World:
    """Everything around one dispatcher: database, limiter, switch and process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.current: Plan | None = make_plan()
        self.contacts = [Due(call_id(), f"+1415555{n:04d}") for n in range(6)]
        self.fields: dict[str, dict[str, Any]] = {}
        self.next_due: tuple[str, float] | None = None
        self.up = [NodeCaps("fs1", None, None)]
        self.reasons: list[str | None] = []
        self.finished: list[str] = []
        self.unknown_claims: list[str] = []
        self.given_back: list[str] = []
        self.sent: list[str] = []
        self.originate_builder: list[OriginateRequest] = []
        self.answer: Callable[[str], str | None] = lambda _number: None
        self.life = 60.0
        self.full: dict[str, str] = {}
        self.claiming: Callable[[], None] = lambda: None
        self.asking: Callable[[], None] = lambda: None
        self.may_send = True
        self.probes: list[str] = []
        self.returned: list[str] = []
        self.probe_free = True
        self.no_node = "no_node"
        self.clock = 1000.0
        self.live_calls = LiveCalls()
        self.send_gate = SendGate()
        self.recorder = make_recorder(self.live_calls)
        link = SimpleNamespace(core_uuid="core-1", originate=self._originate)
        identity = cast(Identity, SimpleNamespace(may_send=lambda: self.may_send))
        cluster = cast(Cluster, SimpleNamespace(links={"fs1": link}))
        sender = Sender(cluster, self.recorder, self.send_gate, identity, ())
        departures = Departures(
            ME,
            self,
            OriginateBuilder("/s", (), ()),
            sender,
            self.recorder,
            self.live_calls,
            now=lambda: self.clock,
        )
        self.dispatcher = Dispatcher(CAMPAIGN, ME, self, departures, now=lambda: self.clock)
        monkeypatch.setattr(dispatcher_module, "due", lambda _campaign, limit, _share: self.contacts[:limit])
        monkeypatch.setattr(dispatcher_module, "next_due", lambda _campaign: self.next_due)
        monkeypatch.setattr(dispatcher_module, "claim", self._claim)
        monkeypatch.setattr(dispatcher_module, "claim_again", lambda _call, _dialer: {"first_name": "Ann"})

    # The process.

    def plan(self, _campaign: str) -> Plan | None:
        return self.current

    def nodes(self) -> Sequence[NodeCaps]:
        return self.up

    def why_no_node(self) -> str:
        return self.no_node

    def core_uuid(self, _node: str) -> str | None:
        return "core-1"

    def take_probe(self, gateway_id: str) -> bool:
        self.probes.append(gateway_id)
        return self.probe_free

    def return_probe(self, gateway_id: str) -> None:
        self.returned.append(gateway_id)

    def share(self) -> tuple[int, int]:
        return (0, 1)

    def tell(self, _plan: Plan, reason: str | None, _at: str | None) -> None:
        self.reasons.append(reason)

    def exhausted(self, _campaign: str) -> None:
        self.finished.append("exhausted")

    def failed(self, _campaign: str) -> None:
        self.finished.append("failed")

    def announce(self, claimed: Sequence[Claimed]) -> None:
        pass

    def note_unknown_claim(self, permits: Sequence[Permit]) -> None:
        self.unknown_claims += [permit.call_id for permit in permits]

    # The limiter.

    def acquire(self, *arguments: Any) -> list[Permit | Denied]:
        self.asking()
        requests: Sequence[PermitRequest] = arguments[-1]
        answers: list[Permit | Denied] = []
        for request in requests:
            reason = self.full.get(arguments[4].id) or self.answer(request.number)
            answers.append(
                make_permit(request.call_id, life=self.life)
                if reason is None
                else Denied(request.call_id, reason, 0.2)
            )
        return answers

    def give_back(self, permits: Sequence[Permit]) -> None:
        self.given_back += [permit.call_id for permit in permits]

    # The database and the switch.

    def _claim(self, campaign: str, _dialer: str, wanted: Sequence[ClaimRequest]) -> list[Claimed]:
        self.claiming()
        numbers = {item.contact_id: item.phone_number for item in self.contacts}
        found = [item for item in wanted if item.contact_id in numbers]
        self.contacts = [c for c in self.contacts if c.contact_id not in {item.contact_id for item in found}]
        return [
            Claimed(
                call_id=item.call_id,
                contact_id=item.contact_id,
                campaign_id=campaign,
                node=item.node,
                gateway_id=item.gateway_id,
                caller_id="+14155550199",
                phone_number=numbers[item.contact_id],
                generation=1,
                seq=1,
                attempt=1,
                free_sends=0,
                carrier_refusals=0,
                gateway_faults=0,
                rejected=False,
                custom_fields=self.fields.get(item.contact_id, {"first_name": "Ann"}),
                version=1,
                transition_id=1,
                at="now",
            )
            for item in found
        ]

    def _originate(self, request: OriginateRequest, guard: Callable[[], bool], _reply: object) -> None:
        command_of(request)
        self.originate_builder.append(request)
        if not self.up:
            raise NotConnected("fs1", "down")
        if not guard():
            raise Withheld("fs1", "no")
        self.sent.append(request.call_id)

    # What the test does.

    def step(self) -> float:
        assert self.current is not None
        return self.dispatcher.step(self.current)

    def ends(self) -> dict[str, str]:
        """What the recorder was told, by call: the cause."""
        return {r.call_id: r.ended.cause for r in self.recorder._waiting if r.ended is not None}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_who_is_due_is_called_up_to_the_room_there_is(world: World) -> None:
    world.step()
    world.step()
    assert len(world.sent) == 5
    world.step()
    assert world.reasons[-1] == "campaign_concurrency"
    assert len(world.contacts) == 1


@pytest.mark.parametrize(
    "reason",
    [
        "campaign_concurrency",
        "tenant_concurrency",
        "tenant_minute",
        "tenant_day_calls",
        "tenant_day_minutes",
        "gateway_cps",
        "gateway_channels",
        "node_cps",
        "node_channels",
        "no_redis",
    ],
)
def test_the_cap_that_binds_is_told_and_its_time_waited(world: World, reason: str) -> None:
    world.answer = lambda _number: reason
    assert world.step() == pytest.approx(0.2, abs=0.02)
    assert world.reasons == [reason]
    assert world.dispatcher.waits_for == reason
    assert world.sent == []


def test_nothing_leaves_by_a_paused_gateway(world: World) -> None:
    world.current = make_plan(gateways=(make_gateway(paused=True),))
    assert world.step() == pytest.approx(1.0)
    assert (world.reasons, world.sent, world.probes) == (["gateway_paused"], [], [])


def test_what_waits_for_a_permit_goes_back_when_its_gateway_is_paused(world: World) -> None:
    world.life = -1.0
    world.step()
    assert world.dispatcher.departures
    world.current = make_plan(gateways=(make_gateway(paused=True),))
    world.step()
    assert not world.dispatcher.departures
    assert set(world.ends().values()) == {"NOT_SENT"}


@pytest.mark.parametrize("why", ["its campaign is not dialled any more", "its tenant is halted"])
def test_what_waits_for_a_permit_goes_back_when_nothing_may_leave(world: World, why: str) -> None:
    world.life = -1.0
    world.step()
    waiting = len(world.live_calls)
    assert waiting == 4
    if why == "its tenant is halted":
        world.current = make_plan(halted=True)
        world.step()
    else:
        world.current = None
        world.dispatcher.run()
    assert not world.dispatcher.departures
    assert list(world.ends().values()) == ["NOT_SENT"] * waiting


def gateways_of(world: World) -> Counter[str]:
    return Counter(call.gateway_id for call in world.live_calls)


def two_gateways(**first: Any) -> Plan:
    return make_plan(gateways=(make_gateway(**first), make_gateway(gateway_id=SECOND)))


def test_a_paused_gateway_is_passed_over_where_another_may_take_the_call(world: World) -> None:
    world.current = two_gateways(paused=True)
    world.step()
    assert gateways_of(world) == {SECOND: 4}
    assert world.reasons == [None]


def test_a_gateway_without_a_free_channel_is_passed_over_and_one_at_its_rate_is_waited_for(
    world: World,
) -> None:
    world.current = two_gateways()
    world.full = {GATEWAY: "gateway_channels"}
    world.step()
    assert gateways_of(world) == {SECOND: 4}
    world.full = {GATEWAY: "gateway_cps"}
    world.step()
    assert gateways_of(world) == {SECOND: 4}
    assert world.reasons[-1] == "gateway_cps"


def test_one_contact_probes_a_paused_gateway_while_the_others_leave_by_another(world: World) -> None:
    world.current = two_gateways(paused=True, probe_due=True)
    world.step()
    assert gateways_of(world) == {GATEWAY: 1, SECOND: 3}
    assert [call.probe for call in world.live_calls if call.gateway_id == GATEWAY] == [True]


def test_a_gateway_that_was_tried_for_a_contact_is_not_tried_again_before_the_others(world: World) -> None:
    world.current = two_gateways()
    world.contacts = [replace(world.contacts[0], sends=1, tried=(GATEWAY,))]
    world.step()
    assert [(call.gateway_id, call.tried) for call in world.live_calls] == [(SECOND, (GATEWAY,))]


def test_a_prefix_sends_each_number_its_own_way(world: World) -> None:
    world.contacts += [Due(call_id(), "+442079460000")]
    abroad = make_gateway(gateway_id=SECOND, prefixes=("+44",))
    world.current = make_plan(gateways=(make_gateway(), abroad), max_concurrent_calls=20)
    world.step()
    world.step()
    assert {call.phone_number[:3] for call in world.live_calls if call.gateway_id == SECOND} == {"+44"}
    assert gateways_of(world) == {GATEWAY: 6, SECOND: 1}


def test_contacts_whose_gateway_is_shut_do_not_hold_up_those_behind_them(world: World) -> None:
    world.contacts = [Due(call_id(), f"+4420794600{n:02d}") for n in range(8)] + world.contacts
    abroad = make_gateway(gateway_id=SECOND, prefixes=("+44",), paused=True)
    world.current = make_plan(gateways=(make_gateway(prefixes=("+1",)), abroad), max_concurrent_calls=20)
    for _ in range(6):
        world.step()
    assert gateways_of(world) == {GATEWAY: 6}
    assert world.reasons[-1] == "gateway_paused"


def test_a_number_that_no_gateway_carries_fails_without_a_call(world: World) -> None:
    world.current = make_plan(gateways=(make_gateway(prefixes=("+44",)),))
    world.step()
    assert world.sent == []
    assert set(world.ends().values()) == {"NO_ROUTE_DESTINATION"}


@pytest.mark.parametrize(
    ("prefixes", "end"),
    [((), ("pending", "NOT_SENT")), (("+44",), ("failed", "NO_ROUTE_DESTINATION"))],
    ids=["another gateway carries it", "none does"],
)
def test_a_repeat_whose_gateway_no_longer_carries_its_number(
    world: World, prefixes: tuple[str, ...], end: tuple[str, str]
) -> None:
    call = make_call(phone_number="+14155550100")
    world.live_calls.add(call)
    other = make_gateway(gateway_id=SECOND, prefixes=prefixes)
    world.current = make_plan(gateways=(make_gateway(prefixes=("+44",)), other))
    world.dispatcher.resend(call)
    ends = [report.ended for report in world.recorder._waiting]
    assert [(ended.status, ended.cause) for ended in ends if ended is not None] == [end]
    assert world.sent == []


def test_the_caller_is_written_as_the_gateways_carrier_wants_it(world: World) -> None:
    gateway = make_gateway(caller_id_header=CallerIdHeader.PAI, caller_id_format=CallerIdFormat.DIGITS)
    world.current = make_plan(gateways=(gateway,))
    world.step()
    assert {(r.caller_id_header, r.caller_id_number) for r in world.originate_builder} == {
        ("pai", "14155550199")
    }


def test_a_repeat_leaves_by_the_gateway_in_its_row_or_not_at_all(world: World) -> None:
    call = make_call(gateway_id=SECOND)
    assert not world.dispatcher.resend(call)
    world.current = two_gateways()
    assert world.dispatcher.resend(call)
    world.step()
    assert world.sent == [call.call_id]


def test_a_paused_gateway_is_probed_with_one_call_when_that_is_due(world: World) -> None:
    world.current = make_plan(gateways=(make_gateway(paused=True, probe_due=True),))
    world.step()
    assert (len(world.sent), len(world.probes)) == (1, 1)
    assert [call.probe for call in world.live_calls] == [True]
    assert world.returned == []


@pytest.mark.parametrize("lost", ["claimed by another", "database away"])
def test_a_probe_that_no_call_came_of_is_given_back(world: World, lost: str) -> None:
    world.current = make_plan(gateways=(make_gateway(paused=True, probe_due=True),))
    if lost == "claimed by another":
        world.claiming = world.contacts.clear
    else:
        world.claiming = Mock(side_effect=OperationalError("away"))
    with suppress(OperationalError):
        world.step()
    assert (world.sent, world.probes, world.returned) == ([], [GATEWAY], [GATEWAY])


def test_a_probe_whose_permit_lapsed_meanwhile_leaves_with_the_next(world: World) -> None:
    world.current = make_plan(gateways=(make_gateway(paused=True, probe_due=True),))
    world.life = -1.0
    world.step()
    assert (world.probes, world.sent) == ([GATEWAY], [])
    world.life = 60.0
    world.current = make_plan(gateways=(make_gateway(paused=True),))
    world.step()
    assert len(world.sent) == 1
    assert [call.probe for call in world.live_calls] == [True]


def test_of_all_dispatchers_one_may_probe(world: World) -> None:
    world.probe_free = False
    world.current = make_plan(gateways=(make_gateway(paused=True, probe_due=True),))
    world.step()
    assert (world.sent, world.reasons) == ([], ["gateway_paused"])
    assert len(world.given_back) == 1


def test_who_may_not_probe_leaves_by_another_gateway(world: World) -> None:
    world.probe_free = False
    world.current = two_gateways(paused=True, probe_due=True)
    world.step()
    assert gateways_of(world) == {SECOND: 4}
    assert len(world.given_back) == 1


def test_a_call_that_a_cap_holds_up_takes_no_probe(world: World) -> None:
    world.current = make_plan(gateways=(make_gateway(paused=True, probe_due=True),))
    world.answer = lambda _number: "tenant_cps"
    for _ in range(3):
        world.step()
    assert (world.probes, world.returned, world.reasons) == ([], [], ["tenant_cps"] * 3)


def test_a_probe_that_cannot_be_taken_keeps_no_permit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.current = make_plan(gateways=(make_gateway(paused=True, probe_due=True),))
    monkeypatch.setattr(world, "take_probe", Mock(side_effect=OperationalError("away")))
    with suppress(OperationalError):
        world.step()
    assert (world.sent, len(world.unknown_claims)) == ([], 1)


def test_no_probe_is_spent_where_nobody_is_due(world: World) -> None:
    world.contacts = []
    world.current = make_plan(gateways=(make_gateway(paused=True, probe_due=True),))
    world.step()
    assert world.probes == []


def test_a_number_in_use_is_skipped_and_told_only_where_nobody_else_is_left(world: World) -> None:
    world.contacts = world.contacts[:2]
    taken = world.contacts[0].phone_number
    world.answer = lambda number: "number_cap" if number == taken else None
    world.step()
    assert len(world.sent) == 1
    world.step()
    assert world.reasons[-1] == "number_cap"
    world.clock += 2.0
    world.answer = lambda _number: None
    world.step()
    assert len(world.sent) == 2


def test_a_halted_tenant_and_no_node_are_told(world: World) -> None:
    world.current = make_plan(halted=True)
    world.step()
    world.current, world.up = make_plan(), []
    world.step()
    assert world.reasons == ["halted", "no_node"]
    assert world.sent == []


def test_a_retry_to_come_is_told_with_its_time_and_the_end_is_noticed(world: World) -> None:
    world.contacts = []
    world.next_due = ("2026-01-31T09:00:00.000000Z", 0.5)
    assert world.step() == 0.5
    assert world.reasons == ["retry_wait"]
    world.next_due = None
    world.step()
    assert world.reasons[-1] is None
    assert world.finished == ["exhausted"]


def test_a_campaign_that_lost_what_it_needs_fails(world: World) -> None:
    world.current = make_plan(action={"type": "socket", "host": "taken.away", "port": 1})
    world.step()
    assert world.finished == ["failed"]
    assert world.sent == []


@pytest.mark.parametrize("held", ["pause", "halt", "drain", "lease"])
def test_what_could_not_leave_is_not_claimed(world: World, held: str) -> None:
    if held == "pause":
        world.send_gate.block(CAMPAIGN, 2)
    elif held == "halt":
        world.send_gate.halt("demo")
    elif held == "drain":
        world.send_gate.draining = True
    else:
        world.may_send = False
    assert world.step() > 0.1
    assert len(world.contacts) == 6


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


@pytest.mark.parametrize(
    "error", [OperationalError("away"), MaxConnectionsExceeded("busy"), RuntimeError("a bug")]
)
def test_a_claim_whose_answer_is_lost_leaves_its_permits_in_doubt_and_the_dispatcher_alive(
    world: World, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "UNAVAILABLE_SECONDS", 0.01)
    failures = [error]

    def fail_once() -> None:
        if failures:
            raise failures.pop()

    world.claiming = fail_once
    greenlet = gevent.spawn(world.dispatcher.run)
    wait_until(lambda: world.sent, what="a call after the failure")
    assert len(world.unknown_claims) == 4
    assert not greenlet.dead
    world.dispatcher.stop()
    greenlet.join(5)
    assert greenlet.successful()


@pytest.mark.parametrize("error", [LimiterUnavailable("asking", "away"), Fenced(ME)])
def test_without_redis_nobody_is_called_and_it_is_told(
    world: World, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        world.current = None
        raise error

    world.asking = fail
    monkeypatch.setattr(dispatcher_module, "UNAVAILABLE_SECONDS", 0.01)
    world.dispatcher.run()
    assert world.reasons == ["no_redis"]
    assert world.sent == []


@pytest.mark.parametrize("poison", [{"note": "x" * 5000}, {"note": "a}b"}, {"note": None}, {"note": 7}])
def test_a_contact_that_no_switch_can_be_told_fails_alone(world: World, poison: dict[str, Any]) -> None:
    world.fields = {world.contacts[1].contact_id: poison}
    world.step()
    assert len(world.sent) == 3
    (refused,) = world.ends().values()
    assert refused.startswith("REFUSED")


def test_a_column_that_the_action_does_not_take_fails_its_contact_alone(world: World) -> None:
    world.current = make_plan(action={"type": "transfer", "extension": "{desk}"}, dialplan_context="demo")
    world.fields = {c.contact_id: {"desk": "100"} for c in world.contacts}
    world.fields[world.contacts[0].contact_id] = {"desk": "1 0;rm"}
    world.fields[world.contacts[1].contact_id] = {}
    world.step()
    assert len(world.sent) == 2
    assert len(world.ends()) == 2


def test_a_lapsed_permit_is_asked_for_again_and_the_call_leaves_once(world: World) -> None:
    world.life = -1.0
    world.step()
    assert world.sent == []
    assert len(world.dispatcher.departures) == 4
    assert all(call.queued for call in world.live_calls)
    world.life = 60.0
    world.step()
    assert len(world.sent) == len(set(world.sent)) == 4
    assert not any(call.queued for call in world.live_calls)


def test_calls_that_wait_for_their_turn_keep_to_the_first_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.life = -1.0
    world.step()
    turns = iter([0.4, 0.1, 0.3, 0.2])

    def acquire(*arguments: Any) -> list[Denied]:
        return [Denied(request.call_id, "gateway_cps", next(turns)) for request in arguments[-1]]

    monkeypatch.setattr(world, "acquire", acquire)
    assert world.step() == 0.1


@pytest.mark.parametrize("why", ["old", "paused", "over", "stopped"])
def test_what_waits_in_vain_goes_back(world: World, why: str) -> None:
    world.life = -1.0
    world.step()
    calls = list(world.live_calls)
    if why == "old":
        for call in calls:
            call.claimed_at = world.clock - UNSENT_SECONDS
    elif why == "paused":
        world.send_gate.block(CAMPAIGN, 2)
    elif why == "over":
        for call in calls:
            call.end()
    else:
        world.dispatcher.stop()
        world.dispatcher.run()
    if why != "stopped":
        world.up = []
        world.step()
    assert set(world.ends()) == {call.call_id for call in calls}
    assert len(world.dispatcher.departures) == 0
    assert not any(call.queued for call in calls)


def test_an_unheard_of_failure_of_the_limiter_loses_nobody_that_waits(world: World) -> None:
    world.life = -1.0
    world.step()

    def fail() -> None:
        raise LimiterUnavailable("asking", "away")

    world.asking = fail
    with pytest.raises(LimiterUnavailable):
        world.step()
    assert len(world.dispatcher.departures) == 4


def test_a_call_that_ended_while_it_asked_again_gives_its_new_permit_back(world: World) -> None:
    world.life = -1.0
    world.step()
    world.life = 60.0
    (first, *_) = world.live_calls

    def end() -> None:
        first.end()

    world.asking = end
    world.step()
    assert world.given_back == [first.call_id]
    assert first.call_id not in world.sent


def adopted(world: World, **changes: Any) -> LiveCall:
    call = make_call(sent_by="d00000000000b", adopted_at=1.0, claimed_at=time.monotonic(), **changes)
    world.live_calls.add(call)
    return call


def test_a_repeat_is_sent_once_however_often_it_is_asked_for(world: World) -> None:
    world.contacts = []
    call = adopted(world)
    assert world.dispatcher.resend(call)
    assert world.dispatcher.resend(call)
    assert len(world.dispatcher.departures) == 1
    world.step()
    assert world.sent == [call.call_id]
    assert call.sent_by == ME
    assert call.resent


def test_a_call_that_shows_itself_while_its_row_is_written_is_not_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = adopted(world)

    def seen_meanwhile(_call: str, _dialer: str) -> dict[str, str]:
        call.show()
        return {}

    monkeypatch.setattr(dispatcher_module, "claim_again", seen_meanwhile)
    assert world.dispatcher.resend(call)
    assert len(world.dispatcher.departures) == 0


def test_nothing_is_repeated_for_a_campaign_that_is_held_or_has_ended(world: World) -> None:
    call = adopted(world)
    world.send_gate.block(CAMPAIGN, 2)
    assert not world.dispatcher.resend(call)
    world.current = None
    assert not world.dispatcher.resend(adopted(world))
