"""Greenlets that are struck at any switch of a check-out, a statement, a commit or a check-in leave the pool whole.

Every few switches a greenlet that works on the database, whichever it is and wherever it stands, is killed, gets a
Timeout, or loses its connection at the server. What holds is judged by everybody who holds a connection, and at the
end by taking all of them and by what the server has of it.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import gevent
import peewee
import psycopg
import pytest
from gevent import Greenlet, GreenletExit
from gevent.event import Event
from playhouse.pool import MaxConnectionsExceeded
from psycopg.pq import TransactionStatus

from cooperative import let_others_run
from database import connect, rows, transaction
from database_pool import Pool, PooledConnection
from tests import pools
from tests.waiting import wait_until

SIZE = 4
WORKERS = 9
ROUNDS = 1_500
MORE_ROUNDS = 10_000

PLACES = {
    "take": "waiting for a turn",
    "_answers": "in the test of a connection in doubt",
    "_open": "connecting",
    "begin": "at BEGIN",
    "commit": "at COMMIT",
    "rollback": "at ROLLBACK",
    "execute_sql": "in a statement",
}
"""Where a greenlet may be struck: the innermost function of these that it stands in."""


class Strike(BaseException):
    """What a Timeout is, and no Exception."""


def place_of(frame: FrameType | None) -> str:
    while frame is not None:
        if frame.f_code.co_name in PLACES:
            return PLACES[frame.f_code.co_name]
        frame = frame.f_back
    return "elsewhere"


@dataclass
class Trial:
    """Workers on one pool, who strikes them, and what came of it."""

    pool: Pool
    url: str
    seed: int
    struck: Counter[str] = field(default_factory=Counter)
    done: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _workers: list[Greenlet[[], BaseException | None]] = field(default_factory=list)
    _held: set[PooledConnection] = field(default_factory=set)
    _tokens: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def run(self, rounds: int) -> None:
        """So many pieces of work, some at a time; struck meanwhile."""
        left = itertools.repeat(None, rounds)
        supply = [gevent.spawn(self._supply, left) for _ in range(WORKERS)]
        striker = gevent.spawn(self._strike)
        gevent.joinall(supply, raise_error=True)
        striker.kill()

    def _supply(self, left: Iterator[None]) -> None:
        for _ in left:
            worker = gevent.spawn(self._work)
            self._workers.append(worker)
            worker.join()
            self._workers.remove(worker)
            self._judge(worker.exception or worker.get())

    def _judge(self, error: BaseException | None) -> None:
        expected = (
            GreenletExit,
            Strike,
            gevent.Timeout,
            peewee.PeeweeException,
            MaxConnectionsExceeded,
            ZeroDivisionError,
        )
        if error is not None and not isinstance(error, expected):
            self.wrong.append(f"{type(error).__name__}: {error}")
        if isinstance(error, peewee.PeeweeException) and not isinstance(error, peewee.OperationalError):
            self.wrong.append(f"{type(error).__name__}: {error}")

    def _strike(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as other:
            while True:
                for _ in range(self._random.choice((1, 1, 2, 5, 20))):
                    let_others_run()
                alive = [worker for worker in self._workers if worker.gr_frame is not None]
                if not alive:
                    continue
                worker = self._random.choice(alive)
                if self._random.random() < 0.5:
                    worker = min(alive, key=lambda one: self.struck[place_of(one.gr_frame)])
                self.struck[place_of(worker.gr_frame)] += 1
                kind = self._random.random()
                if kind < 0.45:
                    worker.kill(block=False)
                elif kind < 0.9:
                    worker.kill(Strike, block=False)
                else:
                    pids = [one.info.backend_pid for one in self.pool.taken if not one.closed]
                    other.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) pid", (pids[:1],))

    def _work(self) -> BaseException | None:
        """What ended it, as a value: gevent would print it."""
        try:
            with gevent.Timeout(self._random.choice((0.002, 0.01, 30, 30, 30))):
                if self._random.random() < 0.4:
                    with self.pool.connection_context(), self._holding():
                        self._ask()
                else:
                    self._write(next(self._tokens))
        except BaseException as error:  # a kill and a Timeout are none that Exception would catch
            return error
        return None

    def _write(self, token: int) -> None:
        """Both of its rows or none."""
        with transaction(), self._holding():
            rows("INSERT INTO struck VALUES (%s)", token)
            if self._random.random() < 0.3:
                with transaction():
                    self._ask()
            if self._random.random() < 0.3:
                raise ZeroDivisionError
            rows("INSERT INTO struck VALUES (%s)", token)
        self.done.append(token)

    def _ask(self) -> None:
        """The answer is the one to this question."""
        question = self._random.random()
        (answer,) = rows("SELECT %s::float AS it, pg_sleep(%s)", question, self._random.choice((0, 0, 0.001)))
        if answer["it"] != question:
            self.wrong.append("somebody else's answer")

    @contextmanager
    def _holding(self) -> Iterator[None]:
        """Nobody else has this greenlet's connection, and it was not handed out in a transaction."""
        connection: PooledConnection = self.pool.connection()  # type: ignore[no-untyped-call]
        status = TransactionStatus.INTRANS if self.pool.in_transaction() else TransactionStatus.IDLE
        if not connection.closed and connection.pgconn.transaction_status != status:
            self.wrong.append(f"handed out {connection.pgconn.transaction_status}")
        if connection in self._held:
            self.wrong.append("a connection of two")
        self._held.add(connection)
        try:
            yield
        finally:
            self._held.discard(connection)


def everything_is_there(pool: Pool) -> None:
    """Every place of the pool can be taken at the same time, and works."""
    inside: set[int] = set()
    together = Event()

    def one() -> None:
        with pool.connection_context():
            inside.add(id(pool.connection()))  # type: ignore[no-untyped-call]
            if len(inside) == SIZE:
                together.set()
            together.wait()
            assert rows("SELECT 1 AS one") == [{"one": 1}]

    gevent.joinall([gevent.spawn(one) for _ in range(SIZE)], raise_error=True)
    assert len(inside) == SIZE


@pytest.mark.parametrize(
    "rounds", [ROUNDS, pytest.param(MORE_ROUNDS, marks=pytest.mark.full)], ids=["some", "many"]
)
def test_greenlets_that_are_struck_anywhere_leave_the_pool_whole(database_url: str, rounds: int) -> None:
    pool = connect(database_url, pool_size=SIZE)
    pool.checkout_seconds = 0.3
    with pool.connection_context():
        rows("CREATE TABLE struck (token bigint)")
    trial = Trial(pool, database_url, seed=random.randrange(2**32))
    print(f"seed {trial.seed}")
    trial.run(rounds)
    assert pool.turns.free == SIZE, "a place was lost"
    while not set(trial.struck) >= set(PLACES.values()):
        trial.run(rounds // 10)
    print(dict(trial.struck), len(trial.done))
    assert not trial.wrong, Counter(trial.wrong)
    assert not pool.taken
    everything_is_there(pool)
    with psycopg.connect(database_url, autocommit=True) as other:
        counted = other.execute("SELECT token, count(*) FROM struck GROUP BY 1").fetchall()
        assert {count for _, count in counted} == {2}, "a transaction of which a half was kept"
        assert {token for token, _ in counted} >= set(trial.done), "what was committed is kept"
        ours = """
            SELECT count(*) FROM pg_stat_activity
            WHERE application_name = 'carillon' AND datname = current_database()
        """
        wait_until(lambda: other.execute(ours).fetchone() == (SIZE,), "no connection that nobody knows")
    assert trial.done, "some were left alone to the end"
    pools.close(pool)
