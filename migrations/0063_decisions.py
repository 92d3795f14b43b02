"""What was decided of a contact beside its calls: `transition.by` is the key of who asked for it, by name, and
`next_attempt_at` the time at which it is to be called again, where somebody named one. By `transition_decision` those
of one contact are found: a call's own transitions are not in that index, so that no step of a call writes to it.

`call.retry_seconds`: so long after its end the contact was to be called again; null where it was not, or at once, and
of calls that ended before. Decision 0093.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE transition ADD COLUMN IF NOT EXISTS by text",
    "ALTER TABLE transition ADD COLUMN IF NOT EXISTS next_attempt_at timestamptz",
    "ALTER TABLE call ADD COLUMN IF NOT EXISTS retry_seconds int",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS transition_decision ON transition (contact_id, id)
    WHERE call_id IS NULL AND contact_id IS NOT NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns, and build the index beside whoever writes."""
    run(db, STATEMENTS)
