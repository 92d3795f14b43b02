"""What a failed agent leaves: how often each contact was disturbed for nothing, and which agents are held.

`contact.disturbed` counts calls that failed by the platform's fault after a phone rang or was picked up. An agent
with five failures in a row is held (`held_at`, `held_reason`) until a probe or somebody lets it go; `probe_at` is
when it is probed next.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE contact ADD COLUMN IF NOT EXISTS disturbed smallint NOT NULL DEFAULT 0",
    "ALTER TABLE agent ADD COLUMN IF NOT EXISTS failures_in_row integer NOT NULL DEFAULT 0",
    "ALTER TABLE agent ADD COLUMN IF NOT EXISTS held_at timestamptz",
    "ALTER TABLE agent ADD COLUMN IF NOT EXISTS held_reason text",
    "ALTER TABLE agent ADD COLUMN IF NOT EXISTS probe_at timestamptz",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns."""
    run(db, STATEMENTS)
