"""Opens the TCP connection to a node; its close and keepalive options; what it takes and has without waiting."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from typing import Final

from gevent import socket

# What a node has not acknowledged by then is not sent any more, not even by the kernel of a host whose dialer died: a
# partition that heals would otherwise carry old originates to a node that has had them from another dialer since.
UNACKNOWLEDGED_SECONDS: Final = 5
# A peer that vanished without a word is noticed after 30 s, even when nothing is sent to it.
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
_USER_TIMEOUT: Final = ("TCP_USER_TIMEOUT", UNACKNOWLEDGED_SECONDS * 1000)


def open_socket(host: str, port: int, timeout: float, io_timeout: float) -> socket.socket:
    """Connect to the first address of `host` that answers, in about `timeout` seconds over all of them.

    Reads and whole writes on the socket give up after `io_timeout` seconds. Raises OSError.
    """
    addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    failure = OSError("no address")
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        connected = False
        try:
            sock.settimeout(timeout / len(addresses))
            sock.connect(address)
            _tune(sock)
            sock.settimeout(io_timeout)
            connected = True
        except OSError as exc:
            failure = exc
        finally:
            if not connected:
                sock.close()
        if connected:
            return sock
    raise failure


def read_at_once(sock: socket.socket, most: int) -> bytes | None:
    """What lies ready at a socket, nothing at its end; None where that has to be waited for. Raises OSError."""
    try:
        return os.read(sock.fileno(), most)
    except BlockingIOError:
        return None


def write_at_once(sock: socket.socket, data: bytes) -> int:
    """How many bytes of `data` the kernel takes now. Raises OSError."""
    try:
        return os.write(sock.fileno(), data)
    except BlockingIOError:
        return 0


def drop_unsent(sock: socket.socket) -> None:
    """Let this socket's close throw away what the peer has not been sent yet, instead of trying for minutes."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (*_KEEPALIVE, _USER_TIMEOUT):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
