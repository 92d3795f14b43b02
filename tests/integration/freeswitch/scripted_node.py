"""A node that follows a script: a TCP server whose every byte, pause and hang-up a test decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import gevent
import orjson
from gevent import socket
from gevent.server import StreamServer

from cooperative import let_others_run
from freeswitch.protocol import encode_frame

PASSWORD = "ClueCon"


class Peer:
    """The node's side of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.commands: list[str] = []
        self._buffer = b""

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(self, text: str, **headers: str) -> None:
        self.write(encode_frame({"Content-Type": "command/reply", "Reply-Text": text, **headers}))

    def api_reply(self, body: bytes) -> None:
        self.write(encode_frame({"Content-Type": "api/response", "Content-Length": str(len(body))}, body))

    def event(self, name: str, **headers: Any) -> None:
        self.write(event_frame(name, **headers))

    def read_command(self) -> str:
        """The next command with its headers, without the blank line; EOFError when the client is gone."""
        while b"\n\n" not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._buffer += data
        command, _, self._buffer = self._buffer.partition(b"\n\n")
        self.commands.append(command.decode())
        return self.commands[-1]

    def greet(self, reply: str = "+OK accepted") -> None:
        """Ask for the password and answer it."""
        self.write(b"Content-Type: auth/request\n\n")
        assert self.read_command() == f"auth {PASSWORD}"
        self.reply(reply)

    def serve(self, answer: Callable[[str], str | None] = lambda _: None) -> None:
        """Answer every command until the client goes: apis from `answer` (empty), others with +OK."""
        while True:
            command = self.read_command()
            if command.startswith("api "):
                self.api_reply((answer(command[4:]) or "").encode())
            else:
                self.reply(answer(command) or "+OK")

    def wait_for_end(self) -> None:
        """Read until the client closes."""
        while self.sock.recv(65536):
            pass


class ScriptedNode:
    """Runs `script` for each connection; `peers` are all there have been."""

    def __init__(self, script: Callable[[Peer], None], port: int = 0) -> None:
        self._script = script
        self.peers: list[Peer] = []
        self.failures: list[BaseException] = []
        self._server = StreamServer(("127.0.0.1", port), self._handle)

    def __enter__(self) -> ScriptedNode:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None and self.failures:
            raise self.failures[0]

    @property
    def port(self) -> int:
        return int(self._server.server_port or 0)

    def stop(self) -> None:
        """Stop listening and cut every connection, as a killed node does."""
        self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        for peer in self.peers:
            peer.sock.close()

    def _handle(self, sock: socket.socket, address: object) -> None:
        peer = Peer(sock)
        self.peers.append(peer)
        try:
            self._script(peer)
        except (OSError, EOFError):
            pass
        except AssertionError as exc:
            self.failures.append(exc)
        finally:
            sock.close()


def event_frame(name: str, **headers: Any) -> bytes:
    body = orjson.dumps({"Event-Name": name, **headers})
    return encode_frame({"Content-Length": str(len(body)), "Content-Type": "text/event-json"}, body)


class Bystander:
    """A greenlet that wants nothing but its turn: how far others get between two of them shows what they leave it.

    `progress` counts what they do; `most` is the most of it between two turns.
    `bench/lines/events/flood.py` says how long it takes.
    """

    def __init__(self, progress: Callable[[], int]) -> None:
        self.most = 0
        self._progress = progress
        self._stop = False

    @contextmanager
    def running(self) -> Iterator[Bystander]:
        greenlet = gevent.spawn(self._run)
        try:
            yield self
        finally:
            self._stop = True
            greenlet.join()

    def _run(self) -> None:
        last = self._progress()
        while not self._stop:
            let_others_run()
            now = self._progress()
            self.most = max(self.most, now - last)
            last = now
