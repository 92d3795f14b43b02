"""`node`: nodes that are added while the system runs, beside those of FREESWITCH_URLS.

A deleted one keeps its row for as long as a call is in progress there: whoever adopts that call has to find the node.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    """
    CREATE TABLE node (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        host text NOT NULL,
        port int NOT NULL CHECK (port BETWEEN 1 AND 65535),
        password text NOT NULL,
        cps int NOT NULL CHECK (cps >= 1),
        channels int CHECK (channels >= 1),
        weight int NOT NULL CHECK (weight BETWEEN 1 AND 100),
        created_at timestamptz NOT NULL DEFAULT now(),
        deleted_at timestamptz
    )""",
    "CREATE UNIQUE INDEX node_name ON node (name) WHERE deleted_at IS NULL",
    "CREATE UNIQUE INDEX node_address ON node (host, port) WHERE deleted_at IS NULL",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Create the table."""
    run(db, STATEMENTS)
