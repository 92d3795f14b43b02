"""`limit` and `limit_execute` with a rate in mod_hash: how often a key was asked for within its window.

A window begins with the first time that a key is asked for, and goes by whole seconds (`switch_epoch_time_now`): of
two windows of a second the first can be a moment long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_RATE: Final = re.compile(r"hash (\S+) (\S+) ([0-9]{1,9})/([0-9]{1,9})(?: (\S+)(?: (.*))?)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Limit:
    """One `limit`: at most `most` within `seconds` for `key`, else the call goes to `beyond` (`!CAUSE` ends it). Of a
    `limit_execute` that is the application which runs within it, and `argument` what that is given."""

    key: str
    most: int
    seconds: int
    beyond: str
    argument: str = ""


@dataclass(slots=True)
class LimitHash:
    """The windows of one node, by its own clock."""

    _windows: dict[str, tuple[int, int]] = field(default_factory=dict)
    """For each key when its window ends, and how often it was asked for; those that began first stand first."""

    def count(self, at: float, limit: Limit) -> int:
        """One time more; how many these are within the window. `at` is in seconds since the epoch."""
        second = int(at)
        while self._windows and (oldest := next(iter(self._windows))) and self._windows[oldest][0] <= second:
            del self._windows[oldest]
        ends, times = self._windows.get(limit.key, (0, 0))
        if ends <= second:
            self._windows.pop(limit.key, None)
            ends, times = second + limit.seconds, 0
        self._windows[limit.key] = (ends, times + 1)
        return times + 1


def parse_limit(argument: str) -> Limit | None:
    """What `limit` or `limit_execute` was given; None for what is no rate in the hash (a bound of calls at once)."""
    match = _RATE.fullmatch(argument)
    if match is None or match[4] == "0":
        return None
    return Limit(
        f"{match[1]}_{match[2]}", int(match[3]), int(match[4]), match[5] or "limit_exceeded", match[6] or ""
    )
