"""`campaign.keep_open`: a campaign that runs dry goes on. `contact.expires_at`: after that it is not called;
`contact.priority`: higher is called first. `contact_token`: which contact of a campaign a client's token stands for.

The indexes have who is called first of those that wait for their first call, and who expires next; a contact without
either is in none of them.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS keep_open boolean NOT NULL DEFAULT false",
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS expires_at timestamptz",
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS priority smallint NOT NULL DEFAULT 0",
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_prioritized ON contact (campaign_id, priority DESC, position)
    WHERE waiting AND priority > 0 AND next_attempt_at IS NULL""",
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_expiring ON contact (expires_at)
    WHERE waiting AND expires_at IS NOT NULL""",
    """
    CREATE TABLE IF NOT EXISTS contact_token (
        campaign_id uuid NOT NULL,
        token text NOT NULL,
        contact_id uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (campaign_id, token)
    )""",
    "CREATE INDEX IF NOT EXISTS contact_token_age ON contact_token (created_at)",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns, make the table, and build the indexes beside whoever writes."""
    run(db, STATEMENTS)
