"""Takes away what only an older release uses, once no process of that is left: the second half of a migration.

A dialer writes into its row the last migration that its release knows. While one that knows less is not settled, what
it needs stays, and the next release process looks again. Decisions 0025, 0031.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase

KNOWN = 15
"""What a dialer has to know to do without what is taken away here."""
INDEXES = ("contact_due", "contact_in_flight", "call_open", "call_one_open")

FLAGS = "flags of dialers' transitions"
"""While dialers set them, `outbox_rows()` says no."""

_NOTE_IN_OUTBOX = (
    "CREATE OR REPLACE FUNCTION outbox_rows() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true'"
)
_THERE = "SELECT 1 FROM pg_class WHERE oid = to_regclass(%s)"
_OLDER = "SELECT 1 FROM dialer WHERE settled_at IS NULL AND coalesce(knows, 0) < %s LIMIT 1"


def left(db: PostgresqlDatabase) -> list[str]:
    """What is still to be taken away."""
    found = [index for index in INDEXES if db.execute_sql(_THERE, (index,)).fetchone()]  # type: ignore[no-untyped-call]
    (noted,) = db.execute_sql("SELECT outbox_rows()").fetchone()  # type: ignore[no-untyped-call]
    return found if noted else [*found, FLAGS]


def contract(db: PostgresqlDatabase) -> None:
    """Take it away, beside whoever writes, unless a dialer of an older release may still use it."""
    found = left(db)
    if not found or db.execute_sql(_OLDER, (KNOWN,)).fetchone():  # type: ignore[no-untyped-call]
        return
    # It waits for whoever uses the table now, and nobody waits for it.
    db.execute_sql("SET lock_timeout = 0")  # type: ignore[no-untyped-call]
    if FLAGS in found:
        # A statement that is under way, or that was prepared before, sets the flag: that is heeded for good.
        db.execute_sql(_NOTE_IN_OUTBOX)  # type: ignore[no-untyped-call]
    for index in found:
        if index == FLAGS:
            continue
        db.execute_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")  # type: ignore[no-untyped-call]
