"""Which numbers a gateway carries, at what cost, who carries them in its stead, and how it says who calls.

A call that another gateway was tried after is marked in its row: whoever sends the next knows which ones had theirs.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS prefixes jsonb NOT NULL DEFAULT '[]'",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS cost double precision",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS failover jsonb NOT NULL DEFAULT '[]'",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS caller_id_header text NOT NULL DEFAULT 'from'",
    "ALTER TABLE gateway ADD COLUMN IF NOT EXISTS caller_id_format text NOT NULL DEFAULT 'e164'",
    "ALTER TABLE call ADD COLUMN IF NOT EXISTS failover boolean NOT NULL DEFAULT false",
    "ALTER TABLE gateway DROP CONSTRAINT IF EXISTS gateway_cost_check",
    "ALTER TABLE gateway ADD CONSTRAINT gateway_cost_check CHECK (cost >= 0) NOT VALID",
    "ALTER TABLE gateway VALIDATE CONSTRAINT gateway_cost_check",
    "ALTER TABLE gateway DROP CONSTRAINT IF EXISTS gateway_caller_id_header_check",
    """ALTER TABLE gateway ADD CONSTRAINT gateway_caller_id_header_check
        CHECK (caller_id_header IN ('from', 'pai', 'rpid')) NOT VALID""",
    "ALTER TABLE gateway VALIDATE CONSTRAINT gateway_caller_id_header_check",
    "ALTER TABLE gateway DROP CONSTRAINT IF EXISTS gateway_caller_id_format_check",
    """ALTER TABLE gateway ADD CONSTRAINT gateway_caller_id_format_check
        CHECK (caller_id_format IN ('e164', 'digits')) NOT VALID""",
    "ALTER TABLE gateway VALIDATE CONSTRAINT gateway_caller_id_format_check",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
