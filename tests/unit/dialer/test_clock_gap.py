"""Whoever acts by what he knows hears first that he stood still."""

from __future__ import annotations

import pytest

from dialer.clock_gap import GAP_SECONDS, ClockGap


@pytest.mark.parametrize(("passed", "heard"), [(GAP_SECONDS, []), (90.0, [90.0])])
def test_a_gap_is_heard_of_by_the_first_look_after_it_and_once(passed: float, heard: list[float]) -> None:
    now, gaps = 100.0, list[float]()
    gap = ClockGap(gaps.append, lambda: now)
    for _ in range(3):
        now += 1.0
        gap.look()
    now += passed
    gap.look()
    gap.look()
    assert gaps == heard
