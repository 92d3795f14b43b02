"""The pool of database connections, against a real server that dies, and with greenlets that do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import peewee
import psycopg
import pytest
from gevent.event import Event
from playhouse.pool import MaxConnectionsExceeded

from database import connect, open_pool, rows, transaction
from database_pool import Pool, PooledConnection
from local.postgres import EmbeddedPostgres
from tests import pools
from tests.waiting import HANG_SECONDS, wait_until
from tests.wire import Wire

ROOT = Path(__file__).parents[2]
SIZE = 3


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    made = connect(database_url, pool_size=SIZE)
    yield made
    pools.close(made)


@pytest.fixture
def wire(database_url: str) -> Iterator[Wire]:
    made = Wire.to(database_url)
    yield made
    made.close()


@pytest.fixture
def wired(wire: Wire, database_url: str) -> Iterator[Pool]:
    made = connect(wire.url(database_url), pool_size=SIZE)
    yield made
    wire.flow()
    pools.close(made)


def pid() -> int:
    (found,) = rows("SELECT pg_backend_pid() AS pid")
    return int(found["pid"])


def at_once(pool: Pool, work: Callable[[], Any]) -> list[Any]:
    """What comes of it on every connection of the pool at the same time."""
    together = Event()
    inside: list[None] = []

    def one() -> Any:
        with pool.connection_context():
            inside.append(None)
            if len(inside) == SIZE:
                together.set()
            together.wait()
            return work()

    greenlets = [gevent.spawn(one) for _ in range(SIZE)]
    gevent.joinall(greenlets, raise_error=True)
    return [greenlet.get() for greenlet in greenlets]


def last_statements(database_url: str, pids: list[int]) -> set[str]:
    """What the server was asked last on each of them."""
    with psycopg.connect(database_url, autocommit=True) as other:
        asked = "SELECT query FROM pg_stat_activity WHERE pid = ANY(%s)"
        return {query for (query,) in other.execute(asked, (pids,)).fetchall()}


def are_gone(database_url: str, pids: list[int]) -> bool:
    """Whether the server has ended all of them."""
    with psycopg.connect(database_url, autocommit=True) as other:
        counted = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"
        return other.execute(counted, (pids,)).fetchone() == (0,)


def test_a_connection_that_answered_is_handed_out_unasked(pool: Pool, database_url: str) -> None:
    pids = at_once(pool, pid)
    at_once(pool, lambda: None)
    assert last_statements(database_url, pids) == {"SELECT pg_backend_pid() AS pid"}


def test_after_a_restart_of_the_server_nobody_meets_an_error(
    pool: Pool, postgres: EmbeddedPostgres, database_url: str
) -> None:
    before = at_once(pool, pid)
    with psycopg.connect(database_url, autocommit=True) as other:
        # The servers of tests write nothing down at a commit: the crash would take this very database with it.
        other.execute("CHECKPOINT")
    postgres.restart()
    after = at_once(pool, pid)
    assert len(set(after)) == SIZE
    assert not set(before) & set(after)


def test_idle_connections_that_are_ended_one_by_one_are_replaced_unnoticed(
    pool: Pool, database_url: str
) -> None:
    for _ in range(3):
        pids = at_once(pool, pid)
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) pid", (pids[:2],))
        wait_until(partial(are_gone, database_url, pids[:2]))
        assert pids[2] in at_once(pool, pid), "one that works is kept"


def test_once_one_is_lost_those_of_its_time_are_asked_before_they_are_used(
    pool: Pool, database_url: str
) -> None:
    pids = at_once(pool, pid)
    with pytest.raises(gevent.Timeout), pool.connection_context(), gevent.Timeout(0.01):
        rows("SELECT pg_sleep(60)")
    kept = at_once(pool, lambda: None)
    assert len(kept) == SIZE
    assert last_statements(database_url, pids) >= {"SELECT 1"}
    now = at_once(pool, pid)
    at_once(pool, lambda: None)
    assert last_statements(database_url, now) == {"SELECT pg_backend_pid() AS pid"}, (
        "asked once, not for ever"
    )


def test_one_taken_out_before_another_was_lost_is_asked_after_it_came_back(
    pool: Pool, database_url: str
) -> None:
    def lose_another() -> None:
        with pytest.raises(gevent.Timeout), pool.connection_context(), gevent.Timeout(0.01):
            rows("SELECT pg_sleep(60)")

    with pool.connection_context():
        held = pid()
        gevent.spawn(lose_another).get()
    with pool.connection_context():
        assert last_statements(database_url, [held]) == {"SELECT 1"}


def test_a_transaction_whose_connection_breaks_as_it_begins_takes_another(wired: Pool, wire: Wire) -> None:
    before = at_once(wired, pid)
    wire.break_when_used()
    with transaction():
        assert pid() not in before
    assert not set(at_once(wired, pid)) & set(before), "and the others were asked first"


def test_work_that_was_begun_is_never_done_again_on_another_connection(wired: Pool, wire: Wire) -> None:
    def work() -> None:
        with wired.connection_context():
            pid()
            wire.cut()
            with wired.atomic():
                pytest.fail("it began without what was done before it")

    with pytest.raises(peewee.PeeweeException):
        work()
    with wired.connection_context():
        pid()


def test_a_statement_that_broke_with_its_connection_is_work_that_was_begun(wired: Pool, wire: Wire) -> None:
    """Nobody knows whether it was done; whoever goes on from there has to know that it failed."""

    def work() -> None:
        with wired.connection_context():
            with suppress(peewee.PeeweeException):
                pid()
            with wired.atomic():
                pytest.fail("it began as if nothing had been asked")

    at_once(wired, pid)
    wire.break_when_used()
    with pytest.raises(peewee.PeeweeException):
        work()


def test_without_a_connection_no_transaction_begins(pool: Pool) -> None:
    with pytest.raises(peewee.InterfaceError), pool.atomic():
        pytest.fail("it began")


def test_where_idle_connections_fall_silent_a_new_one_serves(wired: Pool, wire: Wire) -> None:
    before = at_once(wired, pid)
    wire.freeze()
    with pytest.raises(gevent.Timeout), wired.connection_context(), gevent.Timeout(0.05):
        pid()
    with wired.connection_context(), transaction():
        assert pid() not in before


def test_a_server_that_falls_silent_once_it_is_connected_is_not_waited_for(
    wire: Wire, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = open_pool(wire.url(database_url), 1, connect_seconds=1)
    connect = PooledConnection.connect

    def then_silent(*arguments: Any, **parameters: Any) -> PooledConnection:
        made = connect(*arguments, **parameters)
        wire.hang()
        return made

    monkeypatch.setattr(PooledConnection, "connect", then_silent)
    with pytest.raises(peewee.OperationalError, match="fell silent"), gevent.Timeout(HANG_SECONDS):
        pool.connect()
    monkeypatch.undo()
    wire.flow()
    with pool.connection_context():
        assert pool.execute_sql("SELECT 1").fetchone() == (1,)
    pools.close(pool)


def test_what_ended_the_work_passes_through_nested_transactions(pool: Pool, database_url: str) -> None:
    class Struck(BaseException):
        """As a kill is: no Exception."""

    def work() -> None:
        with transaction(), transaction(), transaction():
            rows("SELECT pg_sleep(60)")

    started = gevent.spawn(work)
    asked = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
    with psycopg.connect(database_url, autocommit=True) as other:
        wait_until(lambda: other.execute(asked).fetchone() == (1,))
    started.kill(Struck)
    assert isinstance(started.exception, Struck)
    with pool.connection_context():
        assert pid()


def test_an_error_of_the_server_passes_through_nested_transactions(pool: Pool) -> None:
    with pytest.raises(peewee.OperationalError, match="terminating connection"), transaction(), transaction():
        rows("SELECT pg_terminate_backend(pg_backend_pid())")
    with pool.connection_context():
        assert pid()


def test_a_statement_that_the_server_refuses_costs_no_connection(pool: Pool) -> None:
    with pool.connection_context():
        before = pid()
    with pytest.raises(peewee.ProgrammingError), transaction():
        rows("SELECT nonsense")
    with pool.connection_context():
        assert pid() == before


def test_one_that_is_left_in_a_transaction_is_not_handed_out_again(pool: Pool) -> None:
    with pool.connection_context():
        before = pid()
        rows("BEGIN")
    with pool.connection_context():
        assert pid() != before


def test_who_waits_longest_is_served_first_and_waiting_is_bounded(pool: Pool) -> None:
    order: list[int] = []
    leave = Event()

    def hold() -> None:
        with pool.connection_context():
            leave.wait()

    def wait(number: int) -> None:
        with pool.connection_context():
            order.append(number)
            pid()

    holders = [gevent.spawn(hold) for _ in range(SIZE)]
    wait_until(lambda: len(pool.taken) == SIZE)
    pool.checkout_seconds = 0.05
    with pytest.raises(MaxConnectionsExceeded):
        pool.connect()
    pool.checkout_seconds = 60.0
    waiting = []
    for number in range(6):
        waiting.append(gevent.spawn(wait, number))
        wait_until(lambda: pool.turns.waiting == len(waiting))
    leave.set()
    gevent.joinall(holders, raise_error=True)
    gevent.joinall(waiting, raise_error=True)
    assert order == sorted(order)


def test_who_asks_again_at_once_does_not_overtake_who_waits(database_url: str) -> None:
    pool = connect(database_url, pool_size=1)
    served = Event()

    def greedy() -> None:
        while not served.is_set():
            with pool.connection_context():
                pid()

    def patient() -> None:
        with pool.connection_context():
            served.set()

    gevent.joinall([gevent.spawn(greedy), gevent.spawn(patient)], raise_error=True)
    pools.close(pool)


def test_closing_all_closes_them_under_the_hands_of_their_holders_and_frees_their_places(pool: Pool) -> None:
    released = Event()

    def hold() -> None:
        with pool.connection_context():
            released.wait()

    holders = [gevent.spawn(hold) for _ in range(SIZE)]
    wait_until(lambda: len(pool.taken) == SIZE)
    pool.close_all()
    released.set()
    gevent.joinall(holders, raise_error=True)
    assert len(set(at_once(pool, pid))) == SIZE


CLOSED_AS_IT_IS_ASKED = """
from gevent import monkey
monkey.patch_all()
import sys, gevent
from database_pool import Pool
pool = Pool(sys.argv[1], 3, 5.0)
def ask():
    with pool.connection_context():
        try:
            pool.execute_sql("SELECT pg_sleep(300)")
        except Exception as error:
            print(type(error).__name__)
asking = gevent.spawn(ask)
while not any(connection.used for connection in pool.taken):
    gevent.sleep(0)  # once round: what it waits for has not reached the kernel yet
pool.close_all()
asking.join()
"""


def test_closing_all_ends_no_process_of_which_somebody_has_just_begun_to_wait(database_url: str) -> None:
    """A web process, or a dialer that begins anew, would be gone with all that it does."""
    child = [sys.executable, "-c", CLOSED_AS_IT_IS_ASKED, database_url]
    done = subprocess.run(child, cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    assert (done.returncode, done.stdout) == (0, "OperationalError\n"), done.stderr
