"""What a process may do to the others from within a transaction."""

from __future__ import annotations

import psycopg
import pytest

from dialer.errors import DATABASE_AWAY
from models import IDLE_SECONDS, connect, rows


def test_a_process_that_stands_still_in_a_transaction_gives_its_rows_back(database_url: str) -> None:
    pool = connect(database_url)
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("INSERT INTO tenant (id, name) VALUES ('t', 'before')")
        other.execute(f"SET lock_timeout = '{IDLE_SECONDS + 20}s'")
        with pytest.raises(DATABASE_AWAY), pool.connection_context(), pool.atomic():  # noqa: PT012
            rows("UPDATE tenant SET name = 'after' WHERE id = 't' RETURNING id")
            found = other.execute("SELECT name FROM tenant WHERE id = 't' FOR UPDATE").fetchone()
            assert found == ("before",)
            rows("SELECT 1")
    with pool.connection_context():
        assert rows("SELECT 1 AS one") == [{"one": 1}]
    pool.close_all()


def test_a_statement_tells_its_rows_also_where_they_have_no_columns(database_url: str) -> None:
    """`SELECT FROM` asks whether there is a row."""
    pool = connect(database_url)
    with pool.connection_context():
        assert rows("SELECT FROM (VALUES (1), (2)) AS two") == [{}, {}]
        assert rows("SELECT FROM tenant WHERE id = 'nobody'") == []
        assert rows("SELECT id, name FROM tenant WHERE id = 'nobody'") == []
        assert rows("CREATE TEMP TABLE nothing ()") == []
        assert rows("INSERT INTO nothing DEFAULT VALUES") == []
        assert rows("SELECT 1 AS one, 2 AS two") == [{"one": 1, "two": 2}]
    pool.close_all()
