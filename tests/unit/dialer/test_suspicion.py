"""Which outcomes are suspicious, when a breaker trips, and what it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.capacity.suspicion import (
    FEWEST_CALLS,
    SHARE,
    WINDOW,
    Sign,
    Suspect,
    Tally,
    may_trip,
    sign,
    suspects,
    trips,
)
from dialer.live_calls import LiveState
from dialer.record import call_end
from tests.unit.dialer.factories import make_call, make_hangup

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
ROUTE, ABROAD = Suspect("g", "+1"), Suspect("g", "+44")
ANN, BOB = Suspect(caller_id="ann"), Suspect(caller_id="bob")


def tally(suspicious: int, calls: int, **changes: Any) -> Tally:
    values: dict[str, Any] = {"at": NOW, "gateway_id": "g", "prefix": "+1", "caller_id": "ann"}
    return Tally(**(values | changes), calls=calls, suspicious=suspicious)


def ended(cause: str, status: int | None, *, rang: bool = False, **changes: Any) -> Sign | None:
    call = make_call(sent_at=1.0, state=LiveState.SEEN, progress=rang)
    hangup = make_hangup(cause, **({"sip_status": status, "answered": False, "progress": rang} | changes))
    return sign(call, call_end.hung_up(call, 2.0, hangup))


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        ("UNALLOCATED_NUMBER", 404),
        ("NO_USER_RESPONSE", 480),
        ("INVALID_NUMBER_FORMAT", 484),
        ("INCOMPATIBLE_DESTINATION", 488),
        ("UNALLOCATED_NUMBER", 410),
        ("UNALLOCATED_NUMBER", 604),
        ("CALL_REJECTED", 603),
        ("CALL_REJECTED", 607),
        ("CALL_REJECTED", 608),
    ],
)
def test_what_ends_as_nobody_would_end_it_is_suspicious(cause: str, status: int) -> None:
    assert ended(cause, status) is Sign.SUSPICIOUS


@pytest.mark.parametrize(("without_codec", "expected"), [(True, Sign.SUSPICIOUS), (False, None)])
def test_whoever_picks_up_without_a_codec_tells_of_the_carrier(
    without_codec: bool, expected: Sign | None
) -> None:
    """A node without a port says nothing of it: it is rested for that."""
    assert ended("INCOMPATIBLE_DESTINATION", None, rang=True, no_codec=without_codec) is expected


@pytest.mark.parametrize(
    ("cause", "status"), [("NO_USER_RESPONSE", 480), ("INCOMPATIBLE_DESTINATION", 488), ("NO_ANSWER", 487)]
)
def test_what_rang_before_is_not(cause: str, status: int) -> None:
    assert ended(cause, status, rang=True) is Sign.FINE


@pytest.mark.parametrize(
    ("cause", "status", "rang"),
    [("USER_BUSY", 486, False), ("USER_BUSY", 600, False), ("NO_ANSWER", None, True)],
)
def test_busy_and_no_answer_never_are(cause: str, status: int | None, rang: bool) -> None:
    assert ended(cause, status, rang=rang) is Sign.FINE


@pytest.mark.parametrize(
    ("billsec", "billmsec", "party", "expected"),
    [
        (0, 20, "remote", Sign.SUSPICIOUS),
        (2, 2000, "remote", Sign.SUSPICIOUS),
        (2, 2020, "remote", Sign.FINE),
        (1, 1000, "us", Sign.FINE),
        # A record that was shipped has whole seconds.
        (1, 0, "remote", Sign.SUSPICIOUS),
        (2, 0, "remote", Sign.FINE),
    ],
)
def test_an_answer_of_two_seconds_is_suspicious_unless_we_hung_up(
    billsec: int, billmsec: int, party: str, expected: Sign
) -> None:
    times = {"billsec": billsec, "billmsec": billmsec}
    found = ended("NORMAL_CLEARING", 200, rang=True, answered=True, hung_up_by=party, **times)
    assert found is expected


@pytest.mark.parametrize(
    ("cause", "status"),
    [("CALL_REJECTED", 403), ("NORMAL_TEMPORARY_FAILURE", 503), ("SYSTEM_SHUTDOWN", None)],
)
def test_faults_of_the_platform_and_of_gateways_say_nothing(cause: str, status: int | None) -> None:
    assert ended(cause, status) is None


def test_a_call_that_never_left_says_nothing() -> None:
    call = make_call()
    assert sign(call, call_end.never_sendable(call, "X")) is None
    assert sign(call, call_end.withdrawn(call, "NOT_SENT", None)) is None


@pytest.mark.parametrize(("suspicious", "calls", "held"), [(10, 20, True), (9, 20, False), (19, 19, False)])
def test_half_of_twenty_trips_it(suspicious: int, calls: int, held: bool) -> None:
    assert suspects([tally(suspicious, calls)], NOW) == ([ANN] if held else [])


def test_what_is_older_than_two_minutes_is_not_counted() -> None:
    old = tally(19, 19, at=NOW - WINDOW - timedelta(seconds=1))
    assert suspects([old, tally(1, 1)], NOW) == []
    assert suspects([tally(19, 19, at=NOW - WINDOW), tally(1, 1)], NOW) == [ANN]


def test_a_destination_that_is_bad_for_several_is_held_and_nobody_s_number() -> None:
    assert suspects([tally(20, 20), tally(20, 20, caller_id="bob")], NOW) == [ROUTE]


def test_a_number_that_fares_badly_where_others_do_well_is_held_and_no_destination() -> None:
    assert suspects([tally(25, 25), tally(2, 20, caller_id="bob")], NOW) == [ANN]


def test_a_number_that_does_well_elsewhere_is_not_what_explains_it() -> None:
    assert suspects([tally(20, 20), tally(0, 10, prefix="+44")], NOW) == [ROUTE]


def test_a_number_that_fares_badly_everywhere_explains_it() -> None:
    assert suspects([tally(20, 20), tally(20, 20, prefix="+44")], NOW) == [ANN]


def test_several_numbers_of_few_calls_each_trip_their_destination_together() -> None:
    few = [tally(7, 7, caller_id=name) for name in ("ann", "bob", "cid")]
    assert suspects(few, NOW) == [ROUTE]


def test_a_destination_is_held_where_no_number_of_it_has_calls_enough() -> None:
    assert suspects([tally(17, 17), tally(3, 3, caller_id="bob")], NOW) == [ROUTE]


def test_a_number_of_few_calls_to_each_of_many_destinations_is_held() -> None:
    assert suspects([tally(2, 2, prefix=f"+{code}") for code in range(30, 41)], NOW) == [ANN]


TALLIES = st.lists(
    st.builds(
        lambda calls, share, gateway, prefix, caller, age: Tally(
            NOW - timedelta(seconds=age), gateway, prefix, caller, calls, round(calls * share)
        ),
        st.integers(0, 30),
        st.floats(0, 1),
        st.sampled_from("gh"),
        st.sampled_from(["+1", "+44"]),
        st.sampled_from(["ann", "bob", "cid"]),
        st.integers(0, 150),
    ),
    max_size=12,
)


@given(TALLIES)
def test_what_is_held_tripped_and_nothing_is_left_that_trips(tallies: list[Tally]) -> None:
    found = suspects(tallies, NOW)
    assert len(found) == len(set(found))
    counted = [one for one in tallies if NOW - one.at <= WINDOW]
    for suspect in found:
        assert sum(one.calls for one in counted if one.is_of(suspect)) >= FEWEST_CALLS
    left = [one for one in counted if not any(one.is_of(suspect) for suspect in found)]
    for suspect in {one.route for one in left} | {one.caller for one in left}:
        assert not trips([one for one in left if one.is_of(suspect)])
    if not any(trips([o for o in counted if o.is_of(s)]) for t in counted for s in (t.route, t.caller)):
        assert found == []


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda pair: pair[1] <= pair[0])))
def test_where_all_trip_the_part_of_one_dialer_may(parts: list[tuple[int, int]]) -> None:
    calls, suspicious = sum(c for c, _ in parts), sum(s for _, s in parts)
    if calls >= FEWEST_CALLS and suspicious >= SHARE * calls:
        assert any(may_trip(*part) for part in parts)
