"""Runs a migration's statements, so that one that was interrupted can be run again.

CONTRIBUTING.md has the rules that keep a migration from blocking the dialers; `tests/unit/migrations` reads them in
every migration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from peewee import PostgresqlDatabase

LOCK_SECONDS = 1
"""How long a statement waits for a lock that writers would wait behind; the runner then tries again."""

_CONCURRENT_INDEX = re.compile(r"CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+(\w+)")
_IS_INVALID = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid"


def run(db: PostgresqlDatabase, statements: Iterable[str]) -> None:
    """Run them in order. An index that CREATE INDEX CONCURRENTLY left INVALID, being interrupted, is built anew."""
    for statement in statements:
        index = _CONCURRENT_INDEX.match(statement.strip())
        if index is None:
            db.execute_sql(statement)  # type: ignore[no-untyped-call]
        else:
            _create_index(db, index[1], statement)


def _create_index(db: PostgresqlDatabase, name: str, statement: str) -> None:
    # Nobody waits behind it, and it has to wait for whoever was there before.
    db.execute_sql("SET lock_timeout = 0")  # type: ignore[no-untyped-call]
    if db.execute_sql(_IS_INVALID, (name,)).fetchone():  # type: ignore[no-untyped-call]
        # IF NOT EXISTS would be content with it: it is there by name, costs every write, and serves no query.
        db.execute_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # type: ignore[no-untyped-call]
    db.execute_sql(statement)  # type: ignore[no-untyped-call]
    db.execute_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")  # type: ignore[no-untyped-call]
