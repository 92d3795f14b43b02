"""Deletes contacts, calls and rejects of campaigns that ended or were deleted longer ago than a tenant keeps them.

A campaign is marked first, with what became of its calls; then its rows go, a slice in each transaction, so that
nobody waits. Whoever goes on after a death begins where the rows are. The campaign itself, its counts, its outcomes
and its log stay. Decision 0056.
"""

from __future__ import annotations

import uuid

import orjson

from campaigns import call_outcomes
from cooperative import let_others_run
from models import db, rows

DAYS_MIN = 2
"""No cap looks further back: the longest window is a day in UTC. What ended before yesterday counts in none."""
DAYS_MAX = 36_500
SLICE = 5_000
LOOKED_AT_DAYS = 92
"""For so long it is looked whether somebody of a deleted campaign was called; whoever is called of it was by then."""

_OVER_SINCE = "coalesce(c.completed_at, c.deleted_at)"
_KEPT_SINCE = f"now() - make_interval(days => greatest(t.retention_days, {DAYS_MIN}))"
# One that was deleted before its end is never dialled again. Where nobody of it was called either, there is nothing
# that anybody could look at, for however long the tenant keeps what is to be seen.
_OVER = f"""
    (t.retention_days IS NOT NULL
        OR c.deleted_at IS NOT NULL AND NOT EXISTS (SELECT FROM call WHERE campaign_id = c.id))
    AND {_OVER_SINCE} < {_KEPT_SINCE}
    AND CASE WHEN c.status IN ('completed', 'failed')
        THEN NOT EXISTS (
            SELECT FROM contact WHERE campaign_id = c.id AND status IN ('pending', 'originated', 'connected'))
        ELSE c.status <> 'running' END
    AND c.stopping_at IS NULL AND (c.hangup_at IS NULL OR c.hangup_at < now() - interval '1 day')
    AND NOT EXISTS (SELECT FROM call WHERE campaign_id = c.id AND (ended_at IS NULL OR slot_until IS NOT NULL
        OR ended_at >= {_KEPT_SINCE}))
    AND NOT EXISTS (SELECT FROM outbox WHERE campaign_id = c.id)"""
# Neither half reads what a tenant keeps: one has a million single calls a fortnight. Of those that were deleted, and
# whose calls are kept for ever, only the newest are looked at again: nobody was called of others, or never will be.
DUE = f"""
SELECT c.id FROM tenant AS t JOIN campaign AS c ON c.tenant_id = t.id
WHERE t.retention_days IS NOT NULL AND c.purged_at IS NULL
    AND {_OVER}
UNION ALL
SELECT c.id FROM campaign AS c JOIN tenant AS t ON t.id = c.tenant_id
WHERE t.retention_days IS NULL AND c.purged_at IS NULL
    AND c.deleted_at BETWEEN now() - interval '{LOOKED_AT_DAYS} days' AND now() - interval '{DAYS_MIN} days'
    AND {_OVER}
LIMIT %s"""
# Only where it is still so: a resume, or another retention, may have come between.
# What was said of the list quotes it: numbers of contacts, and words of them that looked misread.
_MARK = f"""
UPDATE campaign AS c SET purging_at = now(), purged_at = now(), kept_outcomes = %s, import_warnings = '[]'
FROM tenant AS t
WHERE c.id = %s AND t.id = c.tenant_id AND c.purged_at IS NULL AND {_OVER}"""
_MARKED = "SELECT id FROM campaign WHERE purging_at IS NOT NULL ORDER BY purging_at LIMIT %s"
# In this order: a call names its contact.
_SLICES = (
    """DELETE FROM call WHERE id = ANY(ARRAY(
        SELECT id FROM call WHERE campaign_id = %s ORDER BY created_at, id LIMIT %s))""",
    """DELETE FROM contact WHERE id = ANY(ARRAY(
        SELECT id FROM contact WHERE campaign_id = %s ORDER BY position LIMIT %s))""",
    # The columns that its test calls were lent: an erasure finds them by its first contact alone.
    """UPDATE contact SET custom_fields = '{}' WHERE id = ANY(ARRAY(
        SELECT contact.id FROM campaign AS trial JOIN contact ON contact.campaign_id = trial.id
        WHERE trial.test_of = %s AND contact.custom_fields <> '{}' LIMIT %s))""",
    """DELETE FROM import_reject WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM import_reject WHERE campaign_id = %s LIMIT %s))""",
    """DELETE FROM contact_block WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM contact_block WHERE campaign_id = %s LIMIT %s))""",
    """DELETE FROM campaign_zone WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM campaign_zone WHERE campaign_id = %s LIMIT %s))""",
    """DELETE FROM opening WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM opening WHERE campaign_id = %s LIMIT %s))""",
)
_GONE = "UPDATE campaign SET purging_at = NULL WHERE id = %s AND purging_at IS NOT NULL"


def mark_due(most: int) -> int:
    """Mark campaigns whose time is over, `most` at most; how many. On a connection of its own."""
    with db.connection_context():
        due = [row["id"] for row in rows(DUE, most)]
        return sum(_mark(campaign_id) for campaign_id in due)


def delete_slices(most: int) -> int:
    """Delete of marked campaigns, `most` slices at most; how many rows. On a connection of its own."""
    deleted = 0
    with db.connection_context():
        for row in rows(_MARKED, most):
            for statement in _SLICES:
                while most > 0:
                    gone = db.execute_sql(statement, (row["id"], SLICE)).rowcount
                    deleted += gone
                    # What is not there costs nothing: of most single calls there is a row or two.
                    most -= gone > 0
                    let_others_run()
                    if gone < SLICE:
                        break
            if most <= 0:
                break
            db.execute_sql(_GONE, (row["id"],))
    return deleted


def any_marked() -> bool:
    """Whether there is anything left to delete of marked campaigns. On a connection of its own."""
    with db.connection_context():
        return bool(rows(_MARKED, 1))


def _mark(campaign_id: uuid.UUID) -> int:
    kept = orjson.dumps(call_outcomes.of_campaign(campaign_id)).decode()
    marked: int = db.execute_sql(_MARK, (kept, campaign_id)).rowcount
    return marked
