"""What stands between a process and its database in a test that cuts them apart."""

from __future__ import annotations

import socket
from typing import Any

import gevent
import gevent.event
from gevent.server import StreamServer


class Wire:
    """A TCP proxy in front of PostgreSQL that can go silent, close, or break when it is used."""

    def __init__(self, host: str, target_port: int, port: int = 0) -> None:
        self._target = (host, target_port)
        self._flowing = gevent.event.Event()
        self._flowing.set()
        self._sockets: set[socket.socket] = set()
        self._brittle: set[socket.socket] = set()
        self._frozen: set[socket.socket] = set()
        self._thawed = gevent.event.Event()
        self._server = StreamServer(("127.0.0.1", port), self._serve)
        self._server.start()
        self.port = self._server.server_port

    @classmethod
    def to(cls, database_url: str) -> Wire:
        """One to the server of that URL."""
        host, port = database_url.split("@")[1].split("/", maxsplit=1)[0].split(":")
        return cls(host, int(port))

    def url(self, database_url: str) -> str:
        """That URL, by way of the wire."""
        head, tail = database_url.split("@")
        return f"{head}@127.0.0.1:{self.port}/{tail.split('/')[1]}"

    def hang(self) -> None:
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Close every connection."""
        for found in list(self._sockets):
            found.close()

    def break_when_used(self) -> None:
        """End each connection of now with the first byte that is sent over it, which nobody can see coming."""
        self._brittle |= self._sockets

    def freeze(self) -> None:
        """Let nothing more through the connections of now; those that come later are well."""
        self._frozen |= self._sockets

    def close(self) -> None:
        self.flow()
        self._thawed.set()
        self._server.stop(timeout=1)
        self.cut()

    def _serve(self, near: Any, _address: object) -> None:
        far = socket.create_connection(self._target)
        self._sockets |= {near, far}
        pumps = [gevent.spawn(self._pump, near, far), gevent.spawn(self._pump, far, near)]
        gevent.joinall(pumps)

    def _pump(self, source: Any, sink: Any) -> None:
        try:
            while data := source.recv(65536):
                self._flowing.wait()
                if source in self._frozen:
                    self._thawed.wait()
                if source in self._brittle:
                    break
                sink.sendall(data)
        except OSError:
            pass
        finally:
            source.close()
            sink.close()
            self._sockets -= {source, sink}
            self._brittle -= {source, sink}
            self._frozen -= {source, sink}
