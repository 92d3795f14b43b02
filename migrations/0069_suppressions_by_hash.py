"""`suppression_number_hash`, `suppression_digest_hash`: whether a number is on a do-not-call list is asked for each
call, and hardly ever it is. By its hash that is one page of an index, in their order several (decision 0099).
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS suppression_number_hash ON suppression USING hash (number)
    WHERE number IS NOT NULL""",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS suppression_digest_hash ON suppression USING hash (digest)
    WHERE digest IS NOT NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Build the indexes beside whoever writes."""
    run(db, STATEMENTS)
