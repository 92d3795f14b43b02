"""A way to a server that is longer than it is: a TCP proxy that holds back what clients send for a while.

What follows is held back no longer than what came before, so the way has a delay and any number of bytes for each
second. Answers pass at once.
"""

from __future__ import annotations

import time
from contextlib import suppress

import gevent
from gevent import socket
from gevent.queue import Queue
from gevent.server import StreamServer

READ_BYTES = 65_536


class Delay:
    """Listens on a `port` of its own in front of one of this machine; `seconds` may be changed at any time."""

    def __init__(self, target: int, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self._target = target
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()

    @property
    def port(self) -> int:
        """Where clients connect."""
        port = self._server.server_port
        assert port is not None
        return port

    def close(self) -> None:
        """End it; connections that stand go on until one of their ends closes."""
        self._server.stop(timeout=1)

    def _serve(self, client: socket.socket, _address: object) -> None:
        server = socket.create_connection(("127.0.0.1", self._target))
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held: Queue[tuple[float, bytes]] = Queue()
        ways = (gevent.spawn(_let_go, held, server), gevent.spawn(_pass_on, server, client))
        self._hold(client, held)
        for way in ways:
            way.join()
        for sock in (client, server):
            sock.close()

    def _hold(self, client: socket.socket, held: Queue[tuple[float, bytes]]) -> None:
        data = b"-"
        while data:
            try:
                data = client.recv(READ_BYTES)
            except OSError:
                data = b""
            held.put((time.monotonic() + self.seconds, data))


def _let_go(held: Queue[tuple[float, bytes]], server: socket.socket) -> None:
    while True:
        due, data = held.get()
        gevent.sleep(max(0.0, due - time.monotonic()))
        with suppress(OSError):
            if not data:
                server.shutdown(socket.SHUT_WR)
                return
            server.sendall(data)


def _pass_on(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(READ_BYTES):
            client.sendall(data)
        client.shutdown(socket.SHUT_WR)
