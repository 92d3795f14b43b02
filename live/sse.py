"""Server-sent events as bytes, by way of flask-sse's Message."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

import orjson
from flask_sse import Message

from live.event_ids import EventId

LINE_ENDS = re.compile(r"\r\n|\r|\n")
UNSAFE = re.compile(r"[\r\n\0]")
HEARTBEAT = b": heartbeat\n\n"
PROBE = b":\n\n"
INTERRUPTED = b": stream interrupted\n\n"
RESUMED = b": stream resumed\n\n"


class LiveMessage(Message):  # type: ignore[misc]  # flask-sse has no types
    """A Message that renders as the standard says.

    The original writes `type` and `id` as they are, so a line end in one would forge a field, and splits data at
    every character that Python takes for a line end, which a client joins again with another one. Raises ValueError
    for a line end or NUL in `type` or `id`.
    """

    data: str
    type: str | None
    id: str | None
    retry: int | None

    def __str__(self) -> str:
        for name, value in (("type", self.type), ("id", self.id)):
            if value is not None and UNSAFE.search(value):
                raise ValueError(f"a server-sent event's {name} cannot hold a line end or NUL: {value!r}")
        lines = [f"event: {self.type}"] if self.type else []
        if self.id:
            lines.append(f"id: {self.id}")
        if self.retry is not None:
            lines.append(f"retry: {self.retry}")
        lines.extend(f"data: {line}" for line in LINE_ENDS.split(self.data))
        return "\n".join(lines) + "\n\n"


def event(kind: str, data: str, event_id: EventId | None = None) -> bytes:
    """A named event whose data is JSON text."""
    return str(LiveMessage(data, type=kind, id=None if event_id is None else str(event_id))).encode()


def snapshot(data: Mapping[str, object]) -> bytes:
    """The default event, which has no name."""
    return str(LiveMessage(orjson.dumps(data, option=orjson.OPT_UTC_Z).decode())).encode()


def with_id(rendered: bytes, event_id: EventId) -> bytes:
    """`rendered`, which has no id, with one: where a client that was sent no other event resumes."""
    return b"id: %s\n%s" % (str(event_id).encode(), rendered)


def reset(campaign_id: str, event_id: EventId) -> bytes:
    """Something was missed for good: forget what you know; a snapshot follows, and events after `event_id`."""
    return event("reset", orjson.dumps({"campaign_id": campaign_id}).decode(), event_id)


def end(campaign_id: str, status: str) -> bytes:
    """The campaign has reached a terminal state."""
    return event("end", orjson.dumps({"campaign_id": campaign_id, "status": status}).decode())


def retry(least: float, most: float) -> bytes:
    """The wait before reconnecting, drawn between `least` and `most` seconds: clients come back spread out."""
    return b"retry: %d\n\n" % random.randint(int(least * 1000), int(most * 1000))
