"""`campaign.dial_order`: who is called first, retries that are due or new contacts; before both come callbacks.

`contact.callback`: somebody named the time of its next call (`next_attempt_at`). Hardly any contact has one, so that
the index of those that wait for one is small, and its column changes with none of a call's steps but that one's end.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS dial_order text NOT NULL DEFAULT 'retries_first'",
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS callback boolean NOT NULL DEFAULT false",
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_callback ON contact (campaign_id, next_attempt_at)
    WHERE waiting AND callback""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns, and make the index beside whoever writes."""
    run(db, STATEMENTS)
