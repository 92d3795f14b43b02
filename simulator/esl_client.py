"""One client of the event socket without its TCP socket: commands in, frames out, as mod_event_socket answers them.

The server feeds bytes, and takes those to send from `output`. Unlike the real node it never freezes the other clients
while one falls behind.
"""

from __future__ import annotations

import uuid as uuids
from collections import deque
from collections.abc import Sequence
from math import inf
from typing import Final

from simulator.apis import Apis
from simulator.causes import parse_cause
from simulator.filters import Filter
from simulator.framing import (
    AUTH_REQUEST,
    Command,
    CommandReader,
    api_response,
    disconnect_notice,
    reply,
)
from simulator.integers import decimal
from simulator.output_queue import OutputQueue
from simulator.subscriptions import EVENT_NAMES, Subscriptions
from simulator.switch import Switch

AUTH_SECONDS: Final = 25.0
_MAX_REPLY: Final = 510  # the real node's reply buffer
_NOT_FOUND: Final = "-ERR command not found"
_METHODS: Final = (
    ("exit", "_exit"),
    ("api ", "_api"),
    ("bgapi ", "_bgapi"),
    ("filter ", "_filter"),
    ("event", "_event"),
    ("nixevent", "_nixevent"),
    ("noevents", "_noevents"),
    ("sendevent", "_send_event"),
    ("sendmsg", "_send_message"),
    ("log", "_log"),
    ("nolog", "_log"),
    ("linger", "_no_session"),
    ("nolinger", "_no_session"),
    ("divert_events", "_divert"),
)
_LOG_LEVELS = {
    "console": 0,
    "alert": 1,
    "crit": 2,
    "err": 3,
    "warning": 4,
    "notice": 5,
    "info": 6,
    "debug": 7,
}


