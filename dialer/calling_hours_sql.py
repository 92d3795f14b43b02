"""Whether a contact may be called at this hour, as SQL: parts of the statements on claims and outcomes, which compare
instants by the database's clock. A campaign without windows costs them no more than a look at that column.

The instants are those that `campaigns/openings.py` wrote ahead. The contacts of a group (`contact.zone_group`) share
each opening, and an index has the contacts of each group: who is outside is never read. What was written by older
tables than this process has does not count.
"""

from __future__ import annotations

from campaigns.opening_tables import as_new
from campaigns.windows import SPREAD_SECONDS

_CURRENT_TABLES = as_new("campaign")
_CURRENT = """
    FROM opening AS current WHERE current.campaign_id = {campaign} AND current.zone_group = {group}
        AND current.opens_at <= now() AND current.closes_at > now()"""


def is_open(campaign: str, group: str) -> str:
    """Whether the contacts of a group may be called now."""
    return f"EXISTS (SELECT {_CURRENT.format(campaign=campaign, group=group)})"


def closes_in(campaign: str, group: str) -> str:
    """In how many seconds that is over; null where it is not so now."""
    current = _CURRENT.format(campaign=campaign, group=group)
    return f"(SELECT extract(epoch FROM current.closes_at - now())::float8 {current})"


def within(at: str, campaign: str, group: str) -> str:
    """A moment at which the contacts of a group may be called: `at`, or some time soon after the next opening. `at`
    itself where no opening is known: it is judged once one is (`dialer/shut_retries.py`)."""
    return f"""coalesce((
        SELECT CASE WHEN opens_at <= {at} THEN {at}
            ELSE opens_at + random() * least(interval '{SPREAD_SECONDS} s', closes_at - opens_at) END
        FROM opening WHERE opening.campaign_id = {campaign} AND opening.zone_group = {group} AND closes_at > {at}
        ORDER BY opens_at LIMIT 1), {at})"""


def not_expired(contact: str) -> str:
    """Whether a contact may still be called: its `expires_at`, where it has one, has not come."""
    return f"({contact}.expires_at IS NULL OR {contact}.expires_at > now())"


_FIRST = f"""
    SELECT next_attempt_at, wait_reason FROM contact
    WHERE campaign_id = wanted.campaign_id AND zone_group = zone.zone_group AND waiting
        AND status = 'pending' AND {not_expired("contact")} ORDER BY next_attempt_at NULLS FIRST, id LIMIT 1"""

# Groups without anybody who is due take no part of what is read. The last opening that has begun, since none overlap.
OPEN_GROUPS = f"""
    SELECT zone.zone_group,
        greatest(ceil(wanted.most::float8 / count(*) OVER ()), least(wanted.most, 8))::int AS most
    FROM campaign_zone AS zone,
        LATERAL (SELECT closes_at FROM opening WHERE opening.campaign_id = zone.campaign_id
            AND opening.zone_group = zone.zone_group AND opens_at <= now() ORDER BY opens_at DESC LIMIT 1) AS begun,
        LATERAL ({_FIRST}) AS first
    WHERE campaign.windows IS NOT NULL AND {_CURRENT_TABLES} AND zone.campaign_id = wanted.campaign_id
        AND begun.closes_at > now()
        AND (first.next_attempt_at IS NULL OR first.next_attempt_at <= now())"""
"""Of a campaign that is `wanted` with `most` contacts: the groups that may be called now, in which somebody is due,
and how many to read of each."""

# Of each group the first who waits, and the first moment within an opening from then on; `waits_for_it`, where the
# opening is what it waits for. Where every group is outside, the next opening is told, whoever is called later in it.
# `beyond`: who waits for longer than openings are known waits for his own time, until they are.
NEXT_IN_WINDOW = f"""
    SELECT (array_agg(due_at ORDER BY due_at))[1] AS due_at,
        CASE WHEN bool_and(outside OR beyond) AND NOT (array_agg(beyond ORDER BY due_at))[1] THEN min(opens_at)
            ELSE min(due_at) END AS told_at,
        NOT (array_agg(beyond ORDER BY due_at))[1] AND (bool_and(outside OR beyond)
            OR coalesce((array_agg(waits_for_it ORDER BY due_at))[1], true)) AS of_window,
        count(due_at) = 0 AS never, (array_agg(wait_reason ORDER BY due_at))[1] AS wait_reason
    FROM campaign_zone AS zone, LATERAL ({_FIRST}) AS first,
        LATERAL (SELECT coalesce(first.next_attempt_at, '-infinity') AS wanted_at) AS at_first
        LEFT JOIN LATERAL (SELECT opens_at, closes_at FROM opening WHERE opening.campaign_id = zone.campaign_id
            AND opening.zone_group = zone.zone_group AND closes_at > greatest(wanted_at, now())
            ORDER BY opens_at LIMIT 1) AS opening ON {_CURRENT_TABLES},
        LATERAL (SELECT opens_at IS NULL AND wanted_at > now() AND {_CURRENT_TABLES} AND EXISTS (
            SELECT FROM opening AS known WHERE known.campaign_id = zone.campaign_id
                AND known.zone_group = zone.zone_group) AS beyond) AS behind,
        LATERAL (SELECT CASE WHEN beyond THEN wanted_at
                WHEN opens_at IS NOT NULL THEN greatest(wanted_at, opens_at) END AS due_at,
            opens_at > greatest(wanted_at, now()) AS waits_for_it,
            NOT {is_open("zone.campaign_id", "zone.zone_group")} AS outside) AS each_group
    WHERE campaign.windows IS NOT NULL AND zone.campaign_id = wanted.campaign_id
    HAVING count(*) > 0"""
"""Of a campaign that is `wanted`: when the first of those who wait is due within a window, what to tell of it, and
whether it is the window that is waited for."""
