"""Rate cuts, shared through Redis: how far a refusing node's or gateway's rate is lowered.

Multiplicative down, additive up. A dialer that was refused records it; every dialer reads the shares once a second
and hands the smaller rate to the limiter; the API shows it. The first part has no I/O and takes its `now`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from redis import Redis
from redis.exceptions import WatchError

from coordination.errors import translated
from limits.errors import LimiterUnavailable
from limits.keys import Keys

DOWN = 0.5
DOWN_EVERY_MS = 1_000
UP = 0.10
UP_EVERY_MS = 5_000
LEAST_SHARE = 0.05


class Kind(StrEnum):
    """What can refuse."""

    NODE = "node"
    GATEWAY = "gateway"


Target = tuple[Kind, str]
"""A node by its name, or a gateway by its id."""


@dataclass(frozen=True, slots=True)
class RateCut:
    """The share of the rate that was left at `at_ms`, Redis' time.

    `base` is the rate in calls per second that the share is of where none is configured.
    """

    share: float
    at_ms: int
    base: int

    def text(self) -> str:
        """As it stands in Redis."""
        return f"{self.share:.4f} {self.at_ms} {self.base}"

    @classmethod
    def parse(cls, text: str | None) -> RateCut | None:
        """What `text` wrote; None where nothing stands."""
        if text is None:
            return None
        share, at_ms, base = text.split()
        return cls(float(share), int(at_ms), int(base))


@dataclass(frozen=True, slots=True)
class ReducedRate:
    """What is left of a rate at one moment: `share` in [0.05, 1), of `base` where no rate is configured."""

    share: float
    base: int

    def rate(self, configured: int | None) -> int:
        """Calls per second, at least 1: who is never asked can never recover."""
        return max(1, int((self.base if configured is None else configured) * self.share))


def halve(cut: RateCut | None, now_ms: int, base: int) -> RateCut | None:
    """The cut after one more refusal; None where the last was less than a second ago.

    `base` counts only for the first of a series: what leaves later is slowed already.
    """
    if cut is not None and now_ms - cut.at_ms < DOWN_EVERY_MS:
        return None
    before = reduced(cut, now_ms)
    share = 1.0 if before is None else before.share
    return RateCut(max(LEAST_SHARE, share * DOWN), now_ms, max(1, base if before is None else before.base))


def reduced(cut: RateCut | None, now_ms: int) -> ReducedRate | None:
    """What a cut still takes; None once all of it has come back."""
    if cut is None:
        return None
    share = cut.share + UP * (max(0, now_ms - cut.at_ms) // UP_EVERY_MS)
    return None if share >= 1.0 else ReducedRate(share, cut.base)


def recovery_ms(cut: RateCut) -> int:
    """Milliseconds until all of a cut has come back."""
    steps = -(-(1.0 - cut.share) // UP)
    return int(steps) * UP_EVERY_MS


class RateCuts:
    """The cuts, as all dialers share them. Every method raises LimiterUnavailable when Redis fails."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._keys = Keys(prefix)

    def record_refusal(self, kind: Kind, name: str, base: int) -> bool:
        """Note that it refused; True where its rate was cut for that, at most once a second for all dialers.

        `base` is about how many calls a second it was asked for.
        """
        key = self._keys.rate_cut(kind, name)
        with translated(LimiterUnavailable, "slowing down"), self._redis.pipeline(transaction=True) as pipe:
            pipe.watch(key)  # type: ignore[no-untyped-call]
            now_ms = self._now_ms()
            cut = halve(RateCut.parse(cast("str | None", self._redis.get(key))), now_ms, base)
            if cut is None:
                return False
            pipe.multi()
            pipe.set(key, cut.text(), px=recovery_ms(cut))
            try:
                pipe.execute()
            except WatchError:
                # Somebody else cut it at this very moment, which is as often as may be.
                return False
        return True

    def read(self, targets: Iterable[Target]) -> Mapping[Target, ReducedRate]:
        """Those of `targets` that are slowed now."""
        asked = list(dict.fromkeys(targets))
        if not asked:
            return {}
        with translated(LimiterUnavailable, "reading rates"):
            texts = cast("list[str | None]", self._redis.mget([self._keys.rate_cut(*one) for one in asked]))
            now_ms = self._now_ms() if any(texts) else 0
        found = {one: reduced(RateCut.parse(text), now_ms) for one, text in zip(asked, texts, strict=True)}
        return {one: left for one, left in found.items() if left is not None}

    def _now_ms(self) -> int:
        seconds, micros = self._redis.time()
        return seconds * 1000 + micros // 1000
