"""Indexes that do not mention a state, beside those that do, and room on each page for a row's next version.

`contact_waiting` is for `contact_due`; open calls are found by `ended_at`, which is null while a call is open.
The old ones stay for as long as a dialer of the last release may look for them (`migrations/contraction.py`).
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
# Campaign by campaign, each in its own transaction. A contact that somebody is at is left for the next look: nobody
# waits here for a dialer that may wait for us.
FILL = """
DO $$
DECLARE
    one uuid;
BEGIN
    FOR one IN SELECT id FROM campaign LOOP
        LOOP
            UPDATE contact SET waiting = true WHERE id IN (
                SELECT id FROM contact WHERE campaign_id = one AND status = 'pending' AND waiting IS NOT TRUE
                LIMIT 5000 FOR UPDATE SKIP LOCKED
            );
            COMMIT;
            EXIT WHEN NOT EXISTS (
                SELECT FROM contact WHERE campaign_id = one AND status = 'pending' AND waiting IS NOT TRUE
            );
            PERFORM pg_sleep(0.01);
        END LOOP;
    END LOOP;
END $$
"""
STATEMENTS = (
    "ALTER TABLE contact SET (fillfactor = 50)",
    "ALTER TABLE call SET (fillfactor = 50)",
    FILL,
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_waiting
    ON contact (campaign_id, next_attempt_at NULLS FIRST, position) WHERE waiting""",
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS call_unended ON call (dialer_id) WHERE ended_at IS NULL",
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS call_unended_campaign ON call (campaign_id) WHERE ended_at IS NULL",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS call_one_unended ON call (contact_id) WHERE ended_at IS NULL",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Fill the column and build the indexes."""
    run(db, STATEMENTS)
