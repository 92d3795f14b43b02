"""The control port (`--control-port`): faults on demand while a node runs. One line in, one line out.

`fault NAME key=value …`, `clear [NAME …]` and `status` are answered `ok …` or `error <sentence>`. It listens on
127.0.0.1 only and asks for no password: whoever reaches it may break the node, which is what it is for.
"""

from __future__ import annotations

import contextlib
import selectors
import socket

import orjson

from simulator.fault_actions import FaultActions
from simulator.faults import FaultError, parse_fault

LONGEST_LINE = 10_000


def answer(fault_actions: FaultActions, line: str) -> str:
    """Carry out one line of the protocol; the answer, without its end."""
    command, _, rest = line.strip().partition(" ")
    if command == "fault":
        try:
            fault = parse_fault(rest)
        except FaultError as error:
            return f"error {error}"
        fault_actions.begin(fault)
        return f"ok {fault}"
    if command == "clear":
        fault_actions.end(*rest.split())
        return "ok"
    if command == "status":
        return f"ok {status(fault_actions).decode()}"
    return f"error {command!r} is none of fault, clear, status"


def status(fault_actions: FaultActions) -> bytes:
    """The faults in force, how often each has struck, the channels that exist and the connections, as JSON."""
    faults = fault_actions.faults
    return orjson.dumps(
        {
            "faults": [str(fault) for fault in faults.in_force.values()],
            "done": dict(faults.done),
            "sessions": fault_actions.sessions,
            "connections": fault_actions.connections,
        }
    )


class ControlPort:
    """The listening socket and its connections, on the node's own selector, which calls what is registered."""

    def __init__(self, port: int, selector: selectors.BaseSelector, fault_actions: FaultActions) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._selector = selector
        self._fault_actions = fault_actions
        selector.register(self._socket, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        """Listen no longer; conversations go on."""
        self._selector.unregister(self._socket)
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            sock, _ = self._socket.accept()
            sock.setblocking(False)
            self._selector.register(
                sock, selectors.EVENT_READ, _Conversation(sock, self._selector, self._fault_actions)
            )


class _Conversation:
    """One connection; called whenever there is something to read."""

    def __init__(
        self, sock: socket.socket, selector: selectors.BaseSelector, fault_actions: FaultActions
    ) -> None:
        self._socket = sock
        self._selector = selector
        self._fault_actions = fault_actions
        self._buffer = b""

    def __call__(self) -> None:
        try:
            data = self._socket.recv(LONGEST_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or not self._answer_lines(data):
            self._selector.unregister(self._socket)
            self._socket.close()

    def _answer_lines(self, data: bytes) -> bool:
        """Answer every whole line; False for whoever is not worth listening to any longer."""
        try:
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            for line in lines:
                self._socket.sendall(
                    answer(self._fault_actions, line.decode("utf-8", "replace")).encode() + b"\n"
                )
        except OSError:
            # Also somebody who asks without end and does not read the answers.
            return False
        return len(self._buffer) <= LONGEST_LINE
