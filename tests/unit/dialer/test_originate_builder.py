"""What is said to the switch of an agent's action, and of the message for whom nobody joins."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import Any

import pytest

from campaigns.actions import ActionRefused, NotGranted
from dialer.dispatch.originate_builder import OriginateBuilder, SecondLegChangedError
from dialer.dispatch.plans import Plan
from dialer.dispatch.second_legs import BridgeGateway, shares
from freeswitch.originate import originate
from tests.unit.dialer.factories import make_call, make_gateway, make_plan

DESK = "00000000-0000-7000-8000-0000000000d1"
GRANTED: dict[str, Any] = {
    "gateway_ids": (DESK,),
    "bridge_gateways": {DESK: BridgeGateway(DESK, "sofia/gateway/desk/{digits}")},
    "queues": ("support",),
}
SORRY = {"say": "Sorry, {first_name}."}
REQUESTS = OriginateBuilder("/sounds", (), ())
BRIDGED = make_call(second_leg_gateway_id=DESK)
ACTIONS = {
    "bridge": {"type": "bridge", "gateway_id": DESK, "number": "+14155550100"},
    "callcenter": {"type": "bridge", "queue": "support"},
    "conference": {"type": "conference", "room": "team"},
}


def steps(action: dict[str, Any], safe_harbour: dict[str, Any] | None) -> list[tuple[str, str]]:
    plan = make_plan(action=action, safe_harbour=safe_harbour, **GRANTED)
    REQUESTS.check(plan)
    call = make_call(second_leg_gateway_id=DESK if "gateway_id" in action else None)
    request = REQUESTS.build(plan, make_gateway(), call, {"first_name": "Ann"})
    assert originate(request).line.startswith("bgapi originate {")
    return [(step.name, step.argument) for step in request.applications]


@pytest.mark.parametrize("name", ACTIONS)
def test_where_an_agent_must_join_the_person_hears_the_message_otherwise(name: str) -> None:
    given = steps(ACTIONS[name], SORRY)
    assert name in dict(given)
    assert given[-3:] == [
        ("set", "dialer_abandoned=true"),
        ("speak", "flite|slt|Sorry, Ann."),
        ("hangup", "NORMAL_CLEARING"),
    ]
    without = steps(ACTIONS[name], None)
    assert without[-2:] == [("set", "dialer_abandoned=true"), ("hangup", "NORMAL_CLEARING")]
    assert "speak" not in dict(without)


def test_where_nobody_has_to_join_nobody_is_given_up() -> None:
    for action in ({"type": "park"}, {"type": "echo"}, {"type": "playback", "say": "Hello"}):
        given = steps(action, SORRY)
        assert not {("set", "dialer_connect=true"), ("set", "dialer_abandoned=true")} & set(given)


def test_a_call_leaves_with_the_timers_of_its_claim() -> None:
    plan = make_plan(ring_timeout_seconds=20, max_call_seconds=60)
    request = REQUESTS.build(plan, make_gateway(), make_call(ring_seconds=40, max_seconds=3600), {})
    assert (request.ring_seconds, request.max_seconds) == (40, 3600)


@pytest.mark.parametrize("number", ["+14155550100", "{desk}"])
def test_a_bridge_obeys_the_prefixes_of_its_gateway(number: str) -> None:
    """A gateway that carries +1 carried second legs to +44."""
    builder = OriginateBuilder("/sounds", (), ())
    desk = BridgeGateway(DESK, "sofia/gateway/desk/{digits}", ("+44", "+49"))
    granted = GRANTED | {"bridge_gateways": {DESK: desk}}
    plan = make_plan(action={"type": "bridge", "gateway_id": DESK, "number": number}, **granted)
    with pytest.raises(NotGranted, match="carries") if "{" not in number else nullcontext():
        builder.check(plan)
    with pytest.raises(NotGranted, match=re.escape("the gateway carries +44, +49 only")):
        builder.build(plan, make_gateway(), BRIDGED, {"desk": "+14155550100"})
    builder.build(
        make_plan(action={"type": "bridge", "gateway_id": DESK, "number": "{desk}"}, **granted),
        make_gateway(),
        BRIDGED,
        {"desk": "+442071838750"},
    )


@pytest.mark.parametrize(
    ("caller_id", "written", "dialled"),
    [
        ("+12125550199", "(212) 555-0100", "12125550100"),
        ("+442079460811", "020 7946 0810", "442079460810"),
        ("+442079460811", "+1 212 555 0100", "12125550100"),
    ],
)
def test_a_bridge_reads_a_column_as_a_number_of_the_caller_id_s_country(
    caller_id: str, written: str, dialled: str
) -> None:
    plan = make_plan(action={"type": "bridge", "gateway_id": DESK, "number": "{desk}"}, **GRANTED)
    call = make_call(caller_id=caller_id, second_leg_gateway_id=DESK)
    request = REQUESTS.build(plan, make_gateway(), call, {"desk": written})
    bridged = {step.name: step.argument for step in request.applications}["bridge"]
    assert bridged.endswith(f"sofia/gateway/desk/{dialled}")


def desk_of(cps: int | None, nodes: tuple[str, ...] = ("fs1",)) -> tuple[Plan, OriginateBuilder]:
    """A campaign whose agent's gateway has so many calls a second, and a builder that knows these nodes."""
    desk = BridgeGateway(DESK, "sofia/gateway/desk/{digits}", cps=cps)
    granted = GRANTED | {"bridge_gateways": {DESK: desk}}
    plan = make_plan(action=ACTIONS["bridge"], safe_harbour=SORRY, **granted)
    return plan, OriginateBuilder("/sounds", (), (), lambda: nodes)


