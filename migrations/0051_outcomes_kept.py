"""What policy packs look back at: `recent_outcome`, calls that ended in a way after which a number may have to be
left alone, and `abandon_count`, how many of a campaign's calls were placed, answered by somebody and abandoned.

Both are written by a trigger of the call, of campaigns that packs bind alone, so that nothing that ends a call or
corrects its record can forget to. A subject is a number, or `key:` and the digest of what the campaign's `key_column`
has of the contact. Rows are only added, and counts are of the backend that writes them (`lane`): who ends calls at
the same time waits for nobody. Decision 0078.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
LIVE = "('answered', 'abandoned', 'agent_failed')"
"""Somebody answered, as far as anybody knows."""
LEFT_ALONE = "('abandoned', 'agent_failed')"
"""Somebody answered, and heard no agent."""
AFTER = "('answered', 'abandoned', 'machine')"
COUNTED = f"""
    coalesce((row_.state = 'ended' AND row_.sent_at IS NOT NULL)::int, 0) AS attempts,
    coalesce((row_.state = 'ended' AND row_.disposition IN {LIVE})::int, 0) AS live,
    coalesce((row_.state = 'ended' AND row_.disposition IN {LEFT_ALONE})::int, 0) AS abandoned"""
"""What a call counts, of a row that is named `row_`."""
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS key_column text",
    """
    CREATE TABLE IF NOT EXISTS recent_outcome (
        id bigserial PRIMARY KEY,
        tenant_id text NOT NULL,
        subject text NOT NULL,
        disposition text NOT NULL,
        purpose text NOT NULL,
        contact_id uuid NOT NULL,
        at timestamptz NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS recent_outcome_subject ON recent_outcome (tenant_id, subject)",
    "CREATE INDEX IF NOT EXISTS recent_outcome_at ON recent_outcome (at)",
    "CREATE INDEX IF NOT EXISTS recent_outcome_contact ON recent_outcome (contact_id)",
    """
    CREATE TABLE IF NOT EXISTS abandon_count (
        campaign_id uuid NOT NULL,
        since timestamptz NOT NULL,
        lane int NOT NULL,
        attempts int NOT NULL,
        live int NOT NULL,
        abandoned int NOT NULL,
        PRIMARY KEY (campaign_id, since, lane)
    )""",
    "CREATE INDEX IF NOT EXISTS abandon_count_since ON abandon_count (since)",
    """
    CREATE OR REPLACE FUNCTION contact_key(fields jsonb, key_column text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT 'key:' || encode(sha256(convert_to(fields ->> key_column, 'UTF8')), 'hex')
        WHERE coalesce(fields ->> key_column, '') <> ''
    $$""",
    f"""
    CREATE OR REPLACE FUNCTION call_outcome_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        bound record;
    BEGIN
        SELECT coalesce(purpose, '') AS purpose, key_column INTO bound FROM campaign
        WHERE id = NEW.campaign_id AND policy_packs = 'on';
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        IF NEW.disposition IN {AFTER} AND NEW.disposition IS DISTINCT FROM OLD.disposition THEN
            INSERT INTO recent_outcome (tenant_id, subject, disposition, purpose, contact_id, at)
            SELECT NEW.tenant_id, named.subject, NEW.disposition, bound.purpose, NEW.contact_id, NEW.ended_at
            FROM contact, LATERAL (VALUES (NEW.phone_number), (contact_key(contact.custom_fields, bound.key_column)))
                AS named (subject)
            WHERE contact.id = NEW.contact_id AND named.subject IS NOT NULL;
        END IF;
        INSERT INTO abandon_count (campaign_id, since, lane, attempts, live, abandoned)
        SELECT NEW.campaign_id, date_bin('10 minutes', NEW.ended_at, 'epoch'), pg_backend_pid(),
            after.attempts - before.attempts, after.live - before.live, after.abandoned - before.abandoned
        FROM (SELECT {COUNTED.replace("row_", "NEW")}) AS after, (SELECT {COUNTED.replace("row_", "OLD")}) AS before
        WHERE (after.attempts, after.live, after.abandoned) <> (before.attempts, before.live, before.abandoned)
        ON CONFLICT (campaign_id, since, lane) DO UPDATE SET attempts = abandon_count.attempts + excluded.attempts,
            live = abandon_count.live + excluded.live, abandoned = abandon_count.abandoned + excluded.abandoned;
        RETURN NULL;
    END $$""",
    """
    CREATE OR REPLACE TRIGGER call_outcome_kept AFTER UPDATE ON call FOR EACH ROW
    WHEN (NEW.state = 'ended' AND (OLD.state <> 'ended' OR NEW.disposition IS DISTINCT FROM OLD.disposition))
    EXECUTE FUNCTION call_outcome_kept()""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Make the tables, and the trigger."""
    run(db, STATEMENTS)
