"""A node's deadlines count while this process runs: what it sent during a stop lies unread, and is read first."""

from __future__ import annotations

from freeswitch.awake_clock import GAP_SECONDS, LOOK_SECONDS, AwakeClock


def test_it_goes_on_while_it_is_looked_at_and_stands_still_while_nobody_can_look() -> None:
    now = 1000.0
    clock = AwakeClock(lambda: now)
    for _ in range(40):
        now += LOOK_SECONDS
        clock()
    assert clock() == 40 * LOOK_SECONDS
    now += 90.0
    assert clock() == 40 * LOOK_SECONDS
    now += GAP_SECONDS
    assert clock() == 40 * LOOK_SECONDS + GAP_SECONDS
