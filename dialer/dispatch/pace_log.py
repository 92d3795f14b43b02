"""Writes how fast this dialer dialled each campaign in each second: one statement a second, rows of its own.

A row says something about one second, so that one that was written may be written again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import astuple, dataclass, field

from dialer.dispatch.pace_counts import PaceCounts, PaceRow
from models import db, rows

CLOCK_SECONDS = 0.5
"""Further from what is known, the database's clock was set, or is another's."""
SLICE = 5_000

_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8 AS now"
_WRITE = f"""
WITH written AS (
    INSERT INTO campaign_pace (campaign_id, second, offered, admitted, live_calls, cap, dialer_id)
    SELECT campaign_id, to_timestamp(second), offered, admitted, live_calls, cap, %s
    FROM unnest(%s::uuid[], %s::bigint[], %s::int[], %s::int[], %s::int[], %s::text[])
        AS said (campaign_id, second, offered, admitted, live_calls, cap)
    ON CONFLICT (campaign_id, second, dialer_id) DO UPDATE SET offered = excluded.offered,
        admitted = excluded.admitted, live_calls = excluded.live_calls, cap = excluded.cap
)
{_CLOCK}"""
# Slice by slice: nobody waits for it, and what it reads of the index ends where younger rows begin.
_PURGE = """
DELETE FROM campaign_pace WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM campaign_pace WHERE second < now() - interval '24 hours' ORDER BY second LIMIT %s))
RETURNING 1
"""


@dataclass(slots=True)
class PaceLog:
    """`live_calls` says how many calls of a campaign are in progress here, `word` what holds it back."""

    dialer_id: str
    live_calls: Callable[[str], int]
    word: Callable[[str], str | None]
    counts: PaceCounts = field(default_factory=PaceCounts)

    def write(self, campaigns: Collection[str]) -> None:
        """Say what is to be said of the seconds that are over; `campaigns` are those that run or have calls in
        progress. To be called every second; raises what a database that is away raises, and what was to be written
        is written with the next."""
        if self.counts.offset is None:
            with db.connection_context():
                self._learn(rows(_CLOCK))
        found = self.counts.rows(campaigns, self.live_calls, self.word)
        if found:
            with db.connection_context():
                self._learn(rows(_WRITE, self.dialer_id, *_columns(found)))
        self.counts.written(found, campaigns)

    def _learn(self, clock: Sequence[dict[str, float]]) -> None:
        offset = clock[0]["now"] - self.counts.now()
        if self.counts.offset is None or abs(offset - self.counts.offset) > CLOCK_SECONDS:
            self.counts.offset = offset


def purge() -> None:
    """Forget what is older than a day. Raises what a database that is away raises."""
    gone = SLICE
    while gone == SLICE:
        with db.connection_context():
            gone = len(rows(_PURGE, SLICE))


def _columns(found: Sequence[PaceRow]) -> list[list[object]]:
    return [list(column) for column in zip(*map(astuple, found), strict=True)]
