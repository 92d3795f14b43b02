"""Several commands that leave in one write, and which of them left where it was cut. No sockets here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from freeswitch.pending_commands import OnReply


@dataclass(frozen=True, slots=True)
class Post:
    """A command of several. `guard` is asked immediately before the write, and must not wait.

    `queued`: whether the reply has its place among the events, or is told as soon as it is read.
    """

    line: str
    on_reply: OnReply
    headers: Mapping[str, str] | None = None
    guard: Callable[[], bool] | None = None
    queued: bool = True


class Posted(StrEnum):
    """What became of a command."""

    SENT = "sent"
    """It leaves whole, unless the connection dies: `on_reply` is called once."""
    WITHHELD = "withheld"
    """Its guard said no; certainly nothing of it was written."""
    UNSENT = "unsent"
    """The socket took no more; certainly nothing of it was written. Its guard is to be asked again."""


def cut(frames: Sequence[bytes], taken: int) -> tuple[int, bytes]:
    """Of frames that were written one behind the other, of which so many bytes were taken: how many have begun to
    leave, and what the last of these still lacks."""
    for number, frame in enumerate(frames):
        if taken <= 0:
            return number, b""
        if taken < len(frame):
            return number + 1, frame[taken:]
        taken -= len(frame)
    return len(frames), b""
