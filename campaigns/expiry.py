"""Cancels contacts that have expired before anybody called them, a slice at a time, by the database's clock.

That nobody is called after it is seen to by the claim (`dialer.dispatch.claims`); this ends who is left. A contact
that somebody is at just now is left for the next look.
"""

from __future__ import annotations

import uuid

from campaigns.campaign_log import NOTE_CANCELLED
from campaigns.dispositions import EXPIRED
from models import rows, transaction

SLICE = 1_000
"""Contacts cancelled in one transaction."""

WAITS = "EXISTS (SELECT FROM contact WHERE waiting AND status = 'pending' AND expires_at <= now())"
"""Whether anybody has expired: a part of the statement with which a dialer looks for that."""
EXPIRE = f"""
    WITH expired AS (
        UPDATE contact SET status = 'cancelled', disposition = '{EXPIRED}', next_attempt_at = NULL,
            version = version + 1, updated_at = now()
        WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM contact WHERE waiting AND status = 'pending' AND expires_at <= now()
            ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED))
        RETURNING id, campaign_id, version, disposition, attempts, last_cause
    ), written AS (
        INSERT INTO transition (campaign_id, contact_id, version, status, disposition, attempt, cause, owner)
        SELECT campaign_id, id, version, 'cancelled', disposition, NULLIF(attempts, 0), last_cause, %s FROM expired
    ), counted AS (
        INSERT INTO campaign_count (campaign_id, lane, pending, cancelled)
        SELECT campaign_id, %s, -count(*), count(*) FROM expired GROUP BY campaign_id ORDER BY campaign_id
        ON CONFLICT (campaign_id, lane) DO UPDATE SET pending = campaign_count.pending + excluded.pending,
            cancelled = campaign_count.cancelled + excluded.cancelled
    ), noted AS ({NOTE_CANCELLED.format(reason=EXPIRED, cancelled="expired")})
    SELECT campaign_id, count(*) AS n FROM expired GROUP BY campaign_id"""
"""Cancels a slice of those who wait and have expired, and tells of it."""


def expire_slice(owner: str) -> dict[uuid.UUID, int]:
    """Cancel the next SLICE who have expired; how many of each campaign. In a transaction of its own; `owner` names
    whose transition rows these are. The caller then completes campaigns of which nobody is left."""
    with transaction():
        return {row["campaign_id"]: row["n"] for row in rows(EXPIRE, SLICE, owner, f"{owner}:expiry")}
