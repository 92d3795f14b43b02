"""A database for each test, with the schema and no row of ours: made from a template, or emptied and renamed.

Making one takes PostgreSQL a quarter of a second, emptying one a hundredth. One that a test has left otherwise than
empty of rows (another table, a changed column, a large file) is dropped instead. A name is never used twice: what
outlives its test, a greenlet or a process, finds no database any more.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from local.postgres import EmbeddedPostgres

LARGE_BYTES = 1 << 20
"""Where the tables of a test have grown so large, a fresh database is cheaper than the next test's scans."""

ATTEMPTS = 20

# What a migration makes: columns, indexes, constraints, triggers, functions.
_SCHEMA = """
SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM (
    SELECT concat_ws(' ', c.relname, c.relkind, c.reloptions, a.attname, a.atttypid, a.attnotnull, a.attgenerated)
        AS line FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_constraintdef(oid) || conname FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS everything
"""
_LARGEST = """
SELECT coalesce(max(pg_total_relation_size(oid)), 0) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
# Written to, or looked at by autovacuum: a table that was truncated is planned for as one that nobody has seen yet.
_TOUCHED = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    AND (pg_relation_size(oid) > 0 OR reltuples <> -1)
"""
_DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


@dataclass(slots=True)
class Databases:
    """Those of one run, on its server."""

    server: EmbeddedPostgres
    template: str
    _spare: list[str] = field(default_factory=list)
    _kept: dict[str, list[Any]] = field(default_factory=dict)
    _schema: str | None = None

    def new(self) -> str:
        """The name of a database that no test has had by this name."""
        if self._spare:
            return self._spare.pop()
        name = _unused()
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(self.template)
        )
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute(make)
        return name

    def give_back(self, name: str) -> None:
        """The test that had it is over, whoever is still connected, or connects again."""
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            renamed = self._renamed(connection, name)
            if renamed is not None and self._emptied(renamed):
                self._spare.append(renamed)
            else:
                drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
                connection.execute(drop.format(sql.Identifier(renamed or name)))

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

    def _emptied(self, name: str) -> bool:
        if self._schema is None:
            self._learn()
        with psycopg.connect(self.server.url_of(name)) as connection:
            connection.execute("SET lock_timeout = '1s'")
            largest = connection.execute(_LARGEST).fetchone()
            if connection.execute(_SCHEMA).fetchone() != (self._schema,) or largest is None:
                return False
            if largest[0] > LARGE_BYTES or any(
                _rows(connection, of) != kept for of, kept in self._kept.items()
            ):
                return False
            touched = [
                table for (table,) in connection.execute(_TOUCHED).fetchall() if table not in self._kept
            ]
            if touched:
                tables = sql.SQL(", ").join(map(sql.Identifier, touched))
                connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))
        return True

    def _learn(self) -> None:
        with psycopg.connect(self.server.url_of(self.template)) as connection:
            tables = [table for (table,) in connection.execute(_TABLES).fetchall()]
            self._kept = {table: found for table in tables if (found := _rows(connection, table))}
            (self._schema,) = connection.execute(_SCHEMA).fetchone() or (None,)


def _unused() -> str:
    return f"test_{secrets.token_hex(6)}"


def _rows(connection: psycopg.Connection[Any], table: str) -> list[Any]:
    return connection.execute(
        sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(sql.Identifier(table))
    ).fetchall()
