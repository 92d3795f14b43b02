"""A database that is away, full, hanging or lost half-way is 503 within two seconds, and comes back by itself."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import peewee
import psycopg
import pytest

import models
from api.database_probe import ANSWER_SECONDS, DatabaseProbe
from api.errors import DatabaseUnavailable
from api.transactions import WORK_SECONDS, transaction
from local.postgres import EmbeddedPostgres
from models import db, rows
from tests.integration.api.site import Site, csv_of, settings_for, site_over
from tests.judging import Judge
from tests.waiting import HANG_SECONDS, wait_until
from tests.wire import Wire

PROMPTLY = 2.0


@pytest.fixture
def wire(database_url: str) -> Iterator[Wire]:
    found = Wire.to(database_url)
    yield found
    found.close()


@pytest.fixture
def wired(wire: Wire, database_url: str, redis_url: str) -> Iterator[Site]:
    with site_over(settings_for(wire.url(database_url), redis_url)) as found:
        yield found
        wire.flow()


def promptly(work: Callable[[], Any]) -> Any:
    """What it comes to, which it does before a timer that runs for as long as work may take: a database that does not
    answer is given up sooner."""
    overdue = gevent.spawn_later(WORK_SECONDS, gevent.sleep)
    begun = time.monotonic()
    try:
        return work()
    finally:
        print(f"{time.monotonic() - begun:.3f} s")
        assert not overdue.ready(), "it waited for as long as work may take"
        overdue.kill()


@pytest.mark.full
def test_a_silent_database_is_told_of_within_two_seconds(wired: Site, wire: Wire, judge: Judge) -> None:
    assert wired.get("/campaigns").status_code == 200
    wire.hang()
    begun = time.monotonic()
    is_unavailable(wired.get("/campaigns"))
    judge.at_most(time.monotonic() - begun, PROMPTLY, "seconds of an answer without a database")


ROUTES = [
    ("GET", "/campaigns"),
    ("POST", "/campaigns"),
    ("GET", "/campaigns/{id}"),
    ("DELETE", "/campaigns/{id}"),
    ("GET", "/campaigns/{id}/contacts"),
    ("GET", "/campaigns/{id}/rejects"),
    ("GET", "/campaigns/{id}/events"),
    ("POST", "/campaigns/{id}/events/token"),
    ("POST", "/campaigns/{id}/start"),
    ("POST", "/campaigns/{id}/pause"),
    ("POST", "/campaigns/{id}/resume"),
    ("POST", "/campaigns/{id}/stop"),
    ("GET", "/halt"),
    ("POST", "/halt"),
    ("DELETE", "/halt"),
]


def is_unavailable(response: Any) -> None:
    assert (response.status_code, response.text) == (503, "Database unavailable")
    assert int(response.headers["Retry-After"]) >= 1


def test_every_route_says_that_a_silent_database_is_unavailable(wired: Site, wire: Wire) -> None:
    campaign_id = wired.create(1)
    wire.hang()

    def ask(method: str, path: str) -> Any:
        form: dict[str, Any] = (
            {"data": wired.form(csv_of(1))} if (method, path) == ("POST", "/campaigns") else {}
        )
        return promptly(lambda: wired.request(method, path.format(id=campaign_id), **form))

    requests = [gevent.spawn(ask, method, path) for method, path in ROUTES]
    gevent.joinall(requests, raise_error=True)
    for request in requests:
        is_unavailable(request.get())
    wire.flow()
    wait_until(lambda: wired.get("/campaigns").status_code == 200, what="the database back")


def test_a_database_that_refuses_connections_is_unavailable(wired: Site, wire: Wire) -> None:
    wire.close()
    is_unavailable(promptly(lambda: wired.get("/campaigns")))


def test_a_known_key_does_not_hide_that_the_database_is_silent(wired: Site, wire: Wire) -> None:
    assert wired.get("/campaigns").status_code == 200
    wire.hang()
    is_unavailable(promptly(lambda: wired.get("/campaigns")))


def test_a_connection_lost_while_idle_is_replaced_unnoticed(wired: Site, wire: Wire) -> None:
    assert wired.get("/campaigns").status_code == 200
    wire.cut()
    gevent.sleep(0)
    assert wait_until(lambda: wired.get("/campaigns").status_code == 200)


def test_a_connection_lost_in_a_transaction_is_unavailable_and_not_kept(wired: Site, wire: Wire) -> None:
    def work() -> None:
        with transaction():
            rows("SELECT 1 AS one")
            wire.cut()
            rows("SELECT 1 AS one")

    with pytest.raises(DatabaseUnavailable):
        work()
    with transaction():
        assert rows("SELECT 1 AS one") == [{"one": 1}]
    assert db.is_closed()


def test_a_transaction_that_takes_too_long_is_given_up_and_its_connection_returned(
    wired: Site, wire: Wire
) -> None:
    def held() -> None:
        with transaction(0.3):
            rows("INSERT INTO halt (scope, by) VALUES ('x', 'y')")
            rows("SELECT pg_sleep(30)")

    for _ in range(models.POOL_SIZE + 2):
        with pytest.raises(DatabaseUnavailable):
            held()
    with transaction():
        assert rows("SELECT scope FROM halt") == []


def test_a_transaction_that_hangs_where_no_query_runs_is_given_up_too(wired: Site, wire: Wire) -> None:
    def work() -> None:
        with transaction(0.2):
            rows("SELECT 1 AS one")
            wire.hang()
            gevent.sleep(3600)

    with pytest.raises(DatabaseUnavailable):
        work()
    wire.flow()
    with transaction():
        assert rows("SELECT 1 AS one") == [{"one": 1}]


def test_a_full_pool_is_unavailable_and_recovers(site: Site) -> None:
    release = gevent.event.Event()
    holding: list[int] = []

    def hold() -> None:
        while not release.is_set():
            # A machine that stands still meanwhile lets a first connection take too long.
            with suppress(DatabaseUnavailable), transaction(HANG_SECONDS):
                holding.append(1)
                release.wait()

    holders = [gevent.spawn(hold) for _ in range(models.POOL_SIZE)]
    wait_until(lambda: len(holding) == models.POOL_SIZE, "a full pool")
    is_unavailable(promptly(lambda: site.get("/campaigns")))
    release.set()
    gevent.joinall(holders, raise_error=True)
    assert site.get("/campaigns").status_code == 200


def test_an_error_in_a_transaction_rolls_back_and_passes_through(site: Site) -> None:
    def work(error: Exception) -> None:
        with transaction():
            rows("INSERT INTO halt (scope, by) VALUES ('x', 'y')")
            raise error

    for error in (ValueError("ours"), peewee.IntegrityError("theirs")):
        with pytest.raises(type(error)):
            work(error)
        assert db.is_closed()
    with pytest.raises(peewee.ProgrammingError), transaction():
        rows("SELECT nonsense")
    with transaction():
        assert rows("SELECT scope FROM halt") == []


def test_a_backend_that_the_operator_ends_is_unavailable_for_that_request_only(
    postgres: EmbeddedPostgres, site: Site
) -> None:
    def work() -> None:
        with transaction():
            (own,) = rows("SELECT pg_backend_pid() AS pid")
            with psycopg.connect(postgres.url, autocommit=True) as connection:
                connection.execute("SELECT pg_terminate_backend(%s)", (own["pid"],))
            rows("SELECT 1 AS one")

    with pytest.raises(DatabaseUnavailable):
        work()
    assert site.get("/campaigns").status_code == 200


@pytest.fixture
def everybody(postgres: EmbeddedPostgres) -> Iterator[Callable[[int], None]]:
    """Sends a signal to every process of PostgreSQL, which goes on when the test is over."""
    assert postgres.pid is not None
    pid = postgres.pid

    def send(number: int) -> None:
        backends = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, backends)):
            with suppress(ProcessLookupError):
                os.kill(one, number)

    yield send
    send(signal.SIGCONT)


def test_a_server_that_is_stopped_is_unavailable_until_it_goes_on(
    site: Site, everybody: Callable[[int], None]
) -> None:
    assert site.get("/campaigns").status_code == 200
    everybody(signal.SIGSTOP)
    is_unavailable(promptly(lambda: site.get("/campaigns")))
    everybody(signal.SIGCONT)
    wait_until(lambda: site.get("/campaigns").status_code == 200, what="the database back")


def test_work_that_a_stopped_server_leaves_half_done_is_given_up(
    site: Site, everybody: Callable[[int], None]
) -> None:
    def work() -> None:
        with transaction():
            rows("SELECT 1 AS one")
            everybody(signal.SIGSTOP)
            rows("SELECT 1 AS one")

    with pytest.raises(DatabaseUnavailable):
        promptly(work)
    assert db.is_closed()


def test_work_that_takes_long_goes_on_while_the_server_answers(site: Site) -> None:
    with transaction():
        assert rows("SELECT pg_sleep(2.5)::text AS slept") == [{"slept": ""}]


def test_a_statement_that_takes_too_long_is_ended_by_the_server(database_url: str) -> None:
    pool = models.connect(database_url, pool_size=1, statement_seconds=0.2)
    with pytest.raises(peewee.OperationalError, match="statement timeout"), db.connection_context():
        rows("SELECT pg_sleep(60)")
    pool.close_all()


def test_a_connection_notices_a_server_that_has_vanished(database_url: str) -> None:
    pool = models.connect(database_url, pool_size=1)
    with db.connection_context():
        found = socket.socket(fileno=os.dup(db.connection().pgconn.socket))
        with found:
            if found.family != socket.AF_UNIX:
                assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
                assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
    pool.close_all()


def test_a_database_is_not_called_silent_by_a_process_that_was_busy_itself(site: Site) -> None:
    """An upload may keep a process busy for longer than the answer is waited for."""
    probe = DatabaseProbe()
    for busy_after in (0.0, 0.001, 0.005):
        busy = gevent.spawn_later(busy_after, stand_still, 2 * ANSWER_SECONDS)
        assert probe.is_alive()
        busy.join()


def stand_still(seconds: float) -> None:
    """Nothing else of this process runs meanwhile."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        pass
