"""A clock that nothing holds up: it goes on while a process is stopped, and while the whole machine is suspended."""

from __future__ import annotations

import time

_GOES_ON = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds since some moment in the past. Not to be compared with `time.monotonic()`."""
    return time.clock_gettime(_GOES_ON)
