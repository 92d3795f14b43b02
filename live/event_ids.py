"""Event ids: the entry ids of a Redis stream, which are also the ids of the server-sent events."""

from __future__ import annotations

import re
from typing import NamedTuple

from live.errors import BadEventIdError

SHAPE = re.compile(r"([0-9]{1,20})-([0-9]{1,20})", re.ASCII)
LARGEST = 2**64 - 1


class EventId(NamedTuple):
    """One entry's place in its stream; ids compare as the entries follow each other."""

    ms: int
    seq: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> EventId:
        """The id written as `text`. Raises BadEventIdError naming it when it is none."""
        match = SHAPE.fullmatch(text)
        if match is None:
            raise BadEventIdError(text)
        ms, seq = int(match[1]), int(match[2])
        if ms > LARGEST or seq > LARGEST:
            raise BadEventIdError(text)
        return cls(ms, seq)
