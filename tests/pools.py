"""Pools of database connections at the end of a test."""

from __future__ import annotations

import gc
import time
import warnings

from database_pool import Pool

LONG_SECONDS = 0.03
"""Of a processor: what is there by then is looked at no more. It grows with what imports and caches keep, and towards
the end of a run looking at it took most of a short test's time."""


def close(pool: Pool) -> None:
    """Close every connection of a pool, and those that nobody knows of any more.

    Greenlets that were killed, or gave up, while they connected leave such; found by the collector during a later
    test they would be that test's error.
    """
    pool.close_all()
    collect()


def collect() -> None:
    """Find what a test left in circles (connections, a client's uploads): no later test is to be blamed for it."""
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    if time.process_time() - began > LONG_SECONDS:
        gc.freeze()
