"""`api_key.secret`: a fingerprint of the SECRET_KEY that a key was made with, so that a changed one is known for it.

Null of a key that an older process made; the release process takes that for one of the secret it runs with.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = ("ALTER TABLE api_key ADD COLUMN IF NOT EXISTS secret text",)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the column."""
    run(db, STATEMENTS)
