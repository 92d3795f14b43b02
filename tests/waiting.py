"""Waiting for a condition: what tests use instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import gevent

HANG_SECONDS = 300.0
"""Ends a wait for what never comes, and says nothing about how soon it has to come: a busy machine takes its time."""

POLL_SECONDS, POLL_SECONDS_AT_MOST = 0.01, 0.05
POLL_SHARE = 0.02
"""Of what was waited so far: asking must not be what keeps the machine busy."""

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T], what: str = "the condition", *, seconds: float = HANG_SECONDS
) -> T:
    """Return the first truthy value of `condition`, polled every 10 ms at first, less often the longer it takes.

    Raises AssertionError naming `what` once `seconds` have passed.
    """
    began = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - began
        if waited >= seconds:
            raise AssertionError(f"{what} did not come about within {seconds} s")
        gevent.sleep(min(max(POLL_SECONDS, waited * POLL_SHARE), POLL_SECONDS_AT_MOST))
