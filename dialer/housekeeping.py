"""Forgets what nobody needs any more, so that nothing grows without bound: one dialer in each period, for all.

Each deletion is a slice in a transaction of its own, found by an index and small enough that nobody waits for it.
What is left over is for the next period. May be done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from campaigns import log_bounds, retention
from cooperative import let_others_run
from models import db, rows

log = structlog.get_logger()

EVERY_SECONDS = 600.0
SLICE = 5_000
SLICES = 200
"""In one period at most, of each kind: a million rows, four times what 500 calls a second write meanwhile."""
CAMPAIGNS = 200

# Of an index that begins with what was deleted, the next slice would read all of that again: it goes on behind it.
# What a row of the outbox names says `published` from the beginning. The newest stays, however old: it tells a
# database that is where it was from a copy (`dialer.recovery.restored_database`).
_TRANSITIONS = """
WITH named AS MATERIALIZED (SELECT unnest(transition_ids) AS id FROM outbox),
oldest AS MATERIALIZED (SELECT id, at FROM transition WHERE id > %s ORDER BY id LIMIT %s),
gone AS (
    DELETE FROM transition AS told USING oldest WHERE told.id = oldest.id AND told.published
        AND told.at < now() - interval '90 days' AND told.id NOT IN (SELECT id FROM named)
        AND told.id < (SELECT max(id) FROM transition) RETURNING 1
)
SELECT (SELECT max(id) FROM oldest) AS last, (SELECT count(*) FROM oldest) AS looked_at,
    (SELECT count(*) FROM gone) AS gone,
    coalesce((SELECT bool_or(at >= now() - interval '90 days') FROM oldest), true) AS young
"""
_BY_AGE = {
    "idempotency": """
        DELETE FROM idempotency WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency
            WHERE created_at < now() - interval '24 hours' ORDER BY created_at LIMIT %s))""",
    "cdr_inbox": """
        DELETE FROM cdr_inbox WHERE ctid = ANY(ARRAY(SELECT ctid FROM cdr_inbox
            WHERE received_at < now() - interval '1 day'
                AND (applied_at IS NOT NULL OR received_at < now() - interval '7 days')
            ORDER BY received_at LIMIT %s))""",
    "breaker": """
        DELETE FROM breaker WHERE id = ANY(ARRAY(SELECT id FROM breaker
            WHERE released_at < now() - interval '90 days' ORDER BY released_at LIMIT %s))""",
    "contact_token": """
        DELETE FROM contact_token WHERE ctid = ANY(ARRAY(SELECT ctid FROM contact_token
            WHERE created_at < now() - interval '7 days' ORDER BY created_at LIMIT %s))""",
    "board_session": """
        DELETE FROM board_session WHERE ctid = ANY(ARRAY(SELECT ctid FROM board_session
            WHERE expires_at <= now() ORDER BY expires_at LIMIT %s))""",
    "board_link": """
        DELETE FROM board_link WHERE ctid = ANY(ARRAY(SELECT ctid FROM board_link
            WHERE expires_at <= now() LIMIT %s))""",
    "recent_outcome": """
        DELETE FROM recent_outcome WHERE id = ANY(ARRAY(SELECT id FROM recent_outcome
            WHERE at < now() - interval '92 days' ORDER BY at LIMIT %s))""",
    "abandon_count": """
        DELETE FROM abandon_count WHERE ctid = ANY(ARRAY(SELECT ctid FROM abandon_count
            WHERE since < now() - interval '32 days' ORDER BY since LIMIT %s))""",
    # Long after anybody could ask whether it had ended: its lock, its calls and its transitions are settled.
    "dialer": """
        DELETE FROM dialer WHERE id = ANY(ARRAY(SELECT id FROM dialer AS gone
            WHERE settled_at < now() - interval '30 days'
                AND NOT EXISTS (SELECT FROM call WHERE dialer_id = gone.id
                    AND (ended_at IS NULL OR slot_until IS NOT NULL))
            ORDER BY settled_at LIMIT %s))""",
}
# A lane is a dialer's own. That of one that was settled long ago is written by nobody.
_SETTLED_LANE = """
    lane ~ '^d[0-9a-f]{12}:' AND NOT EXISTS (SELECT FROM dialer WHERE id = split_part(lane, ':', 1)
        AND (settled_at IS NULL OR settled_at > now() - interval '1 hour'))"""
_WITH_LANES = f"""
SELECT campaign_id FROM campaign_count WHERE {_SETTLED_LANE}
GROUP BY campaign_id ORDER BY count(*) DESC, campaign_id LIMIT %s"""
_NAMES = ("pending", "originated", "connected", "completed", "failed", "cancelled")
_ADDED = ", ".join(f"{name} = kept.{name} + excluded.{name}" for name in _NAMES)
# One statement: whoever reads meanwhile finds all of them in the one lane or in the other.
_FOLD = f"""
WITH gone AS (DELETE FROM campaign_count WHERE campaign_id = %s AND {_SETTLED_LANE} RETURNING *)
INSERT INTO campaign_count AS kept (campaign_id, lane, {", ".join(_NAMES)})
SELECT campaign_id, 'folded', {", ".join(f"sum({name})" for name in _NAMES)} FROM gone GROUP BY campaign_id
ON CONFLICT (campaign_id, lane) DO UPDATE SET {_ADDED}
"""


class Housekeeping:
    """`may` says whether it is this dialer that does the work now."""

    def __init__(self, may: Callable[[], bool]) -> None:
        self._may = may

    def round(self) -> None:
        """Called every EVERY_SECONDS. Raises what a server that is away raises: the rest is for the next period."""
        if not self._may():
            return
        deleted = {"transition": delete_transitions()}
        for table, statement in _BY_AGE.items():
            deleted[table] = _delete(statement)
        deleted["lanes"] = fold_lanes()
        deleted["logs"] = log_bounds.thin()
        marked = retention.mark_due(CAMPAIGNS)
        deleted["retention"] = retention.delete_slices(SLICES)
        found = {name: number for name, number in deleted.items() if number}
        if found or marked:
            log.info("housekeeping", campaigns_purged=marked, **found)


def delete_transitions() -> int:
    """Delete those that were published and are 90 days old; how many."""
    last, deleted = 0, 0
    for _ in range(SLICES):
        with db.connection_context():
            (slice_,) = rows(_TRANSITIONS, last, SLICE)
        deleted += slice_["gone"]
        if slice_["young"] or slice_["looked_at"] < SLICE:
            break
        last = slice_["last"]
        let_others_run()
    return deleted


def fold_lanes() -> int:
    """Add up the lanes of dialers that are long gone, campaign by campaign; of how many campaigns."""
    with db.connection_context():
        found: Sequence[dict[str, object]] = rows(_WITH_LANES, CAMPAIGNS)
    for row in found:
        with db.connection_context():
            db.execute_sql(_FOLD, (row["campaign_id"],))
        let_others_run()
    return len(found)


def _delete(statement: str) -> int:
    deleted = 0
    for _ in range(SLICES):
        with db.connection_context():
            gone: int = db.execute_sql(statement, (SLICE,)).rowcount
        deleted += gone
        if gone < SLICE:
            break
        let_others_run()
    return deleted
