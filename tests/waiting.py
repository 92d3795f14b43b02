"""Waiting for a condition: what tests use instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import gevent

HANG_SECONDS = 300.0
"""Ends a wait for what never comes, and says nothing about how soon it has to come: a busy machine takes its time."""

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T], what: str = "the condition", *, seconds: float = HANG_SECONDS
) -> T:
    """Return the first truthy value of `condition`, polled every 10 ms.

    Raises AssertionError naming `what` once `seconds` have passed.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what} did not come about within {seconds} s")
        gevent.sleep(0.01)
