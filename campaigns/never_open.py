"""Cancels contacts of a live campaign for whom its calling window never opens, a slice at a time.

Their zones are found when openings are written (`campaigns.openings.write`). They would wait for ever, and the
campaign would never be over. A contact that somebody is at just now is left for the next time.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from campaigns import campaign_log
from campaigns.further_numbers import following, goes_on
from models import db, rows, transaction

SLICE = 1_000
"""Contacts cancelled in one transaction."""
REASON = "never_open"
"""Why, in the campaign's log."""

# The window may have been changed since: who changes it waits for this, or this for him.
_LOCK = """
    SELECT 1 FROM campaign WHERE id = %s AND windows IS NOT NULL AND completed_at IS NULL AND deleted_at IS NULL
    FOR SHARE"""
_NEVER = """NOT EXISTS (
    SELECT FROM opening WHERE opening.campaign_id = contact.campaign_id
        AND opening.zone_group = contact.zone_group AND closes_at > now())"""
_ELSEWHERE = """EXISTS (SELECT FROM opening WHERE opening.campaign_id = contact.campaign_id
            AND opening.zone_group = contact.zone_groups[other.place] AND closes_at > now())"""
# It goes on with a number that the window opens for.
_GO_ON = f"""
    WITH free AS (
        SELECT id FROM contact WHERE campaign_id = %(campaign)s AND zone_group = ANY(%(groups)s::bigint[]) AND waiting
            AND status = 'pending' AND numbers IS NOT NULL AND {_NEVER}
            AND {following("contact", _ELSEWHERE)} IS NOT NULL
        ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
    ), gone_on AS (
        UPDATE contact SET {goes_on("contact", _ELSEWHERE, strike=False)}, updated_at = now()
        FROM free WHERE contact.id = free.id RETURNING contact.id
    )
    SELECT count(*)::int AS n FROM gone_on"""
_CANCEL = f"""
    WITH gone AS (
        UPDATE contact SET status = 'cancelled', next_attempt_at = NULL, wait_reason = NULL, version = version + 1,
            updated_at = now()
        WHERE ctid = ANY(ARRAY(
            SELECT contact.ctid FROM contact WHERE campaign_id = %s AND zone_group = ANY(%s::bigint[]) AND waiting
                AND status = 'pending' AND {_NEVER}
            LIMIT %s FOR UPDATE SKIP LOCKED))
        RETURNING id, campaign_id, version, disposition, attempts, last_cause
    ), written AS (
        INSERT INTO transition (campaign_id, contact_id, version, status, disposition, attempt, cause, owner)
        SELECT campaign_id, id, version, 'cancelled', disposition, NULLIF(attempts, 0), last_cause, %s FROM gone
    ), counted AS (
        INSERT INTO campaign_count (campaign_id, lane, pending, cancelled)
        SELECT campaign_id, %s, -count(*), count(*) FROM gone GROUP BY campaign_id
        ON CONFLICT (campaign_id, lane) DO UPDATE SET pending = campaign_count.pending + excluded.pending,
            cancelled = campaign_count.cancelled + excluded.cancelled
    )
    SELECT count(*)::int AS n FROM gone"""


class Done(NamedTuple):
    """How many of a slice go on with another number, and how many are cancelled."""

    gone_on: int
    cancelled: int


def cancel_slice(campaign_id: uuid.UUID, groups: Sequence[int], owner: str) -> Done:
    """Cancel the next SLICE who wait in these groups, as far as these still have no opening, or have them go on who
    have a number of another group. In a transaction of its own; `owner` names whose transition rows these are. The
    caller then notes how many it was, and completes the campaign where nobody is left."""
    with transaction():
        if not rows(_LOCK, campaign_id):
            return Done(0, 0)
        asked = {"campaign": campaign_id, "groups": list(groups), "most": SLICE}
        gone_on: int = db.execute_sql(_GO_ON, asked).fetchone()[0]
        if gone_on:
            return Done(gone_on, 0)
        (found,) = rows(_CANCEL, campaign_id, list(groups), SLICE, owner, f"{owner}:windows")
    return Done(0, found["n"])


def note(campaign_id: uuid.UUID, cancelled: int) -> None:
    """Note in the campaign's log that so many were cancelled, in a transaction of its own."""
    with transaction():
        campaign_log.note(campaign_id, "contacts_cancelled", None, {"cancelled": cancelled}, REASON)
