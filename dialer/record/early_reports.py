"""What is told of calls that nobody here knows yet, while some are on their way from a dead dialer.

A takeover asks for their events first, so that none falls between; the calls come a moment later. What is told of
them until then is kept, and taken up in its order.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from dialer.live_calls import LiveCalls
from dialer.record.outcome_rows import Ended
from freeswitch.events import ChannelEvent, JobResult

MOST_EARLY = 20_000
"""Reports of calls that are on their way to us: a takeover lasts less than a second, and a node tells of a few
thousand calls in one."""
EARLY_SECONDS = 30.0
"""Calls that a takeover left, since somebody kept their rows locked, come with the next look, a second later; what is
told of those that do not come for so long is told by the switch."""


class Report(NamedTuple):
    """Something learnt about a call, with the monotonic time when it was."""

    call_id: str
    at: float
    event: ChannelEvent | JobResult | None = None
    answered_ago: float | None = None
    ended: Ended | None = None


@dataclass(slots=True)
class EarlyReports:
    """Those of one recorder; the oldest go where they are too many."""

    _kept: deque[Report] | None = None
    """None while no call is on its way."""
    _until: float = math.inf

    def expect(self) -> None:
        """Calls are on their way: from now on, and until `take`, what is told of those that nobody knows is kept."""
        if self._kept is None:
            self._kept = deque(maxlen=MOST_EARLY)
        self._until = math.inf

    def note(self, report: Report) -> None:
        """Something of a call that nobody here knows."""
        if self._kept is None or report.event is None:
            return
        if report.at < self._until:
            self._kept.append(report)
        else:
            self._kept = None

    def take(self, known: LiveCalls, *, more: bool) -> list[Report]:
        """The calls came that came: what was told of them, in its order. Where `more` are still to come, what is told
        of these is kept for EARLY_SECONDS."""
        kept, self._kept = self._kept or (), None
        if more:
            now = time.monotonic()
            left = (one for one in kept if one.call_id not in known and one.at >= now - EARLY_SECONDS)
            self._kept, self._until = deque(left, maxlen=MOST_EARLY), now + EARLY_SECONDS
        return [report for report in kept if report.call_id in known]
