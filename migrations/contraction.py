"""Takes away what only an older release uses, once no process of that is left: the second half of a migration.

A dialer writes into its row the last migration that its release knows. While one that knows less is not settled, what
it needs stays, and the next release process looks again. Decision 0025.
"""

from __future__ import annotations

from peewee import PostgresqlDatabase

KNOWN = 14
"""What a dialer has to know to do without what is taken away here."""
INDEXES = ("contact_due", "contact_in_flight", "call_open", "call_one_open")

_THERE = "SELECT 1 FROM pg_class WHERE oid = to_regclass(%s)"
_OLDER = "SELECT 1 FROM dialer WHERE settled_at IS NULL AND coalesce(knows, 0) < %s LIMIT 1"


def left(db: PostgresqlDatabase) -> list[str]:
    """What is still to be taken away."""
    return [index for index in INDEXES if db.execute_sql(_THERE, (index,)).fetchone()]  # type: ignore[no-untyped-call]


def contract(db: PostgresqlDatabase) -> None:
    """Take it away, beside whoever writes, unless a dialer of an older release may still use it."""
    indexes = left(db)
    if not indexes or db.execute_sql(_OLDER, (KNOWN,)).fetchone():  # type: ignore[no-untyped-call]
        return
    # It waits for whoever uses the table now, and nobody waits for it.
    db.execute_sql("SET lock_timeout = 0")  # type: ignore[no-untyped-call]
    for index in indexes:
        db.execute_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")  # type: ignore[no-untyped-call]
