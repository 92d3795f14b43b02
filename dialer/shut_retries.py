"""Moves retries that fall due while their calling window is shut to its next opening, spread behind it.

A retry moves as its call ends (`record/outcome_rows.py`), where the opening is known by then. One that is due in more
than two weeks is looked at here, once openings are written as far as that. Callbacks, and who waits for something
else than his retry, keep their times.
"""

from __future__ import annotations

import uuid

from dialer.calling_hours_sql import within
from models import db, transaction

SLICE = 1_000
"""Contacts that are moved in one transaction."""

# By the index of a group's contacts by their times: those between two openings, and no others, are read.
MOVE = f"""
WITH shut AS MATERIALIZED (
    SELECT zone_group, greatest(now(), lag(closes_at) OVER (PARTITION BY zone_group ORDER BY opens_at)) AS since,
        opens_at AS until
    FROM opening WHERE campaign_id = %(campaign)s AND closes_at > now()
), moved AS (
    UPDATE contact SET next_attempt_at = {within("next_attempt_at", "contact.campaign_id", "contact.zone_group")}
    WHERE ctid = ANY(ARRAY(
        SELECT late.place FROM shut, LATERAL (
            SELECT ctid AS place FROM contact
            WHERE campaign_id = %(campaign)s AND zone_group = shut.zone_group AND waiting
                AND next_attempt_at > now() AND next_attempt_at >= since AND next_attempt_at < until
                AND status = 'pending' AND NOT callback AND wait_reason IS NULL
            ORDER BY next_attempt_at, id LIMIT %(most)s FOR UPDATE SKIP LOCKED) AS late
        LIMIT %(most)s))
    RETURNING 1
)
SELECT count(*)::int FROM moved"""
"""Moves a slice of a campaign's retries to the openings behind them."""


def move_slice(campaign_id: uuid.UUID) -> int:
    """Move the next SLICE of a campaign's retries that fall outside the openings which are known; how many. In a
    transaction of its own."""
    with transaction():
        (moved,) = db.execute_sql(MOVE, {"campaign": campaign_id, "most": SLICE}).fetchone()
    number: int = moved
    return number
