"""20 and 200 campaigns without a cap, in turns with one: what is placed, what ends, how late it is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bench.stand import Load, Window, load, rounds, seconds, settled, stand
from bench.table import Row, goal_at_least, goal_at_most, shown
from bench.windows import lags, median_ratio, percentile, within

COUNTS = (1, 20, 200)
LAG_SHARE = 0.99


def measure(quick: bool) -> Sequence[Row]:
    """Each number of campaigns in its turn, over lists of the same length in all."""
    contacts = 12_000 if quick else 60_000
    turns = 1 if quick else rounds(quick)
    with stand() as at:
        loads = {count: load(at, count, contacts // count) for count in COUNTS}
        windows: dict[int, list[Window]] = {count: [] for count in COUNTS}
        for _ in range(turns):
            for count, dialled in loads.items():
                with dialled.dialled():
                    windows[count].append(at.window(seconds(quick)))
                assert dialled.left(), f"the lists of {count} campaigns were at their end"
        return figures(loads, windows)


def figures(loads: Mapping[int, Load], windows: Mapping[int, Sequence[Window]]) -> Sequence[Row]:
    """Beside one campaign: calls placed, ended, and the recorder's lag."""
    placed: dict[int, list[float]] = {}
    ended: dict[int, list[float]] = {}
    late: dict[int, float] = {}
    for count, dialled in loads.items():
        found = settled(dialled)
        starts, told = found.placed_at, found.told_at
        placed[count] = [within(starts, one.began, one.ended) / one.seconds for one in windows[count]]
        ended[count] = [within(told, one.began, one.ended) / one.seconds for one in windows[count]]
        late[count] = median(
            percentile(lags(found.ended, found.told, one.began, one.ended), LAG_SHARE) * 1000
            for one in windows[count]
        )
    beside = f"1 campaign: {median(placed[1]):.0f} placed and {median(ended[1]):.0f} ended a second"
    rows: list[Row] = [
        shown("p99 from a call's end to its event, 1 campaign", late[1], "ms", "20 and 200, below"),
    ]
    for count in COUNTS[1:]:
        what = f"{count} uncapped campaigns"
        rows += [
            goal_at_least(f"calls placed by {what}", median_ratio(placed[count], placed[1]), 0.9, beside),
            goal_at_least(f"calls ended by {what}", median_ratio(ended[count], ended[1]), 0.9, beside),
            goal_at_least(
                f"calls ended to calls placed by {what}",
                median_ratio(ended[count], placed[count]),
                0.9,
                f"{median(placed[count]):.0f} placed and {median(ended[count]):.0f} ended a second",
            ),
            goal_at_most(
                f"p99 from a call's end to its event, {what}",
                late[count],
                250.0,
                f"1 campaign: {late[1]:.0f} ms",
                "ms",
            ),
        ]
    return rows
