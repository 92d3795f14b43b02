"""What policy packs look back at (`recent_outcome`, `abandon_count`) is kept by the trigger that notes ends for
reports, once for each statement: row by row, each end of a call of any campaign asked whether packs bind it.

In one transaction, which has the table to itself: an end is kept by the one trigger or the other. Decision 0078.
"""

from __future__ import annotations

from importlib import import_module

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

_reports, _kept = import_module("migrations.0046_reports"), import_module("migrations.0051_outcomes_kept")
_DELTAS = ("attempts", "live", "abandoned")


def _deltas(table: str, sign: str) -> str:
    """What the rows of a table count, with their sign; nothing of one that is not over."""
    counted = _kept.COUNTED.replace("row_", "row_now")
    of_row = ", ".join(f"{sign}{name} AS {name}" for name in _DELTAS)
    return f"""
            SELECT row_now.campaign_id, date_bin('10 minutes', row_now.ended_at, 'epoch') AS since, {of_row}
            FROM {table} AS row_now, LATERAL (SELECT {counted}) AS figures WHERE row_now.state = 'ended'"""


_SUMS = ", ".join(f"sum({name})" for name in _DELTAS)
_ADDED = ", ".join(f"{name} = abandon_count.{name} + excluded.{name}" for name in _DELTAS)
_CHANGES = f"{_reports.ended_changes('new_calls', 1)} UNION ALL {_reports.ended_changes('old_calls', -1)}"
_COUNTS = f"{_reports.count_changes('new_calls', '')} UNION ALL {_reports.count_changes('old_calls', '-')}"
_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION call_count_updated() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO report_change ({_reports.CHANGE_NAMES}) {_CHANGES};
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        INSERT INTO call_count_change ({_reports.COUNTED}, calls, sent, seconds)
        SELECT {_reports.COUNTED}, sum(calls), sum(sent), sum(seconds) FROM ({_COUNTS}) AS changes
        GROUP BY {_reports.COUNTED} HAVING sum(calls) <> 0 OR sum(sent) <> 0 OR sum(seconds) <> 0;
        PERFORM FROM campaign WHERE id = ANY(ARRAY(SELECT campaign_id FROM new_calls)) AND policy_packs = 'on';
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        INSERT INTO recent_outcome (tenant_id, subject, disposition, purpose, contact_id, at)
        SELECT call.tenant_id, named.subject, call.disposition, coalesce(campaign.purpose, ''), call.contact_id,
            call.ended_at
        FROM (SELECT id, disposition FROM new_calls WHERE state = 'ended' AND disposition IN {_kept.AFTER}
                EXCEPT SELECT id, disposition FROM old_calls) AS changed
            JOIN call ON call.id = changed.id
            JOIN campaign ON campaign.id = call.campaign_id AND campaign.policy_packs = 'on'
            JOIN contact ON contact.id = call.contact_id,
            LATERAL (VALUES (call.phone_number), (contact_key(contact.custom_fields, campaign.key_column)))
                AS named (subject)
        WHERE named.subject IS NOT NULL;
        INSERT INTO abandon_count (campaign_id, since, lane, {", ".join(_DELTAS)})
        SELECT campaign_id, since, pg_backend_pid(), {_SUMS}
        FROM ({_deltas("new_calls", "")} UNION ALL {_deltas("old_calls", "-")}) AS changes
        WHERE EXISTS (SELECT FROM campaign WHERE id = changes.campaign_id AND policy_packs = 'on')
        GROUP BY campaign_id, since HAVING ({_SUMS}) <> (0, 0, 0) ORDER BY campaign_id, since
        ON CONFLICT (campaign_id, since, lane) DO UPDATE SET {_ADDED};
        RETURN NULL;
    END $$"""
STATEMENTS = (
    "DROP TRIGGER IF EXISTS call_outcome_kept ON call",
    _FUNCTION,
    "DROP FUNCTION IF EXISTS call_outcome_kept()",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """One trigger in place of two."""
    run(db, STATEMENTS)
