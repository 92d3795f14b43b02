"""The TCP connections of the event socket: what is read from each, what is written to it, and when it is dropped.

On the node's own selector, which gives a `Connection` back for each socket that can be read from or written to.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable
from typing import Final

from simulator.esl_client import AUTH_SECONDS, EslClient
from simulator.framing import disconnect_notice
from simulator.scheduler import Clock

READ_BYTES: Final = 256 * 1024
_BOTH: Final = selectors.EVENT_READ | selectors.EVENT_WRITE


class Connection:
    """A socket and its client. `muted`: it is not read from or written to, and stands all the same.

    `ended`: its other side has closed, and the node is still busy with what that side sent before.
    """

    __slots__ = ("client", "deadline", "ended", "events", "muted", "pending", "socket")

    def __init__(self, sock: socket.socket, client: EslClient, deadline: float) -> None:
        self.socket = sock
        self.client = client
        self.deadline = deadline
        self.pending = memoryview(b"")
        self.events = selectors.EVENT_READ
        self.muted = False
        self.ended = False


class Connections:
    """The listening socket of one node and all its connections; `new_client` makes the client of a new one."""

    def __init__(
        self,
        listening: socket.socket,
        selector: selectors.BaseSelector,
        clock: Clock,
        new_client: Callable[[], EslClient],
    ) -> None:
        self._listening = listening
        self._selector = selector
        self._clock = clock
        self._new_client = new_client
        self._all: set[Connection] = set()

    @property
    def heard(self) -> int:
        """Those that have given the password and are neither half open nor stalled."""
        return sum(
            one.client.authorised and not one.muted and not one.client.output.stalled for one in self._all
        )

    def listen(self) -> None:
        """Accept connections from now on."""
        self._selector.register(self._listening, selectors.EVENT_READ, self._accept)

    def stop_listening(self) -> None:
        """Accept no more."""
        self._selector.unregister(self._listening)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            sock, _ = self._listening.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, self._new_client(), time.monotonic() + AUTH_SECONDS)
            self._all.add(connection)
            self._selector.register(sock, selectors.EVENT_READ, connection)

    def read(self, connection: Connection) -> None:
        """Carry out what a client sent."""
        try:
            data = connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data and connection.client.resuming:
            # A node that is busy carries out what it was sent before it comes to the end, and closes only then.
            self._selector.unregister(connection.socket)
            connection.muted = connection.ended = True
            return
        if not data:
            self._drop(connection)
            return
        connection.client.feed(data, self._clock.simulated(time.monotonic()))

    def flush(self, now: float) -> None:
        """Send what waits for each client, and drop those whose time or room is over; `now` is monotonic."""
        at = self._clock.simulated(now)
        for connection in list(self._all):
            if connection.ended and not connection.client.resuming:
                self._drop(connection)
            if connection.muted:
                continue
            client = connection.client
            client.resume(at)
            output = client.output
            if not client.authorised and not output.closing and now > connection.deadline:
                output.close(disconnect_notice())
            if output.dropped:
                self._drop(connection)
            elif connection.pending or output.ready:
                self.write(connection)

    def write(self, connection: Connection) -> None:
        """Send until the socket is full; what is left waits for it to drain."""
        if connection not in self._all:
            return
        output = connection.client.output
        try:
            while connection.pending or output.ready:
                if not connection.pending:
                    connection.pending = memoryview(output.take())
                sent = connection.socket.send(connection.pending)
                connection.pending = connection.pending[sent:]
        except BlockingIOError:
            self._watch(connection, _BOTH)
            return
        except OSError:
            self._drop(connection)
            return
        self._watch(connection, selectors.EVENT_READ)
        if output.closing:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_WR)
                # Closing over unread bytes would reset the connection, and the notice with it.
                while connection.socket.recv(READ_BYTES):
                    pass
            self._drop(connection)

    def say_farewell(self, notice: bytes, seconds: float) -> None:
        """Give every client what is queued and the notice, for so long at most, and drop all of them."""
        for connection in list(self._all):
            if not connection.muted:
                connection.client.shut_down(notice)
                self.write(connection)
        deadline = time.monotonic() + seconds
        while any(not one.muted for one in self._all) and time.monotonic() < deadline:
            for key, events in self._selector.select(0.05):
                if isinstance(key.data, Connection) and events & selectors.EVENT_WRITE:
                    self.write(key.data)
        for connection in list(self._all):
            self._drop(connection)

    def mute(self) -> None:
        """Stop reading and writing on every connection that stands, without closing any."""
        for connection in self._all:
            if not connection.muted:
                connection.muted = True
                self._selector.unregister(connection.socket)

    def unmute(self, resume: bool) -> None:
        """Go on with what the muted connections sent meanwhile, or drop it and them."""
        for connection in [one for one in self._all if one.muted and not one.ended]:
            if resume:
                connection.muted = False
                self._selector.register(connection.socket, connection.events, connection)
                # Before anything is written: a client that is gone resets on that, and what it sent is lost.
                self.read(connection)
            else:
                self._drop(connection)

    def _watch(self, connection: Connection, events: int) -> None:
        if connection.events != events:
            connection.events = events
            self._selector.modify(connection.socket, events, connection)

    def _drop(self, connection: Connection) -> None:
        if connection in self._all:
            self._all.remove(connection)
            connection.client.leave()
            if not connection.muted:
                self._selector.unregister(connection.socket)
            connection.socket.close()
