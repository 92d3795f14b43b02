"""Which calls a gateway was given, and which of them were refused with what words."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.gateway_counts import How
from dialer.capacity.gateway_ends import how_it_ended
from dialer.live_calls import LiveState
from dialer.record import call_end
from tests.unit.dialer.factories import GATEWAY, make_call, make_hangup


def how(cause: str, status: int | None, *, rang: bool = False, **hangup: Any) -> How | None:
    call = make_call(sent_at=1.0, state=LiveState.SEEN, progress=rang)
    told = {
        "answered": False,
        "progress": rang,
        "q850": 21,
        "sip_phrase": None,
        "hung_up_by": "remote",
    } | hangup
    return how_it_ended(call, call_end.hung_up(call, 2.0, make_hangup(cause, sip_status=status, **told)))


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        ("NORMAL_TEMPORARY_FAILURE", 503),
        ("CALL_REJECTED", 403),
        ("UNALLOCATED_NUMBER", 404),
        ("USER_BUSY", 486),
        ("REDIRECTION_TO_NEW_DESTINATION", 302),
        ("RECOVERY_ON_TIMER_EXPIRE", 408),
    ],
)
def test_what_ends_before_any_ring_was_refused_by_what_was_said(cause: str, status: int) -> None:
    assert how(cause, status) == How(GATEWAY, status, cause)


def test_what_rang_was_picked_up_or_ended_by_us_was_not_refused() -> None:
    carried = How(GATEWAY)
    assert how("USER_BUSY", 486, rang=True) == carried
    assert how("NORMAL_CLEARING", 200, answered=True) == carried
    assert how("MANAGER_REQUEST", 487, hung_up_by="us") == carried


def test_a_timer_of_ours_before_any_ring_is_told_without_the_status_of_our_own_cancel() -> None:
    assert how("PROGRESS_TIMEOUT", 487, hung_up_by="us") == How(GATEWAY, 0, "PROGRESS_TIMEOUT")


def test_a_cause_that_nobody_knows_makes_no_row_of_its_own() -> None:
    assert how("MADE_UP_BY_SOMEBODY", 480) == How(GATEWAY, 480, "UNKNOWN")


@pytest.mark.parametrize("cause", ["GATEWAY_DOWN", "INVALID_GATEWAY"])
def test_a_gateway_that_its_node_will_not_use_refused(cause: str) -> None:
    call = make_call(sent_at=1.0)
    assert how_it_ended(call, call_end.refused(call, 2.0, cause)) == How(GATEWAY, 0, cause)


def test_what_its_node_refused_or_never_left_the_gateway_was_not_given() -> None:
    call = make_call(sent_at=1.0)
    assert how_it_ended(call, call_end.refused(call, 2.0, "DESTINATION_OUT_OF_ORDER")) is None
    assert how_it_ended(make_call(), call_end.withdrawn(make_call(), "NOT_SENT", None)) is None
