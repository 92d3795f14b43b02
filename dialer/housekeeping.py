"""Forgets what nobody needs any more, so that nothing grows without bound: one dialer in each period, for all.

Each deletion is a slice in a transaction of its own, found by an index and small enough that nobody waits for it.
What is left over is for the next period. May be done twice.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial

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
"""Marked, or whose lanes are added up, in one go; as many go after another as there are, for BOUND_SECONDS each."""
BOUND_SECONDS = 120.0
"""One call a second that is asked for by itself makes 600 campaigns in a period; after a failure there are more."""
LANES = 20_000
"""Lanes looked at in one statement."""

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
    "gateway_count": """
        DELETE FROM gateway_count WHERE ctid = ANY(ARRAY(SELECT ctid FROM gateway_count
            WHERE since < now() - interval '2 hours' ORDER BY since LIMIT %s))""",
    # Of one that no dialer knows any more, and with it what was found there.
    "node_examination": """
        DELETE FROM node_examination WHERE node = ANY(ARRAY(SELECT node FROM node_examination
            WHERE begun_at < now() - interval '1 day' LIMIT %s))""",
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
# No index knows the lanes of a dialer: a slice of all is read after the other, each behind the one before.
_WITH_LANES = f"""
WITH looked_at AS MATERIALIZED (
    SELECT campaign_id, lane FROM campaign_count WHERE (campaign_id, lane) > (%s, %s)
    ORDER BY campaign_id, lane LIMIT %s
)
SELECT ARRAY(SELECT DISTINCT campaign_id FROM looked_at WHERE {_SETTLED_LANE} ORDER BY 1) AS campaigns,
    (SELECT count(*) FROM looked_at) AS looked_at, last.campaign_id, last.lane
FROM (SELECT campaign_id, lane FROM looked_at ORDER BY campaign_id DESC, lane DESC LIMIT 1) AS last"""
_NAMES = ("pending", "originated", "connected", "completed", "failed", "cancelled")
_ADDED = ", ".join(f"{name} = kept.{name} + excluded.{name}" for name in _NAMES)
_BEFORE_ALL = uuid.UUID(int=0)
# One statement: whoever reads meanwhile finds all of them in the one lane or in the other.
_FOLD = f"""
WITH gone AS (DELETE FROM campaign_count WHERE campaign_id = ANY(%s::uuid[]) AND {_SETTLED_LANE} RETURNING *)
INSERT INTO campaign_count AS kept (campaign_id, lane, {", ".join(_NAMES)})
SELECT campaign_id, 'folded', {", ".join(f"sum({name})" for name in _NAMES)} FROM gone GROUP BY campaign_id
ORDER BY campaign_id
ON CONFLICT (campaign_id, lane) DO UPDATE SET {_ADDED}
"""


class Housekeeping:
    """`may` says whether it is this dialer that does the work now; `now` is monotonic."""

    def __init__(self, may: Callable[[], bool], now: Callable[[], float] = time.monotonic) -> None:
        self._may = may
        self._now = now

    def round(self) -> None:
        """Called every EVERY_SECONDS. Raises what a server that is away raises: the rest is for the next period."""
        if not self._may():
            return
        deleted = {"transition": delete_transitions()}
        for table, statement in _BY_AGE.items():
            deleted[table] = _delete(statement)
        deleted["lanes"] = fold_lanes(self._for_a_while())
        deleted["logs"] = log_bounds.thin()
        marked = self._again(partial(retention.mark_due, CAMPAIGNS), lambda last: last == CAMPAIGNS)
        deleted["retention"] = self._again(
            partial(retention.delete_slices, SLICES), lambda _: retention.any_marked()
        )
        found = {name: number for name, number in deleted.items() if number}
        if found or marked:
            log.info("housekeeping", campaigns_purged=marked, **found)

    def _for_a_while(self) -> Callable[[], bool]:
        """Whether a piece of work that begins now may go on: others are to have their turn."""
        until = self._now() + BOUND_SECONDS
        return lambda: self._now() < until

    def _again(self, work: Callable[[], int], left: Callable[[int], bool]) -> int:
        """Do it again while something is `left`, by what was done last, and there is time; what was done in all."""
        may_go_on = self._for_a_while()
        done = last = work()
        while left(last) and may_go_on():
            let_others_run()
            last = work()
            done += last
        return done


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


def fold_lanes(may_go_on: Callable[[], bool] = lambda: True) -> int:
    """Add up the lanes of dialers that are long gone; of how many campaigns. A slice after the other, while it
    `may_go_on`: whoever comes next begins anew, and finds those gone that were added up."""
    folded, after = 0, (_BEFORE_ALL, "")
    while True:
        with db.connection_context():
            found = rows(_WITH_LANES, *after, LANES)
        for slice_ in found:
            campaigns: Sequence[uuid.UUID] = slice_["campaigns"]
            for start in range(0, len(campaigns), CAMPAIGNS):
                with db.connection_context():
                    db.execute_sql(_FOLD, ([*campaigns[start : start + CAMPAIGNS]],))
                let_others_run()
            folded += len(campaigns)
            after = slice_["campaign_id"], slice_["lane"]
        if not found or found[0]["looked_at"] < LANES or not may_go_on():
            return folded
        let_others_run()


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
