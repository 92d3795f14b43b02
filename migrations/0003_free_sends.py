"""`contact.carrier_refusals`, `contact.gateway_faults`: uncounted calls by their reason, each is bounded.

`free_sends` goes on to count the refusals of the switch; a dialer of the last release, which knows no other, counts
everything there and so only reaches the bounds sooner.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    "ALTER TABLE contact ADD COLUMN carrier_refusals smallint NOT NULL DEFAULT 0",
    "ALTER TABLE contact ADD COLUMN gateway_faults smallint NOT NULL DEFAULT 0",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
