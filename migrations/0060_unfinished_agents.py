"""By `campaign_unfinished_agent` the agents that unfinished campaigns have are known without reading campaigns: nodes
are asked every few seconds for what these need.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    """
    CREATE INDEX CONCURRENTLY IF NOT EXISTS campaign_unfinished_agent ON campaign (agent_id)
    WHERE completed_at IS NULL AND deleted_at IS NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Build the index beside whoever writes."""
    run(db, STATEMENTS)
