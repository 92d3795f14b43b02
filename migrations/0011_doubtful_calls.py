"""`call.doubtful`: delivery unknown; whoever takes such a call over must not resend it.

A dialer of the last release neither notes them nor heeds the note.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = ("ALTER TABLE call ADD COLUMN doubtful boolean NOT NULL DEFAULT false",)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the column."""
    run(db, STATEMENTS)
