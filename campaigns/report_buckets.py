"""How long things took, in buckets: their bounds, and the percentiles that can be read from them. Pure.

The bounds are those by which `migrations/0046_reports.py` has the database count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

PDD_MS = (
    250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2500, 3000, 3500, 4000, 5000, 6000, 8000, 10_000, 12_500, 15_000,
    20_000, 30_000,
)  # fmt: skip
RING_MS = (
    1000, 2000, 3000, 4000, 5000, 6000, 8000, 10_000, 12_500, 15_000, 17_500, 20_000, 22_500, 25_000, 27_500, 30_000,
    35_000, 40_000, 45_000, 60_000, 90_000, 120_000,
)  # fmt: skip
LENGTH_SECONDS = (
    0, 1, 2, 3, 4, 5, 6, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 450, 600, 900, 1200, 1800, 2700, 3600, 7200,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many of something took how long: more than the bound before and at most this one. The last of `calls` are
    those beyond all bounds."""

    bounds: Sequence[int]
    calls: Sequence[int]

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.calls)

    def percentile(self, share: float) -> int | None:
        """The least bound that this share of them kept to; None where there were none, or it is beyond all bounds."""
        wanted = share * self.total
        if not self.total:
            return None
        for bound, so_far in zip(self.bounds, accumulate(self.calls), strict=False):
            if so_far >= wanted:
                return bound
        return None
