"""Takes those off the lists whose number is suppressed: pending contacts become `cancelled`, a slice at a time. One
who has another number goes on with that, if the window ever opens for it, and stays.

An entry is news until nobody is pending whom it concerns, and nobody in a call who might become so again, or until it
binds no more. Besides, a claim names those that it had to leave, for whatever was missed: a contact that was imported
at the very moment, an entry of another release. Every change is a compare-and-set; who is locked just now is looked
at again.
"""

from __future__ import annotations

import uuid
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from campaigns.campaign_log import NOTE_CANCELLED
from campaigns.dispositions import SUPPRESSED
from campaigns.further_numbers import goes_on, has_other, opens_for
from campaigns.suppression_match import BINDS, EVERY_CAMPAIGN, EVERYBODY, suppressed
from models import db, rows, transaction

SLICE = 500
"""Entries looked at in one transaction."""
MOST = 5_000
"""Contacts cancelled in one transaction."""
SHORT_PREFIX = 7
"""Characters of a prefix, its plus counted, up to which the contacts of its tenant are fewer than all tenants'
that begin with it."""
NEWS = "EXISTS (SELECT FROM suppression_news)"
"""Whether an entry may concern somebody who is pending: a part of the statement with which a dialer looks."""

_LIST_OF = "coalesce(campaign.test_of, campaign.id)"
"""Whose entries bind a contact: a test call's those of the campaign that it tries."""
_FIRST = uuid.UUID(int=0)
_NEWS = f"""
SELECT news.suppression_id AS id, entry.scope, entry.campaign_id::text, entry.number, entry.prefix,
    entry.id IS NOT NULL AND {BINDS} AS binds
FROM suppression_news AS news LEFT JOIN suppression AS entry ON entry.id = news.suppression_id
WHERE news.suppression_id > %s ORDER BY news.suppression_id LIMIT %s FOR UPDATE OF news SKIP LOCKED
"""
# The digits end where ':' begins. The rest of a campaign that has ended is cancelled by who ended it. OFFSET
# keeps the planner from reading the contacts of all campaigns at once.
_CONCERNED = f"""
    SELECT found.entry_id, found.contact_id, found.number FROM (
        SELECT entry.id AS entry_id, entry.scope, entry.campaign_id AS only, contact.id AS contact_id,
            contact.campaign_id, contact.phone_number AS number
        FROM suppression AS entry JOIN contact ON contact.waiting AND contact.phone_number = entry.number
        WHERE entry.id = ANY(%(entries)s) AND entry.number IS NOT NULL AND {BINDS}
        UNION ALL
        SELECT entry.id, entry.scope, entry.campaign_id, contact.id, contact.campaign_id, contact.phone_number
        FROM suppression AS entry JOIN contact ON contact.waiting
            AND contact.phone_number ~>=~ entry.prefix AND contact.phone_number ~<~ (entry.prefix || ':')
        WHERE entry.id = ANY(%(entries)s) AND {BINDS}
            AND (entry.scope = '{EVERYBODY}' OR length(entry.prefix) > {SHORT_PREFIX})
        UNION ALL
        SELECT entry.id, entry.scope, entry.campaign_id, contact.id, contact.campaign_id, contact.phone_number
        FROM (
            SELECT DISTINCT entry.scope, entry.campaign_id AS only, length(entry.prefix) AS length
            FROM suppression AS entry
            WHERE entry.id = ANY(%(entries)s) AND entry.scope <> '{EVERYBODY}'
                AND length(entry.prefix) <= {SHORT_PREFIX} AND {BINDS}
        ) AS known JOIN campaign ON campaign.tenant_id = known.scope
            AND campaign.status NOT IN ('completed', 'failed') AND known.only IN ('{EVERY_CAMPAIGN}', {_LIST_OF})
        CROSS JOIN LATERAL (
            SELECT id, campaign_id, phone_number FROM contact WHERE contact.campaign_id = campaign.id AND waiting
            OFFSET 0
        ) AS contact JOIN suppression AS entry ON entry.prefix = left(contact.phone_number, known.length)
            AND entry.scope = known.scope AND entry.campaign_id = known.only
        WHERE entry.id = ANY(%(entries)s) AND {BINDS}
    ) AS found JOIN campaign ON campaign.id = found.campaign_id
    WHERE campaign.status NOT IN ('completed', 'failed') AND found.scope IN ('{EVERYBODY}', campaign.tenant_id)
        AND found.only IN ('{EVERY_CAMPAIGN}', {_LIST_OF})"""
