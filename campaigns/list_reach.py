"""How far the lists of campaigns were called, and what campaigns are called, for reports. On the connection that the
caller holds."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from campaigns.call_reports import Scope, dicts
from models import db, rows


@dataclass(frozen=True, slots=True)
class ListReach:
    """How far the list of a campaign was called: its contacts, those of whom an attempt was made, and those who were
    reached."""

    campaign_id: uuid.UUID
    campaign_name: str
    contacts: int
    called: int
    reached: int


# A contact's first attempt is one call, as no attempt is made twice: those are counted in place of contacts.
_REACH = """
WITH listed AS MATERIALIZED (
    SELECT id, name, created_at FROM campaign WHERE tenant_id = %(tenant)s AND {which}
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s
), noted AS MATERIALIZED (
    SELECT campaign_id, sum(n) AS calls FROM report_change WHERE tenant_id = %(tenant)s AND attempt = 1
    GROUP BY campaign_id
)
SELECT listed.id AS campaign_id, listed.name AS campaign_name, counts.contacts, counts.reached,
    (coalesce(kept.calls, 0) + coalesce(noted.calls, 0))::int8 AS called
FROM listed CROSS JOIN LATERAL (
        SELECT coalesce(sum(pending + originated + connected + completed + failed + cancelled), 0)::int8 AS contacts,
            coalesce(sum(completed), 0)::int8 AS reached
        FROM campaign_count WHERE campaign_id = listed.id
    ) AS counts CROSS JOIN LATERAL (
        SELECT sum(calls) AS calls FROM report_outcome
        WHERE campaign_id = listed.id AND minutes = 1440 AND attempt = 1
    ) AS kept LEFT JOIN noted ON noted.campaign_id = listed.id
ORDER BY listed.created_at DESC, listed.id DESC
"""
_HOW_MANY = """
SELECT count(*)::int AS n FROM campaign WHERE tenant_id = %s AND NOT single_call AND deleted_at IS NULL"""
_NAMES = "SELECT id, name FROM campaign WHERE id = ANY(%s::uuid[]) AND NOT single_call"


def reach(scope: Scope, limit: int, offset: int) -> list[ListReach]:
    """How far the lists of campaigns were called, the newest first; of a deleted one only where it is the scope."""
    which = "deleted_at IS NULL AND NOT single_call" if scope.campaign_id is None else "id = %(campaign)s"
    given = {
        "tenant": scope.tenant_id,
        "campaign": scope.campaign_id,
        "limit": limit,
        "offset": offset,
    }
    cursor = db.execute_sql(_REACH.format(which=which), given)
    return [ListReach(**row) for row in dicts(cursor)]


def how_many(scope: Scope) -> int:
    """How many campaigns `reach` could tell of."""
    return 1 if scope.campaign_id is not None else int(rows(_HOW_MANY, scope.tenant_id)[0]["n"])


def names(campaign_ids: Iterable[uuid.UUID]) -> Mapping[uuid.UUID, str]:
    """What campaigns are called, deleted ones too, but for those that are single calls."""
    return {row["id"]: row["name"] for row in rows(_NAMES, [*campaign_ids])}
