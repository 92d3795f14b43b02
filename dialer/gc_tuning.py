"""Keeps Python's garbage collector from stopping the loop: a full collection takes time for every object there is.

With 100,000 events waiting it took 75 ms, and Python starts one whenever their number has grown by a quarter. So the
collector leaves alone what the process began with, and looks at what is old only when little is in flight.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final

import gevent

YOUNG: Final = 2_000
"""New objects that a collection of the youngest waits for; ten of these make one of the middle-aged."""
NEVER: Final = 1_000_000_000
EVERY_SECONDS: Final = 60.0
FEW: Final = 2_000
"""Calls in flight up to which a full collection is short."""
LATEST_ROUNDS: Final = 60
"""A process that is always busy has one after this many rounds all the same: what is old may be garbage."""


def keep_collections_short(in_flight: Callable[[], int]) -> gevent.Greenlet[..., None]:
    """Begin, also where the collector is off; once for each process, when everything is imported. The greenlet that
    collects from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, NEVER)
    gc.enable()
    return gevent.spawn(_collect, in_flight)


def _collect(in_flight: Callable[[], int]) -> None:
    rounds = 0
    while True:
        gevent.sleep(EVERY_SECONDS)
        rounds += 1
        if in_flight() <= FEW or rounds >= LATEST_ROUNDS:
            gc.collect()
            rounds = 0
