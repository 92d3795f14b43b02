"""`gateway_prefix`: how a gateway's calls to one destination end, and which destinations of it are paused.

`gateway.paused_alone` is the one destination that was refused when the gateway was paused: a call to another may show
at once that it works. Decision 0048.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS paused_alone text",
    """
    CREATE TABLE IF NOT EXISTS gateway_prefix (
        gateway_id uuid NOT NULL,
        prefix text NOT NULL,
        faults_in_row int NOT NULL DEFAULT 0,
        faults_since timestamptz,
        refused_calls jsonb NOT NULL DEFAULT '[]',
        works_at timestamptz,
        paused_at timestamptz,
        paused_reason text,
        probe_at timestamptz,
        probes int NOT NULL DEFAULT 0,
        PRIMARY KEY (gateway_id, prefix)
    )""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the column and make the table."""
    run(db, STATEMENTS)
