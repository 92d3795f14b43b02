"""How fast a campaign was dialled in each second of the last day, whichever dialers dialled it (they write it:
`dialer/dispatch/pace_log.py`). In the caller's transaction."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from campaigns.errors import CampaignsError
from models import rows_as

DEFAULT_STEPS = 300
MOST_STEPS = 3600

# Dialers' rows of a second first: what several say of one is no more seconds.
_PACE = """
WITH each_second AS (
    SELECT second, sum(offered) AS offered, sum(admitted) AS admitted, sum(live_calls) AS live_calls,
        mode() WITHIN GROUP (ORDER BY cap) AS cap
    FROM campaign_pace WHERE campaign_id = %s AND second >= %s AND second < %s GROUP BY second
)
SELECT to_timestamp(floor(extract(epoch FROM second) / %s) * %s) AS at, sum(offered)::bigint AS offered,
    sum(admitted)::bigint AS admitted, max(live_calls)::bigint AS live_calls,
    mode() WITHIN GROUP (ORDER BY cap) AS cap
FROM each_second GROUP BY 1 ORDER BY 1
"""


class SpanRefusedError(CampaignsError):
    """A stretch of time that is none, or too long; `field` is `value`, which breaks `rule`."""

    def __init__(self, field: str, value: datetime, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field, self.value, self.rule = field, value, rule


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, without that moment, in steps of so many seconds."""

    start: datetime
    end: datetime
    step_seconds: int


@dataclass(frozen=True, slots=True)
class PaceStep:
    """What was asked of the caps and got, over a step that begins `at`; the most calls that were in progress in any
    second of it, and the cap that held the campaign back most often."""

    at: datetime
    offered: int
    admitted: int
    live_calls: int
    cap: str | None


def span(start: datetime | None, end: datetime | None, step_seconds: int, now: datetime) -> Span:
    """The stretch that is asked for: of the last steps until `now`, or of the first from `start` on, where only one
    end or none is said. Raises SpanRefusedError."""
    longest = timedelta(seconds=MOST_STEPS * step_seconds)
    # Compared as a difference: a moment may be so early or late that no other is that far from it.
    if end is None:
        end = now if start is None or now - start <= longest else start + longest
    if start is None:
        back = timedelta(seconds=DEFAULT_STEPS * step_seconds)
        start = max(end, datetime.min.replace(tzinfo=UTC) + back) - back
    if start >= end:
        raise SpanRefusedError("from", start, "it must be before to")
    if end - start > longest:
        rule = f"it must be at most {MOST_STEPS} steps of {step_seconds} s after from"
        raise SpanRefusedError("to", end, rule)
    return Span(start, end, step_seconds)


def pace(campaign_id: uuid.UUID, asked: Span) -> list[PaceStep]:
    """How fast a campaign was dialled, by all dialers, oldest first; a step of which nobody had anything to say is
    not there. Steps begin at whole multiples of their length."""
    step = asked.step_seconds
    return rows_as(PaceStep, _PACE, campaign_id, asked.start, asked.end, step, step)
