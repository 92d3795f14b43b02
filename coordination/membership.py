"""The dialers that are alive: each dialer's lease in Redis, and the same lease as its own process sees it.

Called by each dialer for itself (`register`, `renew`, `leave`), by whoever takes over from a dead one (`fence`,
`remove`), and by the API, which waits for everybody who may still send (`alive`, `fence`).

A lease is counted twice, both times from one renewal: by Redis from when it executes it, by the dialer from before it
asked. So the dialer's own view always ends first, whatever was lost or late in between.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

from redis import Redis

from coordination import lua
from coordination.clock import elapsed
from coordination.errors import Fenced, MembershipUnavailable, translated
from coordination.keys import CoordinationKeys

__all__ = ["LEASE_SECONDS", "Fenced", "Lease", "Membership", "MembershipUnavailable"]

LEASE_SECONDS = 5.0
"""How long a dialer may send after its last renewal, and so how long one that is silent has to be waited for."""
FENCE_SECONDS = 86_400.0
"""Far longer than any lease: once that has lapsed, the id cannot come back anyway."""
FOLDER = Path(__file__).parent
LEASE_SCRIPT = lua.load(FOLDER / "lease.lua", behind=[lua.COMMON])
FENCE_SCRIPT = lua.load(FOLDER / "fence.lua", behind=[lua.COMMON])


class Lease:
    """Whether this process may still send, shared by all its senders and asked before each write.

    It counts by `coordination.clock.elapsed()`, which goes on while a process is stopped and while its machine is
    suspended: one that wakes finds its lease lapsed.
    """

    def __init__(self) -> None:
        self._until = float("-inf")
        self._ended = False

    def extend(self, until: float) -> None:
        """Valid until `until`, by `elapsed()`. A late answer never shortens it, and nothing revives it."""
        self._until = max(self._until, until)

    def end(self) -> None:
        """Over for good, at once."""
        self._ended = True

    def valid(self) -> bool:
        """Whether a write may start now."""
        return not self._ended and elapsed() < self._until


class Membership:
    """The dialers of an installation. Every method raises MembershipUnavailable when Redis fails."""

    def __init__(self, redis: Redis, prefix: str, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._redis = redis
        self._keys = CoordinationKeys(prefix)
        self.lease_seconds: float = lease_seconds

    def register(self, dialer_id: str, info: Mapping[str, object]) -> float:
        """Enter a new dialer; the time, by `elapsed()`, until which its lease holds. Raises Fenced for a used id."""
        return self._extend(dialer_id, info, new=True)

    def renew(self, dialer_id: str, info: Mapping[str, object]) -> float:
        """Extend the lease; the time, by `elapsed()`, until which it now holds.

        Raises Fenced when the id was fenced or its lease has lapsed (Redis that was emptied has lapsed all).
        """
        return self._extend(dialer_id, info, new=False)

    def alive(self) -> dict[str, dict[str, Any]]:
        """Everybody whose lease runs, fenced or not, with what it says of itself: all who may still send."""
        with translated(MembershipUnavailable, "reading the membership"):
            members = cast("dict[str, str]", self._redis.hgetall(self._keys.members))
            leases = [self._keys.lease(dialer_id) for dialer_id in members]
            running = cast("list[str | None]", self._redis.mget(leases) if leases else [])
        return {
            dialer_id: json.loads(info)
            for (dialer_id, info), lease in zip(members.items(), running, strict=True)
            if lease is not None
        }

    def remaining(self, dialer_id: str) -> float:
        """Seconds left of a lease as Redis sees it, 0 when there is none."""
        with translated(MembershipUnavailable, "reading a lease"):
            left = self._redis.pttl(self._keys.lease(dialer_id))
        return max(0.0, left / 1000)

    def leases(self, dialer_ids: Collection[str]) -> dict[str, float]:
        """Seconds left of each of these leases as Redis sees them, 0 where there is none, in one round trip."""
        asked = sorted(dialer_ids)
        with (
            translated(MembershipUnavailable, "reading leases"),
            self._redis.pipeline(transaction=False) as pipe,
        ):
            for dialer_id in asked:
                pipe.pttl(self._keys.lease(dialer_id))
            left = cast("list[int]", pipe.execute())
        return {of: max(0.0, found / 1000) for of, found in zip(asked, left, strict=True)}

    def fence(self, dialer_id: str) -> float:
        """Never again may this dialer renew or acquire.

        Returns the seconds until its own lease has surely lapsed, and with it the last moment at which it can
        start a write; fencing again returns what is left of them.
        """
        keys = self._keys
        with translated(MembershipUnavailable, "fencing"):
            answer = lua.run_job(
                self._redis,
                FENCE_SCRIPT,
                [keys.lease(dialer_id), keys.fenced(dialer_id), keys.members],
                {"dialer": dialer_id, "ttl": self._ttl, "keep": int(FENCE_SECONDS * 1000)},
            )
        return int(answer[1]) / 1000

    def fenced(self, dialer_ids: Collection[str]) -> set[str]:
        """Those among them that were fenced, or have left, within the last day."""
        asked = sorted(dialer_ids)
        with translated(MembershipUnavailable, "reading fences"):
            found = cast(
                "list[str | None]", self._redis.mget([self._keys.fenced(of) for of in asked]) if asked else []
            )
        return {of for of, fence in zip(asked, found, strict=True) if fence is not None}

    def leave(self, dialer_id: str) -> None:
        """A clean end: the caller sends no more, and says so. Its entry stays until it is removed."""
        with translated(MembershipUnavailable, "leaving"), self._redis.pipeline(transaction=True) as pipe:
            pipe.set(self._keys.fenced(dialer_id), 0, px=int(FENCE_SECONDS * 1000))
            pipe.delete(self._keys.lease(dialer_id))
            pipe.execute()

    def remove(self, dialer_id: str) -> None:
        """Remove a dead dialer, once everything of it has been taken over.

        Until then its entry is the proof that Redis was not emptied, by which `fence` knows a lapsed lease.
        """
        with translated(MembershipUnavailable, "removing a dialer"):
            self._redis.hdel(self._keys.members, dialer_id)

    @property
    def _ttl(self) -> int:
        return int(self.lease_seconds * 1000)

    def _extend(self, dialer_id: str, info: Mapping[str, object], *, new: bool) -> float:
        keys = self._keys
        asked = elapsed()
        with translated(MembershipUnavailable, "renewing a lease"):
            answer = lua.run_job(
                self._redis,
                LEASE_SCRIPT,
                [keys.lease(dialer_id), keys.fenced(dialer_id), keys.members],
                {"dialer": dialer_id, "info": json.dumps(info), "ttl": self._ttl, "new": new},
            )
        if answer[0] == "fenced":
            raise Fenced(dialer_id)
        return asked + self.lease_seconds
