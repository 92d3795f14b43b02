"""Reads campaigns and contacts for the API. Each statement is one snapshot, so the counts always add up."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

import orjson

from models import ContactStatus, rows

RATE_WINDOW_SECONDS = 5
BLOCK = 200
"""Positions of a list that `contact_block` marks as one (`migrations/0021_contact_blocks.py`)."""
_IMPORT_FIELDS = ("rows", "accepted", "duplicates", "invalid", "suppressed", "recent", "columns", "warnings")


def _told_time(column: str) -> str:
    """A time as the API tells it."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


# Who still waits in a campaign that has ended is about to be cancelled (`campaigns.stopping`), and told so.
_COUNTS = """
    CROSS JOIN LATERAL (
        SELECT CASE WHEN c.stopping_at IS NULL THEN coalesce(sum(pending), 0) ELSE 0 END::int AS pending,
            coalesce(sum(originated), 0)::int AS originated, coalesce(sum(connected), 0)::int AS connected,
            coalesce(sum(completed), 0)::int AS completed, coalesce(sum(failed), 0)::int AS failed,
            coalesce(sum(CASE WHEN c.stopping_at IS NULL THEN cancelled ELSE cancelled + pending END), 0)::int
                AS cancelled
        FROM campaign_count WHERE campaign_id = c.id) AS n"""
_WAITS_NO_MORE = "(c.stopping_at IS NOT NULL AND status = 'pending')"
_WITHOUT_GAPS = "c.import_suppressed + c.import_recent = 0"
_COLUMNS = """
    c.id, c.name, c.agent_id, c.phone_number_id, c.status, c.max_concurrent_calls, c.retries_per_contact,
    c.retry_delay_seconds, c.retry_rules, c.dial_order, c.scheduled_at, c.started_at, c.completed_at,
    c.created_at, c.created_by, c.end_reason, c.blocked_reason, c.blocked_since, c.next_action_at, c.weight,
    c.slow_start, c.keep_open, c.end_at, c.time_zone, c.windows, c.holidays, c.policy_packs, c.purpose,
    c.key_column, c.duplicates, c.duplicates_hours, c.external_id, c.metadata, c.cloned_from,
    c.breaker_exempt_at, c.breaker_exempt_by,
    c.cloned_from IS NOT NULL OR EXISTS (SELECT FROM campaign AS clone
        WHERE clone.family_id = c.id AND clone.deleted_at IS NULL) AS of_family,
    c.status IN ('running', 'paused') AND c.breaker_exempt_at IS NULL
        AND EXISTS (SELECT FROM breaker WHERE released_at IS NULL) AS may_be_held"""
_IMPORT = """
    c.import_rows AS import__rows, c.import_accepted AS import__accepted, c.import_duplicates AS import__duplicates,
    c.import_invalid AS import__invalid, c.import_suppressed AS import__suppressed,
    c.import_recent AS import__recent, coalesce(c.import_columns, '[]') AS import__columns,
    coalesce(c.import_warnings, '[]') AS import__warnings"""
_CAMPAIGN = f"""
    SELECT {_COLUMNS}, {_IMPORT}, n.* FROM campaign c {_COUNTS}
    WHERE c.tenant_id = %s AND c.deleted_at IS NULL"""
