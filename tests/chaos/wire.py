"""What went over the wire from the dialers to a node: each originate, with the moment at which its last byte arrived.

The kernel stamps what arrives, whether anybody is there to read it: neither a node that stands still, nor a proxy
that holds on to what it has, nor a busy machine makes an order look later than it left. But of all that has arrived
when it is read, only the last byte's stamp is told: what lay before it arrived between that of the read before and
this one.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from dataclasses import dataclass

ORIGINATE = b"bgapi originate "
READ_BYTES = 65_536
_UUID = re.compile(rb"[{,]origination_uuid=([0-9a-f-]{36})")
_END = b"\n\n"
_SO_TIMESTAMPNS = 35
"""Linux's number, which Python does not name."""
_STAMP = struct.Struct("qq")


@dataclass(frozen=True, slots=True)
class Order:
    """One originate as it left: wall seconds, the node that it was for, the call's id. It left at `t`, or, where
    `since` is another moment, at one between the two."""

    t: float
    node: str
    uuid: str
    since: float | None = None

    @property
    def earliest(self) -> float:
        """It left no earlier than that."""
        return self.t if self.since is None else self.since


def stamp(sock: socket.socket) -> None:
    """Have the kernel note when something arrives here."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def received(sock: socket.socket) -> tuple[bytes, float]:
    """What has arrived, and when the last byte of it did; no byte where the other side has closed."""
    data, notes, _, _ = sock.recvmsg(READ_BYTES, socket.CMSG_SPACE(_STAMP.size))
    for level, kind, value in notes:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _STAMP.unpack(value)
            return data, seconds + nanoseconds / 1e9
    return data, time.time()


class Tap:
    """One connection's commands, put together again."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._begun = b""
        self._read = time.time()

    def orders(self, data: bytes, t: float) -> list[Order]:
        """The originates that these bytes complete, of which the last arrived at `t`."""
        *frames, self._begun = (self._begun + data).split(_END)
        since, self._read = self._read, t
        found = []
        for place, frame in enumerate(frames, start=1):
            if ORIGINATE in frame and (match := _UUID.search(frame)):
                last = place == len(frames) and not self._begun
                found.append(Order(t, self._node, match[1].decode(), None if last else since))
        return found
