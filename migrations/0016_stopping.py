"""`campaign.stopping_at`: since when a campaign that was ended waits for the rest of its list to be cancelled; null
where nothing is left to be.

Its state is terminal from the mark on, so that what a dialer or web process of the last release does is right beside
it: it claims nobody, ends retries and refuses to resume. It does not cancel the rest that another left, and until
that is done it shows the rest as pending.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS stopping_at timestamptz",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_stopping ON campaign (stopping_at)
    WHERE stopping_at IS NOT NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the column and the index."""
    run(db, STATEMENTS)
