"""The socket of one connection to a node: what it takes and has, and what its end says of what was sent over it."""

from __future__ import annotations

import time
from contextlib import suppress
from errno import EPIPE
from typing import Final

from gevent import socket
from gevent.event import Event

from cooperative import let_others_run
from freeswitch.sockets import drop_unsent, read_at_once, write_at_once

READ_BYTES: Final = 128 * 1024
PEER_CLOSE_SECONDS: Final = 90.0
"""For so long a node that was given up may take to close its side; then what it has not been sent is dropped."""


class Wire:
    """A socket that is open.

    `peer_closed` is set once the node has closed its side: whatever it was sent it has read by then, or never will. A
    reset sets nothing: it may come from something in between.
    """

    def __init__(self, sock: socket.socket, peer_closed: Event) -> None:
        self._sock = sock
        self._peer_closed = peer_closed
        self._broken = False

    def read(self) -> bytes | None:
        """What the node sent, nothing at its end, None where it is silent. Raises OSError where the connection broke:
        the end that the socket tells after that is none of the node's."""
        try:
            data = read_at_once(self._sock, READ_BYTES)
            if data is None:
                data = self._sock.recv(READ_BYTES)
            else:
                # What was read before comes first. While there is data nothing is waited for: without this a flood
                # starves every greenlet.
                let_others_run()
        except OSError as exc:
            if isinstance(exc, TimeoutError) and exc.errno is None:
                return None
            self._broken = True
            raise
        if not data and not self._broken:
            self._peer_closed.set()
        return data

    def write_at_once(self, data: bytes) -> int:
        """How many bytes the kernel takes now. Raises OSError where it refuses the connection: it took none."""
        try:
            return write_at_once(self._sock, data)
        except OSError as exc:
            self._broken |= exc.errno != EPIPE
            raise

    def write_whole(self, data: bytes) -> None:
        """Write all of it, however long the node takes to read. Raises OSError, when a part may have left."""
        try:
            # The kernel mostly takes all of it. gevent's `sendall` costs three times as much.
            if rest := data[write_at_once(self._sock, data) :]:
                self._sock.sendall(rest)
        except OSError as exc:
            self._broken |= exc.errno not in (None, EPIPE)
            raise

    def end_writing(self) -> None:
        """Say that nothing more comes."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close it at once."""
        self._sock.close()

    def await_peer_close(self) -> None:
        """Read on, so that the node is not kept waiting by its last words, until it closes too; then close."""
        deadline = time.monotonic() + PEER_CLOSE_SECONDS
        with suppress(OSError):
            while not (self._peer_closed.is_set() or self._broken) and time.monotonic() < deadline:
                self.read()
        if not self._peer_closed.is_set():
            drop_unsent(self._sock)
        self._sock.close()
