"""A database for each test, with the schema and no row of ours: made from a template, or emptied and renamed.

Making one takes PostgreSQL several times as long as emptying one. One that a test has left otherwise than
empty of rows (another table, a changed column, a large file) is dropped instead. A name is never used twice: what
outlives its test, a greenlet or a process, finds no database any more.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from local.postgres import EmbeddedPostgres

LARGE_BYTES = 1 << 19
"""Where a table has grown so large without its indexes, a fresh database is cheaper than the next test's scans."""

ATTEMPTS = 20

# What a migration makes: columns, indexes, constraints, triggers, functions. Each change of one leaves a younger row
# in a catalog, or fewer rows; of pg_class, which TRUNCATE and autovacuum write to, the columns that neither changes.
# From 16384 on the objects are not PostgreSQL's own, which are by far the most.
_SCHEMA = """
SELECT ARRAY[
    (SELECT md5(string_agg(concat_ws(' ', oid, relname, relkind, reloptions, relnatts), ',' ORDER BY oid))
        FROM pg_class WHERE relnamespace = to_regnamespace('public')),
    (SELECT concat_ws(' ', count(*), max(xmin::text::bigint)) FROM pg_attribute
        WHERE attrelid >= 16384),
    (SELECT concat_ws(' ', count(*), max(xmin::text::bigint)) FROM pg_constraint
        WHERE oid >= 16384),
    (SELECT concat_ws(' ', count(*), max(xmin::text::bigint)) FROM pg_trigger
        WHERE oid >= 16384),
    (SELECT concat_ws(' ', count(*), max(xmin::text::bigint)) FROM pg_proc
        WHERE oid >= 16384),
    (SELECT string_agg(setconfig::text, ' ') FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
]
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
# Written to, or looked at by autovacuum. A table that was truncated is planned for as one that nobody has seen yet,
# of ten pages; so is one whose rows were deleted, while it has no more of them and nobody counted its rows.
_TOUCHED = """
SELECT relname, reltuples = -1 AND size <= 8 * 8192, size + coalesce(pg_relation_size(nullif(reltoastrelid, 0)), 0)
FROM pg_class, pg_relation_size(oid) AS size
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND (size > 0 OR reltuples <> -1)
"""
_RESTART = """
SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence
JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = seqrelid AND deptype IN ('a', 'i')
WHERE refobjid = ANY(%s::regclass[])
"""
_DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


@dataclass(slots=True)
class Databases:
    """Those of one run, on its server."""

    server: EmbeddedPostgres
    template: str
    _spare: list[str] = field(default_factory=list)
    _kept: dict[str, list[Any]] = field(default_factory=dict)
    _schema: list[str] | None = None
    _server: psycopg.Connection[Any] | None = None

    def new(self) -> str:
        """The name of a database that no test has had by this name."""
        if self._spare:
            return self._spare.pop()
        name = _unused()
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(self.template)
        )
        self._connection().execute(make)
        return name

    def copy(self, name: str) -> str:
        """The name of a new one with all that is in this one, to which nobody is connected."""
        copied = _unused()
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        self._connection().execute(make.format(sql.Identifier(copied), sql.Identifier(name)))
        return copied

    def give_back(self, name: str) -> None:
        """The test that had it is over, whoever is still connected, or connects again."""
        connection = self._connection()
        renamed = self._renamed(connection, name)
        if renamed is not None and self._is_emptied(renamed):
            self._spare.append(renamed)
        else:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(renamed or name)))

    def close(self) -> None:
        """Nobody asks for a database any more."""
        if self._server is not None:
            self._server.close()

    def _connection(self) -> psycopg.Connection[Any]:
        """The one that is kept, or another: a test may have restarted the server."""
        if self._server is not None:
            with contextlib.suppress(psycopg.Error):
                self._server.execute("SELECT 1")
                return self._server
            self._server.close()
        self._server = psycopg.connect(self.server.url, autocommit=True)
        return self._server

    def _renamed(self, connection: psycopg.Connection[Any], name: str) -> str | None:
        """Its new name, by which nobody finds it; None where somebody is there each time."""
        new = _unused()
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new))
        for _ in range(ATTEMPTS):
            connection.execute(_DISCONNECT, (name,))
            try:
                connection.execute(rename)
            except psycopg.errors.ObjectInUse:
                time.sleep(0.01)
            else:
                return new
        return None

    def _is_emptied(self, name: str) -> bool:
        with psycopg.connect(self.server.url_of(name)) as connection:
            return self.empty(connection)

    def empty(self, connection: psycopg.Connection[Any]) -> bool:
        """Leave no row of ours in the database of this connection; False where a test changed more than rows.

        Raises psycopg.Error where somebody holds a table for longer than a second.
        """
        if self._schema is None:
            self._learn()
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '1s'")
            if connection.execute(_SCHEMA).fetchone() != (self._schema,):
                return False
            if any(_rows(connection, of) != kept for of, kept in self._kept.items()):
                return False
            touched = connection.execute(_TOUCHED).fetchall()
            if any(size > LARGE_BYTES for _, _, size in touched):
                return False
            _remove_rows(
                connection, [(table, small) for table, small, _ in touched if table not in self._kept]
            )
        return True

    def _learn(self) -> None:
        with psycopg.connect(self.server.url_of(self.template)) as connection:
            tables = [table for (table,) in connection.execute(_TABLES).fetchall()]
            self._kept = {table: found for table in tables if (found := _rows(connection, table))}
            (self._schema,) = connection.execute(_SCHEMA).fetchone() or (None,)


def _remove_rows(connection: psycopg.Connection[Any], touched: list[tuple[str, bool]]) -> None:
    """TRUNCATE makes a file for each table and index: where all are `small`, deleting takes a tenth of the time."""
    names = [sql.Identifier(name) for name, _ in touched]
    if all(small for _, small in touched):
        # In any order, and by no trigger.
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(name) for name in names))
        connection.execute(_RESTART, ([name for name, _ in touched],))
    else:
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(names)))


def _unused() -> str:
    return f"test_{secrets.token_hex(6)}"


def _rows(connection: psycopg.Connection[Any], table: str) -> list[Any]:
    return connection.execute(
        sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(sql.Identifier(table))
    ).fetchall()
