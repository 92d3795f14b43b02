"""What an end says that a timer made, as a node recorded it: nothing, unless the phone had rung."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.capacity.gateway_breaker import health_signs
from dialer.capacity.suspicion import Sign, sign
from dialer.live_calls import LiveCall, LiveState
from dialer.record import call_end
from dialer.record.outcome_rows import Ended
from freeswitch.hangup import Hangup
from tests.unit.dialer.factories import make_call, make_hangup
from tests.unit.freeswitch.transcripts import hangups

UNANSWERED = [
    hangup
    for name in ("13_call_noanswer_originate_timeout_json", "37", "42", "63", "67")
    for hangup in hangups(name)
    if not hangup.answered
]
"""Timers of a node, its commands, a carrier that swallows packets and one that answers, with and without a ring."""


def unheard(cause: str, **changes: Any) -> Hangup:
    """An end before any response, by the node's CANCEL unless it is said."""
    values = {
        "sip_status": 487,
        "sip_phrase": "CANCEL",
        "hung_up_by": "us",
        "duration_ms": 5000,
        "ring_ms": None,
    }
    return make_hangup(cause, **(values | {"answered": False, "progress": False, "billsec": 0} | changes))


SILENT = [hangup for hangup in UNANSWERED if not hangup.progress and hangup.sip_status in (408, 487)] + [
    unheard("MANAGER_REQUEST"),
    unheard("PROGRESS_TIMEOUT"),
    unheard("NO_ANSWER", sip_status=None, hung_up_by=None),
    unheard("RECOVERY_ON_TIMER_EXPIRE", sip_status=504, hung_up_by="remote"),
    unheard("DESTINATION_OUT_OF_ORDER", sip_status=None, hung_up_by=None),
]
RANG = [hangup for hangup in UNANSWERED if hangup.progress]


def over(hangup: Hangup, **changes: Any) -> tuple[LiveCall, Ended]:
    call = make_call(sent_at=1.0, state=LiveState.SEEN, probe=True, **changes)
    return call, call_end.hung_up(call, 2.0, hangup)


def told(hangup: Hangup) -> str:
    return f"{hangup.cause} {hangup.sip_status} {'rang' if hangup.progress else 'silent'}"


def test_the_recordings_have_what_is_asked_of_them() -> None:
    assert {told(one) for one in SILENT} >= {
        "NO_ANSWER 487 silent",
        "NORMAL_CLEARING 487 silent",
        "RECOVERY_ON_TIMER_EXPIRE 408 silent",
    }
    assert {told(one) for one in RANG} == {
        "NO_ANSWER 487 rang",
        "NORMAL_CLEARING 487 rang",
        "MANAGER_REQUEST 487 rang",
    }


@pytest.mark.parametrize("hangup", SILENT, ids=told)
def test_a_timer_before_anybody_showed_life_says_nothing(hangup: Hangup) -> None:
    call, ended = over(hangup)
    assert health_signs([call], {call.call_id: ended}) == {}
    assert sign(call, ended) is None


@pytest.mark.parametrize("hangup", RANG, ids=told)
def test_a_phone_that_rang_was_reached_whoever_ended_the_call(hangup: Hangup) -> None:
    call, ended = over(hangup)
    (signs,) = health_signs([call], {call.call_id: ended}).values()
    assert (signs.works, signs.probe_works) == (True, True)
    assert sign(call, ended) is Sign.FINE


@pytest.mark.parametrize(
    ("cause", "status", "expected"),
    [
        ("USER_BUSY", 486, Sign.FINE),
        ("ORIGINATOR_CANCEL", 487, Sign.FINE),
        ("UNALLOCATED_NUMBER", 404, Sign.SUSPICIOUS),
    ],
)
def test_a_response_of_the_far_ends_own_says_what_it_says(cause: str, status: int, expected: Sign) -> None:
    call, ended = over(unheard(cause, sip_status=status, hung_up_by="remote"))
    (signs,) = health_signs([call], {call.call_id: ended}).values()
    assert signs.probe_works
    assert sign(call, ended) is expected


def test_a_silent_call_between_refusals_begins_no_count_anew() -> None:
    refusal = unheard("NORMAL_TEMPORARY_FAILURE", sip_status=503, hung_up_by="remote")
    ends = [over(one) for one in (refusal, refusal, SILENT[0], refusal)]
    (signs,) = health_signs([call for call, _ in ends], {call.call_id: end for call, end in ends}).values()
    assert (signs.works, len(signs.faults)) == (False, 3)
