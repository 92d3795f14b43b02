"""Finds keys by their digests, those of many requests in one statement: whoever tries keys costs one query at a time.

While one statement is under way the digests that come are gathered for the next; after one with a miss in it the next
waits for PAUSE_SECONDS. So however many bad keys are sent, and by however many connections, a process asks the
database a few times a second for them, on one connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import gevent
from gevent.event import AsyncResult

PAUSE_SECONDS: Final = 0.05

R = TypeVar("R")
Find = Callable[[Sequence[str]], Mapping[str, R]]
"""digests → what there is of them, in a transaction of its own; may raise."""


class KeyLookup(Generic[R]):
    """Asks `find` for all who want to know at the same time."""

    def __init__(self, find: Find[R]) -> None:
        self._find = find
        self._waiting: dict[str, AsyncResult[R | None]] = {}
        self._asking = False

    def get(self, digest: str) -> R | None:
        """What belongs to the digest. Raises what `find` raises."""
        answer = self._waiting.get(digest)
        if answer is None:
            answer = self._waiting[digest] = AsyncResult()
        if not self._asking:
            self._asking = True
            gevent.spawn(self._ask)
        return answer.get()

    def _ask(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                try:
                    found = self._find([*asked])
                except BaseException as error:
                    # Whatever it is, a greenlet's end too, it is for those who asked: nobody else wakes them.
                    for answer in asked.values():
                        answer.set_exception(error)
                    if not isinstance(error, Exception):
                        raise
                    continue
                for digest, answer in asked.items():
                    answer.set(found.get(digest))
                if len(found) < len(asked):
                    gevent.sleep(PAUSE_SECONDS)
        finally:
            self._asking = False
