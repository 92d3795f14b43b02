"""The client of a node's control port: what tests and scripts order faults with."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Any, Final

import orjson

PATIENCE_SECONDS: Final = 300.0
"""Only ends a hang: a node of a busy machine answers late."""
_AGAIN_SECONDS: Final = 0.02


class ControlError(Exception):
    """The node did not do what it was told; the message is its answer."""


@dataclass(frozen=True, slots=True)
class Control:
    """Has faults strike one node. Each command has a connection of its own, and waits for a node that is starting."""

    port: int

    def fault(self, name: str, **values: float | str) -> None:
        """Let a fault strike, or put it in force (`faults.KINDS` says which there are). Raises ControlError."""
        self._command(" ".join(["fault", name, *(f"{key}={value}" for key, value in values.items())]))

    def clear(self, *names: str) -> None:
        """End the faults of these names; all of them without a name."""
        self._command(" ".join(["clear", *names]))

    def status(self) -> dict[str, Any]:
        """`faults` in force, how often each was `done`, `sessions` that exist, `connections` that are heard."""
        found: dict[str, Any] = orjson.loads(self._command("status"))
        return found

    def _command(self, line: str) -> str:
        with self._connected() as connection:
            connection.sendall(line.encode() + b"\n")
            answer = b""
            # A node that is to end closes only once it has gone: nobody meets the one that goes.
            whole = b"" if line in ("fault restart", "fault kill") else b"\n"
            while not (whole and answer.endswith(whole)) and (data := connection.recv(65_536)):
                answer += data
        word, _, rest = answer.decode().strip().partition(" ")
        if word != "ok":
            raise ControlError(rest or f"no answer to {line!r}")
        return rest

    def _connected(self) -> socket.socket:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_AGAIN_SECONDS)
