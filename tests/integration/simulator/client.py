"""A raw ESL client: bytes out, whole frames in, no library between the test and the node."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import orjson

from tests.waiting import HANG_SECONDS

_LENGTH = re.compile(rb"^Content-Length: (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it came."""

    head: str
    body: bytes

    @property
    def event(self) -> dict[str, Any] | None:
        """The decoded event of a JSON frame."""
        return orjson.loads(self.body) if "text/event-json" in self.head else None


class Client:
    """One connection. Every wait has a deadline. `rest` is what came of a frame that is not whole."""

    def __init__(self, port: int, password: str | None = "ClueCon") -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=HANG_SECONDS)
        self.rest = b""
        self.frames: list[Frame] = []
        self.closed = False
        if password is not None:
            assert "auth/request" in self.receive().head
            assert self.command(f"auth {password}") == "+OK accepted"

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def receive(self) -> Frame:
        """The next frame; EOFError at the end of the stream."""
        while True:
            frame = self._cut()
            if frame is not None:
                self.frames.append(frame)
                return frame
            data = self.sock.recv(1 << 20)
            if not data:
                self.closed = True
                raise EOFError
            self.rest += data

    def _cut(self) -> Frame | None:
        end = self.rest.find(b"\n\n")
        if end < 0:
            return None
        match = _LENGTH.search(self.rest[:end])
        size = int(match[1]) if match else 0
        if len(self.rest) < end + 2 + size:
            return None
        frame = Frame(self.rest[:end].decode(), self.rest[end + 2 : end + 2 + size])
        self.rest = self.rest[end + 2 + size :]
        return frame

    def wait_for(self, wanted: Callable[[Frame], bool]) -> Frame:
        """The next frame that is wanted; those before it stay in `frames`."""
        deadline = time.monotonic() + HANG_SECONDS
        while time.monotonic() < deadline:
            frame = self.receive()
            if wanted(frame):
                return frame
        raise AssertionError("the frame did not come")

    def command(self, line: str) -> str:
        """Send a command and return its Reply-Text."""
        self.send(line.encode() + b"\n\n")
        frame = self.wait_for(lambda frame: "command/reply" in frame.head)
        return next(
            item.removeprefix("Reply-Text: ")
            for item in frame.head.split("\n")
            if item.startswith("Reply-Text")
        )

    def api(self, line: str) -> str:
        """Send an api command and return its body."""
        self.send(f"api {line}\n\n".encode())
        return self.wait_for(lambda frame: "api/response" in frame.head).body.decode()

    def event(self, name: str, **headers: str) -> dict[str, Any]:
        """The next JSON event of this name whose headers have these values (`_` stands for `-`)."""
        wanted = {key.replace("__", "-"): value for key, value in headers.items()}

        def matches(frame: Frame) -> bool:
            event = frame.event
            return event is not None and event["Event-Name"] == name and wanted.items() <= event.items()

        found = self.wait_for(matches).event
        assert found is not None
        return found

    def names(self) -> list[str]:
        """The names of all JSON events so far, in order."""
        return [event["Event-Name"] for frame in self.frames if (event := frame.event) is not None]

    def read_to_end(self) -> None:
        """Read until the server closes."""
        while not self.closed:
            try:
                self.receive()
            except EOFError:
                return

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
