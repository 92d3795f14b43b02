"""Takes a person's events out of the replay streams. Whoever goes on from before them is told the others, as if these
had not been."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import cast

import orjson
from redis import Redis
from redis.exceptions import RedisError

from cooperative import let_others_run
from live.errors import LiveUnavailable
from live.keys import campaign_keys

PAGE = 1_000


def erase_events(redis: Redis, prefix: str, campaigns: Iterable[str], contacts: Collection[str]) -> None:
    """Delete the events about these contacts from the streams of these campaigns. `redis` must decode its replies.

    Raises LiveUnavailable; what was deleted by then is gone.
    """
    theirs = frozenset(contacts)
    try:
        for campaign_id in campaigns:
            _erase(redis, campaign_keys(prefix, campaign_id).stream, theirs)
    except RedisError as error:
        raise LiveUnavailable("erasing events", str(error)) from error


def _erase(redis: Redis, stream: str, contacts: frozenset[str]) -> None:
    after = "-"
    while entries := cast("list[tuple[str, dict[str, str]]]", redis.xrange(stream, min=after, count=PAGE)):
        if gone := [entry_id for entry_id, fields in entries if _about(fields, contacts)]:
            redis.xdel(stream, *gone)
        after = f"({entries[-1][0]}"
        let_others_run()


def _about(fields: dict[str, str], contacts: frozenset[str]) -> bool:
    return fields.get("kind") == "contact" and orjson.loads(fields["data"]).get("contact_id") in contacts
