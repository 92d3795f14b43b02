"""What the end of a call means where the platform is at fault."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.capacity.backpressure import refused_by
from dialer.live_calls import LiveState
from dialer.record.call_end import from_cdr, hung_up, lacked_media, nowhere
from dialer.record.outcome_rows import Ended
from freeswitch.hangup import Hangup
from limits.rate_cuts import Kind
from tests.unit.dialer.factories import make_call, make_hangup


def end_of(hangup: Hangup, **call: Any) -> Ended:
    return hung_up(make_call(sent_at=0.0, retry_delay_seconds=600, **call), 60.0, hangup, nowhere)


def timed_out(seconds: float, cause: str = "NO_ANSWER", **changes: Any) -> Hangup:
    """Ended by a timer of ours, so many seconds after the first ring (after the INVITE, where it did not ring)."""
    values: dict[str, Any] = {
        "answered": False,
        "sip_status": 487,
        "hung_up_by": "us",
        "billsec": 0,
        "ring_ms": int(seconds * 1000),
        "duration_ms": int(seconds * 1000),
    }
    return make_hangup(cause, **(values | changes))


def test_an_agent_that_could_not_run_is_shown_with_its_cause_and_costs_no_attempt() -> None:
    ended = end_of(make_hangup(hung_up_by="us", billsec=0, agent_failure="FILE_NOT_FOUND"))
    assert (ended.disposition, ended.cause) == ("agent_failed", "FILE_NOT_FOUND")
    assert (ended.status, ended.counts, ended.free) == ("pending", False, "disturbed")
    assert ended.answered
    assert ended.delay is not None
    assert 600 <= ended.delay <= 660
    assert end_of(make_hangup(agent_failure="FILE_NOT_FOUND"), disturbed=2).status == "failed"


@pytest.mark.parametrize(
    ("hangup", "disposition", "cause"),
    [
        (timed_out(31.0), "no_answer", "NO_ANSWER"),
        (timed_out(32.5), "node_fault", "TIMER_RAN_LATE"),
        (timed_out(46.0, progress=False), "unreachable", "NO_ANSWER"),
        (timed_out(48.0, progress=False), "node_fault", "TIMER_RAN_LATE"),
        (timed_out(16.0, "PROGRESS_TIMEOUT", progress=False), "unreachable", "PROGRESS_TIMEOUT"),
        (timed_out(18.0, "PROGRESS_TIMEOUT", progress=False), "node_fault", "TIMER_RAN_LATE"),
        (timed_out(90.0, sip_status=480), "no_answer", "NO_ANSWER"),
        (timed_out(90.0, "NO_USER_RESPONSE"), "no_answer", "NO_USER_RESPONSE"),
    ],
    ids=["rang out", "late", "no ring", "no ring, late", "silent", "silent, late", "carrier", "other cause"],
)
def test_a_timer_that_ran_late_is_the_nodes_fault(hangup: Hangup, disposition: str, cause: str) -> None:
    ended = end_of(hangup, ring_seconds=30)
    assert (ended.disposition, ended.cause) == (disposition, cause)
    if disposition == "node_fault":
        assert (ended.status, ended.counts) == ("pending", False)
        assert ended.delay is not None
        assert ended.delay >= 600


@pytest.mark.parametrize(
    ("hangup", "limit", "disposition", "cause"),
    [
        (timed_out(31.0), 46, "no_answer", "NO_ANSWER"),
        (timed_out(32.5), 46, "node_fault", "TIMER_RAN_LATE"),
        (timed_out(32.5), 61, "no_answer", "NO_ANSWER"),
        (timed_out(48.0, progress=False), 46, "node_fault", "TIMER_RAN_LATE"),
        (timed_out(18.0, "PROGRESS_TIMEOUT", progress=False), 46, "node_fault", "TIMER_RAN_LATE"),
        (timed_out(90.0), None, "no_answer", "NO_ANSWER"),
    ],
    ids=["rang out", "late", "may ring longer", "no ring, late", "silent, late", "written by somebody else"],
)
def test_a_record_that_comes_late_says_so_too_by_the_limit_that_its_call_had(
    hangup: Hangup, limit: int | None, disposition: str, cause: str
) -> None:
    known = hangup._replace(originate_seconds=limit)
    ended = from_cdr("call", known, answered=False, progress=False)
    assert (ended.disposition, ended.cause, ended.status) == (disposition, cause, "failed")


def test_a_node_without_media_disturbed_the_person_and_is_at_fault() -> None:
    ended = end_of(make_hangup("INCOMPATIBLE_DESTINATION", answered=False, sip_status=None, progress=False))
    assert (ended.disposition, ended.cause, ended.status) == ("node_fault", "NO_MEDIA", "pending")
    assert (ended.counts, ended.free, ended.failover) == (False, "disturbed", False)


def test_who_has_no_codec_in_common_is_told_so_and_disturbed_like_any_other() -> None:
    without = make_hangup("INCOMPATIBLE_DESTINATION", answered=False, sip_status=None, no_codec=True)
    ended = end_of(without)
    assert (ended.disposition, ended.cause, ended.free) == ("node_fault", "NO_CODEC", "disturbed")
    assert not lacked_media(ended), "that is the phone's, or its carrier's"


def test_a_node_whose_ports_are_used_up_has_refused_and_nobody_was_called() -> None:
    used_up = make_hangup(
        "DESTINATION_OUT_OF_ORDER", answered=False, sip_status=None, progress=False, invited=False
    )
    ended = end_of(used_up, state=LiveState.SEEN)
    assert (ended.disposition, ended.cause, ended.status) == ("congestion", "NO_PORT", "pending")
    assert (ended.counts, ended.free, ended.failover) == (False, "refusal", False)
    assert ended.delay is not None
    assert ended.delay < 10
    assert refused_by(make_call(node="fs7", state=LiveState.SEEN), ended) == (Kind.NODE, "fs7")


def test_a_record_that_came_late_tells_of_a_failed_agent_and_nobody_is_called_again() -> None:
    hangup = make_hangup(hung_up_by="us", agent_failure="NO_SOCKET_SERVER")
    ended = from_cdr("c", hangup, answered=True, progress=True)
    assert (ended.status, ended.disposition, ended.cause) == ("failed", "agent_failed", "NO_SOCKET_SERVER")
    assert from_cdr("c", make_hangup(), answered=True, progress=True).status == "completed"


def test_a_post_dial_delay_within_one_step_of_the_nodes_clock_is_told_as_it_was_heard() -> None:
    hangup = make_hangup(pdd_ms=0)
    assert end_of(hangup, sign_at=0.022).pdd_ms == 22
    assert end_of(hangup, sign_at=0.5).pdd_ms == 40, "this process was late, and the node was not"
    assert end_of(hangup).pdd_ms is None
    assert end_of(make_hangup(pdd_ms=20), sign_at=0.5).pdd_ms == 20


def test_a_call_that_its_node_took_up_again_says_what_is_certain_of_it() -> None:
    hangup = make_hangup(billsec=8)
    assert (end_of(hangup).recovered, end_of(hangup).certain_billsec) == (False, None)
    recovered = end_of(hangup, recovered=True, answered_at=2.0, lost_at=5.4)
    assert (recovered.recovered, recovered.billsec, recovered.certain_billsec) == (True, 8, 3)
    assert end_of(hangup, recovered=True, answered_at=2.0).certain_billsec is None
    unanswered = make_hangup("USER_BUSY", answered=False)
    assert not end_of(unanswered, recovered=True, lost_at=5.4).recovered
