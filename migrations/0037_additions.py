"""`campaign.additions`: how many lists were added to a campaign. `import_reject.addition`: in which of them a row was
rejected; 0 is the list that the campaign was made with."""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS additions int NOT NULL DEFAULT 0",
    "ALTER TABLE import_reject ADD COLUMN IF NOT EXISTS addition int NOT NULL DEFAULT 0",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
