"""`outbox`: for each commit of a dialer and each campaign in it the transitions that are to be published.

In place of `transition.published`, whose index every transition entered and left again. Its rows are deleted once
they are published. `outbox_rows()` says whether dialers note their transitions there: not while one of the last
release may have to publish them (`migrations/contraction.py`). What a row of `outbox` names says `published` from the
beginning; web processes go on with the flag. Decision 0031.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    """
    CREATE TABLE outbox (
        owner text NOT NULL,
        id bigint NOT NULL,
        campaign_id uuid NOT NULL,
        transition_ids bigint[] NOT NULL,
        PRIMARY KEY (owner, id)
    )""",
    # Not IMMUTABLE: a plan that was made with its answer would outlast it.
    "CREATE FUNCTION outbox_rows() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT false'",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Create the table and the function."""
    run(db, STATEMENTS)