_CONTACT = f"""
    json_build_object('id', id, 'phone_number', split_part(phone_number, ':', 1),
        'status', CASE WHEN {_WAITS_NO_MORE} THEN 'cancelled' ELSE status END, 'disposition', disposition,
        'attempts', attempts,
        'next_attempt_at', CASE WHEN NOT {_WAITS_NO_MORE} THEN {_told_time("next_attempt_at")} END,
        'last_cause', last_cause, 'priority', priority, 'expires_at', {_told_time("expires_at")},
        'external_id', custom_fields ->> 'external_id', 'metadata', metadata,
        'custom_fields', custom_fields, 'consent_at', {_told_time("consent_at")}, 'consent_source', consent_source,
        'created_at', {_told_time("created_at")},
        'updated_at', {_told_time("updated_at")},
        'phone_numbers', coalesce(numbers, ARRAY[split_part(phone_number, ':', 1)]))"""


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign with how many contacts are in each state, and what became of the rows of its list.

    `of_family`: it is a clone or was cloned. `may_be_held`: a breaker holds something, of this campaign or another.
    With these one that has neither costs no further statement.
    """

    id: uuid.UUID
    name: str
    agent_id: uuid.UUID
    phone_number_id: uuid.UUID
    status: str
    max_concurrent_calls: int
    retries_per_contact: int
    retry_delay_seconds: int
    retry_rules: Mapping[str, object]
    dial_order: str
    scheduled_at: datetime | None
    end_at: datetime | None
    time_zone: str | None
    started_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    created_by: str
    end_reason: str | None
    blocked_reason: str | None
    blocked_since: datetime | None
    next_action_at: datetime | None
    weight: int
    slow_start: bool
    keep_open: bool
    external_id: str | None
    metadata: Mapping[str, str]
    cloned_from: uuid.UUID | None
    windows: Sequence[Mapping[str, object]] | None
    holidays: Mapping[str, object] | None
    policy_packs: str
    purpose: str | None
    key_column: str | None
    breaker_exempt_at: datetime | None
    breaker_exempt_by: str | None
    of_family: bool
    may_be_held: bool
    duplicates: str
    duplicates_hours: int | None
    counts: Mapping[str, int]
    import_: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ContactPage:
    """Contacts as the JSON that tells of them, and how many there are on all pages."""

    contacts: str
    total: int


class Snapshot(TypedDict):
    """A campaign's figures at one moment."""

    campaign_id: str
    status: str
    counts: Mapping[str, int]
    in_flight: int
    calls_per_second: float
    blocked_reason: str | None
    scheduled_at: datetime | None
    end_at: datetime | None
    at: datetime


