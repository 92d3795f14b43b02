"""Lets contacts go that wait for a cap on their number when a tenant's caps have changed, or the packs that bind a
campaign: who dials judges them anew.

In slices, each in the caller's transaction. A contact that somebody is at just now is left as it is.
"""

from __future__ import annotations

import uuid

from models import rows

NUMBER_CAP = "number_cap"
"""Why a number that is left alone is not called: the `blocked_reason` of what concerns the called number."""
SLICE = 5_000
"""Contacts let go in one transaction."""

_OPEN = """
    SELECT id FROM campaign WHERE tenant_id = %s AND completed_at IS NULL AND deleted_at IS NULL ORDER BY id"""
_FREE = f"""
    WITH freed AS (
        UPDATE contact SET next_attempt_at = now(), wait_reason = NULL
        WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM contact WHERE campaign_id = %s AND waiting AND status = 'pending'
                AND next_attempt_at > now() AND wait_reason = '{NUMBER_CAP}' LIMIT %s FOR UPDATE SKIP LOCKED))
        RETURNING 1
    )
    SELECT count(*)::int AS n FROM freed"""


def open_campaigns(tenant_id: str) -> list[uuid.UUID]:
    """The campaigns of a tenant in which somebody may wait."""
    return [row["id"] for row in rows(_OPEN, tenant_id)]


def free_slice(campaign_id: uuid.UUID) -> int:
    """Have the next SLICE of a campaign who wait for a cap on their number be due now; how many. Fewer than SLICE:
    these were the last."""
    (freed,) = rows(_FREE, campaign_id, SLICE)
    number: int = freed["n"]
    return number
