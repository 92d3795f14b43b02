"""By `contact_zone_callback` and `contact_zone_prioritized` the contacts of a group are found who were asked to be
called at a time, or have a priority, without reading those of groups that are outside their window. Both have the ids
in place of the positions, as `contact_zone` does and for its reason.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_zone_callback
    ON contact (campaign_id, zone_group, next_attempt_at, id) WHERE waiting AND callback""",
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_zone_prioritized
    ON contact (campaign_id, zone_group, priority DESC, id)
    WHERE waiting AND priority > 0 AND next_attempt_at IS NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Build the indexes beside whoever writes."""
    run(db, STATEMENTS)
