"""The pool of database connections: a fixed number of them, for greenlets that may be stopped at any line.

In gevent nothing happens between two switches, so what keeps count here never switches between taking a thing and
noting who has it: there is no lock that a Timeout could leave behind (docs/decisions/0024-a-pool-without-locks.md).
For one thread, and any number of greenlets in it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from select import POLLIN
from socket import SHUT_RDWR
from typing import Any, Final, TypeVar

import gevent
import peewee
import psycopg
from gevent import monkey
from gevent.event import Event
from peewee import PostgresqlDatabase
from playhouse.pool import MaxConnectionsExceeded
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

from database_statements import StatementCursor
from database_wait import poll, wait

TEST_SECONDS: Final = 0.5
"""For how long one that is in doubt may think about a `SELECT 1`: what is left of a check-out has to open another."""
GONE_SECONDS: Final = 2.0
"""So often the server looks whether who asked is still there, while a statement waits for a lock or computes."""
KNOWS_TRANSACTION_TIMEOUT: Final = 170_000
"""The first version whose `transaction_timeout` ends a transaction of which the rest does not come."""

_socket: Final[Callable[..., Any]] = monkey.get_original("socket", "socket")

Answer = TypeVar("Answer")


class PooledConnection(psycopg.Connection[Any]):
    """One connection, and what the pool has to know of its past."""

    era = -1
    """Of the pool, when this connection was last taken out: it has answered since, or it would not be here."""
    used = False
    """Whether anything was asked of it since it was taken out."""
    is_cut = False
    """Whether it was ended under the hands of who has it."""
    silence: float | None = None
    """For how many seconds the server may say nothing before it counts as gone; None for ever."""

    def wait(self, gen: PQGen[Answer], interval: float = 0.1, timeout: float | None = None) -> Answer:
        """Every exchange with the server passes here. One whose answer is not waited for ends the connection.

        The answer would be taken for that to the next statement, and what is done meanwhile nobody can say.
        """
        self.used = True
        try:
            if timeout is not None:
                answer: Answer = super().wait(gen, interval, timeout)
            else:
                answer = wait(gen, self.pgconn.socket, self.silence)
        except psycopg.Error:
            raise
        except BaseException:  # a kill, somebody's Timeout: nobody waits for the answer that is on its way
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise
        return answer

    def is_at_rest(self) -> bool:
        """Whether it has answered everything, and is in no transaction."""
        if self.closed or self.is_cut:
            return False
        return self.pgconn.transaction_status == TransactionStatus.IDLE

    def cut(self) -> None:
        """End it under the hands of who has it, who finds it lost and closes it.

        Its descriptor stays open until then: libev ends the whole process where one that somebody has just begun to
        wait for is closed.
        """
        if not self.closed:
            self.is_cut = True
            with _socket(fileno=os.dup(self.pgconn.socket)) as other, suppress(OSError):
                other.shutdown(SHUT_RDWR)

    def has_unasked_input(self) -> bool:
        """Whether the server, or the kernel in its place, has said something since: that it is gone, mostly."""
        asked = poll()
        asked.register(self.pgconn.socket, POLLIN)
        return bool(asked.poll(0))


class PoolTurns:
    """So many may work at a time; who comes later is let in in the order of coming, or gives up."""

    def __init__(self, number: int) -> None:
        self.free = number
        self._waiting: deque[Event] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return len(self._waiting)

    def take(self, seconds: float) -> None:
        """Wait for a turn. Raises MaxConnectionsExceeded where none comes in time."""
        if self.free > 0:
            self.free -= 1
            return
        turn = Event()
        self._waiting.append(turn)
        try:
            turn.wait(seconds)
        except BaseException:  # a kill, somebody's Timeout: a turn that came is passed on
            self._leave(turn)
            raise
        if not turn.is_set():
            self._waiting.remove(turn)
            raise MaxConnectionsExceeded(f"no connection became free within {seconds} s")

    def give(self) -> None:
        """Hand the turn to who has waited longest: nobody who comes now can overtake."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self.free += 1

    def _leave(self, turn: Event) -> None:
        if turn.is_set():
            self.give()
        else:
            self._waiting.remove(turn)


