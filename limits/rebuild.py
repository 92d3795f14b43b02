"""Rebuilds the limiter's state from the database, after Redis was emptied, restarted or long unattended.

Called by `Limiter.rebuild`. The new state is written under keys of its own and becomes visible with one script
at the very end; a rebuilder that dies leaves no epoch, only keys that lapse. Calls that end meanwhile are noted by
whoever ends them, and heeded before the end.
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

from redis import Redis

from coordination import lua
from coordination.membership import LEASE_SECONDS
from limits import scripts
from limits.caps import (
    FURTHEST_TURN,
    MINUTE_WINDOW_MS,
    PERMIT_LIFE,
    SECOND_MS,
    DayUse,
    LimiterSnapshot,
    OpenCall,
    RecentSend,
)
from limits.epoch import EpochStore
from limits.eviction import evicting
from limits.keys import EpochKeys, PermitRecord, campaign_scope
from limits.ttls import Ttls

T = TypeVar("T")

LOCK_SECONDS = 60
BATCH = 500
DAY_MS = 86_400_000
EPOCH_START = dt.date(1970, 1, 1)
MARGIN = 0.010
"""Seconds waited beyond the furthest turn and a permit's life, for clocks that do not run equally fast."""


def rebuild(store: EpochStore, snapshot: Callable[[], LimiterSnapshot], ttls: Ttls, dialer_id: str) -> bool:
    """Rebuild where there is no whole state and nobody else is at it; True when done.

    Nothing is rebuilt in a Redis that evicts. Raises redis.RedisError or LimiterUnavailable.
    """
    if store.epoch() is not None or evicting(store.redis) is not None:
        return False
    with lock(store, store.keys.rebuilding, dialer_id) as token:
        if token is None or store.epoch() is not None:
            return False
        run = cast(str, store.redis.info("server")["run_id"])
        # Whatever was granted before is sent by then, and so in the database, or has to be asked for again.
        time.sleep(FURTHEST_TURN + PERMIT_LIFE + MARGIN)
        return _Rebuild(store, ttls, run).do(snapshot(), token)


@contextmanager
def lock(store: EpochStore, key: str, dialer_id: str) -> Iterator[str | None]:
    """The lock of whoever makes something whole; None where somebody else has it."""
    token = f"{dialer_id} {secrets.token_hex(8)}"
    if not _take(store, key, token) and not (_drop_orphan(store, key) and _take(store, key, token)):
        yield None
        return
    try:
        yield token
    finally:
        lua.run_job(store.redis, scripts.UNLOCK, [key], {"token": token})
        store.forget()


def _take(store: EpochStore, key: str, token: str) -> bool:
    return bool(store.redis.set(key, token, nx=True, px=LOCK_SECONDS * 1000))


def _drop_orphan(store: EpochStore, key: str) -> bool:
    """Drop the lock of a rebuilder that has died: it is older than any lease, and its holder has none.

    One that was only stopped finds out when it opens: the lock says somebody else's name then.
    """
    redis, keys = store.redis, store.keys
    token = cast("str | None", redis.get(key))
    left = redis.pttl(key)
    if token is None or left > (LOCK_SECONDS - LEASE_SECONDS) * 1000:
        return token is None
    if redis.exists(keys.lease(token.partition(" ")[0])):
        return False
    lua.run_job(redis, scripts.UNLOCK, [key], {"token": token})
    return True


