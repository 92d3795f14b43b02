"""How the commands of one connection leave: whole, one behind the other, each noted before its bytes leave.

Bytes of one command within another's would be one that nobody gave, and a reply can only be told from another's by
their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from freeswitch.errors import EslError, NotConnected, Withheld
from freeswitch.joined_write import cut
from freeswitch.pending_commands import PendingCommand, PendingCommands
from freeswitch.protocol import encode_command
from freeswitch.wire import Wire


class CommandSender:
    """Sends over a wire from `open` to `close`, and notes in `pending` whatever the node may get.

    `give_up` gets the reason why the connection cannot go on.
    """

    def __init__(self, node: str, pending: PendingCommands, give_up: Callable[[str], None]) -> None:
        self._node = node
        self._pending = pending
        self._give_up = give_up
        self._turn = BoundedSemaphore(1)
        self._wire: Wire | None = None
        self._closed = "not connected"

    def open(self, wire: Wire) -> None:
        """Send over this from now on."""
        self._wire = wire

    def close(self, reason: str) -> None:
        """Send nothing more."""
        self._wire = None
        self._closed = reason or self._closed

    def send(
        self,
        line: str,
        headers: Mapping[str, str] | None,
        command: PendingCommand,
        timeout: float,
        guard: Callable[[], bool] | None,
    ) -> None:
        """Send one command, unless its `guard` says no when its turn has come.

        Raises NotConnected or Withheld when nothing was written, ProtocolError for a line that is not one command.
        """
        data = encode_command(line, headers)
        with self._writing(timeout) as wire:
            if guard is not None and not guard():
                raise Withheld(self._node, "withheld by its guard")
            self._pending.add(command)
            self._send_whole(wire, data)

    def send_together(
        self, lines: Sequence[str], timeout: float, deadline: float
    ) -> list[AsyncResult[str | EslError]]:
        """Send commands in one write; what is to be the answer of each that has left, from the first on. Raises as
        `send` does."""
        frames = [encode_command(line) for line in lines]
        with self._writing(timeout) as wire:
            begun, rest = cut(frames, self._send_at_once(wire, b"".join(frames)))
            answers: list[AsyncResult[str | EslError]] = [AsyncResult() for _ in range(begun)]
            # Nothing is read between the write and this: no reply comes sooner.
            for line, answer in zip(lines, answers, strict=False):
                self._pending.add(PendingCommand(line, None, answer.set, deadline, queued=False))
            if rest:
                self._send_whole(wire, rest)
        return answers

    @contextmanager
    def _writing(self, timeout: float) -> Iterator[Wire]:
        """Be the only one who writes. Raises NotConnected."""
        if not self._turn.acquire(timeout=timeout):
            raise NotConnected(self._node, "the socket takes no more bytes")
        try:
            if self._wire is None:
                raise NotConnected(self._node, self._closed)
            yield self._wire
        finally:
            self._turn.release()

    def _send_at_once(self, wire: Wire, data: bytes) -> int:
        """How many bytes the kernel takes now. Raises NotConnected where it refuses the connection: it took none."""
        try:
            return wire.write_at_once(data)
        except OSError as exc:
            reason = f"write failed: {exc}"
            self._give_up(reason)
            raise NotConnected(self._node, reason) from exc

    def _send_whole(self, wire: Wire, data: bytes) -> None:
        reason = "a write was interrupted"
        sent = False
        try:
            wire.write_whole(data)
            sent = True
        except OSError as exc:
            reason = f"write failed: {exc}"
        finally:
            # Half a command would swallow the next one, and stops the node's events until it is finished.
            if not sent:
                self._give_up(reason)
