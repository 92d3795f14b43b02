"""Which gateway carries a number, and when another may be given a call that failed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.dispositions import Disposition, Evidence, dispose
from campaigns.retry import MAX_REFUSALS, History, UncountedReason, after_call
from campaigns.routing import FAILS_OVER, in_order, match_length, may_fail_over
from freeswitch.causes import HANGUP_CAUSES
from models import ContactStatus
from tests.unit.campaigns.outcomes_corpus import FINAL_RESPONSES, REASONS, Shape, by_cause, on_the_wire


@dataclass(frozen=True)
class Gateway:
    name: str
    prefixes: tuple[str, ...] = ()
    cost: float | None = None


def names(number: str, *gateways: Gateway) -> list[str]:
    return [gateway.name for gateway in in_order(gateways, number)]


prefixes = st.lists(st.from_regex(r"\+[1-4]{1,4}", fullmatch=True), max_size=4, unique=True).map(tuple)
numbers = st.from_regex(r"\+[1-4]{8}", fullmatch=True)
gateways = st.lists(
    st.builds(Gateway, st.uuids().map(str), prefixes, st.one_of(st.none(), st.integers(0, 3).map(float))),
    max_size=6,
)


def test_the_longest_prefix_that_matches_counts() -> None:
    assert match_length(("+1", "+1415", "+44"), "+14155550100") == 5
    assert match_length(("+44",), "+14155550100") is None
    assert match_length((), "+14155550100") == 0


def test_the_longest_match_goes_first_whatever_it_costs() -> None:
    everywhere, britain = Gateway("everywhere", cost=0.001), Gateway("britain", ("+44",), 0.5)
    assert names("+442079460000", everywhere, britain) == ["britain", "everywhere"]
    assert names("+14155550100", everywhere, britain) == ["everywhere"]


def test_of_equal_matches_the_cheapest_goes_first() -> None:
    assert names("+14155550100", Gateway("a", ("+1",), 0.02), Gateway("b", ("+1",), 0.01)) == ["b", "a"]


def test_where_one_has_no_cost_the_operators_order_holds() -> None:
    assert names("+14155550100", Gateway("a", cost=0.02), Gateway("b"), Gateway("c", cost=0.01)) == [
        "a",
        "b",
        "c",
    ]


@given(gateways, numbers)
def test_a_route_holds_just_those_that_carry_the_number_each_once(all_of: list[Gateway], number: str) -> None:
    route = in_order(all_of, number)
    carrying = [g for g in all_of if not g.prefixes or number.startswith(g.prefixes)]
    assert sorted(g.name for g in route) == sorted(g.name for g in carrying)
    lengths = [match_length(gateway.prefixes, number) or 0 for gateway in route]
    assert lengths == sorted(lengths, reverse=True)
    assert in_order(all_of, number) == route


def proven(known: Evidence, disposition: str) -> bool:
    """What the product's table says of a call of this disposition: written again, in its own words."""
    if known.answered or known.progress or known.sip_status in (408, 504):
        return False
    if disposition == "gateway_fault":
        return known.sip_status is not None or not known.channel
    return disposition == "congestion" and known.sip_status is not None


def test_every_final_response_fails_over_only_where_it_proves_that_nobody_was_reached() -> None:
    failing = set()
    for status, reason, shape in product(FINAL_RESPONSES, REASONS.values(), Shape):
        known = Evidence(
            cause="CALL_REJECTED",
            progress=shape is not Shape.NOTHING,
            sip_status=status,
            sip_phrase=reason.phrase,
            sip_603plus=reason.plus and status == 603,
            q850=reason.q850 if reason.q850 is not None else 41,
            sip_reason=reason.header,
        )
        expected = proven(known, on_the_wire(status, reason, shape)) and reason.q850 != 17
        assert may_fail_over(known) == expected, known
        if expected:
            failing.add(status)
    assert {401, 402, 403, 407, 428, 438, 500, 502, 503} <= failing
    assert not failing & {*range(300, 400), 404, 408, 410, 480, 484, 486, 487, 504, 600, 603, 604, 607, 608}


