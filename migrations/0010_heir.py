"""`dialer.heir`: who claimed the takeover of a dead dialer.

Dialers of the last release agree on that by a lock that this release does not take: for as long as both run, a dead
dialer may have two heirs at once, which every step of theirs allows.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = ("ALTER TABLE dialer ADD COLUMN heir text",)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the column."""
    run(db, STATEMENTS)
