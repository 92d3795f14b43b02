"""Whether a campaign fits into its tenant's `concurrent_max` beside those that run: all their `max_concurrent_calls`,
and what is reserved for single calls."""

from __future__ import annotations

import uuid

from campaigns.lifecycle_errors import BudgetExceededError
from models import rows


def lock(tenant_id: str) -> None:
    """Keep everybody else from taking of the budget until the transaction ends; before any campaign is locked."""
    # Not FOR UPDATE: that would wait for every claim and import of the tenant, which hold the key's share lock.
    rows("SELECT id FROM tenant WHERE id = %s FOR NO KEY UPDATE", tenant_id)


def check(campaign_id: uuid.UUID, tenant_id: str) -> None:
    """Raise BudgetExceededError where a campaign does not fit beside those that run. The tenant is locked."""
    limits = rows(
        "SELECT concurrent_max, reserved_concurrency AS kept FROM call_limits WHERE tenant_id = %s", tenant_id
    )
    limit = limits[0]["concurrent_max"] if limits else None
    if limit is None:
        return
    found = rows(
        """
        SELECT id, name, max_concurrent_calls AS calls, id = %s AS asks FROM campaign
        WHERE tenant_id = %s AND (status = 'running' AND NOT single_call OR id = %s) AND deleted_at IS NULL
        ORDER BY created_at, id""",
        campaign_id,
        tenant_id,
        campaign_id,
    )
    kept: int = min(limits[0]["kept"], limit)
    if sum(row["calls"] for row in found) <= limit - kept:
        return
    (wanted,) = (row["calls"] for row in found if row["asks"])
    holders = [(row["id"], row["name"], row["calls"]) for row in found if not row["asks"]]
    raise BudgetExceededError(wanted, limit, holders, kept)
