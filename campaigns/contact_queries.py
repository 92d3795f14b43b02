"""Reads contacts for the API.

Each statement is one snapshot, and PostgreSQL writes the JSON: what a page costs the web process does not depend on
how long it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from campaigns import contact_pages
from campaigns.contact_pages import TOLD_STATUS, WAITS_NO_MORE, Called, Start, Wanted, within
from campaigns.queries import COUNTS, ClientKeys, counts_of, json_text
from models import rows


def told_time(column: str) -> str:
    """A time as the API tells it."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


# The zones of a contact's group, joined to it: one look for a page, where a part of each row would be one for each.
# Its columns have other names than those of a contact.
_WITH_ZONES = """LEFT JOIN campaign_zone AS known (of_campaign, of_group, known_zones)
        ON of_campaign = c.id AND of_group = zone_group"""
_ZONES = (
    "CASE WHEN known_zones <> '[]' THEN known_zones ELSE to_jsonb(array_remove(ARRAY[c.time_zone], NULL)) END"
)
_CONTACT = f"""
    json_build_object('id', id, 'phone_number', split_part(phone_number, ':', 1),
        'status', {TOLD_STATUS}, 'disposition', disposition,
        'attempts', attempts,
        'next_attempt_at', CASE WHEN NOT {WAITS_NO_MORE} THEN {told_time("next_attempt_at")} END,
        'last_cause', last_cause, 'priority', priority, 'expires_at', {told_time("expires_at")},
        'external_id', custom_fields ->> 'external_id', 'metadata', metadata,
        'custom_fields', custom_fields, 'consent_at', {told_time("consent_at")}, 'consent_source', consent_source,
        'created_at', {told_time("created_at")},
        'updated_at', {told_time("updated_at")},
        'phone_numbers', coalesce(numbers, ARRAY[split_part(phone_number, ':', 1)]), 'time_zones', {_ZONES},
        'wait_reason', CASE WHEN NOT {WAITS_NO_MORE} THEN wait_reason END)"""


EVERYBODY, BEGINNING = Wanted(), Start()


@dataclass(frozen=True, slots=True)
class ContactPage:
    """Contacts as the JSON that tells of them, and how many there are on all pages; None where nobody counts them.
    `looked_to`: the last contact that was looked at, where the page was ended before it was full."""

    contacts: str
    total: int | None
    looked_to: uuid.UUID | None = None


def contacts(
    campaign_id: uuid.UUID,
    tenant_id: str,
    wanted: Wanted = EVERYBODY,
    *,
    limit: int,
    offset: int,
    start: Start = BEGINNING,
) -> ContactPage | None:
    """A page of those contacts of a campaign that are `wanted`; None where this tenant has no such campaign.

    Those behind `start`, but the first `offset` of them. How many match, the campaign's own counts say, by status.
    """
    page = contact_pages.page(campaign_id, wanted, limit, offset, start)
    found = rows(
        f"""
        SELECT n.*, c.purged_at IS NOT NULL AS purged, told.contacts,
            CASE WHEN told.listed < %s THEN {page.looked_to} END AS looked_to
        FROM campaign c {COUNTS} CROSS JOIN LATERAL (
            SELECT coalesce(json_agg({_CONTACT} ORDER BY {page.order}), '[]')::text AS contacts, count(*) AS listed
            FROM ({page.sql}) AS page {_WITH_ZONES}
        ) AS told
        WHERE c.tenant_id = %s AND c.id = %s AND c.deleted_at IS NULL""",
        limit,
        *page.looked_to_params,
        *page.params,
        tenant_id,
        campaign_id,
    )
    if not found:
        return None
    if found[0]["purged"]:
        return ContactPage("[]", 0)
    total = counts_of(found[0])[wanted.status or "total"] if wanted.kept else None
    return ContactPage(found[0]["contacts"], total, found[0]["looked_to"])


def contacts_by_key(
    campaign_id: uuid.UUID, tenant_id: str, wanted: Wanted, keys: ClientKeys, *, limit: int, offset: int
) -> ContactPage | None:
    """As `contacts`, of those with these `keys`, each of which an index knows; called at any time."""
    condition, params = "campaign_id = c.id", list[object]()
    if keys.external_id is not None:
        condition += """ AND custom_fields ? 'external_id' AND md5(custom_fields ->> 'external_id') = md5(%s)
            AND custom_fields ->> 'external_id' = %s"""
        params += [keys.external_id, keys.external_id]
    if keys.metadata is not None:
        condition += " AND metadata <> '{}' AND metadata @> %s::jsonb"
        params.append(json_text(keys.metadata))
    if wanted.status is not None:
        condition += f" AND {TOLD_STATUS} = %s"
        params.append(wanted.status)
    if wanted.disposition is not None:
        condition += " AND disposition = %s"
        params.append(wanted.disposition)
    order = "position DESC" if wanted.newest else "position"
    found = rows(
        f"""
        SELECT (SELECT count(*) FROM contact WHERE {condition}) AS total, (
            SELECT coalesce(json_agg({_CONTACT} ORDER BY {order}), '[]')::text FROM (
                SELECT * FROM contact WHERE {condition} ORDER BY {order} LIMIT %s OFFSET %s
            ) AS page {_WITH_ZONES}
        ) AS contacts FROM campaign c WHERE c.tenant_id = %s AND c.id = %s AND c.deleted_at IS NULL""",
        *params,
        *params,
        limit,
        offset,
        tenant_id,
        campaign_id,
    )
    return ContactPage(found[0]["contacts"], found[0]["total"]) if found else None