class Pool(PostgresqlDatabase):
    """peewee's database, whose connections are kept and handed out again.

    One that has answered to the end is handed out as it is. It is asked first whether it still answers where anything
    makes that doubtful: its socket has something to read, or any connection was lost since it was last taken out.

    `turns` are whose turn it is to have one, `taken` are those that somebody has, and `checkout_seconds` is for how
    long somebody waits. A connection over which a server says nothing for `silence_seconds` in the middle of an
    exchange is lost: one that stands still ends no statement by itself, and keeps every socket open.
    """

    _state: Any

    def __init__(
        self,
        url: str,
        size: int,
        checkout_seconds: float,
        transaction_seconds: float | None = None,
        silence_seconds: float | None = None,
        **parameters: Any,
    ) -> None:
        self.silence_seconds = silence_seconds
        self.turns = PoolTurns(size)
        self._transaction_seconds = transaction_seconds
        self.checkout_seconds = checkout_seconds
        self._idle: list[PooledConnection] = []
        self.taken: set[PooledConnection] = set()
        self._era = 0
        super().__init__(url, autoconnect=False, prefer_psycopg3=True, **parameters)

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Give this greenlet a connection. Raises MaxConnectionsExceeded where none is free in time, PeeweeException
        where none can be made."""
        if not self._state.closed:
            if reuse_if_open:
                return False
            raise peewee.OperationalError("Connection already opened.")
        self.turns.take(self.checkout_seconds)
        try:
            connection = self._working_connection()
        except BaseException:  # whatever ends it, the turn is somebody else's
            self.turns.give()
            raise
        self._state.set_connection(connection)
        return True

    def close(self) -> bool:
        """Take this greenlet's connection back."""
        if self._state.closed:
            return False
        if self.in_transaction():
            raise peewee.OperationalError("Attempting to close database while transaction is open.")
        connection: PooledConnection = self._state.conn
        self._state.reset()
        self._put_back(connection)
        self.turns.give()
        return True

    def discard(self) -> None:
        """Close this greenlet's connection for good, with whatever is under way on it."""
        if not self._state.closed:
            self._state.conn.close()
            self._state.transactions.clear()
            self.close()

    def close_all(self) -> None:
        """Close every connection; those that somebody has end under his hands."""
        self.discard()
        for connection in self._idle:
            connection.close()
        self._idle.clear()
        for connection in self.taken:
            connection.cut()

    def is_lost(self) -> bool:
        """Whether this greenlet's connection ended while it had it; its transaction ended with it."""
        return bool(self._state.conn is not None and self._state.conn.closed)

    def begin(self, isolation_level: str | None = None) -> None:
        """Begin a transaction; on another connection where this one is found dead before anything was asked of it."""
        connection: PooledConnection | None = self._state.conn
        fresh = connection is not None and not connection.used
        try:
            super().begin(isolation_level)
        except (peewee.PeeweeException, psycopg.Error):
            if connection is None or not fresh or not connection.closed:
                raise
            self._put_back(connection)
            self._state.conn = self._working_connection()
            super().begin(isolation_level)

    def rollback(self) -> None:
        """Undo the transaction; a connection that is lost has none, and must not hide by what it was lost."""
        if not self.is_lost():
            super().rollback()

    def execute_sql(self, sql: str, params: Sequence[object] | Mapping[str, object] | None = None) -> Any:
        """Run a statement. Like `rollback`, going back to a savepoint is nothing on a lost connection."""
        if sql.startswith("ROLLBACK TO SAVEPOINT") and self.is_lost():
            return None
        return super().execute_sql(sql, params)  # type: ignore[no-untyped-call]

    def run_together(
        self, statements: Iterable[tuple[str, Sequence[object] | Mapping[str, object]]]
    ) -> list[list[Any]]:
        """Run statements as one transaction in one round trip, on this greenlet's connection: the rows of each.

        They are sent with one Sync behind them, which commits what came before it or, after an error, none of it.
        Raises peewee's errors, that of the first that failed.
        """
        assert not self.in_transaction()
        with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
            connection: PooledConnection = self.connection()  # type: ignore[no-untyped-call]
            with connection.pipeline():
                cursors = [connection.cursor().execute(sql, parameters) for sql, parameters in statements]
            return [[] if cursor.description is None else cursor.fetchall() for cursor in cursors]

    def _working_connection(self) -> PooledConnection:
        """The one used last, so that what is not needed rests; a new one where it fails its test."""
        connection = self._idle.pop() if self._idle else None
        if connection is None or (self._is_in_doubt(connection) and not self._answers(connection)):
            connection = self._open()
        connection.era, connection.used = self._era, False
        self.taken.add(connection)
        return connection

    def _is_in_doubt(self, connection: PooledConnection) -> bool:
        return connection.era != self._era or connection.closed or connection.has_unasked_input()

    def _answers(self, connection: PooledConnection) -> bool:
        """Whether it still works; it is closed where it does not, or where nobody waits for its answer."""
        deadline = gevent.Timeout.start_new(TEST_SECONDS)
        try:
            connection.execute("SELECT 1")
        except BaseException as error:  # whatever ends it: nobody has this connection any more
            self._era += 1
            connection.close()
            if error is not deadline and not isinstance(error, psycopg.Error):
                raise
        finally:
            deadline.close()
        return not connection.closed

    def _open(self) -> PooledConnection:
        try:
            with ExitStack() as undo:
                connection = PooledConnection.connect(
                    self.database, autocommit=True, cursor_factory=StatementCursor, **self.connect_params
                )
                undo.callback(connection.close)
                connection.silence = self.silence_seconds
                self._bound(connection)
                undo.pop_all()
        except psycopg.Error as error:
            raise peewee.OperationalError(*error.args) from error
        return connection

    def _bound(self, connection: PooledConnection) -> None:
        """Have the server end what nobody waits for any more, as far as it can.

        Not among the options of a connection: a server that does not know one of those takes no connection at all.
        In the time that a connection may take: one that fell silent since is none.
        """
        found = {"client_connection_check_interval": GONE_SECONDS}
        if connection.info.server_version >= KNOWS_TRANSACTION_TIMEOUT and self._transaction_seconds:
            found["transaction_timeout"] = self._transaction_seconds
        deadline = gevent.Timeout.start_new(self.connect_params.get("connect_timeout"))
        try:
            for name, seconds in found.items():
                # Where a server's system cannot tell that a client is gone, it refuses the first.
                with suppress(psycopg.errors.InvalidParameterValue):
                    connection.execute(
                        "SELECT set_config(%s, %s, false)", (name, f"{round(seconds * 1000)}ms")
                    )
        except gevent.Timeout as timeout:
            if timeout is not deadline:
                raise
            raise peewee.OperationalError("the server fell silent once it was connected") from timeout
        finally:
            deadline.close()

    def _put_back(self, connection: PooledConnection) -> None:
        self.taken.discard(connection)
        if connection.is_at_rest():
            self._idle.append(connection)
        else:
            self._era += 1
            connection.close()
