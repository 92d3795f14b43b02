"""`suppression`: numbers that are not to be called, by a tenant or anybody (`scope` '*'), of one campaign or of all
(the id of zeros). An entry is a number, the digits that numbers begin with, or the keyed hash of an erased number.

`suppression_prefix_length`: how long prefixes are, the plus counted, so that no other lengths are looked up.
`suppression_news`: the entries of which contacts may still be pending. `erasure`: whose data is to be erased; its
number goes once that is done. `contact.consent_at` and `consent_source`: what a list says of them. The index finds
the pending contacts of a number. Decision 0063.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS consent_at timestamptz",
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS consent_source text",
    """
    CREATE TABLE IF NOT EXISTS suppression (
        id uuid PRIMARY KEY,
        scope text NOT NULL,
        campaign_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
        number text,
        prefix text,
        digest bytea,
        secret text,
        source text NOT NULL,
        reason text,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        CHECK (num_nonnulls(number, prefix, digest) = 1)
    )""",
    """
    CREATE UNIQUE INDEX IF NOT EXISTS suppression_number ON suppression (number, scope, campaign_id)
    WHERE number IS NOT NULL""",
    """
    CREATE UNIQUE INDEX IF NOT EXISTS suppression_prefix ON suppression (prefix, scope, campaign_id)
    WHERE prefix IS NOT NULL""",
    """
    CREATE UNIQUE INDEX IF NOT EXISTS suppression_digest ON suppression (digest, scope, campaign_id)
    WHERE digest IS NOT NULL""",
    "CREATE INDEX IF NOT EXISTS suppression_scope ON suppression (scope, id)",
    "CREATE TABLE IF NOT EXISTS suppression_prefix_length (length int PRIMARY KEY)",
    """
    CREATE OR REPLACE FUNCTION suppression_prefix_length() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO suppression_prefix_length VALUES (length(NEW.prefix)) ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$""",
    """
    CREATE OR REPLACE TRIGGER suppression_prefix_length AFTER INSERT ON suppression FOR EACH ROW
    WHEN (NEW.prefix IS NOT NULL) EXECUTE FUNCTION suppression_prefix_length()""",
    "CREATE TABLE IF NOT EXISTS suppression_news (suppression_id uuid PRIMARY KEY)",
    """
    CREATE TABLE IF NOT EXISTS erasure (
        id uuid PRIMARY KEY,
        tenant_id text NOT NULL REFERENCES tenant,
        number text,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        done_at timestamptz,
        CHECK ((number IS NULL) = (done_at IS NOT NULL))
    )""",
    "CREATE INDEX IF NOT EXISTS erasure_open ON erasure (id) WHERE done_at IS NULL",
    "CREATE UNIQUE INDEX IF NOT EXISTS erasure_number ON erasure (tenant_id, number) WHERE done_at IS NULL",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_waiting_number ON contact (phone_number text_pattern_ops)
    WHERE waiting""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Make the tables, and the index beside whoever writes."""
    run(db, STATEMENTS)
