"""`transition_of_campaign_untold`: by campaign, its own transitions that are not published yet. Whoever opens a
stream asks for them, so that it does not say `end` before the end; hardly ever is there one.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS transition_of_campaign_untold ON transition (campaign_id)
    WHERE NOT published AND contact_id IS NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Build the index beside whoever writes."""
    run(db, STATEMENTS)
