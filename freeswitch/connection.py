"""One connection to a node's Event Socket: greenswitch's client with its faults overridden.

What greenswitch 0.0.19 gets wrong and this class does instead: every wait has a deadline; a dead socket fails all
pending commands at once; a reply can only go to the command it belongs to; bytes leave whole, one command at a
time or several in one write (`command_sender`); frames are cut by `protocol.FrameDecoder`; and the socket (`wire`) is
read whatever happens, because a subscriber that stops reading freezes the whole switch: one that falls behind closes
its own socket.

Four greenlets live and end with a connection. The reader cuts frames and does nothing else; the two of the queue
decode events and call back, in the order of the wire; the watchdog keeps the deadlines. The reader outlives the
close until the node closes too: a node that went silent carries out what is in its buffers whenever it wakes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic

import gevent
from gevent.event import AsyncResult, Event
from greenswitch import InboundESL

from freeswitch.awake_clock import LOOK_SECONDS, AwakeClock
from freeswitch.command_sender import CommandSender
from freeswitch.errors import AuthRefused, EslError, MaybeSent, NotConnected, ReplyTimeout, Withheld
from freeswitch.event_queue import MAX_WAITING_EVENTS, EventQueue, Record
from freeswitch.pending_commands import OnRead, OnReply, PendingCommand, PendingCommands
from freeswitch.protocol import Frame, FrameDecoder, ProtocolError
from freeswitch.sockets import open_socket
from freeswitch.wire import Wire

__all__ = [
    "AuthRefused",
    "EslConnection",
    "EslError",
    "MaybeSent",
    "NotConnected",
    "ReplyTimeout",
    "Withheld",
]

SILENCE_SECONDS: Final = 25.0
WRONG_PASSWORD: Final = "it does not take the password"
_WRITE_SECONDS: Final = 5.0


class EslConnection(InboundESL, Generic[Record]):  # type: ignore[misc]
    """A connection that is made once, used from any greenlet, and closed once.

    `decode` makes a record of an event's JSON, or None of one that nobody needs; `on_event` gets the records in
    order, in a greenlet of its own. It should not block, since the records that pile up meanwhile are bounded.
    `on_close` gets the reason, once, after the last event and reply, if `connect` had succeeded. A node must send
    an event at least every `silence_seconds` (subscribe to HEARTBEAT, which comes every 20 s), or it counts as gone;
    like every deadline of a reply that is counted while this process runs.
    `peer_closed` is set once the node has closed its side: whatever it was sent over this connection it has read by
    then, or never will. A reset sets nothing: it may come from something in between. `turns_by` is the clock by which
    `on_event` has had its turn and others have theirs.
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        *,
        decode: Callable[[bytes], Record | None],
        on_event: Callable[[Record], None],
        on_close: Callable[[str], None],
        silence_seconds: float = SILENCE_SECONDS,
        max_waiting_events: int = MAX_WAITING_EVENTS,
        turns_by: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(host, port, password)
        self.connected: bool = False
        self.node = f"{host}:{port}"
        self.close_reason: str | None = None
        self.peer_closed = Event()
        self._on_close = on_close
        self._silence_seconds = silence_seconds
        self._decoder = FrameDecoder()
        self._commands_sent = PendingCommands()
        self._wire: Wire | None = None
        self._sender = CommandSender(self.node, self._commands_sent, self.close)
        self._queue: EventQueue[Record] = EventQueue(
            self.node, decode, on_event, self.close, max_waiting_events, now=turns_by
        )
        self._awake = AwakeClock()
        self._last_event_at = self._read_at = 0.0
        self._ready = False
        self._dead = Event()
        self._drained = Event()
        self._rejection = ""

    def connect(self, timeout: float = 5.0) -> None:
        """Connect and authenticate, all within `timeout` seconds.

        Raises NotConnected or AuthRefused; the object is spent then.
        """
        if self._receive_events_greenlet is not None or self._dead.is_set():
            raise NotConnected(self.node, "a connection is made once")
        deadline = gevent.Timeout.start_new(timeout)
        reason = "interrupted while connecting"
        try:
            self.sock = open_socket(self.host, self.port, timeout, _WRITE_SECONDS)
            if self._dead.is_set():
                self.sock.close()
                raise NotConnected(self.node, "closed while connecting")
            self._wire = Wire(self.sock, self.peer_closed)
            self._sender.open(self._wire)
            self.connected = True
            self.start_event_handlers()
            self._auth_request_event.wait()
            self.authenticate()
            if self._dead.is_set():
                raise self._refused_or_lost()
            self._last_event_at = self._awake()
            self._ready = True
        except (OSError, EslError, ProtocolError) as exc:
            reason = _reason(exc)
            if isinstance(exc, AuthRefused | NotConnected):
                raise
            raise NotConnected(self.node, reason) from exc
        except gevent.Timeout as expired:
            if expired is not deadline:
                raise
            reason = f"not connected within {timeout:g} s"
            raise NotConnected(self.node, reason) from expired
        finally:
            deadline.close()
            if not self._ready:
                self.close(reason)
        gevent.spawn(self._watch)

    def authenticate(self) -> None:
        """Give the password. Raises AuthRefused when the node does not take it."""
        try:
            reply = self.send_command(f"auth {self.password}")
        except (MaybeSent, NotConnected) as exc:
            raise self._refused_or_lost() from exc
        if not reply.startswith("+OK"):
            said = reply.removeprefix("-ERR").strip()
            # The node's only word for it.
            raise AuthRefused(self.node, WRONG_PASSWORD if said == "invalid" else said or "no reason given")

    def send_command(
        self,
        line: str,
        headers: Mapping[str, str] | None = None,
        timeout: float = 5.0,
        guard: Callable[[], bool] | None = None,
    ) -> str:
        """Send one command and return its reply: the Reply-Text, or the body of an api's answer.

        `guard` is asked under the write lock, immediately before the bytes leave; it must not wait. Raises
        NotConnected or Withheld when nothing was written, MaybeSent or ReplyTimeout when something may have been
        (the connection is closed then), ProtocolError for a line that is not one command.
        """
        result: AsyncResult[str | EslError] = AsyncResult()
        command = PendingCommand(line, headers, result.set, self._awake() + timeout, queued=False)
        self._sender.send(line, headers, command, timeout, guard)
        while not result.ready() and (left := command.deadline - self._awake()) > 0:
            result.wait(timeout=min(left, LOOK_SECONDS))
        if not result.ready():
            command.deadline = 0.0
            self.close("no reply in time")
        answer = result.get()
        if isinstance(answer, EslError):
            raise answer
        return answer or ""

    def post_command(
        self,
        line: str,
        headers: Mapping[str, str] | None = None,
        *,
        on_reply: OnReply,
        on_read: OnRead | None = None,
        timeout: float = 5.0,
        guard: Callable[[], bool] | None = None,
    ) -> None:
        """Send one command without waiting for the reply.

        Raises NotConnected or Withheld when nothing was written. When it returns, `on_reply` is called exactly
        once, with the reply or a MaybeSent, in the greenlet that delivers events and in the order of the wire:
        before any event that the command caused. `on_read` is called before, in the reader, as soon as the node's
        reply was read, however many events are to be delivered first; it must not wait.
        """
        command = PendingCommand(
            line, headers, on_reply, self._awake() + timeout, queued=True, on_read=on_read
        )
        self._sender.send(line, headers, command, timeout, guard)

    def api(self, line: str, timeout: float = 5.0) -> str:
        """Run an api command and return what it printed. Raises as `send_command` does."""
        return self.send_command(f"api {line}", timeout=timeout)

    def api_many(self, lines: Sequence[str], timeout: float = 5.0) -> list[str]:
        """Run api commands one behind the other without waiting in between; what each printed, from the first on.

        They leave in one write, which takes what the socket takes at once: only a command that was cut in the middle
        is waited for until the rest of it is taken too. Those behind it, and those that the connection died over,
        have no answer: of the latter the node may have run any. Raises NotConnected when nothing at all was written,
        ProtocolError, before anything is, for a line that is not one command.
        """
        deadline = self._awake() + timeout
        answers = self._sender.send_together([f"api {line}" for line in lines], timeout, deadline)
        printed: list[str] = []
        for answer in answers:
            text = answer.get()
            if not isinstance(text, str):
                break
            printed.append(text)
        return printed

    def close(self, reason: str = "closed by us") -> None:
        """Say that nothing more comes, from any greenlet; every pending command fails with MaybeSent. Never waits."""
        if self._dead.is_set():
            return
        self._dead.set()
        self.close_reason = reason
        self._run = False
        self.connected = False
        self._sender.close(reason)
        if self._wire is not None:
            self._wire.end_writing()
            if self._receive_events_greenlet is None:
                self._wire.close()
        now = self._awake()
        for command in self._commands_sent.take_all():
            late = command.deadline <= now
            kind = ReplyTimeout if late else MaybeSent
            self._answer(command, kind(self.node, "no reply in time" if late else f"no reply: {reason}"))
        self._auth_request_event.set()
        self._queue.finish()
        if self._process_events_greenlet is None:
            self._drained.set()

    @property
    def waiting_events(self) -> int:
        """Events and replies that have been read and not been delivered."""
        return self._queue.waiting

    @property
    def waiting_commands(self) -> int:
        """Commands that the node was sent, whole or in part, and whose replies have not been read."""
        return len(self._commands_sent)

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until the connection is over; False when it still stands after `timeout` seconds."""
        return _happened(self._dead, timeout)

    def wait_drained(self, timeout: float | None = None) -> bool:
        """Wait until everything that arrived before the close has been delivered; False when it took longer."""
        return _happened(self._drained, timeout)

    def send(self, data: str) -> str:
        """greenswitch's name for `send_command`."""
        return self.send_command(data)

    def stop(self) -> None:
        """greenswitch's name for `close`."""
        self.close()

    def start_event_handlers(self) -> None:
        """Spawn the reader and the greenlets of the queue."""
        super().start_event_handlers()
        gevent.spawn(self._queue.decode_all)

    def receive_events(self) -> None:
        """The reader: cuts frames until the socket ends, and closes."""
        wire = self._wire
        assert wire is not None
        reason = "the reader failed"
        try:
            reason = self._read_to_the_end(wire)
        except (OSError, EslError, ProtocolError) as exc:
            reason = _reason(exc)
        finally:
            self.close(reason)
            wire.await_peer_close()

    def handle_event(self, frame: Frame) -> None:
        """Put a frame that is no event where it belongs. Raises EslError when the connection cannot go on."""
        kind = frame.content_type
        if kind in ("command/reply", "api/response"):
            command = self._commands_sent.answered_by(frame)
            if isinstance(command, str):
                raise EslError(self.node, command)
            if command.on_read is not None:
                command.on_read()
            self._answer(command, frame.text if kind == "api/response" else frame.reply_text)
        elif kind == "auth/request":
            self._auth_request_event.set()
        elif kind in ("text/disconnect-notice", "text/rude-rejection"):
            self._rejection = frame.text.strip()
            raise EslError(self.node, f"the node hung up: {' '.join(self._rejection.split())[:200]}")

    def process_events(self) -> None:
        """The worker: delivers events and replies in the order of the wire, then the close."""
        self._queue.deliver_all()
        self._drained.set()
        if self._ready:
            self._on_close(self.close_reason or "")

    def _read_to_the_end(self, wire: Wire) -> str:
        while self._run:
            data = wire.read()
            if data is None:
                continue
            if not data:
                return "the node closed" + (" inside a frame" if self._decoder.pending else "")
            if self._dead.is_set():
                break
            self._read_at = self._awake()
            try:
                frames: Sequence[Frame] = self._decoder.feed(data)
                fault = None
            except ProtocolError as exc:
                frames, fault = exc.frames, exc
            self._take(frames)
            if fault is not None:
                raise fault
        return "closed by us"

    def _take(self, frames: Sequence[Frame]) -> None:
        put = self._queue.put
        try:
            for frame in frames:
                if frame.headers.get("Content-Type") == "text/event-json":
                    put(frame.body)
                    self._last_event_at = self._read_at
                else:
                    self.handle_event(frame)
        finally:
            room = self._queue.wake()
        if not room:
            raise EslError(self.node, f"fell behind by {self._queue.waiting} events")

    def _answer(self, command: PendingCommand, answer: str | EslError) -> None:
        if command.queued:
            self._queue.call(lambda: command.on_reply(answer))
        else:
            command.on_reply(answer)

    def _watch(self) -> None:
        while not self.wait_closed(LOOK_SECONDS):
            now = self._awake()
            if self._commands_sent.overdue(now):
                self.close("no reply in time")
            elif now - self._last_event_at > self._silence_seconds:
                self.close(f"no event for {self._silence_seconds:g} s")

    def _refused_or_lost(self) -> EslError:
        if self._rejection:
            return AuthRefused(self.node, self._rejection)
        return NotConnected(self.node, self.close_reason or "connection lost")


def _happened(event: Event, timeout: float | None) -> bool:
    # gevent 26.9 hangs for ever in `wait` on an event that was set a moment ago when the last of its other waiters
    # times out before it is told: the close of a connection met the tick of its watchdog.
    return event.is_set() or event.wait(timeout)


def _reason(exc: Exception) -> str:
    return exc.reason if isinstance(exc, EslError) else str(exc)
