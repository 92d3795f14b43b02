"""Leases of permits: renewed by their dialer; a dead dialer's are renewed by the living ones until taken over.

Below the limiter; raises redis.RedisError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from coordination.errors import Fenced
from limits import scripts
from limits.epoch import EpochStore
from limits.releases import BATCH
from limits.ttls import Ttls


class PermitLeases:
    """Those that one dialer stands for."""

    def __init__(self, store: EpochStore, ttls: Ttls, dialer_id: str) -> None:
        self._store = store
        self._ttls = ttls
        self._dialer_id = dialer_id

    def renew(self, epoch: str) -> None:
        """Extend this dialer's, and those of every holder of permits that is dead. Raises EpochChangedError."""
        for holder in [self._dialer_id, *self._dead_holders(epoch)]:
            self._renew(epoch, holder)

    def transfer(self, epoch: str, dead_dialer_id: str, call_ids: Sequence[str]) -> None:
        """Make a dead dialer's permits for these calls this one's.

        Raises EpochChangedError, and Fenced where this dialer has lost its own lease.
        """
        for start in range(0, len(call_ids), BATCH):
            self._transfer(epoch, dead_dialer_id, call_ids[start : start + BATCH])

    def _dead_holders(self, epoch: str) -> list[str]:
        redis, keys = self._store.redis, self._store.keys
        holders = cast("set[str]", redis.smembers(self._store.epoch_keys(epoch).holders))
        others = sorted(holders - {self._dialer_id})
        if not others:
            return []
        leases = cast("list[str | None]", redis.mget([keys.lease(other) for other in others]))
        return [other for other, lease in zip(others, leases, strict=True) if lease is None]

    def _renew(self, epoch: str, holder: str) -> None:
        keys = self._store.epoch_keys(epoch)
        call_ids = self._store.held_by(epoch, holder)
        for start in range(0, max(1, len(call_ids)), BATCH):
            records = self._store.records(epoch, call_ids[start : start + BATCH])
            paths = [keys.permits, keys.holders, keys.held(holder), keys.next_due]
            for record in records.values():
                paths += record.slot_keys(keys)
            second = {
                call_id: slots
                for call_id, record in records.items()
                if (slots := record.second_leg_slots(keys)) is not None
            }
            paths += second.values()
            job = {
                "epoch_life": self._ttls.epoch,
                "lease": self._ttls.lease,
                "keep": self._ttls.keep,
                "ids": list(records),
                "second": list(second),
            }
            self._store.run(scripts.RENEW, epoch, paths, job)

    def _transfer(self, epoch: str, dead_dialer_id: str, call_ids: Sequence[str]) -> None:
        me, keys = self._dialer_id, self._store.epoch_keys(epoch)
        items = [
            [call_id, record.raw, record.owned_by(me).raw]
            for call_id, record in self._store.records(epoch, call_ids).items()
            if record.owner == dead_dialer_id  # another may have taken it over before
        ]
        paths = [keys.permits, keys.held(dead_dialer_id), keys.held(me), keys.holders]
        paths += [self._store.keys.lease(me), self._store.keys.fenced(me)]
        job = {"dialer": me, "keep": self._ttls.keep, "items": items}
        answer = self._store.run(scripts.TRANSFER, epoch, paths, job)
        if answer is not None and answer[0] == "fenced":
            raise Fenced(me)
