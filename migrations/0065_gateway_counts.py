"""`gateway_count`: how many calls that a gateway was given ended within five minutes, as each dialer counted them in
its lane; those that were refused by what was said, the others under no status (0) and no cause.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENT = """
    CREATE TABLE gateway_count (
        since timestamptz NOT NULL,
        gateway_id uuid NOT NULL,
        lane text NOT NULL,
        sip_status smallint NOT NULL,
        cause text NOT NULL,
        calls int NOT NULL,
        PRIMARY KEY (since, gateway_id, lane, sip_status, cause)
    ) WITH (fillfactor = 70)"""


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Make the table."""
    run(db, (STATEMENT,))
