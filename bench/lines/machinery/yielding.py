"""What a greenlet has to call so that others can do I/O while it computes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

import gevent

from bench.table import Bound, Figure

TIMER_SECONDS = 0.001
TURN_SECONDS = 0.003
BUSY = 2
"""Greenlets that compute."""


def timer_lateness(pause: float, seconds: float) -> float:
    """The median lateness of a timer of 1 ms, in ms, beside greenlets that after 3 ms of work each sleep `pause`."""
    until = time.perf_counter() + seconds
    late: list[float] = []

    def compute() -> None:
        while time.perf_counter() < until:
            turn = time.perf_counter() + TURN_SECONDS
            while time.perf_counter() < turn:
                pass
            gevent.sleep(pause)

    busy = [gevent.spawn(compute) for _ in range(BUSY)]
    while time.perf_counter() < until:
        began = time.perf_counter()
        gevent.sleep(TIMER_SECONDS)
        late.append(time.perf_counter() - began - TIMER_SECONDS)
    gevent.joinall(busy)
    return median(late) * 1000


def measure(quick: bool) -> Sequence[Figure]:
    """gevent looks at timers and sockets after some fifty callbacks, or when none is left: `sleep(0)` adds one to
    them, a sleep of a microsecond leaves none."""
    seconds = 2.0 if quick else 10.0
    nothing, microsecond = timer_lateness(0, seconds), timer_lateness(1e-6, seconds)
    return [
        Figure(
            "a timer of 1 ms is late beside turns of 3 ms that end with sleep(1e-6)",
            microsecond,
            "ms",
            Bound.AT_MOST,
            nothing / 5,
            f"a fifth of the {nothing:.0f} ms with sleep(0)",
        )
    ]
