"""Lifetimes of the limiter's keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ttls:
    """In ms: a permit's lease, the epoch, and what is kept for as long as anybody renews it."""

    lease: int
    epoch: int
    keep: int

    @classmethod
    def of_lease(cls, seconds: float) -> Ttls:
        """Those of permits with leases of `seconds`. The epoch lapses before any lease: then the state is rebuilt,
        and no lapsed lease makes room."""
        lease = int(seconds * 1000)
        return cls(lease=lease, epoch=lease * 3 // 4, keep=lease * 10)