@pytest.mark.parametrize("cause", sorted(HANGUP_CAUSES))
def test_a_cause_without_a_final_response_fails_over_only_where_the_node_would_not_use_the_gateway(
    cause: str,
) -> None:
    for channel in (False, True):
        for rang in (False, True):
            known = Evidence(cause=cause, channel=channel, progress=rang)
            at_fault = by_cause(cause, channel=channel, rang=rang) == "gateway_fault"
            assert may_fail_over(known) == (at_fault and not channel and not rang), (cause, channel, rang)


@given(
    st.builds(
        Evidence,
        cause=st.one_of(st.sampled_from(sorted(HANGUP_CAUSES)), st.text(max_size=20)),
        answered=st.booleans(),
        channel=st.booleans(),
        progress=st.booleans(),
        sip_status=st.one_of(st.none(), st.integers(100, 699)),
        q850=st.one_of(st.none(), st.integers(0, 999)),
        sip_reason=st.sampled_from([None, "Q.850;cause=1", "SIP;cause=200"]),
    )
)
def test_nothing_fails_over_after_an_answer_a_ring_or_a_timer(known: Evidence) -> None:
    if may_fail_over(known):
        assert not known.answered
        assert not known.progress
        assert known.sip_status not in (408, 504)
        assert known.sip_status is not None or not known.channel
        assert FAILS_OVER[dispose(known)]


def test_every_disposition_has_a_word_on_failing_over() -> None:
    assert set(FAILS_OVER) == set(Disposition)


@pytest.mark.parametrize("said", ["Q.850;cause=17", "Q.850;cause=19", "q.850;cause=102"])
def test_a_refusal_that_says_that_a_line_was_reached_stays_where_it_is(said: str) -> None:
    cause = int(said.rpartition("=")[2])
    refusal = Evidence("NORMAL_TEMPORARY_FAILURE", sip_status=503, q850=cause, sip_reason=said)
    assert not may_fail_over(refusal)
    assert may_fail_over(Evidence("NORMAL_TEMPORARY_FAILURE", sip_status=503, q850=cause))


@pytest.mark.parametrize(
    ("disposition", "reason"),
    [(Disposition.GATEWAY_FAULT, UncountedReason.GATEWAY), (Disposition.CONGESTION, UncountedReason.CARRIER)],
)
@pytest.mark.parametrize("used", [0, 1])
def test_the_next_gateway_is_given_the_contact_at_once_without_an_attempt(
    disposition: Disposition, reason: UncountedReason, used: int
) -> None:
    past = History(1, 0, False, 0, 60, carrier_refusals=used, gateway_faults=used, other_gateway=True)
    following = after_call(disposition, past, refused=False, jitter=0.5)
    assert (following.status, following.counts, following.delay_seconds) == (
        ContactStatus.PENDING,
        False,
        None,
    )
    assert (following.uncounted, following.failover) == (reason, True)


def test_a_probe_that_fails_over_is_charged_to_nobody() -> None:
    past = History(1, 0, False, 0, 60, probe=True, other_gateway=True)
    assert after_call(Disposition.GATEWAY_FAULT, past, refused=False, jitter=0.5).uncounted is None


@pytest.mark.parametrize("disposition", [Disposition.GATEWAY_FAULT, Disposition.CONGESTION])
@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_a_contact_whom_all_gateways_refuse_is_sent_three_times_more_before_one_counts(
    disposition: Disposition, count: int
) -> None:
    charged: Counter[UncountedReason | None] = Counter()
    sends = 0
    while True:
        sends += 1
        past = History(
            1,
            0,
            False,
            0,
            60,
            carrier_refusals=charged[UncountedReason.CARRIER],
            gateway_faults=charged[UncountedReason.GATEWAY],
            other_gateway=sends % count != 0,
        )
        following = after_call(disposition, past, refused=False, jitter=0.0)
        if following.counts:
            break
        charged[following.uncounted] += 1
    assert sends == 1 + MAX_REFUSALS
