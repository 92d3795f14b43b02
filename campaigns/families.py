"""A campaign with those that repeat it, and what became of all their contacts. In the caller's transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TypedDict

from models import ContactStatus, rows

MOST = 100

_MEMBERS = f"""
    SELECT c.id, c.name, c.status, c.cloned_from, {
    ", ".join(
        f"CASE WHEN c.stopping_at IS NULL THEN n.{status} "
        + {"pending": "ELSE 0", "cancelled": "ELSE n.cancelled + n.pending"}.get(status, f"ELSE n.{status}")
        + f" END AS {status}"
        for status in ContactStatus
    )
}
    FROM campaign AS own JOIN campaign AS c
        ON c.deleted_at IS NULL AND (c.id = coalesce(own.family_id, own.id)
            OR c.family_id = coalesce(own.family_id, own.id))
    CROSS JOIN LATERAL (
        SELECT {", ".join(f"coalesce(sum({status}), 0)::int AS {status}" for status in ContactStatus)}
        FROM campaign_count WHERE campaign_id = c.id
    ) AS n
    WHERE own.id = %s ORDER BY c.created_at, c.id LIMIT {MOST}"""


class Member(TypedDict):
    """One campaign of a family."""

    id: uuid.UUID
    name: str
    status: str
    cloned_from: uuid.UUID | None
    counts: Mapping[str, int]


class Family(TypedDict):
    """The campaigns that repeat one another, oldest first, and the counts of all of them."""

    campaigns: Sequence[Member]
    counts: Mapping[str, int]


def of_campaign(campaign_id: uuid.UUID) -> Family:
    """The family of a campaign that is a clone or was cloned (`CampaignRow.of_family`), the first MOST of it."""
    found = rows(_MEMBERS, campaign_id)
    members: list[Member] = [
        {
            "id": row["id"],
            "name": row["name"],
            "status": row["status"],
            "cloned_from": row["cloned_from"],
            "counts": _counts([row]),
        }
        for row in found
    ]
    return {"campaigns": members, "counts": _counts(found)}


def _counts(found: Sequence[Mapping[str, int]]) -> dict[str, int]:
    counts = {str(status): sum(row[status] for row in found) for status in ContactStatus}
    return {"total": sum(counts.values()), **counts}
