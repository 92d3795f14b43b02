"""Pools of database connections at the end of a test."""

from __future__ import annotations

import gc
import warnings

from database_pool import Pool

_frozen: list[bool] = []


def close(pool: Pool) -> None:
    """Close every connection of a pool, and those that nobody knows of any more.

    Greenlets that were killed, or gave up, while they connected leave such; found by the collector during a later
    test they would be that test's error.
    """
    pool.close_all()
    collect()


def collect() -> None:
    """Find what a test left in circles (connections, a client's uploads): no later test is to be blamed for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    if not _frozen:
        # Modules and what they hold are most of what there is, and looked through they took a fifth of each test.
        _frozen.append(True)
        gc.freeze()
