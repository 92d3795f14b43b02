"""`limit hash <realm> <id> <max>/<seconds>` of mod_hash: how often a key was asked for within its window."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_RATE: Final = re.compile(r"hash (\S+) (\S+) ([0-9]{1,9})/([0-9]{1,9})(?: (\S+))?")


@dataclass(frozen=True, slots=True)
class Limit:
    """One `limit`: at most `most` within `seconds` for `key`, else the call goes to `beyond` (`!CAUSE` ends it)."""

    key: str
    most: int
    seconds: int
    beyond: str


@dataclass(slots=True)
class LimitHash:
    """The windows of one node, which begin with the first time that a key is asked for."""

    _windows: dict[str, tuple[float, int]] = field(default_factory=dict)
    """For each key when its window ends, and how often it was asked for; those that began first stand first."""

    def count(self, at: float, limit: Limit) -> int:
        """One time more; how many these are within the window."""
        while self._windows and (oldest := next(iter(self._windows))) and self._windows[oldest][0] <= at:
            del self._windows[oldest]
        ends, times = self._windows.get(limit.key, (0.0, 0))
        if ends <= at:
            self._windows.pop(limit.key, None)
            ends, times = at + limit.seconds, 0
        self._windows[limit.key] = (ends, times + 1)
        return times + 1


def parse_limit(argument: str) -> Limit | None:
    """What the application `limit` was given; None for what is no rate in the hash (a bound of calls at a time)."""
    match = _RATE.fullmatch(argument)
    if match is None or match[4] == "0":
        return None
    return Limit(f"{match[1]}_{match[2]}", int(match[3]), int(match[4]), match[5] or "limit_exceeded")
