"""What stands between the dialers and one node: a TCP proxy that notes orders and can cut, refuse, stall and halve.

Threads and blocking sockets: there are a dozen connections at most. Only the harness starts it.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import struct
import threading
from collections.abc import Callable
from enum import StrEnum

from tests.chaos.wire import ORIGINATE, READ_BYTES, Order, Tap, received, stamp

DIALER = re.compile(rb"dialer_id=(d[0-9a-f]{12})")
HELD_SECONDS = 0.02
"""How often it is looked what else has arrived while nothing passes: of what comes together, the last is stamped."""

Halved = Callable[[str], float | None]
"""Gets the id of the dialer whose originate is half through. Returns the seconds after which the rest follows; None
where it never does."""


class Mode(StrEnum):
    """What the proxy does with bytes and with new connections."""

    OPEN = "open"
    SHUT = "shut"
    """Standing connections were reset, new ones are reset at once."""
    STALLED = "stalled"
    """Nothing passes in either direction, and nobody is told."""


class Proxy:
    """Listens on a port of its own and passes everything on to `target`; starts at once."""

    def __init__(self, name: str, target: int) -> None:
        self.name = name
        self.mode = Mode.OPEN
        self.orders: list[Order] = []
        self._target = target
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._halve: Halved | None = None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name=f"proxy {name}", daemon=True).start()

    def set(self, mode: Mode) -> None:
        """Change what happens from now on. A stall that ends lets what was held pass."""
        self.mode = mode
        if mode is Mode.STALLED:
            self._flowing.clear()
        else:
            self._flowing.set()
        if mode is Mode.SHUT:
            self.reset()

    def reset(self) -> None:
        """Reset every standing connection, at both ends."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            for sock in pair:
                _abort(sock)

    def halve(self, halved: Halved | None) -> None:
        """Stop the next originate half-way and ask `halved` what then; None takes that back."""
        self._halve = halved

    def close(self) -> None:
        """End everything."""
        self._listener.close()
        self._flowing.set()
        self.reset()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.mode is Mode.SHUT:
                _abort(client)
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # A connection made during a stall has to wait for its first byte like any other.
        self._flowing.wait()
        try:
            node = socket.create_connection(("127.0.0.1", self._target), timeout=10)
        except OSError:
            _abort(client)
            return
        node.settimeout(None)
        for sock in (client, node):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = (client, node)
        with self._lock:
            self._pairs.add(pair)
        back = threading.Thread(target=self._pump, args=(node, client, False), daemon=True)
        back.start()
        self._pump(client, node, True)
        back.join()
        with self._lock:
            self._pairs.discard(pair)
        for sock in pair:
            sock.close()

    def _pump(self, source: socket.socket, sink: socket.socket, commands: bool) -> None:
        read = self._commands(source) if commands else lambda: source.recv(READ_BYTES)
        with contextlib.suppress(OSError):
            while data := read():
                self._flowing.wait()
                if commands and self._halve is not None and ORIGINATE in data:
                    data = self._half(data, sink)
                    if not data:
                        break
                sink.sendall(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _commands(self, source: socket.socket) -> Callable[[], bytes]:
        """Reads what dialers send, and notes its orders: also those that come while nothing passes."""
        stamp(source)
        tap = Tap(self.name)

        def noted() -> bytes:
            data, t = received(source)
            self.orders += tap.orders(data, t)
            return data

        def read() -> bytes:
            data = noted()
            while data and not self._flowing.wait(HELD_SECONDS):
                if select.select([source], [], [], 0)[0]:
                    more = noted()
                    if not more:
                        break
                    data += more
            return data

        return read

    def _half(self, data: bytes, sink: socket.socket) -> bytes:
        """Pass on everything up to the middle of an originate; what is to follow, or nothing."""
        found = DIALER.search(data)
        halved, self._halve = self._halve, None
        if halved is None or found is None:
            self._halve = halved
            return data
        begin = data.index(ORIGINATE)
        end = data.find(b"\n\n", begin)
        middle = (begin + (end if end > 0 else len(data))) // 2
        sink.sendall(data[:middle])
        seconds = halved(found[1].decode())
        if seconds is None:
            return b""
        threading.Event().wait(seconds)
        return data[middle:]


def _abort(sock: socket.socket) -> None:
    """Close with a reset, so that the other end learns of it at once and whatever it writes fails."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        sock.close()
