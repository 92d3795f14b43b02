"""Tells of each row of an addition whether it is new, in the campaign already or barred: one statement for all.

A few rows are given to it as JSON; a list of any length was copied to a table of the transaction's own. Run by
`campaigns.additions`, by whoever is the only one who adds to the campaign just then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import orjson

from campaigns.copy_rows import REJECT_COLUMNS, note_groups
from campaigns.duplicates import CODE as RECENT_CODE
from campaigns.duplicates import lately
from campaigns.import_rows import AcceptedRow
from campaigns.suppressed_rows import CODE
from campaigns.suppression_match import suppressed
from campaigns.zone_groups import Group
from ids import new_ids

TOKEN_DAYS = 7
"""For so long a token of a client stands for the contact that it was first sent with."""


class Added(StrEnum):
    """What became of a row that can be dialled."""

    ADDED = "added"
    CANCELLED = "cancelled"
    """It was added, and cancelled at once: its window never opens."""
    REPEATED = "repeated"
    """Its client token was sent before, with the same number."""
    DUPLICATE = "duplicate"
    """Its number is in the campaign already."""
    TOKEN_REUSED = "token_reused"
    """Its client token stands for another number."""
    SUPPRESSED = CODE
    """Its number is on a do-not-call list."""
    RECENT = RECENT_CODE
    """The tenant called it lately."""


_STAGED_TYPES = """
    id uuid, line int, phone_number text, zone_group bigint, custom_fields jsonb, client_token text,
    expires_at timestamptz, priority smallint, metadata jsonb, consent_at timestamptz, consent_source text,
    numbers text[], zone_groups bigint[]"""
_OF_JSON = f"jsonb_to_recordset(%(rows)s::jsonb) AS staged ({_STAGED_TYPES})"
STAGE = (
    f"CREATE TEMP TABLE staged_contact ({_STAGED_TYPES}) ON COMMIT DROP",
    "CREATE TEMP TABLE staged_reject (LIKE import_reject INCLUDING DEFAULTS) ON COMMIT DROP",
)
_OF_THIS = {"tenant": "%(tenant)s", "campaign": "%(campaign)s::uuid", "digest": "NULL::bytea"}
_SUPPRESSED = suppressed("staged.phone_number", **_OF_THIS)
BARRED = suppressed("one.number", **_OF_THIS)
BARRED_AMONG = f"SELECT one.number FROM unnest(%(numbers)s::text[]) AS one (number) WHERE {BARRED}"
NUMBERS = """
    SELECT DISTINCT one.number FROM staged_contact AS staged,
        unnest(coalesce(staged.numbers, ARRAY[staged.phone_number])) AS one (number)"""
LATELY = f"SELECT line FROM staged_contact AS staged WHERE {lately('staged')}"
# A token that is sent twice in one list is compared with itself: the first row is the one that counts.
_ADDED = f"""
    WITH staged AS MATERIALIZED (SELECT * FROM {{source}}),
    named AS MATERIALIZED (
        SELECT staged.line, token.contact_id, contact.phone_number = staged.phone_number
            OR staged.phone_number = ANY(coalesce(contact.numbers, '{{{{}}}}')) AS same
        FROM staged JOIN contact_token AS token ON token.campaign_id = %(campaign)s
            AND token.token = staged.client_token AND token.created_at > now() - interval '{TOKEN_DAYS} days'
        JOIN contact ON contact.id = token.contact_id
    ), twice AS MATERIALIZED (
        SELECT line FROM (
            SELECT line, row_number() OVER (PARTITION BY client_token ORDER BY line) AS nth
            FROM staged WHERE client_token IS NOT NULL
        ) AS numbered WHERE nth > 1 AND line NOT IN (SELECT line FROM named)
    ), wanted AS MATERIALIZED (
        SELECT staged.line, one.number
        FROM staged, unnest(coalesce(staged.numbers, ARRAY[staged.phone_number])) AS one (number)
        WHERE %(once)s AND staged.line NOT IN (SELECT line FROM named UNION ALL SELECT line FROM twice)
    ), present AS MATERIALIZED (
        SELECT DISTINCT ON (line) line, contact_id, number FROM (
            SELECT wanted.line, wanted.number, contact.id AS contact_id FROM wanted
                JOIN contact ON contact.campaign_id = %(campaign)s AND contact.phone_number = wanted.number
            UNION ALL
            SELECT wanted.line, wanted.number, contact.id FROM wanted
                JOIN contact ON %(several)s AND contact.campaign_id = %(campaign)s
                    AND contact.numbers @> ARRAY[wanted.number]
        ) AS found ORDER BY line, contact_id
    ), barred AS MATERIALIZED (
        SELECT line FROM staged WHERE (phone_number = ANY(%(erased)s::text[]) OR {_SUPPRESSED})
            AND line NOT IN (
                SELECT line FROM named UNION ALL SELECT line FROM twice UNION ALL SELECT line FROM present)
    ), recent AS MATERIALIZED (
        SELECT line FROM staged WHERE line = ANY(%(recent)s::int[]) AND line NOT IN (
            SELECT line FROM named UNION ALL SELECT line FROM twice UNION ALL SELECT line FROM present
            UNION ALL SELECT line FROM barred)
    ), fresh AS MATERIALIZED (
        SELECT *, row_number() OVER (ORDER BY line) + coalesce(
            (SELECT max(position) FROM contact WHERE campaign_id = %(campaign)s), 0) AS position
        FROM staged WHERE line NOT IN (
            SELECT line FROM named UNION ALL SELECT line FROM twice UNION ALL SELECT line FROM present
            UNION ALL SELECT line FROM barred UNION ALL SELECT line FROM recent)
    ), written AS (
        INSERT INTO contact (id, campaign_id, position, phone_number, zone_group, custom_fields, expires_at, priority,
            consent_at, consent_source, metadata, numbers, zone_groups, repeats)
        SELECT id, %(campaign)s, position, phone_number, zone_group, custom_fields, expires_at, priority,
            consent_at, consent_source, coalesce(metadata, '{{{{}}}}'), numbers, zone_groups,
            CASE WHEN %(once)s AND numbers IS NULL THEN 0 ELSE position END FROM fresh
    ), tokens AS (
        INSERT INTO contact_token (campaign_id, token, contact_id)
        SELECT %(campaign)s, client_token, id FROM fresh WHERE client_token IS NOT NULL
        ON CONFLICT (campaign_id, token) DO UPDATE SET contact_id = excluded.contact_id, created_at = now()
    ), told AS MATERIALIZED (
        SELECT line, '{Added.ADDED}' AS result, id AS contact_id, NULL AS number FROM fresh
        UNION ALL SELECT line, CASE WHEN same THEN '{Added.REPEATED}' ELSE '{Added.TOKEN_REUSED}' END, contact_id,
            NULL FROM named
        UNION ALL SELECT line, '{Added.TOKEN_REUSED}', NULL, NULL FROM twice
        UNION ALL SELECT line, '{Added.DUPLICATE}', contact_id, number FROM present
        UNION ALL SELECT line, '{Added.SUPPRESSED}', NULL, NULL FROM barred
        UNION ALL SELECT line, '{Added.RECENT}', NULL, NULL FROM recent
    )"""
ADD_ROWS = _ADDED.format(source=_OF_JSON) + " SELECT line, result, contact_id FROM told"
ADD_LIST = (
    _ADDED.format(source="staged_contact")
    + f""", refused AS (
        INSERT INTO staged_reject (campaign_id, line, raw, code, reason)
        SELECT %(campaign)s, line,
            CASE WHEN phone_number = ANY(%(erased)s::text[]) THEN 'erased' ELSE phone_number END,
            result, CASE result
                WHEN '{Added.DUPLICATE}' THEN number || ' is in the campaign already'
                WHEN '{Added.SUPPRESSED}' THEN 'phone_number is on a do-not-call list'
                WHEN '{Added.RECENT}' THEN 'phone_number was called within the campaign''s duplicates_hours'
                ELSE 'client_token stands for another number' END
        FROM told JOIN staged USING (line)
        WHERE result IN (
            '{Added.DUPLICATE}', '{Added.TOKEN_REUSED}', '{Added.SUPPRESSED}', '{Added.RECENT}')
    )
    SELECT result, count(*) FROM told GROUP BY 1"""
)
KEEP_REJECTS = f"""
    INSERT INTO import_reject ({REJECT_COLUMNS}, addition) SELECT {REJECT_COLUMNS}, %s FROM staged_reject"""


def as_json(
    accepted: Sequence[AcceptedRow], metadata: Mapping[int, Mapping[str, str]], groups: dict[int, Group]
) -> str:
    """The rows as `_OF_JSON` reads them; their `groups` are noted."""
    among = [note_groups(row, groups) for row in accepted]
    told: list[dict[str, Any]] = [
        {
            "id": str(new),
            "line": row.line,
            "phone_number": row.phone_number,
            "zone_group": own[0],
            "numbers": [row.phone_number, *row.further] if row.further else None,
            "zone_groups": own if row.further else None,
            "custom_fields": row.custom_fields,
            "client_token": row.options.client_token,
            "expires_at": row.options.expires_at,
            "priority": row.options.priority,
            "metadata": metadata.get(row.line, {}),
            "consent_at": row.consent[0],
            "consent_source": row.consent[1],
        }
        for new, row, own in zip(new_ids(len(accepted)), accepted, among, strict=True)
    ]
    return orjson.dumps(told).decode()
