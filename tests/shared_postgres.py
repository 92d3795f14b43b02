"""A PostgreSQL with the schema that outlasts one pytest run, where starting one takes longer than a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import psycopg
from psycopg import sql

from local.postgres import EmbeddedPostgres

TEMPLATE = "template_for_tests"
"""The database with the schema and no row of ours, which every test clones."""

PORT = "postgres.port"
_LEFT = "SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'"


class SharedPostgres(EmbeddedPostgres):
    """One that `shared` runs in this home: to be used, and not to be stopped."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.port = int((home / PORT).read_text(encoding="ascii"))

    def start(self) -> NoReturn:
        raise AssertionError("this PostgreSQL is for others too: nobody starts it anew, or stops it")

    restart = stop = start


@contextmanager
def shared(home: Path) -> Iterator[EmbeddedPostgres]:
    """One with the schema, to which a pytest run with `--shared-postgres=home` connects; for one run at a time."""
    with EmbeddedPostgres(home, durable=False) as server:
        make_template(server)
        (home / PORT).write_text(f"{server.port}", encoding="ascii")
        yield server


def make_template(server: EmbeddedPostgres) -> None:
    """Create the template with every migration applied."""
    from migrations.runner import migrate  # here: most tests need no database, and no peewee

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    migrate(server.url_of(TEMPLATE))


def drop_databases(server: EmbeddedPostgres) -> None:
    """Drop what a run has left, however it ended."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        for (name,) in connection.execute(_LEFT).fetchall():
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
