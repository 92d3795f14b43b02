"""`campaign_log` refuses changes but in a transaction that says that it forgets (`carillon.forgetting`): what is too
much of one campaign, and a person's data that has to be erased. Decision 0069.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    """
    CREATE OR REPLACE FUNCTION campaign_log_kept() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF current_setting('carillon.forgetting', true) = 'on' THEN
            RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
        END IF;
        RAISE EXCEPTION 'campaign_log is only added to';
    END $$""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Replace the function."""
    run(db, STATEMENTS)
