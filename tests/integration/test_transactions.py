"""What a process may do to the others from within a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import gevent
import psycopg
import pytest

from api.transactions import WORK_SECONDS
from database_pool import GONE_SECONDS, KNOWS_TRANSACTION_TIMEOUT
from dialer.errors import DATABASE_AWAY
from dialer.record import outcome_rows
from dialer.recovery.half_commits import HalfCommits
from models import IDLE_SECONDS, connect, open_pool, rows
from tests import pools
from tests.waiting import wait_until

LOCKED = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND pid <> pg_backend_pid()"
"""Transactions that have written."""


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


def test_a_process_that_is_stopped_between_two_writes_of_one_commit_gives_its_rows_back(
    database_url: str,
) -> None:
    """Without its end, the server counts such a transaction neither as idle nor as a statement."""
    pool = open_pool(database_url, 1, transaction_seconds=1.0)
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("INSERT INTO tenant (id, name) VALUES ('t', 'before')")
        other.execute(f"SET lock_timeout = '{IDLE_SECONDS + 20}s'")
        if other.info.server_version < KNOWS_TRANSACTION_TIMEOUT:
            pytest.skip("this server has no transaction_timeout")
        with pytest.raises(DATABASE_AWAY), pool.connection_context():
            pool.run_together(half_sent(other))
    with pool.connection_context():
        assert pool.run_together([("SELECT name FROM tenant", ())]) == [[("before",)]]
    pools.close(pool)


def test_where_the_server_ends_no_half_commit_another_dialer_does(database_url: str) -> None:
    """As beside PostgreSQL before 17, which has no `transaction_timeout`."""
    pool, shared = open_pool(database_url, 1), connect(database_url)
    ending = HalfCommits(lambda: True, longest_seconds=0.1, silent_seconds=0.1)

    def half() -> Iterator[tuple[str, tuple[object, ...]]]:
        yield "UPDATE tenant SET name = 'after' WHERE id = 't'", ()
        wait_until(lambda: other.execute(LOCKED).fetchone() == (1,), "the lock of the half that came")
        with shared.connection_context():
            wait_until(lambda: ending.end() == 1, "its end")
        yield "SELECT 1", ()

    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("INSERT INTO tenant (id, name) VALUES ('t', 'before')")
        with pytest.raises(DATABASE_AWAY), pool.connection_context():
            pool.run_together(half())
        assert other.execute("SELECT name FROM tenant").fetchone() == ("before",)
    pools.close(pool)
    pools.close(shared)


def test_no_whole_transaction_no_upload_and_no_other_program_s_is_ended(database_url: str) -> None:
    shared = connect(database_url)
    ending = HalfCommits(lambda: True, longest_seconds=-60.0, silent_seconds=-60.0)
    ending.round()
    ours = f"{database_url}?application_name=carillon"
    waiting = """
        SELECT count(*) FROM pg_stat_activity
        WHERE pid = ANY(%s) AND state = 'active' AND wait_event = 'ClientRead'"""
    with (
        psycopg.connect(ours) as idle,
        psycopg.connect(ours) as sends,
        psycopg.connect(database_url) as others,
        shared.connection_context(),
    ):
        idle.execute("SELECT FROM tenant FOR UPDATE")
        both = [sends.info.backend_pid, others.info.backend_pid]
        with others.pipeline(), sends.cursor().copy("COPY tenant (id, name) FROM STDIN") as copy:
            found = others.execute("SELECT 1")
            copy.write_row(("t", "sent"))
            wait_until(lambda: shared.execute_sql(waiting, (both,)).fetchone() == (2,), "both half way")
            assert ending.end() == 0
            copy.write_row(("u", "sent"))
        sends.commit()
        assert found.fetchone() == (1,)
        assert others.execute("SELECT count(*) FROM tenant").fetchone() == (2,)
        assert idle.execute("SELECT 1").fetchone() == (1,)
    pools.close(shared)


def half_sent(other: psycopg.Connection[Any]) -> Iterator[tuple[str, tuple[object, ...]]]:
    """A statement, and another that comes only once its rows are somebody else's."""
    yield "UPDATE tenant SET name = 'after' WHERE id = 't'", ()
    wait_until(lambda: other.execute(LOCKED).fetchone() == (1,), "the lock of the half that came")
    assert other.execute("SELECT name FROM tenant WHERE id = 't' FOR UPDATE").fetchone() == ("before",)
    yield "SELECT 1", ()


def test_a_commit_of_the_recorder_is_over_before_a_pause_gives_up_waiting(database_url: str) -> None:
    pool = outcome_rows.record_pool(database_url)
    with pool.connection_context():
        asked = "SELECT setting::float / 1000 FROM pg_settings WHERE name = 'transaction_timeout'"
        found = pool.execute_sql(asked).fetchone()
    if found is None:
        pytest.skip("this server has no transaction_timeout")
    (seconds,) = found
    assert 0 < seconds < WORK_SECONDS - GONE_SECONDS
    pools.close(pool)


def test_who_asked_and_is_gone_does_not_wait_on_at_the_server(database_url: str) -> None:
    pool = open_pool(database_url, 1)
    with (
        psycopg.connect(database_url) as holder,
        psycopg.connect(database_url, autocommit=True) as other,
        pool.connection_context(),
    ):
        holder.execute("LOCK TABLE tenant")
        backend = pool.execute_sql("SELECT pg_backend_pid()").fetchone()
        with suppress(gevent.Timeout), gevent.Timeout(0.1):
            pool.execute_sql("SELECT FROM tenant")
        assert pool.is_lost()
        gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        wait_until(lambda: other.execute(gone, backend).fetchone() == (0,), "the end of who waited")
    pools.close(pool)


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
