"""`node_examination`: when a node was last looked at for what is wrong with it, and by which dialer; `core_uuid` is
the run of FreeSWITCH that was found there, null while that is under way and where it could not be asked.
`node_finding`: what is wrong, since when, and when that was last seen.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    """
    CREATE TABLE node_examination (
        node text PRIMARY KEY,
        dialer_id text NOT NULL,
        begun_at timestamptz NOT NULL DEFAULT now(),
        ended_at timestamptz,
        core_uuid text
    )""",
    """
    CREATE TABLE node_finding (
        node text NOT NULL REFERENCES node_examination ON DELETE CASCADE,
        code text NOT NULL,
        subject text NOT NULL,
        sentence text NOT NULL,
        since timestamptz NOT NULL DEFAULT now(),
        seen_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (node, code, subject)
    )""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Make the tables."""
    run(db, STATEMENTS)
