"""Reads campaigns for the API. Each statement is one snapshot, so the counts always add up."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

import orjson

from campaigns.call_outcomes import RECENT, rate
from models import ContactStatus, rows

_IMPORT_FIELDS = ("rows", "accepted", "duplicates", "invalid", "suppressed", "recent", "columns", "warnings")


# Who still waits in a campaign that has ended is about to be cancelled (`campaigns.stopping`), and told so.
COUNTS = """
    CROSS JOIN LATERAL (
        SELECT CASE WHEN c.stopping_at IS NULL THEN coalesce(sum(pending), 0) ELSE 0 END::int AS pending,
            coalesce(sum(originated), 0)::int AS originated, coalesce(sum(connected), 0)::int AS connected,
            coalesce(sum(completed), 0)::int AS completed, coalesce(sum(failed), 0)::int AS failed,
            coalesce(sum(CASE WHEN c.stopping_at IS NULL THEN cancelled ELSE cancelled + pending END), 0)::int
                AS cancelled
        FROM campaign_count WHERE campaign_id = c.id) AS n"""
_COLUMNS = """
    c.id, c.name, c.agent_id, c.phone_number_id, c.status, c.max_concurrent_calls, c.retries_per_contact,
    c.retry_delay_seconds, c.retry_rules, c.dial_order, c.scheduled_at, c.started_at, c.completed_at,
    c.created_at, c.created_by, c.end_reason, c.blocked_reason, c.blocked_since, c.next_action_at, c.weight,
    c.slow_start, c.keep_open, c.end_at, c.time_zone, c.windows, c.holidays, c.policy_packs, c.purpose,
    c.key_column, c.duplicates, c.duplicates_hours, c.external_id, c.metadata, c.cloned_from,
    c.breaker_exempt_at, c.breaker_exempt_by,
    c.purged_at, c.cloned_from IS NOT NULL OR EXISTS (SELECT FROM campaign AS clone
        WHERE clone.family_id = c.id AND clone.deleted_at IS NULL) AS of_family,
    c.status IN ('running', 'paused') AND c.breaker_exempt_at IS NULL
        AND EXISTS (SELECT FROM breaker WHERE released_at IS NULL) AS may_be_held"""
_IMPORT = """
    c.import_rows AS import__rows, c.import_accepted AS import__accepted, c.import_duplicates AS import__duplicates,
    c.import_invalid AS import__invalid, c.import_suppressed AS import__suppressed,
    c.import_recent AS import__recent, coalesce(c.import_columns, '[]') AS import__columns,
    coalesce(c.import_warnings, '[]') AS import__warnings"""
_CAMPAIGN = f"""
    SELECT {_COLUMNS}, {_IMPORT}, n.* FROM campaign c {COUNTS}
    WHERE c.tenant_id = %s AND c.deleted_at IS NULL"""


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
    purged_at: datetime | None
    counts: Mapping[str, int]
    import_: Mapping[str, object]


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
        params.append(json_text(keys.metadata))
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


def json_text(value: Mapping[str, str]) -> str:
    """Of what a statement takes as jsonb."""
    return orjson.dumps(dict(value)).decode()


def snapshot(campaign_id: uuid.UUID) -> Snapshot | None:
    """What the event stream tells of a campaign every few seconds; None where it is gone.

    `calls_per_second` is the mean over the last five seconds.
    """
    found = rows(
        f"""
        SELECT c.status, c.blocked_reason, c.scheduled_at, c.end_at, n.*, now() AS at, {RECENT}
        FROM campaign c {COUNTS} WHERE c.id = %s AND c.deleted_at IS NULL""",
        campaign_id,
    )
    if not found:
        return None
    row = found[0]
    counts = counts_of(row)
    return {
        "campaign_id": str(campaign_id),
        "status": row["status"],
        "counts": counts,
        "in_flight": counts["originated"] + counts["connected"],
        "calls_per_second": rate(row["recent"]),
        "blocked_reason": row["blocked_reason"],
        "scheduled_at": row["scheduled_at"],
        "end_at": row["end_at"],
        "at": row["at"],
    }


def counts_of(row: Mapping[str, Any]) -> dict[str, int]:
    counts = {str(status): row[status] for status in ContactStatus}
    return {"total": sum(counts.values()), **counts}


def _campaign_row(row: dict[str, Any]) -> CampaignRow:
    counts = counts_of(row)
    imported = {name: row.pop(f"import__{name}") for name in _IMPORT_FIELDS}
    own = {name: value for name, value in row.items() if name not in counts}
    return CampaignRow(**own, counts=counts, import_=imported)