def campaign(campaign_id: uuid.UUID, tenant_id: str) -> CampaignRow | None:
    """One campaign with its `counts` and `import`, or None where this tenant has no such."""
    found = rows(f"{_CAMPAIGN} AND c.id = %s", tenant_id, campaign_id)
    return _campaign_row(found[0]) if found else None


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a client calls what it looks for: an external id, and metadata that must be there."""

    external_id: str | None = None
    metadata: Mapping[str, str] | None = None

    def __bool__(self) -> bool:
        return self.external_id is not None or self.metadata is not None


ORDERS: Mapping[str, str] = {
    "oldest": "c.created_at, c.id",
    "newest": "c.created_at DESC, c.id DESC",
    "name": "lower(c.name), c.id",
}
"""How campaigns are listed, by the word that asks for it."""


def campaigns(
    tenant_id: str,
    limit: int,
    offset: int,
    keys: ClientKeys = ClientKeys(),
    *,
    status: str | None = None,
    name: str | None = None,
    order: str = "oldest",
    made_from: datetime | None = None,
    made_before: datetime | None = None,
) -> tuple[list[CampaignRow], int]:
    """A page of a tenant's campaigns in one of ORDERS, and how many there are: those with these `keys`, in this
    state, whose name has `name` in it, in letters of either case, and which were made within that time."""
    condition, params = " AND NOT c.single_call", list[object]([tenant_id])
    if keys.external_id is not None:
        condition += " AND c.external_id = %s"
        params.append(keys.external_id)
    if keys.metadata is not None:
        condition += " AND c.metadata <> '{}' AND c.metadata @> %s::jsonb"
        params.append(_json(keys.metadata))
    if status is not None:
        condition += " AND c.status = %s"
        params.append(status)
    if name is not None:
        condition += " AND strpos(lower(c.name), lower(%s)) > 0"
        params.append(name)
    for sign, moment in ((">=", made_from), ("<", made_before)):
        if moment is not None:
            condition += f" AND c.created_at {sign} %s"
            params.append(moment)
    found = rows(
        f"{_CAMPAIGN}{condition} ORDER BY {ORDERS[order]} LIMIT %s OFFSET %s", *params, limit, offset
    )
    (total,) = rows(
        f"SELECT count(*) AS n FROM campaign c WHERE c.tenant_id = %s AND c.deleted_at IS NULL{condition}",
        *params,
    )
    return [_campaign_row(row) for row in found], total["n"]


def contacts(
    campaign_id: uuid.UUID, tenant_id: str, status: str | None, *, limit: int, offset: int, after: int = 0
) -> ContactPage | None:
    """A page of a campaign's contacts in the order of its list; None where this tenant has no such campaign.

    Those after position `after`, but the first `offset` of them. How many match, the campaign's own counts say. One
    statement, and PostgreSQL writes the JSON: what a page costs the web process does not depend on how long it is.
    """
    page, params = _page(campaign_id, status, limit, offset, after)
    found = rows(
        f"""
        SELECT n.*, c.purged_at IS NOT NULL AS purged, (
            SELECT coalesce(json_agg({_CONTACT} ORDER BY position), '[]')::text FROM ({page}) AS page
        ) AS contacts FROM campaign c {_COUNTS}
        WHERE c.tenant_id = %s AND c.id = %s AND c.deleted_at IS NULL""",
        *params,
        tenant_id,
        campaign_id,
    )
    if not found:
        return None
    if found[0]["purged"]:
        return ContactPage("[]", 0)
    return ContactPage(found[0]["contacts"], _counts(found[0])[status or "total"])


def contact(campaign_id: uuid.UUID, contact_id: uuid.UUID) -> str:
    """One contact of a campaign as the JSON that tells of it; it is there."""
    found = rows(
        f"""
        SELECT {_CONTACT}::text AS contact
        FROM (SELECT stopping_at FROM campaign WHERE id = %s) AS c CROSS JOIN contact WHERE id = %s""",
        campaign_id,
        contact_id,
    )
    told: str = found[0]["contact"]
    return told


def contacts_by_key(
    campaign_id: uuid.UUID, tenant_id: str, status: str | None, keys: ClientKeys, *, limit: int, offset: int
) -> ContactPage | None:
    """As `contacts`, of those with these `keys`, each of which an index knows."""
    condition, params = "campaign_id = c.id", list[object]()
    if keys.external_id is not None:
        condition += """ AND custom_fields ? 'external_id' AND md5(custom_fields ->> 'external_id') = md5(%s)
            AND custom_fields ->> 'external_id' = %s"""
        params += [keys.external_id, keys.external_id]
    if keys.metadata is not None:
        condition += " AND metadata <> '{}' AND metadata @> %s::jsonb"
        params.append(_json(keys.metadata))
    if status is not None:
        condition += f" AND CASE WHEN {_WAITS_NO_MORE} THEN 'cancelled' ELSE status END = %s"
        params.append(status)
    found = rows(
        f"""
        SELECT (SELECT count(*) FROM contact WHERE {condition}) AS total, (
            SELECT coalesce(json_agg({_CONTACT} ORDER BY position), '[]')::text FROM (
                SELECT * FROM contact WHERE {condition} ORDER BY position LIMIT %s OFFSET %s) AS page
        ) AS contacts FROM campaign c WHERE c.tenant_id = %s AND c.id = %s AND c.deleted_at IS NULL""",
        *params,
        *params,
        limit,
        offset,
        tenant_id,
        campaign_id,
    )
    return ContactPage(found[0]["contacts"], found[0]["total"]) if found else None


def _json(value: Mapping[str, str]) -> str:
    return orjson.dumps(dict(value)).decode()


def contact_of(campaign_id: uuid.UUID, tenant_id: str, contact_id: uuid.UUID) -> str | None:
    """One contact as the JSON that tells of it; None where this tenant's campaign has no such."""
    found = rows(
        f"""
        SELECT (SELECT {_CONTACT}::text FROM contact WHERE campaign_id = c.id AND id = %s) AS contact
        FROM campaign c WHERE c.tenant_id = %s AND c.id = %s AND c.deleted_at IS NULL AND c.purged_at IS NULL""",
        contact_id,
        tenant_id,
        campaign_id,
    )
    text: str | None = found[0]["contact"] if found else None
    return text


