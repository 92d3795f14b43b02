"""The rows of reports: shares, formulas, and what stands in which row."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from campaigns import report_tables
from campaigns.call_reports import Answers, Lengths, Outcome, PickedUp, RouteFigures
from campaigns.policy_packs import PACKS, parse
from campaigns.report_buckets import LENGTH_SECONDS, PDD_MS, RING_MS, Distribution
from campaigns.report_spans import Span, local_days, local_hours, thirty_days
from campaigns.report_tables import (
    HUNG_UP,
    UK_DAY,
    US_30_DAYS,
    WITHDRAWN,
    Period,
    abandon_rate,
    allowed,
    attempts,
    buckets,
    distributions,
    hours,
    routes,
    share,
    short_calls,
    uncounted,
)

START = datetime(2026, 3, 2, tzinfo=UTC)
ONE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
NO_PDD = Distribution(PDD_MS, [0] * (len(PDD_MS) + 1))


def test_a_share_of_nothing_is_none() -> None:
    assert share(0, 0) is None
    assert share(1, 3) == 0.3333


def test_an_hour_is_that_of_the_zones_clocks_on_each_such_weekday() -> None:
    asked = Span(START, START + timedelta(days=8))
    steps = local_hours(asked, "Asia/Kathmandu")
    # The first is 05:45, and what is left of an hour; the second begins at 06:00 there.
    found = hours({1: Answers(4, 1), 1 + 7 * 24: Answers(6, 4)}, steps)
    assert len(found) == 168
    assert [row for row in found if row["placed"]] == [
        {"weekday": 1, "hour": 6, "placed": 10, "picked_up": 5, "answer_rate": 0.5}
    ]


def test_a_way_tells_its_rate_and_its_lengths() -> None:
    pdd = Distribution(PDD_MS, [0, 3, 0, 1, *[0] * (len(PDD_MS) - 3)])
    (row, erased) = routes(
        "prefix", [RouteFigures("+1415", 8, 2, 61, 0, 1, pdd), RouteFigures("", 1, 0, 0, 0, 0, NO_PDD)]
    )
    assert row == {
        "prefix": "+1415",
        "placed": 8,
        "picked_up": 2,
        "answer_rate": 0.25,
        "average_seconds": 30.5,
        "pdd_p50_ms": 500,
        "pdd_p95_ms": 1000,
    }
    assert (erased["prefix"], erased["average_seconds"], erased["pdd_p50_ms"]) == (None, None, None)


@pytest.mark.parametrize(("six_seconds", "over"), [(20, False), (21, True)])
def test_short_calls_are_told_of_all_and_of_each_gateway_beside_the_carriers_line(
    six_seconds: int, over: bool
) -> None:
    bad = RouteFigures("a", 100, 60, 0, 5, six_seconds, NO_PDD)
    every, one, good = short_calls([bad, RouteFigures("b", 300, 10, 0, 0, 0, NO_PDD)])
    assert (every["gateway_id"], every["placed"], every["unanswered"], every["over_line"]) == (
        None,
        400,
        330,
        False,
    )
    assert one == {
        "gateway_id": "a",
        "placed": 100,
        "unanswered": 40,
        "zero_seconds": 5,
        "zero_seconds_share": 0.05,
        "six_seconds": six_seconds,
        "six_seconds_share": six_seconds / 100,
        "over_line": over,
    }
    assert good["over_line"] is False
    (nothing,) = short_calls([])
    assert (nothing["six_seconds_share"], nothing["over_line"]) == (None, False)


def test_a_distribution_is_told_with_its_percentiles_or_as_a_row_for_each_bucket() -> None:
    length = Distribution(LENGTH_SECONDS, [1, 9, *[0] * (len(LENGTH_SECONDS) - 1)])
    found = Lengths(NO_PDD, Distribution(RING_MS, [0] * len(RING_MS) + [2]), length)
    pdd, ring, call = distributions(found)
    assert (pdd["calls"], pdd["p50"]) == (0, None)
    assert (ring["calls"], ring["p50"], ring["p95"]) == (2, None, None)
    assert (call["measure"], call["unit"], call["p50"], call["p95"]) == ("call_length", "s", 1, 1)
    rows = buckets(found)
    assert len(rows) == len(PDD_MS) + len(RING_MS) + len(LENGTH_SECONDS) + 3
    assert rows[len(PDD_MS)]["at_most"] is None
    assert rows[-len(LENGTH_SECONDS) - 1] == {
        "measure": "call_length",
        "unit": "s",
        "p50": 1,
        "p95": 1,
        "at_most": 0,
        "calls": 1,
    }


OUTCOMES = [
    Outcome("", 0, False, 3),
    Outcome("", 0, True, 2),
    Outcome("agent_failed", 0, True, 5),
    Outcome("congestion", 0, True, 5),
    Outcome("answered", 1, True, 30),
    Outcome("busy", 1, True, 70),
    Outcome("abandoned", 2, True, 10),
    Outcome("no_answer", 2, True, 40),
]


def test_each_attempt_tells_what_it_brought() -> None:
    assert attempts(OUTCOMES) == [
        {"attempt": 1, "calls": 100, "picked_up": 30, "answer_rate": 0.3, "share_of_answers": 0.75},
        {"attempt": 2, "calls": 50, "picked_up": 10, "answer_rate": 0.2, "share_of_answers": 0.25},
    ]


def test_what_used_no_attempt_says_why() -> None:
    assert [(row["reason"], row["calls"], row["share"]) for row in uncounted(OUTCOMES)] == [
        ("agent_failed", 5, 0.0303),
        ("congestion", 5, 0.0303),
        (WITHDRAWN, 3, 0.0182),
        (HUNG_UP, 2, 0.0121),
    ]


def test_a_rate_s_line_is_the_one_of_its_policy_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [allowed(formula) for formula in (US_30_DAYS, UK_DAY)] == [3, 3]
    stricter = (PACKS / "us.toml").read_text().replace("percent = 3,", "percent = 2.5,")
    monkeypatch.setattr(report_tables, "packs", lambda: (parse("us", stricter),))
    assert [allowed(formula) for formula in (US_30_DAYS, UK_DAY)] == [2.5, None]
    exactly, above = (PickedUp(ONE, 0, 1000 - abandoned, abandoned, 0) for abandoned in (25, 26))
    period = [Period(START, START + timedelta(days=30))]
    told = [abandon_rate(US_30_DAYS, [one], period, {ONE: "b"})[0]["over_line"] for one in (exactly, above)]
    assert told == [False, True]


def test_the_abandon_rate_is_of_those_whom_a_person_answered_over_thirty_days_and_each_day() -> None:
    asked = Span(START, START + timedelta(days=31))
    months = Period.each(asked, thirty_days(asked))
    assert months == [
        Period(START, START + timedelta(days=30)),
        Period(START + timedelta(days=30), asked.end),
    ]
    names = {ONE: "b", OTHER: "a"}
    found = [PickedUp(ONE, 0, 96, 3, 1), PickedUp(OTHER, 1, 5, 0, 0), PickedUp(uuid.UUID(int=3), 0, 1, 0, 0)]
    other, one = abandon_rate(US_30_DAYS, found, months, names)
    assert (one["numerator"], one["denominator"], one["rate"]) == (4, 100, 0.04)
    assert [(row["line"], row["over_line"]) for row in (one, other)] == [(0.03, True), (0.03, False)]
    assert (one["formula"], one["campaign_name"], one["from"], one["to"]) == (
        US_30_DAYS,
        "b",
        START,
        START + timedelta(days=30),
    )
    assert (other["numerator"], other["denominator"], other["rate"]) == (0, 5, 0.0)
    days = Period.each(asked, local_days(asked, "America/Denver"))
    (row,) = abandon_rate(UK_DAY, [PickedUp(ONE, 1, 1, 1, 0)], days, names)
    assert (row["from"], row["to"], row["rate"]) == (
        datetime(2026, 3, 2, 7, tzinfo=UTC),
        datetime(2026, 3, 3, 7, tzinfo=UTC),
        0.5,
    )