_NAMED = f"""
    SELECT contact.id AS contact_id, contact.phone_number AS number
    FROM unnest(%(contacts)s::uuid[], %(numbers)s::text[], %(digests)s::bytea[]) AS named (id, number, digest)
        JOIN contact ON contact.id = named.id JOIN campaign ON campaign.id = contact.campaign_id
    WHERE contact.phone_number = named.number AND contact.status = 'pending'
        AND campaign.status NOT IN ('completed', 'failed') AND {
    suppressed("contact.phone_number", tenant="campaign.tenant_id", campaign=_LIST_OF, digest="named.digest")
}"""
_WITHOUT = "SELECT id AS contact_id FROM unnest(%(contacts)s::uuid[]) AS named (id)"
# Who goes on with another number while this looks is locked as he is by then, and concerned no more.
_STILL = "AND EXISTS (SELECT FROM whom WHERE contact_id = contact.id AND number = contact.phone_number)"
_FREE = f"""
WITH whom AS MATERIALIZED (
    {{whom}} LIMIT {MOST}
), free AS (
    SELECT id, {{other}} AS other FROM contact
    WHERE id = ANY(ARRAY(SELECT contact_id FROM whom)) AND status = 'pending' {{still}}
    ORDER BY id FOR UPDATE SKIP LOCKED
)"""
_USABLE = opens_for("contact", "(SELECT windows FROM campaign WHERE campaign.id = contact.campaign_id)")
_HAS_OTHER = has_other("contact", _USABLE)
# Its next number is asked about when its turn comes. What its last one waited for is no matter of that.
_GO_ON = f"""{_FREE.format(other=_HAS_OTHER, whom="{whom}", still=_STILL)}, gone_on AS (
    UPDATE contact SET {goes_on("contact", _USABLE, strike=True)},
        next_attempt_at = CASE WHEN wait_reason IS NULL THEN next_attempt_at END, wait_reason = NULL,
        updated_at = now()
    FROM free WHERE contact.id = free.id AND free.other
    RETURNING contact.campaign_id
)
SELECT campaign_id::text, count(*)::int AS n FROM gone_on GROUP BY campaign_id"""
_CANCEL = f"""{_FREE.format(other="{other}", whom="{whom}", still="{still}")}, cancelled AS (
    UPDATE contact SET status = 'cancelled', disposition = '{SUPPRESSED}', next_attempt_at = NULL,
        version = version + 1, updated_at = now()
    FROM free WHERE contact.id = free.id AND NOT free.other
    RETURNING contact.campaign_id, contact.id, contact.version, contact.attempts, contact.last_cause
), told AS (
    INSERT INTO transition (campaign_id, contact_id, version, status, disposition, attempt, cause, owner)
    SELECT campaign_id, id, version, 'cancelled', '{SUPPRESSED}', NULLIF(attempts, 0), last_cause, %(owner)s
    FROM cancelled
), counted AS (
    INSERT INTO campaign_count (campaign_id, lane, pending, cancelled)
    SELECT campaign_id, %(lane)s, -count(*), count(*) FROM cancelled GROUP BY campaign_id ORDER BY campaign_id
    ON CONFLICT (campaign_id, lane) DO UPDATE SET pending = campaign_count.pending + excluded.pending,
        cancelled = campaign_count.cancelled + excluded.cancelled
), noted AS ({NOTE_CANCELLED.format(reason=SUPPRESSED, cancelled="cancelled")})
SELECT campaign_id::text, count(*)::int AS n FROM cancelled GROUP BY campaign_id"""
CANCEL_CONCERNED = _CANCEL.format(other=_HAS_OTHER, whom=_CONCERNED, still=_STILL)
"""Cancels whom entries concern and who has no other number."""
CANCEL_NAMED = _CANCEL.format(other=_HAS_OTHER, whom=_NAMED, still=_STILL)
"""Cancels those of named contacts whose number is suppressed and who have no other."""
GO_ON_CONCERNED, GO_ON_NAMED = _GO_ON.format(whom=_CONCERNED), _GO_ON.format(whom=_NAMED)
"""Has whom entries concern, or of named contacts the suppressed, go on with another number."""
_CANCEL_ALL = _CANCEL.format(other="false", whom=_WITHOUT, still="")
_LEFT = f"SELECT DISTINCT entry_id FROM ({_CONCERNED}) AS concerned"
IN_CALLS = """
    SELECT tenant_id, coalesce((SELECT test_of FROM campaign WHERE id = call.campaign_id), campaign_id)::text
        AS campaign_id, phone_number
    FROM call WHERE ended_at IS NULL"""
