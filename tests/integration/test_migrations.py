"""Migrations of a database that is at work: writers go on, and a run that was interrupted is run again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import peewee
import psycopg
import pytest

from migrations.runner import LOCK, migrate
from migrations.statements import run
from models import connect
from tests.waiting import wait_until

INDEX = "call_held"
MIGRATION = "0012_held_slots"
DEFINITION = "CREATE INDEX call_held ON public.call USING btree (dialer_id) WHERE (slot_until IS NOT NULL)"
WRITE = "UPDATE call SET sip_phrase = %s WHERE dialer_id = %s"
FOR_WRITERS = "waiting for writers before build"
FOR_SNAPSHOTS = "waiting for old snapshots"
SECONDS = 30


@pytest.fixture
def before(database_url: str) -> str:
    """The URL of a database as an interrupted run of the migration left it: its columns are there, no index is."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"DROP INDEX {INDEX}")
        connection.execute("DELETE FROM schema_migration WHERE name = %s", (MIGRATION,))
        _insert_calls(connection)
    return database_url


def _insert_calls(connection: psycopg.Connection) -> None:
    """Three calls, of the dialers d1, d2 and d3."""
    connection.execute("SET session_replication_role = replica")  # no row of another table need be there
    for number in (1, 2, 3):
        connection.execute(
            "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, generation, phone_number, caller_id,"
            " gateway_id, node, dialer_id, sent_by) SELECT gen_random_uuid(), 't', gen_random_uuid(),"
            " gen_random_uuid(), 1, 1, '+14155550100', '+14155550101', gen_random_uuid(), 'fs1', %s, %s",
            (f"d{number}", f"d{number}"),
        )


@contextmanager
def transaction(url: str, isolation: str = "READ COMMITTED") -> Iterator[psycopg.Connection]:
    """A transaction that has read, so that whoever builds an index waits for its snapshot where it keeps one."""
    with psycopg.connect(url) as connection:
        connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
        connection.execute("SELECT id FROM tenant")
        yield connection


@pytest.fixture
def observer(before: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(before, autocommit=True) as connection:
        connection.execute(f"SET lock_timeout = '{SECONDS // 2}s'")
        yield connection


def waits(observer: psycopg.Connection, statement: str) -> bool:
    """Whether a process runs a statement that begins so, and waits for another."""
    found = observer.execute(
        "SELECT 1 FROM pg_stat_activity WHERE starts_with(query, %s) AND wait_event_type = 'Lock'"
        " AND datname = current_database()",
        (statement,),
    )
    return found.fetchone() is not None


def building(observer: psycopg.Connection, phase: str) -> bool:
    """Whether an index is being built, and how far that is: PostgreSQL names the phases."""
    found = observer.execute(
        "SELECT 1 FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase = %s",
        (phase,),
    )
    return found.fetchone() is not None


def index_of(observer: psycopg.Connection) -> tuple[str, bool] | None:
    """How the index is defined and whether it serves queries."""
    row = observer.execute(
        "SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)",
        (INDEX,),
    ).fetchone()
    return None if row is None else (row[0], row[1])


def build_index(url: str) -> None:
    """As the migration does it."""
    pool = connect(url, pool_size=1)
    with pool.connection_context():
        run(
            pool,
            [
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS call_held ON call (dialer_id) WHERE slot_until IS NOT NULL"
            ],
        )
    pool.close_all()


def test_writes_go_through_while_the_index_is_built(before: str, observer: psycopg.Connection) -> None:
    with transaction(before) as first:
        first.execute(WRITE, ("first", "d1"))
        build = gevent.spawn(build_index, before)
        wait_until(lambda: building(observer, FOR_WRITERS), what="the index being built", seconds=SECONDS)
        # It waits for the first writer, and nobody for it: the second would end with a lock timeout otherwise.
        assert observer.execute(WRITE, ("second", "d2")).rowcount == 1
        assert first.execute(WRITE, ("third", "d3")).rowcount == 1
        assert not build.ready()
        first.commit()
        build.get(timeout=SECONDS)
    assert index_of(observer) == (DEFINITION, True)


def test_writes_go_through_while_a_migration_waits_for_a_table(
    before: str, observer: psycopg.Connection
) -> None:
    with transaction(before) as first:
        first.execute(WRITE, ("first", "d1"))
        release = gevent.spawn(migrate, before)
        wait_until(lambda: waits(observer, "ALTER TABLE call"), seconds=SECONDS, what="the migration")
        assert observer.execute(WRITE, ("second", "d2")).rowcount == 1
        assert first.execute(WRITE, ("third", "d3")).rowcount == 1
        assert not release.ready()
        first.commit()
        assert release.get(timeout=SECONDS) == [MIGRATION]
    assert index_of(observer) == (DEFINITION, True)
    assert migrate(before) == []


def test_an_index_that_an_interrupted_run_left_invalid_is_built_anew(
    before: str, observer: psycopg.Connection
) -> None:
    with transaction(before, "REPEATABLE READ"):
        release = gevent.spawn(migrate, before)
        wait_until(lambda: building(observer, FOR_SNAPSHOTS), what="the index being built", seconds=SECONDS)
        observer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database()"
        )
        release.join(timeout=SECONDS)
        assert isinstance(release.exception, peewee.OperationalError)
    assert index_of(observer) == (DEFINITION, False)
    assert migrate(before) == [MIGRATION]
    assert index_of(observer) == (DEFINITION, True)


def test_a_second_release_process_does_not_stand_in_the_way_of_the_index(
    before: str, observer: psycopg.Connection
) -> None:
    with transaction(before, "REPEATABLE READ"):
        releases = [gevent.spawn(migrate, before) for _ in range(2)]
        wait_until(lambda: building(observer, FOR_SNAPSHOTS), what="the index being built", seconds=SECONDS)
        wait_until(lambda: asks_for_the_lock(observer), what="the second release process", seconds=SECONDS)
    done = [release.get(timeout=SECONDS) for release in releases]
    assert sorted(done) == [[], [MIGRATION]]
    assert index_of(observer) == (DEFINITION, True)


def asks_for_the_lock(observer: psycopg.Connection) -> bool:
    """Whether a process has asked for the lock of the release process and does nothing else since."""
    found = observer.execute(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg%%advisory_lock%%' AND pid <> pg_backend_pid()"
        " AND datname = current_database()"
    )
    return found.fetchone() is not None


def test_one_that_waits_for_its_turn_holds_no_snapshot(before: str, observer: psycopg.Connection) -> None:
    """CREATE INDEX CONCURRENTLY waits for every snapshot that is older than it, a waiting statement's too."""
    observer.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    release = gevent.spawn(migrate, before)
    try:
        wait_until(lambda: asks_for_the_lock(observer), seconds=SECONDS, what="the release process")
        assert not waits(observer, "SELECT pg")
    finally:
        observer.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
    assert release.get(timeout=SECONDS) == [MIGRATION]
