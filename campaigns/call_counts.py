"""How many calls there are, without reading those that are over: triggers count them as they end
(`migrations/0020_call_counts.py`)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from models import CallState, db, rows

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
_OPEN = "SELECT count(*) AS calls FROM call WHERE ended_at IS NULL AND {which}"


def add_up() -> None:
    """Fold what was noted since the last time into the counts. Raises what a database that is away raises."""
    with db.connection_context():
        db.execute_sql(_ADD_UP)


def total(
    tenant_id: str,
    *,
    campaign_id: uuid.UUID | None = None,
    state: str | None = None,
    disposition: str | None = None,
) -> int:
    """How many calls of a tenant, or of a campaign of its, are in this state and ended so; None asks for any.

    Those that are over are kept; those that are up, of which none has a disposition yet, are counted. In one
    statement: a call that ends meanwhile is one or the other. On the connection that the caller holds.
    """
    parts, params = [], []
    whose = {"tenant_id": tenant_id} | ({} if campaign_id is None else {"campaign_id": campaign_id})
    if state in (None, CallState.ENDED):
        given = whose | ({} if disposition is None else {"disposition": disposition})
        parts.append(_OVER.format(which=_equal(given)))
        params += [*given.values()] * 2
    if state != CallState.ENDED and disposition is None:
        given = whose | ({} if state is None else {"state": state})
        parts.append(_OPEN.format(which=_equal(given)))
        params += given.values()
    if not parts:
        return 0
    found: int = rows(f"SELECT {' + '.join(f'({part})' for part in parts)} AS calls", *params)[0]["calls"]
    return found


def _equal(given: Mapping[str, object]) -> str:
    return " AND ".join(f"{name} = %s" for name in given)
