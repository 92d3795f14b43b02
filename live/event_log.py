"""Reads a campaign's stream back: its position, and the entries after a cursor.

Called by the reader of each web process and by listeners that replay or have fallen behind. One script answers, so
that no entry can be trimmed between the proof that the stream is complete and the reading of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from coordination import lua
from live.errors import LiveUnavailable
from live.event_ids import EventId
from live.keys import campaign_keys
from live.publisher import LINGER_SECONDS

READ = lua.load(Path(__file__).with_name("read.lua"))

_Reply = tuple[str, str, str, list[tuple[str, list[str]]]]
"""What the script answers: verdict, since, last id, and the entries with their fields in one flat list each."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it lies in the stream; `cut` says that something before it is missing for good."""

    id: EventId
    kind: str
    data: str
    cut: bool = False

    @classmethod
    def from_redis(cls, entry_id: str, fields: dict[str, str]) -> Entry:
        """The entry of a reply that the client has decoded."""
        return cls(EventId.parse(entry_id), fields["kind"], fields["data"], "cut" in fields)


@dataclass(frozen=True, slots=True)
class Page:
    """What follows a cursor: the stream is complete from `since` and ends at `last`.

    `reset` says that what followed the cursor is not all there any more; then `entries` is empty.
    """

    reset: bool
    since: EventId
    last: EventId
    entries: list[Entry]


class EventLog:
    """The streams of all campaigns, for reading. `redis` must decode its replies."""

    def __init__(self, redis: Redis, prefix: str, *, linger: int = LINGER_SECONDS) -> None:
        self._redis = redis
        self._prefix = prefix
        self._linger = linger

    def position(self, campaign_id: str) -> Page:
        """Where the stream stands; it is made if there is none, and kept for another `linger` seconds."""
        return self._read(campaign_id, "", 0)

    def after(self, campaign_id: str, cursor: EventId, count: int) -> Page:
        """At most `count` entries after `cursor`. Raises LiveUnavailable."""
        return self._read(campaign_id, str(cursor), count)

    def _read(self, campaign_id: str, cursor: str, count: int) -> Page:
        keys = campaign_keys(self._prefix, campaign_id)
        try:
            reply: _Reply = lua.run(self._redis, READ, keys, [cursor, count, self._linger])
        except RedisError as error:
            raise LiveUnavailable("reading the event stream", str(error)) from error
        verdict, since, last, entries = reply
        return Page(
            verdict == "reset",
            EventId.parse(since),
            EventId.parse(last),
            [Entry.from_redis(entry_id, _pairs(fields)) for entry_id, fields in entries],
        )


def _pairs(flat: list[str]) -> dict[str, str]:
    """A script's reply gives an entry's fields and values in one flat list."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