class EslClient:
    """The state of one connection. `resuming`: it does nothing for now, and goes on by itself.

    `waiting`: an api is under way, so that nothing else happens on the connection.
    """

    def __init__(self, password: str, switch: Switch, apis: Apis) -> None:
        core = switch.core
        self._password = password
        self._hub = core.hub
        self._clock = core.clock
        self._scheduler = core.scheduler
        self._channels = core.channels
        self._faults = core.faults
        self._switch = switch
        self._apis = apis
        self._reader = CommandReader()
        self._commands: deque[Command] = deque()
        self._subscriptions = Subscriptions()
        self._filters: list[Filter] = []
        self._logging = False
        self.output = OutputQueue(core, AUTH_REQUEST)
        self.waiting = False
        self.resuming = False
        self.authorised = False

    @property
    def format(self) -> str:
        """json, plain or xml; one for the connection."""
        return self._subscriptions.format

    @property
    def filters(self) -> Sequence[Filter]:
        """The filters, in the order they were set."""
        return self._filters

    def push(self, frame: bytes) -> None:
        """Queue one event frame."""
        self.output.event(frame)

    def feed(self, data: bytes, at: float) -> None:
        """Handle what the client sent."""
        # Replies stand behind the events from before their command, and ahead of those of the same batch.
        self.output.release_events()
        self._commands.extend(self._reader.feed(data))
        self._let_events_wait()
        if self._reader.overflowed:
            self.output.dropped = True
        self._run(at)

    def _let_events_wait(self) -> None:
        # Behind an unfinished command, and an api that has not ended.
        self.output.events_wait = self.waiting or self._reader.unfinished

    def _run(self, at: float) -> None:
        output = self.output
        while self._commands and not self.waiting and not output.stalled and not output.closing:
            command = self._commands.popleft()
            if self._faults.delays_replies and self.authorised:
                self._stall(self._faults.reply_delay(command.line), at)
            if self.authorised:
                self._handle(command, at)
            else:
                self._authorise(command)

    def _stall(self, seconds: float, at: float) -> None:
        """Send nothing and read nothing for a time, as while the node works on a command; it may be without end."""
        self.output.stalled = seconds > 0
        self.resuming = 0 < seconds < inf
        if self.resuming:
            self._scheduler.at(at + seconds * self._clock.speed, self._end_stall)

    def _end_stall(self, at: float) -> None:
        self.output.stalled = self.resuming = False
        self._run(at)

    def shut_down(self, notice: bytes) -> None:
        """The node ends: everything queued goes out, then the notice."""
        self.waiting = self.output.events_wait = self.output.stalled = False
        self.output.release_events()
        self.output.close(notice)

    def leave(self) -> None:
        """The connection is gone, and what it was still to do with it."""
        self.output.closing = True
        self._hub.unsubscribe(self)

    # Commands

    def _say(self, text: str, extra: str = "") -> None:
        self.output.reply(reply(text, extra))

    def _authorise(self, command: Command) -> None:
        if not command.line.lower().startswith("auth "):
            self._say(_NOT_FOUND)
        elif command.line[5:] == self._password:
            self.authorised = True
            self._say("+OK accepted")
        else:
            self._say("-ERR invalid")
            self.output.close(disconnect_notice())

    def _handle(self, command: Command, at: float) -> None:
        # Matched by prefix and ignoring case, in the order of the real node.
        folded = command.line.lower()
        for prefix, method in _METHODS:
            if folded.startswith(prefix):
                getattr(self, method)(command, at)
                return
        self._say(_NOT_FOUND)

    def _exit(self, _command: Command, _at: float) -> None:
        self._say("+OK bye")
        self.output.close(disconnect_notice())

    def _no_session(self, _command: Command, _at: float) -> None:
        self._say("-ERR not controlling a session")

    def _divert(self, _command: Command, _at: float) -> None:
        self._say("-ERR not controlling a session.")

    def _event(self, command: Command, _at: float) -> None:
        self._subscribe(self._subscriptions.add(command.line.split()[1:]))

    def _nixevent(self, command: Command, _at: float) -> None:
        self._subscribe(self._subscriptions.remove(command.line.split()[1:]))

    def _noevents(self, _command: Command, _at: float) -> None:
        self.output.forget_events()
        self._subscribe(self._subscriptions.clear())

    def _api(self, command: Command, at: float) -> None:
        name, _, argument = command.line[4:].partition(" ")
        self.waiting = True
        self._let_events_wait()

        def done(answer: str) -> None:
            self.waiting = False
            self._let_events_wait()
            self.output.reply(api_response(answer))

        self._apis.start(name, argument.strip(), at, done)

    def resume(self, at: float) -> None:
        """Go on with the commands that waited for an api to end."""
        if self._commands and not self.waiting and not self.output.stalled:
            self._run(at)

    def _bgapi(self, command: Command, at: float) -> None:
        name, _, argument = command.line[6:].partition(" ")
        argument = argument.strip()
        job = command.headers.get("job-uuid") or str(uuids.uuid4())
        answer = f"Reply-Text: +OK Job-UUID: {job}\nJob-UUID: {job}\n\n".encode("utf-8", "surrogateescape")
        self.output.reply(b"Content-Type: command/reply\n" + answer[:_MAX_REPLY])
        hub = self._hub

        def done(body: str) -> None:
            pairs = [("Job-UUID", job), ("Job-Command", name)]
            if argument:
                pairs.append(("Job-Command-Arg", argument))
            hub.simple(
                "BACKGROUND_JOB", pairs, ("mod_event_socket.c", "api_exec", 1580), body or "-ERR no reply\n"
            )

        self._apis.start(name, argument, at, done)

    def _subscribe(self, answer: str) -> None:
        self._hub.subscribe(self, self._subscriptions.names)
        self._say(answer)

    def _filter(self, command: Command, _at: float) -> None:
        self._say(self._change_filters(command.line[7:].strip(" ")))

    def _change_filters(self, text: str) -> str:
        header, _, value = text.partition(" ")
        if not value:
            return "-ERR invalid syntax"
        if header.lower() != "delete":
            self._filters.append(Filter(header, value))
            return f"+OK filter added. [{header}]=[{value}]"
        header, _, value = value.partition(" ")
        self._filters = [
            item
            for item in self._filters
            if header.lower() != "all"
            and (item.header.lower() != header.lower() or (value and item.value.lower() != value.lower()))
        ]
        return f"+OK filter deleted. [{header}][{value}]"

    def _send_event(self, command: Command, _at: float) -> None:
        name = command.line[10:].strip()
        identity = str(uuids.uuid4())
        headers = [(key, value) for key, value in command.given if value and key.lower() != "content-length"]
        kind = name.upper() if name.upper() in EVENT_NAMES else "CUSTOM"
        source = ("mod_event_socket.c", "parse_command", 2385)
        subclass = command.headers.get("event-subclass", "")
        self._say(f"+OK {identity}")
        self._hub.simple(kind, [("Event-UUID", identity), *headers], source, command.body, subclass)

    def _send_message(self, command: Command, at: float) -> None:
        uuid = command.line[8:].strip()
        call = self._channels.find(uuid) if uuid else None
        if call is None:
            self._say(f"-ERR invalid session id [{uuid}]")
            return
        self._say("+OK")
        headers = command.headers
        if headers.get("call-command") == "hangup":
            self._switch.hangups.hang_up(at, call, parse_cause(headers.get("hangup-cause", "")))
        elif headers.get("call-command") == "execute":
            argument = headers.get("execute-app-arg") or command.body
            self._switch.applications.execute(at, call, headers.get("execute-app-name", ""), argument)

    def _log(self, command: Command, _at: float) -> None:
        folded = command.line.lower()
        if folded.startswith("nolog"):
            self._say("+OK no longer logging" if self._logging else "-ERR not loging")
            self._logging = False
            return
        word = folded[4:].strip()
        level = decimal(word) if word else 7
        level = _LOG_LEVELS.get(word) if level is None else level
        if level is None:
            self._say("-ERR invalid log level")
            return
        self._logging = True
        self._say(f"+OK log level {word} [{level}]")
