"""`board_session`: a browser that is signed in to the board by an API key, for as long as that is there. Of its
cookie only the digest is kept. `board_link`: what a link that signs in once stands for (decision 0070).

Neither names its key by a foreign key: whoever reads one joins the key, so that with the key both are worth nothing.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    """
    CREATE TABLE board_session (
        id uuid PRIMARY KEY,
        digest text NOT NULL UNIQUE,
        api_key_id uuid NOT NULL,
        tenant_id text NOT NULL,
        user_agent text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL
    )""",
    "CREATE INDEX board_session_key ON board_session (api_key_id)",
    "CREATE INDEX board_session_expiry ON board_session (expires_at)",
    """
    CREATE TABLE board_link (
        digest text PRIMARY KEY,
        api_key_id uuid NOT NULL,
        expires_at timestamptz NOT NULL
    )""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Make the tables."""
    run(db, STATEMENTS)