def test_a_second_leg_leaves_within_the_rate_that_its_node_keeps_and_else_the_message_is_heard() -> None:
    plan, builder = desk_of(6)
    request = builder.build(plan, make_gateway(), BRIDGED, {"first_name": "Ann"})
    line = originate(request).line
    assert (
        f"^limit_execute:hash carillon_gw {DESK} 3/1 bridge sofia/gateway/desk/14155550100^set:dialer_ab"
        in line
    )
    assert [step.name for step in request.applications][-4:] == ["limit_execute", "set", "speak", "hangup"]
    unbound, builder = desk_of(None)
    request = builder.build(unbound, make_gateway(), BRIDGED, {"first_name": "Ann"})
    assert [step.name for step in request.applications][-4:] == ["bridge", "set", "speak", "hangup"]


def test_a_call_without_a_permit_for_its_second_leg_does_not_leave() -> None:
    plan, builder = desk_of(1, nodes=("fs1", "fs2", "fs3"))
    (node,) = shares(DESK, 1, frozenset(("fs1", "fs2", "fs3")))
    other = next(name for name in ("fs1", "fs2", "fs3") if name != node)
    fields = {"first_name": "Ann"}
    builder.build(plan, make_gateway(), make_call(node=node, second_leg_gateway_id=DESK), fields)
    for call in (
        make_call(node=other, second_leg_gateway_id=DESK),
        make_call(node=node),
        make_call(node=node, second_leg_gateway_id="another"),
    ):
        with pytest.raises(SecondLegChangedError):
            builder.build(plan, make_gateway(), call, fields)
    with pytest.raises(SecondLegChangedError):
        builder.build(make_plan(), make_gateway(), BRIDGED, {})


def test_a_column_travels_by_the_variable_that_its_list_gave_it() -> None:
    columns = {"E-mail": "carillon_e_mail", "E mail": "carillon_e_mail_2", "Имя": "carillon_imya"}
    action = {"type": "playback", "say": "{E mail} {e_mail_2} {e_mail} {imya}"}
    plan = make_plan(action=action, columns=columns)
    cells = {"E-mail": "one", "E mail": "two", "Имя": "Анна"}
    request = REQUESTS.build(plan, make_gateway(), make_call(), cells)
    assert request.variables == {
        "carillon_e_mail": "one",
        "carillon_e_mail_2": "two",
        "carillon_imya": "Анна",
    }
    assert ("speak", "flite|slt|two two one Анна") in [(s.name, s.argument) for s in request.applications]
    # A list that an older release imported: each column by its own name.
    request = REQUESTS.build(make_plan(), make_gateway(), make_call(), {"Order ID": "1", "Имя": "Анна"})
    assert request.variables == {"carillon_order_id": "1", "carillon_imya": "Анна"}


def test_a_bridge_reads_a_column_as_the_list_s_own_numbers_were_read() -> None:
    action = {"type": "bridge", "gateway_id": DESK, "number": "{desk}"}
    plan = make_plan(action=action, region="GB", **GRANTED)
    request = REQUESTS.build(plan, make_gateway(), BRIDGED, {"desk": "020 7946 0018"})
    assert ("bridge", "sofia/gateway/desk/442079460018") in [
        (s.name, s.argument) for s in request.applications
    ]


def test_a_message_that_no_longer_stands_stops_the_campaign() -> None:
    plan = make_plan(action=ACTIONS["conference"], safe_harbour={"file": "https://gone.example/a.wav"})
    with pytest.raises(ActionRefused):
        REQUESTS.check(plan)
