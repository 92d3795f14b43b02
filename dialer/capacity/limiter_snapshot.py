"""Reads from the database the snapshot that the limiter is rebuilt from: open calls, recent sends, the day."""

from __future__ import annotations

from dialer.fault_points import FaultPoint, hit
from limits.caps import LONGEST_WINDOW_SECONDS, DayUse, LimiterSnapshot, OpenCall, RecentSend
from models import db, rows

_LIVE = """
SELECT id::text AS call_id, dialer_id, campaign_id::text, tenant_id, gateway_id::text, node, phone_number AS number,
    (extract(epoch FROM now() - created_at) * 1000)::int8 AS age_ms
FROM call WHERE ended_at IS NULL OR slot_until IS NOT NULL
"""
# Of a call that was taken over nobody knows when its last order left: at the latest when it was answered, or ended.
_RECENT = """
SELECT id::text AS call_id, tenant_id, gateway_id::text, node,
    greatest(0, extract(epoch FROM now() - left_at) * 1000)::int8 AS age_ms
FROM call, LATERAL (SELECT CASE WHEN sent_at IS NULL THEN now()
    WHEN sent_by <> dialer_id THEN coalesce(answered_at, ended_at, now()) ELSE sent_at END AS left_at) AS latest
WHERE left_at > now() - make_interval(secs => %s)
    AND (ended_at IS NULL OR sent_at IS NOT NULL) AND created_at > now() - interval '1 day'
"""
_DAYS = """
SELECT tenant_id, count(*)::int8 AS calls, coalesce(sum(billsec), 0)::int8 AS seconds
FROM call WHERE created_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
    AND (sent_at IS NOT NULL OR ended_at IS NULL) GROUP BY tenant_id
"""


def snapshot() -> LimiterSnapshot:
    """Every call that may be up, every send that a rate may still count and every tenant's day, read at one moment.

    A call that may have been sent but is not known to be counts as sent now: the safe side.
    """
    with db.connection_context(), db.atomic("REPEATABLE READ"):
        (day,) = rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")
        taken = LimiterSnapshot(
            day=day["day"],
            open_calls=[OpenCall(**row) for row in rows(_LIVE)],
            recent=[RecentSend(**row) for row in rows(_RECENT, LONGEST_WINDOW_SECONDS)],
            days=[DayUse(**row) for row in rows(_DAYS)],
        )
    hit(FaultPoint.SNAPSHOT_TAKEN)
    return taken
