"""Trying again, without a connection of the pool in between, for as long as somebody else is at the same thing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import gevent

from api.errors import ApiError

WAIT_SECONDS = 15.0
POLL_SECONDS = 0.1

T = TypeVar("T")


def when_free(attempt: Callable[[], T], busy: type[Exception]) -> T:
    """What `attempt` returns, tried again for WAIT_SECONDS while it raises `busy`; each try has a transaction of its
    own. Raises ApiError 503 with the last `busy`'s sentence, and whatever else `attempt` raises."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return attempt()
        except busy as error:
            if time.monotonic() >= deadline:
                raise ApiError(503, str(error), headers={"Retry-After": "5"}) from error
        gevent.sleep(POLL_SECONDS)
