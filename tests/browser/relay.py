"""A relay on this machine between a browser and the server that can be cut as a network is: for streams that drop."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

CHUNK = 65536
AWAY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
"""What a proxy says for a server that starts again."""


class Relay:
    """Passes bytes both ways between its own port and that of the server, until it is cut; mended, it does again."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._cut = False
        self._refusing = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Meanwhile every connection is broken, and each new one is too."""
        with self._lock:
            self._cut = True
            for one in self._open:
                _close(one)
            self._open.clear()
        yield
        with self._lock:
            self._cut = False

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Meanwhile every request is answered as by a proxy whose server is away; what was connected is broken."""
        with self.cut():
            self._refusing = True
        yield
        self._refusing = False

    def close(self) -> None:
        """For good."""
        with self.cut():
            _close(self._listener)

    def _accept(self) -> None:
        while self._listener.fileno() >= 0:
            # A client that was gone before it was taken is no reason to take nobody any more.
            with contextlib.suppress(OSError):
                browser, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(browser,), daemon=True).start()

    def _join(self, browser: socket.socket) -> None:
        if self._refusing:
            with contextlib.suppress(OSError):
                browser.recv(CHUNK)
                browser.sendall(AWAY)
            _close(browser)
            return
        server = socket.create_connection(self._target)
        with self._lock:
            if self._cut:
                _close(browser)
                _close(server)
                return
            self._open |= {browser, server}
        back = threading.Thread(target=self._pass, args=(server, browser), daemon=True)
        back.start()
        self._pass(browser, server)
        back.join()
        with self._lock:
            self._open -= {browser, server}

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                sink.sendall(data)
        for one in (source, sink):
            _close(one)


def _close(one: socket.socket) -> None:
    """Also for whoever reads it just now."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
