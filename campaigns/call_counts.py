"""How many calls are over, without reading them: triggers keep it (`migrations/0020_call_counts.py`)."""

from __future__ import annotations

import uuid

from models import db, rows

# Two that add up at the same time find each change once: who comes second waits for the first, and finds it gone. The
# order of the groups keeps them from waiting for each other.
_ADD_UP = """
WITH taken AS (DELETE FROM call_count_change RETURNING *)
INSERT INTO call_count AS kept (tenant_id, campaign_id, day, disposition, calls, sent, seconds)
SELECT tenant_id, campaign_id, day, disposition, sum(calls), sum(sent), sum(seconds) FROM taken
GROUP BY tenant_id, campaign_id, day, disposition ORDER BY campaign_id, day, disposition
ON CONFLICT (campaign_id, day, disposition) DO UPDATE SET calls = kept.calls + EXCLUDED.calls,
    sent = kept.sent + EXCLUDED.sent, seconds = kept.seconds + EXCLUDED.seconds
"""
_OVER = """
SELECT coalesce(sum(calls), 0)::int8 AS calls FROM (
    SELECT calls FROM call_count WHERE {which} UNION ALL SELECT calls FROM call_count_change WHERE {which}
) AS kept
"""


def add_up() -> None:
    """Fold what was noted since the last time into the counts. Raises what a database that is away raises."""
    with db.connection_context():
        db.execute_sql(_ADD_UP)


def over(tenant_id: str, campaign_id: uuid.UUID | None = None, disposition: str | None = None) -> int:
    """How many calls of a tenant are over: all of them, or a campaign's, or those that ended so.

    On the connection that the caller holds.
    """
    given = {"tenant_id": tenant_id, "campaign_id": campaign_id, "disposition": disposition}
    given = {name: value for name, value in given.items() if value is not None}
    which = " AND ".join(f"{name} = %s" for name in given)
    found: int = rows(_OVER.format(which=which), *given.values(), *given.values())[0]["calls"]
    return found
