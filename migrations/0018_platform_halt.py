"""`halt`: a tenant's halt has two marks, its own (`own`, with `at` and `by`) and the platform's (`platform_at`,
`platform_by`). Its row is there while either stands, which is what every release goes by.

A web process of the last release sets and lifts the row, whosever it is.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    "ALTER TABLE halt ADD COLUMN own boolean NOT NULL DEFAULT true",
    "ALTER TABLE halt ADD COLUMN platform_at timestamptz",
    "ALTER TABLE halt ADD COLUMN platform_by text",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