_BY_NUMBER = f"""
    WITH theirs AS (
        SELECT id FROM contact WHERE campaign_id = %s AND phone_number = %s
        UNION SELECT id FROM contact WHERE campaign_id = %s AND numbers @> ARRAY[%s::text]
    )
    SELECT (SELECT count(*) FROM theirs) AS total, (
        SELECT coalesce(json_agg({_CONTACT} ORDER BY position), '[]')::text FROM (
            SELECT contact.* FROM contact JOIN theirs USING (id) ORDER BY position LIMIT %s OFFSET %s) AS page
    ) AS contacts FROM campaign c
    WHERE c.tenant_id = %s AND c.id = %s AND c.deleted_at IS NULL AND c.purged_at IS NULL"""


def contacts_by_number(
    campaign_id: uuid.UUID, tenant_id: str, phone_number: str, *, limit: int, offset: int
) -> ContactPage:
    """As `contacts`, of those who have an E.164 number among theirs: one at most, but where `duplicates` is off."""
    named = (campaign_id, phone_number)
    found = rows(_BY_NUMBER, *named, *named, limit, offset, tenant_id, campaign_id)
    return ContactPage(found[0]["contacts"], found[0]["total"]) if found else ContactPage("[]", 0)


def purged_at(campaign_id: uuid.UUID) -> datetime | None:
    """Since when a campaign's contacts and calls are gone; None while they are there."""
    found = rows("SELECT purged_at FROM campaign WHERE id = %s", campaign_id)
    when: datetime | None = found[0]["purged_at"] if found else None
    return when


