"""A connection's commands that wait for their replies. No sockets here.

FreeSWITCH answers in the order of the commands and names none of them, but for a job's id in the reply to `bgapi`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from freeswitch.errors import EslError
from freeswitch.protocol import Frame

OnReply = Callable[[str | EslError], None]
OnRead = Callable[[], None]
_JOB: Final = "+OK Job-UUID: "


class PendingCommand:
    """A command whose reply is still to come.

    `deadline` is by the connection's clock; `queued` says that the reply has its place among the events; `on_read` is
    called as soon as it was read.
    """

    __slots__ = ("_answered_by", "_background", "_job_uuid", "deadline", "on_read", "on_reply", "queued")

    def __init__(
        self,
        line: str,
        headers: Mapping[str, str] | None,
        on_reply: OnReply,
        deadline: float,
        *,
        queued: bool,
        on_read: OnRead | None = None,
    ) -> None:
        self._answered_by = "api/response" if line.startswith("api ") else "command/reply"
        self._background = line.startswith("bgapi ")
        self._job_uuid = (headers or {}).get("Job-UUID")
        self.on_reply = on_reply
        self.on_read = on_read
        self.deadline = deadline
        self.queued = queued

    def may_be_answered_by(self, frame: Frame) -> bool:
        """Whether nothing about a reply says that it belongs to another command."""
        if frame.content_type != self._answered_by:
            return False
        if not frame.reply_text.startswith(_JOB):
            return True
        job_uuid = frame.reply_text[len(_JOB) :].strip()
        return self._background and self._job_uuid in (None, job_uuid)


class PendingCommands:
    """They are answered in the order in which they were sent."""

    __slots__ = ("_commands",)

    def __init__(self) -> None:
        self._commands: deque[PendingCommand] = deque()

    def __len__(self) -> int:
        return len(self._commands)

    def add(self, command: PendingCommand) -> None:
        """To be done before its bytes leave."""
        self._commands.append(command)

    def answered_by(self, frame: Frame) -> PendingCommand | str:
        """The command that this reply answers, pending no more; the reason where it can be none."""
        if not self._commands:
            return "a reply to no command"
        if not self._commands[0].may_be_answered_by(frame):
            return "a reply to another command"
        return self._commands.popleft()

    def overdue(self, now: float) -> bool:
        """Whether any command should have been answered by now."""
        return any(command.deadline <= now for command in self._commands)

    def take_all(self) -> list[PendingCommand]:
        """Every command that is pending, and none is any more."""
        commands = list(self._commands)
        self._commands.clear()
        return commands
