"""What a call's end says of the gateway it left by: at fault, in order, or nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dialer.capacity.gateway_breaker import (
    GatewayBreaker,
    HealthSigns,
    Way,
    health_signs,
    is_fault,
    shows_that_it_works,
)
from dialer.capacity.gateway_pauses import Gateway, Standing
from dialer.capacity.gateway_rows import Decide
from dialer.live_calls import LiveCall, LiveCalls, LiveState
from dialer.record import call_end
from dialer.record.outcome_rows import Ended
from freeswitch.events import ChannelEventKind
from tests.unit.dialer.factories import channel_event, make_call, make_commit, make_hangup

GATEWAY = make_call().gateway_id
WAY = (GATEWAY, "+1")
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


def ended(status: int | None, cause: str = "CALL_REJECTED", **changes: Any) -> tuple[LiveCall, Ended]:
    call = make_call(sent_at=1.0, state=LiveState.SEEN, **changes)
    hangup = make_hangup(
        cause, sip_status=status, sip_phrase="Phrase", answered=False, progress=False, q850=21
    )
    return call, call_end.hung_up(call, 2.0, hangup)


def signs(*calls: tuple[LiveCall, Ended]) -> dict[Way, HealthSigns]:
    return health_signs([call for call, _ in calls], {call.call_id: end for call, end in calls})


@pytest.mark.parametrize("status", [401, 402, 403, 407, 428, 438, 500, 502, 503])
def test_a_gateway_that_will_not_have_us_is_at_fault(status: int) -> None:
    assert is_fault(*ended(status))
    # Where the contact has been refused too often it ends as congestion; the gateway is at fault all the same.
    assert is_fault(*ended(status, gateway_faults=3))


@pytest.mark.parametrize("cause", ["GATEWAY_DOWN", "INVALID_GATEWAY"])
def test_a_gateway_that_the_node_will_not_use_is_at_fault(cause: str) -> None:
    call = make_call(sent_at=1.0)
    assert is_fault(call, call_end.refused(call, 2.0, cause))


@pytest.mark.parametrize(
    ("status", "cause"), [(486, "USER_BUSY"), (404, "UNALLOCATED_NUMBER"), (603, "CALL_REJECTED")]
)
def test_who_answers_for_a_number_shows_that_the_gateway_works(status: int, cause: str) -> None:
    call = ended(status, cause)
    assert shows_that_it_works(*call)
    assert not is_fault(*call)


def test_a_carrier_without_capacity_that_made_it_ring_is_not_at_fault() -> None:
    assert not is_fault(*ended(503, "NORMAL_TEMPORARY_FAILURE", progress=True))


def test_ringing_shows_that_it_works_whatever_comes_then() -> None:
    assert shows_that_it_works(*ended(None, "NO_ANSWER", progress=True))


@pytest.mark.parametrize(
    "call",
    [
        ended(None, "RECOVERY_ON_TIMER_EXPIRE"),
        ended(None, "DESTINATION_OUT_OF_ORDER"),
    ],
)
def test_other_ends_say_nothing(call: tuple[LiveCall, Ended]) -> None:
    assert signs(call) == {}


def test_a_call_that_never_left_says_nothing() -> None:
    call = make_call()
    assert signs((call, call_end.withdrawn(call, "NOT_SENT", None))) == {}


def test_faults_are_counted_from_the_last_sign_of_life() -> None:
    fault, good = ended(403), ended(486, "USER_BUSY")
    second, third = ended(503, "NORMAL_TEMPORARY_FAILURE"), ended(402)
    assert signs(fault, second)[WAY] == HealthSigns(faults=(fault[0], second[0]), reason="503 Phrase")
    assert signs(fault, good, third)[WAY] == HealthSigns(True, True, faults=(third[0],), reason="402 Phrase")
    assert signs(fault, good)[WAY] == HealthSigns(works=True, alive=True)


def test_only_a_probe_speaks_for_a_paused_gateway() -> None:
    assert not signs(ended(486, "USER_BUSY"))[WAY].probe_works
    assert signs(ended(486, "USER_BUSY", probe=True))[WAY].probe_works


def breaker(call: LiveCall) -> tuple[GatewayBreaker, LiveCall]:
    live_calls = LiveCalls()
    live_calls.add(call)
    return GatewayBreaker(live_calls, lambda *_: None, lambda: None), call


def test_a_ringing_call_is_noted_only_where_the_gateway_is_in_doubt() -> None:
    gateways, call = breaker(make_call())
    gateways.on_event("fs1", channel_event(call.call_id, ChannelEventKind.PROGRESS))
    assert not gateways.heard.is_set()
    gateways.degraded.add(GATEWAY)
    gateways.on_event("fs1", channel_event(call.call_id, ChannelEventKind.CREATED))
    gateways.on_event("fs1", channel_event("unknown", ChannelEventKind.PROGRESS))
    assert not gateways.heard.is_set()
    gateways.on_event("fs1", channel_event(call.call_id, ChannelEventKind.PROGRESS))
    assert gateways.heard.is_set()


def test_a_ringing_probe_is_noted() -> None:
    gateways, call = breaker(make_call(probe=True))
    gateways.on_event("fs1", channel_event(call.call_id, ChannelEventKind.ANSWERED))
    assert gateways.heard.is_set()


@pytest.mark.parametrize("left", [False, True])
def test_a_probe_that_never_left_is_given_back(left: bool) -> None:
    probed = Gateway(Standing(paused_at=NOW, probe_at=NOW + timedelta(hours=1), probes=1))
    returned: list[tuple[str, Standing]] = []

    def change(gateway_id: str, decide: Decide) -> None:
        after = decide(probed, NOW)
        assert after is not None
        returned.append((gateway_id, after.whole))

    call, end = ended(None, "DESTINATION_OUT_OF_ORDER", probe=True)
    if not left:
        call = make_call(probe=True)
        end = call_end.withdrawn(call, "NOT_SENT", None)
    gateways, _ = breaker(call)
    gateways.change = change
    gateways.after_commit(make_commit({call.call_id: end}, call))
    assert returned == ([] if left else [(GATEWAY, replace(probed.whole, probe_at=NOW, probes=0))])
