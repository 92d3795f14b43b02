"""Learns from the rows how often a tenant's numbers were called, where Redis does not know it: it was emptied, or its
caps on numbers are new or look back further than before.

Called by `Limiter.read_numbers`. Nothing of the tenant is granted meanwhile by whoever knows of the caps; where
somebody who does not was granted a call, what was read is void, and read again. Decision 0065.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from cooperative import let_others_run
from limits import scripts
from limits.caps import FURTHEST_TURN, PERMIT_LIFE, NumberCall, NumberCaps
from limits.epoch import EpochChangedError, EpochStore
from limits.rebuild import DAY_MS, LOCK_SECONDS, MARGIN, batches, lock


class NumberRows(Protocol):
    """The calls of a tenant, as the database has them. Both raise what a database that is away raises."""

    def since(self, tenant_id: str, seconds: float, /) -> Iterable[Sequence[NumberCall]]:
        """Those that left, or may have, within so many seconds, a page at a time."""

    def again(self, call_ids: Sequence[str], /) -> Sequence[NumberCall]:
        """These, as they are now."""


def read_numbers(
    store: EpochStore, dialer_id: str, tenant_id: str, caps: NumberCaps, rows: NumberRows
) -> bool:
    """Read them; False where the state is not whole, somebody else is at it, or it has to be done again.

    Raises redis.RedisError, and what `rows` raises.
    """
    epoch = store.epoch()
    if epoch is None or not caps.any:
        return False
    with lock(store, store.keys.reading_numbers(tenant_id), dialer_id) as token:
        if token is None:
            return False
        try:
            return _Reading(store, epoch, tenant_id, caps, token).do(rows)
        except EpochChangedError:
            return False


class _Reading:
    """One attempt, in one epoch."""

    def __init__(self, store: EpochStore, epoch: str, tenant_id: str, caps: NumberCaps, token: str) -> None:
        self._store, self._epoch, self._tenant_id, self._token = store, epoch, tenant_id, token
        self._window, self._gap = caps.longest_ms, caps.gap_seconds * 1000
        self._open: list[str] = []
        self._ended: dict[str, int] = {}

    def do(self, rows: NumberRows) -> bool:
        if not self._say(begin=True):
            return False
        # What was granted without these caps has a row by then, or is asked for again and logged.
        time.sleep(FURTHEST_TURN + PERMIT_LIFE + MARGIN)
        for page in rows.since(self._tenant_id, max(self._window, self._gap) / 1000):
            self._write(page)
            # However long it takes, nobody else begins it anew meanwhile.
            self._store.redis.pexpire(self._store.keys.reading_numbers(self._tenant_id), LOCK_SECONDS * 1000)
            let_others_run()
            self._open += [call.call_id for call in page if call.ended_ms is None]
        self._write_rests()
        if not self._say(begin=False):
            return False
        # Those that ended before that did so unheard.
        self._write(rows.again(self._open))
        self._write_rests()
        return True

    def _say(self, *, begin: bool) -> bool:
        job = {
            "token": self._token,
            "begin": int(begin),
            "log": self._window,
            "rest": self._gap,
            "keep": 2 * DAY_MS,
        }
        day = self._store.epoch_keys(self._epoch).day(self._tenant_id)
        answer = self._store.run(scripts.NUMBER_FILL, self._epoch, [day], job)
        return answer is not None and answer[0] == "ok"

    def _write(self, calls: Sequence[NumberCall]) -> None:
        """By a clock that is read behind the rows: by an earlier one every call would seem older than it is."""
        now = self._now()
        with self._store.redis.pipeline(transaction=False) as pipe:
            for call in calls:
                log, _ = self._store.keys.number_history(self._tenant_id, call.number)
                if not call.counts:
                    pipe.zrem(log, call.call_id)
                elif self._window and call.age_ms <= self._window:
                    pipe.zadd(log, {call.call_id: now - call.age_ms})
                    pipe.pexpire(log, self._window)
                if call.counts and call.ended_ms is not None and call.ended_ms < self._gap:
                    self._ended[call.number] = max(self._ended.get(call.number, 0), now - call.ended_ms)
            pipe.execute()

    def _write_rests(self) -> None:
        for some in batches(list(self._ended.items())):
            now = self._now()
            with self._store.redis.pipeline(transaction=False) as pipe:
                for number, ended in some:
                    if (left := ended + self._gap - now) > 0:
                        _, rest = self._store.keys.number_history(self._tenant_id, number)
                        pipe.set(rest, ended, px=left)
                pipe.execute()
            let_others_run()
        self._ended.clear()

    def _now(self) -> int:
        seconds, micros = self._store.redis.time()
        return int(seconds * 1000 + micros // 1000)
