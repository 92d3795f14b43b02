"""Which numbers a gateway carries, at what cost, who carries them in its stead, and how it says who calls.

A call that another gateway was tried after is marked in its row: whoever sends the next knows which ones had theirs.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

STATEMENTS = (
    "ALTER TABLE gateway ADD COLUMN prefixes jsonb NOT NULL DEFAULT '[]'",
    "ALTER TABLE gateway ADD COLUMN cost double precision CHECK (cost >= 0)",
    "ALTER TABLE gateway ADD COLUMN failover jsonb NOT NULL DEFAULT '[]'",
    """ALTER TABLE gateway ADD COLUMN caller_id_header text NOT NULL DEFAULT 'from'
        CHECK (caller_id_header IN ('from', 'pai', 'rpid'))""",
    """ALTER TABLE gateway ADD COLUMN caller_id_format text NOT NULL DEFAULT 'e164'
        CHECK (caller_id_format IN ('e164', 'digits'))""",
    "ALTER TABLE call ADD COLUMN failover boolean NOT NULL DEFAULT false",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[no-untyped-call]