class _Rebuild:
    """One attempt, on the server's run `run`, under keys of its own."""

    def __init__(self, store: EpochStore, ttls: Ttls, run: str) -> None:
        self._redis: Redis = store.redis
        self._outer = store.keys
        self._ttls = ttls
        self._run = run
        self._epoch = f"{secrets.token_hex(6)}.{run}"
        self._keys = store.epoch_keys(self._epoch)
        self._now_ms = 0

    def do(self, snapshot: LimiterSnapshot, token: str) -> bool:
        """Write everything, then open; False where the lock or the server was lost in between."""
        # Not before the snapshot is read: its ages are as of the reading. By an earlier clock every send would seem
        # older than it is, and leave its window too soon.
        seconds, micros = self._redis.time()
        self._now_ms = seconds * 1000 + micros // 1000
        records = {call.call_id: self._record(call) for call in snapshot.open_calls}
        for batch in batches(list(records.items())):
            self._write_permits(batch)
        for sends in batches(snapshot.recent):
            self._write_rates(sends)
        for uses in batches(snapshot.days):
            self._write_days(uses, (snapshot.day - EPOCH_START).days)
        heeded: list[str] = []
        while True:
            answer = lua.run_job(
                self._redis,
                scripts.PUBLISH_EPOCH,
                [self._outer.epoch, self._outer.rebuilding, self._outer.ended_while_down],
                {
                    "token": token,
                    "epoch": self._epoch,
                    "run": self._run,
                    "epoch_life": self._ttls.epoch,
                    "heeded": heeded,
                },
            )
            if answer[0] != "more":
                return bool(answer[0] == "open")
            ended = dict(zip(answer[1::2], map(int, answer[2::2]), strict=True))
            heeded += ended
            for batch in batches([(call_id, records[call_id]) for call_id in ended if call_id in records]):
                self._release(batch, ended)

    def _record(self, call: OpenCall) -> PermitRecord:
        return PermitRecord.make(
            owner=call.dialer_id,
            campaign_id=campaign_scope(call.campaign_id, call.tenant_id, single=call.single),
            tenant_id=call.tenant_id,
            gateway_id=call.gateway_id,
            node=call.node,
            number=call.number,
            day=(self._now_ms - call.age_ms) // DAY_MS,
            ask=0,
            second_leg_gateway_id=call.second_leg_gateway_id,
        )

    def _write_permits(self, batch: Sequence[tuple[str, PermitRecord]]) -> None:
        keys, ttls = self._keys, self._ttls
        with self._redis.pipeline(transaction=False) as pipe:
            for call_id, record in batch:
                pipe.hset(keys.permits, call_id, record.raw)
                pipe.sadd(keys.held(record.owner), call_id)
                pipe.sadd(keys.holders, record.owner)
                pipe.pexpire(keys.held(record.owner), ttls.keep)
                for slots, slot in record.every_slot(keys, call_id):
                    pipe.zadd(slots, {slot: self._now_ms + ttls.lease})
                    pipe.pexpire(slots, ttls.keep)
            pipe.pexpire(keys.permits, ttls.keep)
            pipe.pexpire(keys.holders, ttls.keep)
            pipe.execute()

    def _write_rates(self, batch: Sequence[RecentSend]) -> None:
        with self._redis.pipeline(transaction=False) as pipe:
            for send in batch:
                for key, window in rates_of(send, self._keys):
                    pipe.zadd(key, {send.call_id: (self._now_ms - send.age_ms) * 1000})
                    pipe.pexpire(key, 2 * window)
            pipe.execute()

    def _write_days(self, batch: Sequence[DayUse], day: int) -> None:
        with self._redis.pipeline(transaction=False) as pipe:
            for use in batch:
                key = self._keys.day(use.tenant_id)
                pipe.hset(key, mapping={f"{day}:calls": use.calls, f"{day}:seconds": use.seconds})
                pipe.pexpire(key, 2 * DAY_MS)
            pipe.execute()

    def _release(self, batch: Sequence[tuple[str, PermitRecord]], billsecs: dict[str, int]) -> None:
        """Calls that the snapshot saw live and that have ended since."""
        keys = self._keys
        with self._redis.pipeline(transaction=False) as pipe:
            for call_id, record in batch:
                pipe.hdel(keys.permits, call_id)
                pipe.srem(keys.held(record.owner), call_id)
                for slots, slot in record.every_slot(keys, call_id):
                    pipe.zrem(slots, slot)
                if billsecs[call_id] > 0:
                    pipe.hincrby(keys.day(record.tenant_id), f"{record.day}:seconds", billsecs[call_id])
                    pipe.pexpire(keys.day(record.tenant_id), 2 * DAY_MS)
            pipe.execute()


def rates_of(send: RecentSend, keys: EpochKeys) -> list[tuple[str, int]]:
    """The rates in whose window a send still is: the key of each, and its window in ms."""
    rates = (
        (keys.rate("tenant", send.tenant_id), MINUTE_WINDOW_MS),
        (keys.rate("gateway", send.gateway_id), SECOND_MS),
        (keys.rate("node", send.node), SECOND_MS),
    )
    return [(key, window) for key, window in rates if send.age_ms <= window]


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """BATCH of them at a time."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
