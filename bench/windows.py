"""What is made of moments and windows: rates, shares, percentiles. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from statistics import median

from simulator.ledger import window_peak

JITTER_SECONDS = 0.05
"""So late a call may leave after the instant that was counted for it."""


def within(times: Sequence[float], began: float, ended: float) -> int:
    """How many of these moments, which are in order, lie in a window."""
    return bisect_left(times, ended) - bisect_left(times, began)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed (nearest rank); no number where there are none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of what each window is to the peer's window beside it.

    No number where there are none, or where a peer's window was empty: a comparison with nothing says nothing.
    """
    if not ours or 0 in theirs:
        return math.nan
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def used(times: Sequence[float], per_second: float) -> float:
    """The share of a rate that these moments, which are in order, make use of from the first to the last."""
    if len(times) < 2:
        return 0.0
    return (len(times) - 1) / (times[-1] - times[0]) / per_second


def fullest(times: Sequence[float], per_second: float) -> float:
    """The fullest window of a second and the jitter, as a share of what it may hold: never above 1.

    A window that is open at one end holds one moment more than its length times the rate.
    """
    seconds = 1.0 + JITTER_SECONDS
    return window_peak(times, seconds) / math.ceil(per_second * seconds)


def lags(began: Mapping[str, float], ended: Mapping[str, float], since: float, until: float) -> list[float]:
    """How long after it began each came to an end, for those that began in a window; endless for what never did."""
    return [ended.get(name, math.inf) - at for name, at in began.items() if since <= at < until]
