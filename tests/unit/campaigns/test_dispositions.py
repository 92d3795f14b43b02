"""What became of a call, for every cause and status, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.dispositions import Disposition, Evidence, dispose
from campaigns.retry import REACHED, RETRY, History, Next, UncountedReason, after_call
from campaigns.retry_rules import LONGEST_DELAY_SECONDS, Growth, RetryRule, retry_rules
from freeswitch.causes import HANGUP_CAUSES
from models import CONTACT_TRANSITIONS, ContactStatus

evidence = st.builds(
    Evidence,
    cause=st.one_of(st.sampled_from(sorted(HANGUP_CAUSES)), st.text(max_size=20)),
    answered=st.booleans(),
    channel=st.booleans(),
    progress=st.booleans(),
    sip_status=st.one_of(st.none(), st.integers(100, 699)),
    sip_phrase=st.one_of(st.none(), st.sampled_from(["Network Blocked", "Decline", ""])),
    sip_603plus=st.booleans(),
    q850=st.one_of(st.none(), st.integers(0, 999)),
    abandoned=st.booleans(),
)
histories = st.builds(
    History,
    attempts=st.integers(1, 6),
    free_sends=st.integers(0, 40),
    rejected=st.booleans(),
    retries_per_contact=st.integers(0, 5),
    retry_delay_seconds=st.integers(60, 7200),
    carrier_refusals=st.integers(0, 4),
    gateway_faults=st.integers(0, 5),
    probe=st.booleans(),
)
rules = st.builds(
    RetryRule,
    delay_seconds=st.none() | st.integers(60, 7200),
    factor=st.floats(1, 10),
    growth=st.sampled_from(Growth),
    max_delay_seconds=st.integers(60, LONGEST_DELAY_SECONDS),
    retries=st.none() | st.integers(0, 5),
)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Evidence("NORMAL_CLEARING", answered=True, sip_status=200), "answered"),
        (Evidence("NORMAL_CLEARING", answered=True, sip_status=200, abandoned=True), "abandoned"),
        (Evidence("USER_BUSY", sip_status=486, q850=17), "busy"),
        (Evidence("CONGESTION", sip_status=486, q850=34), "busy"),
        (Evidence("NO_ANSWER", progress=True, sip_status=487, sip_phrase="CANCEL"), "no_answer"),
        (Evidence("NO_ANSWER", progress=False), "unreachable"),
        (Evidence("NO_ANSWER", progress=True), "no_answer"),
        (Evidence("UNALLOCATED_NUMBER", sip_status=404), "invalid"),
        (Evidence("NORMAL_TEMPORARY_FAILURE", sip_status=503, q850=41), "congestion"),
        (Evidence("USER_BUSY", sip_status=503, q850=17), "congestion"),
        (Evidence("NORMAL_TEMPORARY_FAILURE", sip_status=503, q850=41, progress=True), "no_answer"),
        (Evidence("NO_USER_RESPONSE", sip_status=480), "unreachable"),
        (Evidence("NO_USER_RESPONSE", sip_status=480, progress=True), "no_answer"),
        (Evidence("CALL_REJECTED", sip_status=603, sip_phrase="Decline"), "rejected"),
        (Evidence("CALL_REJECTED", sip_status=603, sip_phrase="Network Blocked"), "network_blocked"),
        (Evidence("CALL_REJECTED", sip_status=603, sip_603plus=True), "network_blocked"),
        (Evidence("CALL_REJECTED", sip_status=608), "network_blocked"),
        (Evidence("CALL_REJECTED", sip_status=402), "gateway_fault"),
        (Evidence("CALL_REJECTED", sip_status=403), "gateway_fault"),
        (Evidence("REQUESTED_CHAN_UNAVAIL", sip_status=302, q850=44), "redirected"),
        (Evidence("RECOVERY_ON_TIMER_EXPIRE", sip_status=408, q850=102), "unreachable"),
        (Evidence("DESTINATION_OUT_OF_ORDER", channel=False), "congestion"),
        (Evidence("DESTINATION_OUT_OF_ORDER", channel=True), "unreachable"),
        (Evidence("DESTINATION_OUT_OF_ORDER", channel=True, invited=False), "congestion"),
        (Evidence("DESTINATION_OUT_OF_ORDER", channel=True, invited=False, answered=True), "answered"),
        (Evidence("NORMAL_CLEARING", channel=True, invited=False), "unreachable"),
        (Evidence("INVALID_GATEWAY", channel=False), "gateway_fault"),
        (Evidence("GATEWAY_DOWN", channel=False), "gateway_fault"),
        (Evidence("SYSTEM_SHUTDOWN"), "switch_lost"),
        (Evidence("SYSTEM_SHUTDOWN", progress=True), "no_answer"),
        (Evidence("UNKNOWN"), "outcome_unknown"),
        (Evidence("NORMAL_CIRCUIT_CONGESTION", q850=34), "congestion"),
        (Evidence("MEDIA_TIMEOUT"), "unreachable"),
    ],
)
def test_what_the_switch_said_decides_the_disposition(known: Evidence, expected: str) -> None:
    assert dispose(known) == expected


@given(evidence)
def test_every_evidence_has_a_disposition_and_every_disposition_a_rule(known: Evidence) -> None:
    disposition = dispose(known)
    assert disposition in RETRY
    assert (disposition in REACHED) == known.answered
    assert (disposition is Disposition.ABANDONED) == (known.answered and known.abandoned)


@given(evidence, histories, st.booleans(), st.floats(0, 1, exclude_max=True, allow_nan=False))
def test_what_follows_is_a_legal_state_and_never_early(
    known: Evidence, history: History, refused: bool, jitter: float
) -> None:
    following = after_call(dispose(known), history, refused=refused, jitter=jitter)
    assert following.status in CONTACT_TRANSITIONS[ContactStatus.ORIGINATED]
    assert following.uncounted is None or not following.counts
    assert (following.delay_seconds is not None) == (following.status is ContactStatus.PENDING)
    if following.counts and following.delay_seconds is not None:
        assert history.attempts <= history.retries_per_contact
        assert history.retry_delay_seconds <= following.delay_seconds <= history.retry_delay_seconds * 1.1
    if not following.counts:
        assert following.delay_seconds is not None
        assert following.delay_seconds >= 5.0


def _history(**changes: Any) -> History:
    plain = History(attempts=1, free_sends=0, rejected=False, retries_per_contact=2, retry_delay_seconds=300)
    return replace(plain, **changes)


def _next(disposition: Disposition, *, refused: bool = False, **changes: Any) -> Next:
    return after_call(disposition, _history(**changes), refused=refused, jitter=0.0)


def test_attempts_beyond_the_retries_are_the_end() -> None:
    assert _next(Disposition.BUSY, attempts=2).status is ContactStatus.PENDING
    assert _next(Disposition.BUSY, attempts=3).status is ContactStatus.FAILED


def test_a_person_who_declined_is_called_once_more_at_most() -> None:
    assert _next(Disposition.REJECTED).status is ContactStatus.PENDING
    assert _next(Disposition.REJECTED, attempts=2, rejected=True).status is ContactStatus.FAILED


@pytest.mark.parametrize("never", ["invalid", "network_blocked", "redirected", "outcome_unknown"])
def test_some_outcomes_are_never_tried_again(never: str) -> None:
    assert _next(Disposition(never), retries_per_contact=5).status is ContactStatus.FAILED


def test_an_abandoned_call_reached_a_person_and_is_not_repeated() -> None:
    following = _next(Disposition.ABANDONED, retries_per_contact=5)
    assert (following.status, following.counts) == (ContactStatus.COMPLETED, True)


def test_a_platform_fault_uses_up_no_attempt_but_does_not_go_on_for_ever() -> None:
    first = _next(Disposition.CONGESTION, refused=True, retries_per_contact=0)
    assert (first.status, first.counts, first.delay_seconds) == (ContactStatus.PENDING, False, 5.0)
    assert _next(Disposition.CONGESTION, refused=True, free_sends=19).delay_seconds == 60.0
    spent = _next(Disposition.CONGESTION, refused=True, free_sends=20, retries_per_contact=0)
    assert (spent.status, spent.counts) == (ContactStatus.FAILED, True)
    assert not _next(Disposition.CONGESTION, carrier_refusals=2).counts


@pytest.mark.parametrize("disposition", [Disposition.GATEWAY_FAULT, Disposition.CONGESTION])
def test_a_probe_of_a_paused_gateway_charges_its_contact_with_nothing(disposition: Disposition) -> None:
    failed = _next(disposition, gateway_faults=3, probe=True, retries_per_contact=0)
    assert (failed.status, failed.counts, failed.uncounted) == (ContactStatus.PENDING, False, None)
    assert _next(Disposition.BUSY, probe=True).counts


def test_each_kind_of_platform_fault_has_a_bound_of_its_own() -> None:
    fault = _next(Disposition.GATEWAY_FAULT, free_sends=20)
    assert (fault.counts, fault.uncounted, fault.delay_seconds) == (False, UncountedReason.GATEWAY, 5.0)
    assert _next(Disposition.CONGESTION, free_sends=20).uncounted is UncountedReason.CARRIER
    others: dict[str, Any] = {"carrier_refusals": 2, "gateway_faults": 3}
    assert _next(Disposition.CONGESTION, refused=True, **others).uncounted is UncountedReason.REFUSAL
    assert _next(Disposition.SWITCH_LOST, **others).uncounted is UncountedReason.REFUSAL


@pytest.mark.parametrize("disposition", [Disposition.GATEWAY_FAULT, Disposition.CONGESTION])
@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_contact_whom_gateways_refuse_is_tried_three_times_more_and_ends_as_congestion(
    disposition: Disposition, elsewhere: bool
) -> None:
    before: dict[str, Any] = {"gateway_faults": 1, "carrier_refusals": 1, "other_gateway": elsewhere}
    again = _next(disposition, **before)
    assert (again.status, again.counts, again.failover) == (ContactStatus.PENDING, False, elsewhere)
    spent = _next(disposition, **(before | {"carrier_refusals": 2}), retries_per_contact=9)
    assert (spent.status, spent.disposition) == (ContactStatus.FAILED, Disposition.CONGESTION)


@pytest.mark.parametrize("fault", [Disposition.AGENT_FAILED, Disposition.NODE_FAULT])
def test_who_was_disturbed_for_nothing_is_not_charged_and_called_twice_more_at_most(
    fault: Disposition,
) -> None:
    first = _next(fault, retries_per_contact=0)
    assert (first.status, first.disposition, first.counts) == (ContactStatus.PENDING, fault, False)
    assert (first.delay_seconds, first.uncounted) == (300.0, UncountedReason.DISTURBED)
    assert _next(fault, disturbed=1, retries_per_contact=0).status is ContactStatus.PENDING
    last = _next(fault, disturbed=2, retries_per_contact=5)
    assert (last.status, last.disposition, last.counts) == (ContactStatus.FAILED, fault, False)


def test_a_call_without_media_is_the_nodes_fault_unless_the_carrier_said_so() -> None:
    picked_up = Evidence("INCOMPATIBLE_DESTINATION", q850=88)
    assert dispose(picked_up) is Disposition.NODE_FAULT
    assert dispose(replace(picked_up, sip_status=487, progress=True)) is Disposition.NODE_FAULT
    for status in (488, 606, 415):
        assert dispose(replace(picked_up, sip_status=status)) is not Disposition.NODE_FAULT
    far_end = replace(picked_up, sip_status=487, sip_reason="Q.850;cause=88")
    assert dispose(far_end) is not Disposition.NODE_FAULT


def test_a_timer_that_ran_late_is_the_nodes_fault_and_an_answer_stays_one() -> None:
    assert dispose(Evidence("NO_ANSWER", progress=True, late_timer=True)) is Disposition.NODE_FAULT
    assert dispose(Evidence("NO_ANSWER", answered=True, late_timer=True)) is Disposition.ANSWERED
    assert dispose(Evidence("NORMAL_CLEARING", answered=True, agent_failed=True)) is Disposition.AGENT_FAILED


@given(
    st.sampled_from(["busy", "no_answer", "unreachable", "rejected"]),
    histories,
    rules,
    st.floats(0, 1, exclude_max=True),
)
def test_a_rule_is_never_early_and_never_calls_more_often_than_it_says(
    ended: str, history: History, rule: RetryRule, jitter: float
) -> None:
    ruled = replace(history, rules={ended: rule})
    following = after_call(Disposition(ended), ruled, refused=False, jitter=jitter)
    if following.delay_seconds is None:
        return
    first = history.retry_delay_seconds if rule.delay_seconds is None else rule.delay_seconds
    assert min(first, rule.max_delay_seconds) <= following.delay_seconds < rule.max_delay_seconds * 1.1 + 1e-6
    assert history.attempts <= (history.retries_per_contact if rule.retries is None else rule.retries)
    assert not (ended == "rejected" and history.rejected)


@pytest.mark.parametrize(
    ("rule", "delays"),
    [
        ({}, [300, 300, 300, 300]),
        ({"delay_seconds": 60}, [60, 60, 60, 60]),
        ({"factor": 2}, [300, 600, 1200, 2400]),
        ({"delay_seconds": 100, "factor": 1.5, "growth": "linear"}, [100, 150, 200, 250]),
        ({"factor": 3, "max_delay_seconds": 2000}, [300, 900, 2000, 2000]),
    ],
)
def test_delays_grow_as_the_rule_says(rule: dict[str, Any], delays: list[float]) -> None:
    found = [
        _next(Disposition.BUSY, attempts=n, retries_per_contact=5, rules=retry_rules({"busy": rule}))
        for n in (1, 2, 3, 4)
    ]
    assert [following.delay_seconds for following in found] == delays


def test_a_rule_concerns_its_own_disposition_alone() -> None:
    rules = retry_rules(
        {"busy": {"retries": 0}, "no_answer": {"retries": 5, "delay_seconds": 7200}, "newer": {}}
    )
    assert _next(Disposition.BUSY, rules=rules).status is ContactStatus.FAILED
    assert _next(Disposition.NO_ANSWER, rules=rules, attempts=5).delay_seconds == 7200
    assert _next(Disposition.NO_ANSWER, rules=rules, attempts=6).status is ContactStatus.FAILED
    assert _next(Disposition.UNREACHABLE, rules=rules).delay_seconds == 300


def test_no_rule_calls_who_declined_twice_more() -> None:
    rules = retry_rules({"rejected": {"retries": 5}})
    assert _next(Disposition.REJECTED, rules=rules).status is ContactStatus.PENDING
    assert _next(Disposition.REJECTED, rules=rules, rejected=True).status is ContactStatus.FAILED