"""The numbers that are being called."""
_KNOWN = "DELETE FROM suppression_news WHERE suppression_id = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What one transaction did. `campaigns`: whose contacts were cancelled, or went on with another number; `last` is
    the last entry that was looked at, None where there was none."""

    campaigns: tuple[str, ...]
    last: uuid.UUID | None = None


class InCalls:
    """Who is in a call: of which tenant and campaign, and the number."""

    def __init__(self, calls: Iterable[tuple[str, str, str]] = ()) -> None:
        self._whose: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        for tenant_id, campaign_id, number in calls:
            self._whose[number].add((tenant_id, campaign_id))
        self._sorted = sorted(self._whose)

    def concerns(self, entry: dict[str, Any]) -> bool:
        """Whether an entry binds somebody of these."""
        if not entry["binds"]:
            return False
        return any(
            entry["scope"] in (EVERYBODY, tenant_id) and entry["campaign_id"] in (EVERY_CAMPAIGN, campaign_id)
            for number in self._numbers(entry["number"], entry["prefix"])
            for tenant_id, campaign_id in self._whose[number]
        )

    def _numbers(self, number: str | None, prefix: str | None) -> Iterable[str]:
        if number is not None:
            return (number,) if number in self._whose else ()
        return () if prefix is None else self._beginning(prefix)

    def _beginning(self, prefix: str) -> Iterable[str]:
        for place in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            if not self._sorted[place].startswith(prefix):
                return
            yield self._sorted[place]


def in_calls() -> InCalls:
    """Who is in a call: these contacts may be pending again."""
    with db.connection_context():
        found = rows(IN_CALLS)
    return InCalls((row["tenant_id"], row["campaign_id"], row["phone_number"]) for row in found)


def cancel_slice(owner: str, busy: InCalls, after: uuid.UUID | None = None) -> Cancelled:
    """Cancel whom the next SLICE entries of the news concern, past `after`; those that concern nobody any more are no
    news then. `busy` is who is in a call, read before. In a transaction of its own; `owner` names whose
    transition rows these are."""
    with transaction():
        news = rows(_NEWS, after or _FIRST, SLICE)
        if not news:
            return Cancelled(())
        asked = {"entries": [row["id"] for row in news]}
        ours = {"owner": owner, "lane": f"{owner}:suppressed"}
        cancelled = db.execute_sql(CANCEL_CONCERNED, asked | ours).fetchall()
        cancelled += db.execute_sql(GO_ON_CONCERNED, asked).fetchall()
        left = {entry_id for (entry_id,) in db.execute_sql(_LEFT, asked).fetchall()}
        known = [row["id"] for row in news if row["id"] not in left and not busy.concerns(row)]
        rows(_KNOWN, known)
    return Cancelled(_campaigns(cancelled), news[-1]["id"])


def cancel_named(
    owner: str, contacts: Sequence[str], numbers: Sequence[str], digests: Sequence[bytes | None]
) -> Cancelled:
    """Cancel those of these contacts that are pending and whose number of now, which has to be that of `numbers`, is
    suppressed, and have them go on that have another; `digests` are the keyed hashes of those numbers."""
    asked = {"contacts": list(contacts), "numbers": list(numbers), "digests": list(digests)}
    ours = {"owner": owner, "lane": f"{owner}:suppressed"}
    with transaction():
        cancelled = db.execute_sql(CANCEL_NAMED, asked | ours).fetchall()
        cancelled += db.execute_sql(GO_ON_NAMED, asked).fetchall()
    return Cancelled(_campaigns(cancelled))


def cancel_all(owner: str, contacts: Sequence[str]) -> Cancelled:
    """Cancel those of these contacts that are pending, whatever numbers they have."""
    asked = {"contacts": list(contacts), "owner": owner, "lane": f"{owner}:suppressed"}
    with transaction():
        cancelled = db.execute_sql(_CANCEL_ALL, asked).fetchall()
    return Cancelled(_campaigns(cancelled))


def _campaigns(moved: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(campaign_id for campaign_id, _ in moved))
