"""Two dialers beside one, offered 60 % of what one carries: what a call costs; whether anybody is called twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median

from bench.stand import Window, account, load, rounds, seconds, stand
from bench.table import Row, goal_at_most, shown
from bench.windows import median_ratio, within

SHARE = 0.6
WARM_UP_SECONDS = 3.0


def measure(quick: bool) -> Sequence[Row]:
    """One's knee first, then in turns with one and with two."""
    with stand() as at:
        alone = load(at, 1, 4_000 if quick else 10_000)
        with alone.dialled():
            knee_window = at.window(seconds(quick))
        knee = within(account(alone).told_at, knee_window.began, knee_window.ended) / knee_window.seconds
        offered = max(1, round(SHARE * knee))
        length = rounds(quick) * 2 * (seconds(quick) + WARM_UP_SECONDS)
        dialled = load(at, 1, round(offered * length * 1.5) + 100, gateway={"cps": offered})
        windows: dict[int, list[Window]] = {1: [], 2: []}
        for _ in range(rounds(quick)):
            for count, found in windows.items():
                with ExitStack() as more:
                    for _ in range(count - 1):
                        more.enter_context(at.dialer())
                    with dialled.dialled(WARM_UP_SECONDS):
                        found.append(at.window(seconds(quick)))
        result = account(dialled)
    told = result.told_at
    each = {
        count: [one.spent.dialer / max(1, within(told, one.began, one.ended)) for one in found]
        for count, found in windows.items()
    }
    twice = sum(times - 1 for times in Counter(result.numbers).values())
    rate = median(within(told, one.began, one.ended) / one.seconds for one in windows[2])
    beside = f"one: {median(each[1]) * 1e6:.0f} µs; two: {median(each[2]) * 1e6:.0f} µs"
    return [
        goal_at_most(
            "CPU of two dialers for a call, at 60 % of one's knee",
            median_ratio(each[2], each[1]),
            1.15,
            beside,
        ),
        goal_at_most(
            "numbers called twice by two dialers", float(twice), 0.0, "each is in the list once", ""
        ),
        shown(
            "calls ended by two dialers",
            rate,
            "a second",
            f"{offered} a second offered; one's knee {knee:.0f}",
        ),
    ]
