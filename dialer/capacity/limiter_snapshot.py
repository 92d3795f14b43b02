"""Reads from the database the snapshot that the limiter is rebuilt from: open calls, recent sends, the day."""

from __future__ import annotations

from dialer.fault_points import FaultPoint, hit
from limits.caps import LONGEST_WINDOW_SECONDS, DayUse, LimiterSnapshot, OpenCall, RecentSend
from models import db, rows

LIVE = """
SELECT id::text AS call_id, dialer_id, campaign_id::text, tenant_id, gateway_id::text, node, phone_number AS number,
    (extract(epoch FROM now() - created_at) * 1000)::int8 AS age_ms, second_leg_gateway_id::text
FROM call WHERE ended_at IS NULL OR slot_until IS NOT NULL
"""
"""Every call that may be up."""
# Of a call that was taken over nobody knows when its last order left: at the latest when it was answered, or ended.
RECENT = """
SELECT id::text AS call_id, tenant_id, gateway_id::text, node,
    greatest(0, extract(epoch FROM now() - left_at) * 1000)::int8 AS age_ms
FROM call, LATERAL (SELECT CASE WHEN sent_at IS NULL THEN now()
    WHEN sent_by <> dialer_id THEN coalesce(answered_at, ended_at, now()) ELSE sent_at END AS left_at) AS latest
WHERE left_at > now() - make_interval(secs => %s)
    AND (ended_at IS NULL OR sent_at IS NOT NULL)
    -- Which of them to look at: nothing is over before it left, by clocks that differ by less than a minute.
    AND (ended_at IS NULL OR ended_at > now() - make_interval(secs => %s) - interval '1 min')
"""
"""Every call that left so lately that a rate may still count it."""
DAYS = """
SELECT tenant_id, sum(calls)::int8 AS calls, sum(seconds)::int8 AS seconds FROM (
    SELECT tenant_id, sent AS calls, seconds FROM call_count WHERE day = (now() AT TIME ZONE 'UTC')::date
    UNION ALL
    SELECT tenant_id, sent, seconds FROM call_count_change WHERE day = (now() AT TIME ZONE 'UTC')::date
    UNION ALL
    SELECT tenant_id, 1, 0 FROM call
    WHERE ended_at IS NULL AND created_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
) AS today GROUP BY tenant_id
"""
"""What each tenant has used of its day."""


_SINGLE = "SELECT id::text FROM campaign WHERE id = ANY(%s::uuid[]) AND single_call"


def _open_calls() -> list[OpenCall]:
    live = rows(LIVE)
    single = {row["id"] for row in rows(_SINGLE, list({row["campaign_id"] for row in live}))}
    return [OpenCall(**row, single=row["campaign_id"] in single) for row in live]


def snapshot() -> LimiterSnapshot:
    """Every call that may be up, every send that a rate may still count and every tenant's day, read at one moment.

    A call that may have been sent but is not known to be counts as sent now: the safe side.
    """
    with db.connection_context(), db.atomic("REPEATABLE READ"):
        (day,) = rows("SELECT (now() AT TIME ZONE 'UTC')::date AS day")
        taken = LimiterSnapshot(
            day=day["day"],
            open_calls=_open_calls(),
            recent=[
                RecentSend(**row) for row in rows(RECENT, LONGEST_WINDOW_SECONDS, LONGEST_WINDOW_SECONDS)
            ],
            days=[DayUse(**row) for row in rows(DAYS)],
        )
    hit(FaultPoint.SNAPSHOT_TAKEN)
    return taken
