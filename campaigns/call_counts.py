"""How many calls there are, without reading those that are over: triggers count them as they end
(`migrations/0020_call_counts.py`)."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

from models import CallState, db, rows

# Two that add up at the same time find each change once: who comes second waits for the first, and finds it gone. The
# order of the groups keeps them from waiting for each other.
ADD_UP = """
WITH taken AS (DELETE FROM call_count_change RETURNING *)
INSERT INTO call_count AS kept (tenant_id, campaign_id, day, disposition, calls, sent, seconds)
SELECT tenant_id, campaign_id, day, disposition, sum(calls), sum(sent), sum(seconds) FROM taken
GROUP BY tenant_id, campaign_id, day, disposition ORDER BY campaign_id, day, disposition
ON CONFLICT (campaign_id, day, disposition) DO UPDATE SET calls = kept.calls + EXCLUDED.calls,
    sent = kept.sent + EXCLUDED.sent, seconds = kept.seconds + EXCLUDED.seconds
"""
"""Moves what was noted since the last time into the counts."""
_OVER = """
SELECT coalesce(sum(calls), 0)::int8 AS calls FROM (
    SELECT calls FROM call_count WHERE {which} UNION ALL SELECT calls FROM call_count_change WHERE {which}
) AS kept
"""
OPEN = "SELECT count(*) AS calls FROM call WHERE ended_at IS NULL AND {which}"
"""How many calls are under way, of those that a condition names."""
_AT_ENDS = "SELECT count(*) AS calls FROM call WHERE ended_at IS NOT NULL AND {which}"
_WITH = """
SELECT campaign_id FROM (
    SELECT campaign_id, calls FROM call_count WHERE tenant_id = %s AND disposition = %s
    UNION ALL SELECT campaign_id, calls FROM call_count_change WHERE tenant_id = %s AND disposition = %s
) AS kept GROUP BY campaign_id HAVING sum(calls) > 0
"""
Given = list[tuple[str, object]]
"""Conditions, each with its one parameter."""


def add_up() -> None:
    """Fold what was noted since the last time into the counts. Raises what a database that is away raises."""
    with db.connection_context():
        db.execute_sql(ADD_UP)


def campaigns_with(tenant_id: str, disposition: str) -> list[uuid.UUID]:
    """The campaigns of a tenant of which any call ended so. On the connection that the caller holds."""
    return [row["campaign_id"] for row in rows(_WITH, tenant_id, disposition, tenant_id, disposition)]


def total(
    tenant_id: str,
    *,
    campaign_id: uuid.UUID | None = None,
    state: str | None = None,
    disposition: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
) -> int:
    """How many calls of a tenant, or of a campaign of its, are in this state and ended so, made within that
    time; None asks for any.

    Those that are over are kept by the day; those of days that are in it in part, and those that are up, of
    which none has a disposition yet, are counted. In one statement: a call that ends meanwhile is one or the other.
    On the connection that the caller holds.
    """
    whose: Given = [("tenant_id = %s", tenant_id)]
    if campaign_id is not None:
        whose.append(("campaign_id = %s", campaign_id))
    ended_so: Given = [] if disposition is None else [("disposition = %s", disposition)]
    parts, params = [], list[object]()

    def add(statement: str, given: Given, times: int = 1) -> None:
        parts.append(statement.format(which=" AND ".join(condition for condition, _ in given)))
        params.extend([value for _, value in given] * times)

    if state in (None, CallState.ENDED):
        days, edges = _whole_days(since, before)
        if days is not None:
            add(_OVER, whose + ended_so + days, 2)
        for edge in edges:
            add(_AT_ENDS, whose + ended_so + edge)
    if state != CallState.ENDED and disposition is None:
        so: Given = [] if state is None else [("state = %s", state)]
        add(OPEN, whose + so + _within(since, before))
    if not parts:
        return 0
    found: int = rows(f"SELECT {' + '.join(f'({part})' for part in parts)} AS calls", *params)[0]["calls"]
    return found


def _whole_days(since: datetime | None, before: datetime | None) -> tuple[Given | None, list[Given]]:
    """The days of UTC that lie within a time, None where there is none, and what of it they leave at its ends."""
    if since is not None and since.astimezone(UTC).date() == date.max:
        # No midnight comes after it.
        return None, [_within(since, before)]
    first = None if since is None else _midnight(since, up=True)
    last = None if before is None else _midnight(before, up=False)
    if first is not None and last is not None and first >= last:
        return None, [_within(since, before)]
    edges = []
    if first is not None and since != first:
        edges.append(_within(since, first))
    if last is not None and before != last:
        edges.append(_within(last, before))
    days: Given = [] if first is None else [("day >= %s", first.date())]
    days += [] if last is None else [("day < %s", last.date())]
    return days, edges


def _within(since: datetime | None, before: datetime | None) -> Given:
    given = (("created_at >= %s", since), ("created_at < %s", before))
    return [(condition, value) for condition, value in given if value is not None]


def _midnight(at: datetime, *, up: bool) -> datetime:
    """The midnight of UTC at which a moment is, or the one before, or with `up` after it."""
    at = at.astimezone(UTC)
    begun = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return begun + timedelta(days=1) if up and begun != at else begun