def _page(
    campaign_id: uuid.UUID, status: str | None, limit: int, offset: int, after: int
) -> tuple[str, tuple[object, ...]]:
    contact = "SELECT * FROM contact WHERE campaign_id = %s"
    if status is None:
        if not offset:
            return f"{contact} AND position > %s ORDER BY position LIMIT %s", (campaign_id, after, limit)
        # Positions run from 1 without a gap, so that a far page costs no more than the first: but for those that an
        # import took out of its list, after which who is passed over has to be counted.
        return (
            f"""
            {contact} AND position > %s + CASE WHEN {_WITHOUT_GAPS} THEN %s ELSE 0 END
            ORDER BY position LIMIT %s OFFSET CASE WHEN {_WITHOUT_GAPS} THEN 0 ELSE %s END""",
            (campaign_id, after, offset, limit, offset),
        )
    if status in (ContactStatus.ORIGINATED, ContactStatus.CONNECTED):
        # Who is being called has an open call, and of these there is an index.
        return (
            f"""
            {contact} AND status = %s AND position > %s AND id IN (
                SELECT contact_id FROM call WHERE campaign_id = %s AND ended_at IS NULL)
            ORDER BY position LIMIT %s OFFSET %s""",
            (campaign_id, status, after, campaign_id, limit, offset),
        )
    if status != ContactStatus.PENDING:
        # Of those who ended so, the parts of the list are marked in which there is any: they alone are read, one by
        # one, and no more of them than fill the page. The inner LIMIT keeps the planner from reading all at once.
        marked = f"""
            SELECT page.* FROM (
                SELECT DISTINCT block FROM contact_block
                WHERE campaign_id = %s AND status = %s AND block >= %s / {BLOCK} ORDER BY block
            ) AS marked CROSS JOIN LATERAL (
                {contact} AND status = %s AND position > %s
                    AND position >= block * {BLOCK} AND position < (block + 1) * {BLOCK}
                ORDER BY position LIMIT {BLOCK}
            ) AS page ORDER BY marked.block, page.position LIMIT %s OFFSET %s"""
        of_marked = (campaign_id, status, after, campaign_id, status, after)
        if status != ContactStatus.CANCELLED:
            return marked, (*of_marked, limit, offset)
        # While the rest of a stopped list is being cancelled, who waits in it is told as cancelled already.
        return (
            f"""
            SELECT * FROM (
                (SELECT * FROM ({marked}) AS cancelled)
                UNION ALL
                ({contact} AND waiting AND {_WAITS_NO_MORE} AND position > %s ORDER BY position LIMIT %s)
            ) AS told ORDER BY position LIMIT %s OFFSET %s""",
            (*of_marked, limit + offset, 0, campaign_id, after, limit + offset, limit, offset),
        )
    # Those who wait for their first call, and those who wait for another: their places first, by the index of who
    # waits alone. It has the former in the order of the list, so that no more of them is read than a page; the
    # latter, who are few, are sorted.
    place = f"SELECT position FROM contact WHERE campaign_id = %s AND waiting AND status = '{ContactStatus.PENDING}'"
    return (
        f"""
        {contact} AND position IN (
            SELECT position FROM (
                ({place} AND next_attempt_at IS NULL AND position > %s
                    ORDER BY next_attempt_at NULLS FIRST, position LIMIT %s)
                UNION ALL
                ({place} AND next_attempt_at IS NOT NULL AND position > %s ORDER BY position LIMIT %s)
            ) AS places WHERE c.stopping_at IS NULL ORDER BY position LIMIT %s OFFSET %s)""",
        (campaign_id, *(campaign_id, after, limit + offset) * 2, limit, offset),
    )


def position(campaign_id: uuid.UUID, contact_id: uuid.UUID) -> int | None:
    """Where a contact stands in its campaign's list, from 1; None where it is not in it."""
    found = rows("SELECT position FROM contact WHERE campaign_id = %s AND id = %s", campaign_id, contact_id)
    return found[0]["position"] if found else None


def snapshot(campaign_id: uuid.UUID) -> Snapshot | None:
    """What the event stream tells of a campaign every few seconds; None where it is gone.

    `calls_per_second` is the mean over the last five seconds.
    """
    found = rows(
        f"""
        SELECT c.status, c.blocked_reason, c.scheduled_at, c.end_at, n.*, now() AS at, (
            SELECT count(*) FROM call WHERE campaign_id = c.id
                AND created_at > now() - interval '1 second' * %s AND created_at <= now()
        ) AS recent FROM campaign c {_COUNTS} WHERE c.id = %s AND c.deleted_at IS NULL""",
        RATE_WINDOW_SECONDS,
        campaign_id,
    )
    if not found:
        return None
    row = found[0]
    counts = _counts(row)
    return {
        "campaign_id": str(campaign_id),
        "status": row["status"],
        "counts": counts,
        "in_flight": counts["originated"] + counts["connected"],
        "calls_per_second": round(row["recent"] / RATE_WINDOW_SECONDS, 1),
        "blocked_reason": row["blocked_reason"],
        "scheduled_at": row["scheduled_at"],
        "end_at": row["end_at"],
        "at": row["at"],
    }


def _counts(row: Mapping[str, Any]) -> dict[str, int]:
    counts = {str(status): row[status] for status in ContactStatus}
    return {"total": sum(counts.values()), **counts}


def _campaign_row(row: dict[str, Any]) -> CampaignRow:
    counts = _counts(row)
    imported = {name: row.pop(f"import__{name}") for name in _IMPORT_FIELDS}
    own = {name: value for name, value in row.items() if name not in counts}
    return CampaignRow(**own, counts=counts, import_=imported)
