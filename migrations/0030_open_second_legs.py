"""`call_second_leg`: by which gateways second legs may be up.

Each dialer asks once a second. Without it the answer read every open call; only a call whose agent is reached by a
gateway is in it, while it is open.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

atomic = False
STATEMENTS = (
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS call_second_leg ON call (second_leg_gateway_id)
    WHERE ended_at IS NULL AND second_leg_gateway_id IS NOT NULL""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Make the index, beside whoever writes."""
    run(db, STATEMENTS)
