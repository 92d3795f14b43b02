"""Corrects calls that were closed without a hangup event, once their CDR says how they ended.

The call's row takes the record's facts, once: a row that has a duration has had them. Its contact follows only where
that is safe: it has failed as `outcome_unknown` by this very call, or is completed as `answered` by one that was
abandoned or whose agent failed, and nothing has happened to it since. Then its disposition becomes the true one, and
it is `completed` where it had been answered and its agent ran. What is completed stays so, and nothing becomes
`pending`: whoever read that it is over must be able to rely on it. Attempts and sends stay as they were counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dialer.call_rows import COUNTS_FOR_NUMBER
from dialer.record.outcome_rows import LOCK_CALLS, MOVED, Ended, Told, items_of
from limits.caps import LateSeconds, UncountedCall
from models import db, rows, rows_as

SECONDS_TODAY = """
SELECT id::text AS call_id, tenant_id, billsec AS seconds FROM call
WHERE id = ANY(%s::uuid[]) AND billsec > 0
    AND created_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
"""
"""What corrected calls of today spoke."""

UNCOUNTED = f"""
SELECT tenant_id, phone_number AS number, id::text AS call_id FROM call
WHERE id = ANY(%s::uuid[]) AND NOT {COUNTS_FOR_NUMBER}
"""
"""Those corrected calls that do not count for their numbers."""

CORRECT = f"""
WITH corrected AS (
    UPDATE call SET disposition = seen.disposition, cause = seen.cause, q850 = seen.q850,
        sip_status = seen.sip_status, sip_phrase = seen.sip_phrase, sip_603plus_reason = seen.sip_603plus_reason,
        hung_up_by = seen.hung_up_by, billsec = seen.billsec, duration_ms = coalesce(seen.duration_ms, 0),
        pdd_ms = seen.pdd_ms, ring_ms = seen.ring_ms,
        progress_at = coalesce(call.progress_at, call.sent_at + make_interval(secs => seen.progress_ms / 1000.0)),
        ring_at = coalesce(call.ring_at, call.sent_at + make_interval(secs => seen.alert_ms / 1000.0)),
        answered_at = CASE WHEN seen.answered
            THEN coalesce(call.answered_at, call.ended_at - make_interval(secs => coalesce(seen.billsec, 0)))
            ELSE call.answered_at END
    FROM json_to_recordset(%(items)s::json) AS seen (call_id uuid, disposition text, cause text, q850 int,
        sip_status int, sip_phrase text, sip_603plus_reason text, hung_up_by text, billsec int, duration_ms int,
        pdd_ms int, ring_ms int, progress_ms int, alert_ms int, answered bool)
    WHERE call.id = seen.call_id AND call.state = 'ended' AND call.duration_ms IS NULL
    RETURNING call.id AS call_id, call.contact_id, call.seq, call.attempt, call.disposition, call.cause,
        seen.answered
), held AS (
    SELECT contact.id, contact.status AS was, corrected.*
    FROM corrected JOIN contact ON contact.id = corrected.contact_id
    WHERE contact.sends = corrected.seq AND (
        contact.status = 'failed' AND contact.disposition = 'outcome_unknown'
            AND corrected.disposition <> 'outcome_unknown'
        OR contact.status = 'completed' AND contact.disposition = 'answered'
            AND corrected.disposition IN ('abandoned', 'agent_failed'))
    ORDER BY contact.id FOR UPDATE OF contact
), moved AS (
    UPDATE contact SET status = CASE
            WHEN held.was = 'completed' OR held.answered AND held.disposition <> 'agent_failed' THEN 'completed'
            ELSE 'failed' END,
        disposition = held.disposition, last_cause = held.cause, version = version + 1, updated_at = now()
    FROM held WHERE contact.id = held.id
    RETURNING nextval('transition_id_seq') AS transition_id, contact.campaign_id, contact.id, contact.phone_number,
        contact.status, contact.disposition, held.attempt, held.call_id, held.cause, contact.version, held.was
), counted AS (
    INSERT INTO campaign_count (campaign_id, lane, completed, failed)
    SELECT campaign_id, %(lane)s, count(*), -count(*) FROM moved WHERE status = 'completed' AND was = 'failed'
    GROUP BY campaign_id
    ON CONFLICT (campaign_id, lane) DO UPDATE SET completed = campaign_count.completed + EXCLUDED.completed,
        failed = campaign_count.failed + EXCLUDED.failed
), told AS (
    INSERT INTO transition (id, campaign_id, contact_id, call_id, version, status, disposition, attempt, cause,
        owner)
    SELECT transition_id, campaign_id, id, call_id, version, status, disposition, attempt, cause, %(owner)s
    FROM moved
)
{MOVED}
UNION ALL
-- And every call that was corrected, whether or not its contact followed.
SELECT NULL, NULL, NULL, NULL, NULL, NULL, call_id::text, NULL, NULL, NULL, NULL FROM corrected
"""
"""Writes what late records say of calls that are over, and tells of it."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """How many calls were corrected, the transitions to publish, what was spoken today that is new, and the calls
    that do not count for their numbers."""

    calls: int
    told: list[Told]
    seconds: Sequence[LateSeconds]
    uncounted: Sequence[UncountedCall] = ()


def correct(owner: str, late: Sequence[Ended]) -> Corrected:
    """Correct closed calls, each once, in the caller's transaction."""
    rows(LOCK_CALLS, [item.call_id for item in late])
    parameters = items_of(late) | {"owner": owner, "lane": f"{owner}:record"}
    found = db.execute_sql(CORRECT, parameters).fetchall()
    told = [Told(*row) for row in found if row[-1] is not None]
    ids = [row[6] for row in found if row[-1] is None]
    seconds = rows_as(LateSeconds, SECONDS_TODAY, ids) if ids else []
    uncounted = rows_as(UncountedCall, UNCOUNTED, ids) if ids else []
    return Corrected(len(ids), told, seconds, uncounted)
