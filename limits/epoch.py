"""One epoch's state as seen by one process: which epoch it is, reading records, running scripts against it.

Below the limiter and the rebuild; raises redis.RedisError, which those turn into LimiterUnavailable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from redis import Redis

from coordination import lua
from coordination.lua import Script
from limits import scripts
from limits.keys import EpochKeys, Keys, PermitRecord

T = TypeVar("T")


class EpochChangedError(Exception):
    """The state was rebuilt, or has to be, since the epoch was last read: read it, and ask again."""


class EpochStore:
    """The present epoch, remembered until a script says that it is another."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self.redis = redis
        self.keys = Keys(prefix)
        self._epoch: str | None = None
        self.last_epoch: str | None = None
        """The epoch as it was when last looked at."""

    def epoch(self) -> str | None:
        """The epoch, None where the state is not whole and has to be rebuilt before anybody dials."""
        if self._epoch is None:
            self._remember(cast("str | None", lua.run_job(self.redis, scripts.EPOCH, [self.keys.epoch], {})))
        return self._epoch

    def in_epoch(self, action: Callable[[str], T]) -> T | None:
        """What `action` gives for the present epoch, done again where that has changed meanwhile.

        None, and nothing is done, where the state is not whole.
        """
        while (epoch := self.epoch()) is not None:
            try:
                return action(epoch)
            except EpochChangedError:
                continue
        return None

    def forget(self) -> None:
        """Read the epoch again next time."""
        self._epoch = None

    def run(
        self, script: Script, epoch: str, keys: Sequence[str], job: Mapping[str, object]
    ) -> list[Any] | None:
        """Run a script that starts with a look at the epoch; None where the state is not whole.

        Raises EpochChangedError when the epoch is another than `epoch`.
        """
        answer = cast(
            "list[Any]", lua.run_job(self.redis, script, [self.keys.epoch, *keys], {**job, "epoch": epoch})
        )
        if answer[0] == "epoch":
            self._remember(answer[1])
            raise EpochChangedError
        if answer[0] == "no_redis":
            self._epoch = None
            return None
        return answer

    def _remember(self, epoch: str | None) -> None:
        self._epoch = self.last_epoch = epoch

    def epoch_keys(self, epoch: str) -> EpochKeys:
        return self.keys.epoch_keys(epoch)

    def records(self, epoch: str, call_ids: Sequence[str]) -> dict[str, PermitRecord]:
        """The records of those calls that hold a permit."""
        if not call_ids:
            return {}
        raws = cast("list[str | None]", self.redis.hmget(self.epoch_keys(epoch).permits, list(call_ids)))
        return {call_id: PermitRecord.parse(raw) for call_id, raw in zip(call_ids, raws, strict=True) if raw}

    def held_by(self, epoch: str, dialer_id: str) -> list[str]:
        """The calls whose permits a dialer holds, in the order of their ids, which is that of their birth."""
        return sorted(cast("set[str]", self.redis.smembers(self.epoch_keys(epoch).held(dialer_id))))
