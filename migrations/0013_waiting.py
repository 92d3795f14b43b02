"""`contact.waiting`: whether a contact is pending, for indexes; `dialer.knows`: the last migration its release knows.

An update is a cheap one (HOT: no index is written) only where it changes no column that an index mentions, and
`status` changes with every step of a call. The trigger keeps the column true to the status, whoever writes that: a
dialer of the last release does not know it. Null in rows that were over before: not waiting. Decision 0025.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from migrations.statements import run

STATEMENTS = (
    "ALTER TABLE dialer ADD COLUMN knows int",
    "ALTER TABLE contact ADD COLUMN waiting boolean",
    # Of rows to come: a default of the new column itself would say so of all that are there.
    "ALTER TABLE contact ALTER COLUMN waiting SET DEFAULT true",
    """
    CREATE FUNCTION contact_waiting() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.waiting := NEW.status = 'pending'; RETURN NEW; END $$""",
    """
    CREATE TRIGGER contact_waiting BEFORE INSERT OR UPDATE ON contact FOR EACH ROW
    WHEN (coalesce(NEW.waiting, false) <> (NEW.status = 'pending')) EXECUTE FUNCTION contact_waiting()""",
)


def up(_migrator: SchemaMigrator, db: PostgresqlDatabase) -> None:
    """Add the columns and the trigger."""
    run(db, STATEMENTS)
