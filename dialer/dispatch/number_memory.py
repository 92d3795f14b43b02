"""How far back calls to a tenant's numbers are known for the caps of policy packs: as far as those of its campaigns
look that ran within KEPT_DAYS, in the table `number_memory`.

Were it those that run now, each start of one, and each single call, had all of the tenant's calls of that time read
anew, and nobody of the tenant is called meanwhile. Decision 0065.
"""

from __future__ import annotations

from collections.abc import Mapping

from models import db, rows

KNOWN = 53
"""The migration of which all dialers have to know: one that logs nothing voids, with each call, what others know."""
KEPT_DAYS = 30
"""As far as any cap looks back: then there is nothing left to know of whatever the campaigns of before called."""
AGAIN_DAYS = 29
"""With less than this left it is written on."""

_HEEDED = f"NOT EXISTS (SELECT FROM dialer WHERE settled_at IS NULL AND coalesce(knows, 0) < {KNOWN})"
_KEPT = f"""
SELECT tenant_id, ms, until < now() + make_interval(days => {AGAIN_DAYS}) AS fading, {_HEEDED} AS heeded
FROM number_memory WHERE until > now()"""
_KEEP = f"""
INSERT INTO number_memory (tenant_id, ms, until)
SELECT tenant_id, ms, now() + make_interval(days => {KEPT_DAYS})
FROM unnest(%s::text[], %s::bigint[]) AS asked (tenant_id, ms) ORDER BY tenant_id
ON CONFLICT (tenant_id) DO UPDATE SET ms = excluded.ms, until = excluded.until
WHERE number_memory.until <= now() OR number_memory.ms <= excluded.ms"""
VERSION = f"""(
    SELECT concat_ws(' ', {_HEEDED}, string_agg(row(tenant_id, ms)::text, ' ' ORDER BY tenant_id))
    FROM number_memory WHERE until > now())"""
"""Another text whenever `kept` says something else."""


def kept(asked: Mapping[str, int]) -> dict[str, int]:
    """How far back calls are known, in ms by tenant, where those that run now ask for so much; and note what these
    ask for."""
    with db.connection_context():
        found = {row["tenant_id"]: row for row in rows(_KEPT)}
        fresh = {
            tenant_id: ms for tenant_id, ms in asked.items() if ms and _is_news(ms, found.get(tenant_id))
        }
        if fresh:
            rows(_KEEP, list(fresh), list(fresh.values()))
    known = {tenant_id: row["ms"] for tenant_id, row in found.items() if row["heeded"]}
    return {
        tenant_id: max(asked.get(tenant_id, 0), known.get(tenant_id, 0))
        for tenant_id in asked.keys() | known.keys()
    }


def _is_news(ms: int, row: Mapping[str, object] | None) -> bool:
    if row is None:
        return True
    noted = row["ms"]
    assert isinstance(noted, int)
    return ms > noted or (ms == noted and bool(row["fading"]))