def contact(campaign_id: uuid.UUID, contact_id: uuid.UUID) -> str:
    """One contact of a campaign as the JSON that tells of it; it is there."""
    found = rows(
        f"""
        SELECT (SELECT {_CONTACT}::text FROM contact {_WITH_ZONES} WHERE id = %s) AS contact
        FROM campaign c WHERE c.id = %s""",
        contact_id,
        campaign_id,
    )
    told: str = found[0]["contact"]
    return told


def contact_of(campaign_id: uuid.UUID, tenant_id: str, contact_id: uuid.UUID) -> str | None:
    """One contact as the JSON that tells of it; None where this tenant's campaign has no such."""
    found = rows(
        f"""
        SELECT (SELECT {_CONTACT}::text FROM contact {_WITH_ZONES} WHERE campaign_id = c.id AND id = %s) AS contact
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
            SELECT contact.* FROM contact JOIN theirs USING (id) ORDER BY position LIMIT %s OFFSET %s
        ) AS page {_WITH_ZONES}
    ) AS contacts FROM campaign c
    WHERE c.tenant_id = %s AND c.id = %s AND c.deleted_at IS NULL AND c.purged_at IS NULL"""


def contacts_by_number(
    campaign_id: uuid.UUID, tenant_id: str, phone_number: str, *, limit: int, offset: int
) -> ContactPage:
    """As `contacts`, of those who have an E.164 number among theirs: one at most, but where `duplicates` is off."""
    named = (campaign_id, phone_number)
    found = rows(_BY_NUMBER, *named, *named, limit, offset, tenant_id, campaign_id)
    return ContactPage(found[0]["contacts"], found[0]["total"]) if found else ContactPage("[]", 0)


def contacts_of_tenant(tenant_id: str, phone_number: str, limit: int) -> Sequence[Mapping[str, object]]:
    """Everybody who has this number among theirs, in all campaigns of a tenant, the newest campaign first: the
    campaign's id, name, status and end, and the contact as JSON. Each campaign is looked at by its index."""
    return rows(
        f"""
        SELECT c.id AS campaign_id, c.name AS campaign_name, c.status AS campaign_status, c.end_reason,
            (SELECT {_CONTACT}::text FROM contact {_WITH_ZONES} WHERE id = c.contact_id) AS contact
        FROM (
            SELECT campaign.*, theirs.id AS contact_id FROM (
                SELECT contact.id, contact.campaign_id FROM campaign
                JOIN contact ON contact.campaign_id = campaign.id AND contact.phone_number = %s
                WHERE campaign.tenant_id = %s
                UNION
                SELECT contact.id, contact.campaign_id FROM contact
                JOIN campaign ON campaign.id = contact.campaign_id
                WHERE contact.numbers @> ARRAY[%s::text] AND campaign.tenant_id = %s
            ) AS theirs JOIN campaign ON campaign.id = theirs.campaign_id
            WHERE campaign.deleted_at IS NULL AND campaign.purged_at IS NULL AND NOT campaign.single_call
            ORDER BY campaign.created_at DESC, campaign.id DESC, theirs.id LIMIT %s
        ) AS c ORDER BY c.created_at DESC, c.id DESC, c.contact_id""",
        *(phone_number, tenant_id) * 2,
        limit,
    )


def start_of(campaign_id: uuid.UUID, contact_id: uuid.UUID, called: Called | None) -> Start | None:
    """Where a contact stands in its campaign's list, or among those who were called at a time; None where it is not
    there."""
    if called is None:
        found = rows(
            "SELECT position FROM contact WHERE campaign_id = %s AND id = %s", campaign_id, contact_id
        )
        return Start(position=found[0]["position"]) if found else None
    where, params = within(called, "call")
    found = rows(
        f"""
        SELECT created_at, id FROM call WHERE contact_id = %s AND campaign_id = %s{where}
        ORDER BY seq DESC LIMIT 1""",
        contact_id,
        campaign_id,
        *params,
    )
    return Start(call=(found[0]["created_at"], found[0]["id"])) if found else None
