"""Publishes transitions to the event stream, each exactly once and in order for each subject.

Called by the dialers' outbox, for their own transitions and for those of a dead process, and by the API for what it
changes itself: all may publish the same transition, any number of times. The stream keeps the last version of each
subject, so a second copy is recognised, and a version whose predecessor is missing is held back.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import orjson
from redis import Redis
from redis.exceptions import RedisError

from coordination import lua
from live.errors import LiveUnavailable
from live.keys import campaign_keys
from live.stream_events import StreamEvent

RETENTION_SECONDS = 600
LINGER_SECONDS = 3600
MOST_ENTRIES = 1_000_000
BATCH = 500
PUBLISH = lua.load(Path(__file__).with_name("publish.lua"))


class PublishOutcome(StrEnum):
    """What became of one transition."""

    APPENDED = "appended"
    DUPLICATE = "duplicate"
    """It is in the stream already, or was and has been trimmed."""
    GAP = "gap"
    """The subject's previous version has not been published: publish that one first, then this one again."""


class Publisher:
    """Appends transitions to their campaigns' streams.

    Events are kept for `retention` seconds, all of a campaign's keys for `linger` seconds after its last event. No
    stream grows past `most_entries` and a tenth: beyond that the oldest go early.
    """

    def __init__(
        self,
        redis: Redis,
        prefix: str,
        *,
        retention: int = RETENTION_SECONDS,
        linger: int = LINGER_SECONDS,
        most_entries: int = MOST_ENTRIES,
    ) -> None:
        if linger < retention:
            raise ValueError(f"linger ({linger} s) is shorter than retention ({retention} s)")
        self._redis = redis
        self._prefix = prefix
        self._settings = (retention * 1000, linger, most_entries)

    def publish(self, transitions: Sequence[StreamEvent], *, force: bool = False) -> list[PublishOutcome]:
        """Publish in the order given; one outcome for each transition.

        With `force` a transition is appended although its predecessor is missing. That one is then lost for good, so
        every listener is told to start anew: for when the predecessor is known to be gone.
        Raises LiveUnavailable when Redis fails; part may have been published, and all may be published again.
        """
        outcomes: list[PublishOutcome] = []
        for start in range(0, len(transitions), BATCH):
            outcomes.extend(self._publish(transitions[start : start + BATCH], force))
        return outcomes

    def _publish(self, batch: Sequence[StreamEvent], force: bool) -> list[PublishOutcome]:
        numbers: dict[str, int] = {}
        keys: list[str] = []
        args: list[str | int | bytes] = [*self._settings, int(force)]
        for transition in batch:
            number = numbers.get(transition.campaign_id)
            if number is None:
                number = numbers[transition.campaign_id] = len(numbers) + 1
                keys.extend(campaign_keys(self._prefix, transition.campaign_id))
            data = orjson.dumps(transition.payload, option=orjson.OPT_UTC_Z)
            args.extend((number, transition.subject, transition.version, data))
        try:
            words: list[str | bytes] = lua.run(self._redis, PUBLISH, keys, args)
        except RedisError as error:
            raise LiveUnavailable("publishing", str(error)) from error
        return [PublishOutcome(word if isinstance(word, str) else word.decode()) for word in words]
