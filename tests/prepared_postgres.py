"""Data of a PostgreSQL that has every migration applied, copied where making them anew takes longer than a test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from local.placement import forget, place
from local.postgres import EmbeddedPostgres

TEMPLATE = "template_for_tests"
"""The database with the schema and no row of ours, which every test clones."""

PASSWORD = "postgres.password"


@contextmanager
def prepared(home: Path) -> Iterator[Path]:
    """A home to `lay_out` from, of a server that has ended, until the end of the block."""
    # Durable, or its data would end with it.
    with EmbeddedPostgres(home) as server:
        make_template(server)
    try:
        yield home
    finally:
        forget(home, place(home))


def make_template(server: EmbeddedPostgres) -> None:
    """Create the template with every migration applied."""
    from migrations.runner import migrate  # here: most tests need no database, and no peewee

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    migrate(server.url_of(TEMPLATE))


def lay_out(prepared: Path, home: Path) -> None:
    """Give a home without a server what the prepared one has; a server that is started there finds it."""
    shutil.copy2(prepared / PASSWORD, home / PASSWORD)
    # With the owner, who is not us where we are root.
    subprocess.run(["cp", "-Rp", place(prepared).data, place(home).data], check=True)
