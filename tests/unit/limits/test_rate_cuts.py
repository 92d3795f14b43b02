"""Rates fall by half when something refuses, at most once a second, and come back a tenth at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limits.rate_cuts import LEAST_SHARE, RateCut, ReducedRate, halve, recovery_ms, reduced

T0 = 1_700_000_000_000


def cut_at(*times_ms: int) -> RateCut:
    cut: RateCut | None = None
    for at in times_ms:
        cut = halve(cut, T0 + at, 20) or cut
    assert cut is not None
    return cut


def test_a_refusal_halves_the_rate() -> None:
    assert reduced(cut_at(0), T0) == ReducedRate(0.5, 20)
    assert reduced(cut_at(0, 1000), T0 + 1000) == ReducedRate(0.25, 20)


def test_it_is_halved_once_a_second_however_many_refuse() -> None:
    assert reduced(cut_at(0, 10, 500, 999), T0 + 999) == ReducedRate(0.5, 20)


def test_a_tenth_of_it_comes_back_every_five_seconds() -> None:
    cut = cut_at(0)
    shares = [left.share if (left := reduced(cut, T0 + at)) else 1.0 for at in (4_999, 5_000, 24_999, 25_000)]
    assert shares == pytest.approx([0.5, 0.6, 0.9, 1.0])


def test_a_refusal_on_the_way_up_halves_what_had_come_back() -> None:
    left = reduced(cut_at(0, 10_000), T0 + 10_000)
    assert left is not None
    assert left.share == pytest.approx(0.35)


def test_who_refuses_all_the_time_is_still_asked_once_a_second() -> None:
    left = reduced(cut_at(*range(0, 60_000, 1000)), T0 + 59_000)
    assert left is not None
    assert left.share == LEAST_SHARE
    assert (left.rate(10), left.rate(100), left.rate(None)) == (1, 5, 1)


def test_where_no_rate_is_configured_the_first_refusal_says_of_what() -> None:
    first = halve(None, T0, 40)
    assert first is not None
    then = halve(first, T0 + 2000, 7)
    assert (first.base, then and then.base) == (40, 40)
    assert ReducedRate(0.5, 40).rate(None) == 20


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=40))
def test_whatever_comes_a_cut_survives_its_text_and_is_over_when_it_says(gaps: list[int]) -> None:
    cut: RateCut | None = None
    now = T0
    for gap in gaps:
        now += gap
        cut = halve(cut, now, 20) or cut
    assert cut is not None
    left = reduced(cut, now)
    assert left is None or LEAST_SHARE <= left.share < 1.0
    again = RateCut.parse(cut.text())
    assert again is not None
    assert again.share == pytest.approx(cut.share, abs=1e-4)
    assert reduced(again, again.at_ms + recovery_ms(again)) is None
