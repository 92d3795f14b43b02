"""Ends a campaign whose list is not over: a mark first, then the rest of the list in slices, then the end is told.

The mark (`campaign_state.mark_stopped`) is one row: from its commit on the campaign is in its terminal state for who
dials, records or reads, so nobody is called any more and no retry follows. Who still waits is shown as cancelled
(`campaigns/queries.py`) and becomes so a slice at a time: one statement for a list of 100,000 would keep everybody's
outcomes waiting. The transition of the end comes last, so that a listener has heard of everybody before it. Whoever
dies on the way leaves the mark, and somebody else goes on. Decision 0037.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from models import rows, transaction

SLICE = 5_000
"""Contacts cancelled in one transaction."""
STALE_SECONDS = 2.0
"""A mark that is older is anybody's to go on with: who set it may be dead."""

# The order of the index of who waits. A contact that somebody is claiming just now, in vain, is left for later.
# By the place where it was locked: by its id, a sixth of the time is spent on finding it again.
CANCEL = """
    WITH cancelled AS (
        UPDATE contact SET status = 'cancelled', next_attempt_at = NULL, version = version + 1, updated_at = now()
        WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM contact WHERE campaign_id = %s AND waiting AND status = 'pending'
            ORDER BY next_attempt_at NULLS FIRST, position LIMIT %s FOR UPDATE SKIP LOCKED))
        RETURNING id, version, disposition, attempts, last_cause
    ), written AS (
        INSERT INTO transition (campaign_id, contact_id, version, status, disposition, attempt, cause, owner)
        SELECT %s, id, version, 'cancelled', disposition, NULLIF(attempts, 0), last_cause, %s FROM cancelled
    ), counted AS (
        INSERT INTO campaign_count (campaign_id, lane, pending, cancelled)
        SELECT %s, %s, -count(*), count(*) FROM cancelled HAVING count(*) > 0
        ON CONFLICT (campaign_id, lane) DO UPDATE SET pending = campaign_count.pending + excluded.pending,
            cancelled = campaign_count.cancelled + excluded.cancelled
    )
    SELECT count(*) AS n FROM cancelled"""
"""Cancels a slice of who waits in a campaign, and tells of it."""
FINISH = """
    WITH over AS (
        UPDATE campaign SET stopping_at = NULL WHERE id = %s AND stopping_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM contact WHERE campaign_id = campaign.id AND waiting AND status = 'pending')
        RETURNING id, version, status, end_reason
    ), written AS (
        INSERT INTO transition (campaign_id, version, status, cause, owner)
        SELECT id, version, status, end_reason, %s FROM over
    )
    SELECT 1 FROM over"""
"""Takes the mark from a stopped campaign in which nobody waits, and tells of its end."""
_MINE = "SELECT pg_try_advisory_xact_lock(hashtextextended('stop ' || %s::text, 0)) AS mine"
_MARKED = "SELECT 1 FROM campaign WHERE id = %s AND stopping_at IS NOT NULL"
LEFT = f"EXISTS (SELECT FROM campaign WHERE stopping_at < now() - interval '{STALE_SECONDS} s')"
"""Whether a stop is anybody's to go on with: a part of the statement with which a dialer looks for that."""
_LEFT = """
    SELECT id FROM campaign WHERE stopping_at < now() - make_interval(secs => %s) ORDER BY stopping_at LIMIT 100"""


@dataclass(frozen=True, slots=True)
class Slice:
    """What one transaction did: contacts cancelled; `over` where nothing is left and the end is written."""

    cancelled: int
    over: bool


def cancel_slice(campaign_id: uuid.UUID, owner: str) -> Slice | None:
    """Cancel the next SLICE who wait in a marked campaign, and end it where nobody is left.

    None where there is nothing for this caller to do: no mark, or somebody else is at it. In a transaction of its
    own; `owner` names whose transition rows these are.
    """
    with transaction():
        (lock,) = rows(_MINE, campaign_id)
        if not lock["mine"] or not rows(_MARKED, campaign_id):
            return None
        (found,) = rows(CANCEL, campaign_id, SLICE, campaign_id, owner, campaign_id, f"{owner}:stop")
        over = found["n"] < SLICE and bool(rows(FINISH, campaign_id, owner))
        return Slice(found["n"], over)


def left_over(seconds: float = STALE_SECONDS) -> list[uuid.UUID]:
    """The campaigns that have waited for so long for the rest of their lists to be cancelled, the oldest first."""
    return [row["id"] for row in rows(_LEFT, seconds)]
