"""`call.hangup_at`: since when a call has to end, by a halt or by `stop?hangup=true`; `campaign.hangup_at`: since
when all calls of a stopped campaign have to.

A dialer of the last release does not read them: it hangs up when a control message says so, as before, and what it
records of such a call uses an attempt.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    "ALTER TABLE call ADD COLUMN IF NOT EXISTS hangup_at timestamptz",
    "ALTER TABLE campaign ADD COLUMN IF NOT EXISTS hangup_at timestamptz",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS call_to_end ON call (dialer_id)
    WHERE hangup_at IS NOT NULL AND (ended_at IS NULL OR slot_until IS NOT NULL)""",
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_hangup ON campaign (hangup_at) WHERE hangup_at IS NOT NULL",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns and the indexes."""
    run(db, STATEMENTS)
