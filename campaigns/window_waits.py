"""Who of a campaign that is outside its hours waits for which opening: by the groups of its contacts' time zones.

How many there are is counted by the index of who waits, and no further than to a bound: a list may have a million.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from models import rows

GROUPS, MOST = 6, 10_000
"""Of one campaign: so many groups, those that open first, and so many counted of each."""
GROUPS_LISTED, MOST_LISTED = 2, 1_000
"""Likewise of each campaign of a list."""
# In the order of the index of who waits in a group, so that no other is chosen.
_WAITING = """
            SELECT FROM contact WHERE campaign_id = campaign.id AND zone_group = {group} AND waiting
            ORDER BY next_attempt_at NULLS FIRST, id LIMIT {most}"""
WAITS = f"""
SELECT wanted.id, told.opens_at, told.contacts,
    CASE WHEN told.zones <> '[]' THEN told.zones ELSE to_jsonb(array_remove(ARRAY[time_zone], NULL)) END AS zones
FROM unnest(%s::uuid[]) AS wanted (id) JOIN campaign ON campaign.id = wanted.id CROSS JOIN LATERAL (
    SELECT first.zones, first.opens_at,
        (SELECT count(*)::int FROM ({_WAITING.format(group="first.zone_group", most="%s")}) AS counted) AS contacts
    FROM (
        SELECT zone.zone_group, zone.zones, next.opens_at
        FROM campaign_zone AS zone CROSS JOIN LATERAL (
            SELECT opens_at FROM opening
            WHERE opening.campaign_id = zone.campaign_id AND opening.zone_group = zone.zone_group
                AND closes_at > now() ORDER BY opens_at LIMIT 1
        ) AS next CROSS JOIN LATERAL ({_WAITING.format(group="zone.zone_group", most="1")}) AS anybody
        WHERE zone.campaign_id = campaign.id AND next.opens_at > now()
        ORDER BY next.opens_at, zone.zone_group LIMIT %s
    ) AS first
) AS told ORDER BY told.opens_at, told.contacts DESC, told.zones
"""
"""The groups in which anybody waits and of which the next opening is known; then who waits in the first of them."""


class Wait(TypedDict):
    """Contacts that share an opening: in which zones they may be, when it opens, and how many they are; `more`: at
    least so many."""

    time_zones: Sequence[str]
    opens_at: datetime
    contacts: int
    more: bool


def waits(
    campaign_ids: Sequence[uuid.UUID], groups: int = GROUPS, most: int = MOST
) -> Mapping[uuid.UUID, list[Wait]]:
    """Who waits for an opening in each of these campaigns, the first to open first; on the connection that the caller
    holds."""
    found: dict[uuid.UUID, list[Wait]] = {}
    if campaign_ids:
        for row in rows(WAITS, [*campaign_ids], most, groups):
            number = row["contacts"]
            told = Wait(
                time_zones=row["zones"], opens_at=row["opens_at"], contacts=number, more=number == most
            )
            found.setdefault(row["id"], []).append(told)
    return found
