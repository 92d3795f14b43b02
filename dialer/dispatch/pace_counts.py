"""Counts what this dialer asked the caps for, by campaign and second, what it got and what held it back. Pure.

Seconds are the database's: `offset` is how far its clock is ahead of this process' monotonic one, once that is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

KEPT_SECONDS = 60
"""So much is kept for a database that is away."""
AGAIN_SECONDS = 60
"""A word that holds while nothing is offered and nothing in progress is said again after so long."""


@dataclass(slots=True)
class Counted:
    """One campaign in one second: calls asked for, calls that got their turn, and the cap that denied the last."""

    offered: int = 0
    admitted: int = 0
    cap: str | None = None


@dataclass(frozen=True, slots=True)
class PaceRow:
    """What is said of one campaign and second."""

    campaign_id: str
    second: int
    offered: int
    admitted: int
    live_calls: int
    cap: str | None


@dataclass(slots=True)
class PaceCounts:
    """What is not written yet, and what was said last of each campaign."""

    now: Callable[[], float] = time.monotonic
    offset: float | None = None
    _seconds: dict[int, dict[str, Counted]] = field(default_factory=dict)
    _early: dict[str, Counted] = field(default_factory=dict)
    """What was counted before it was known what second it is."""
    _said: dict[str, tuple[str | None, int]] = field(default_factory=dict)
    """The last word of each campaign, and the second for which it was said."""
    _closed: int = 0
    """The last second of which rows were made."""

    def note(self, campaign_id: str, offered: int, admitted: int, cap: str | None) -> None:
        """The caps were asked for so many calls; `cap` denied one, or holds the campaign back otherwise."""
        counted = self._now().setdefault(campaign_id, Counted())
        counted.offered += offered
        counted.admitted += admitted
        counted.cap = cap

    def rows(
        self, campaigns: Collection[str], live_calls: Callable[[str], int], word: Callable[[str], str | None]
    ) -> list[PaceRow]:
        """What is to be said of the seconds that are over, of those of `campaigns` that have something to say:
        something was offered or is in progress, or what holds it back is another than it was. `word` is what the last
        decision said. What is not `written` comes again."""
        if self.offset is None:
            return []
        second = int(self.now() + self.offset)
        if self._early:
            self._seconds.setdefault(second, {}).update(self._early)
            self._early = {}
        self._seconds = {at: found for at, found in self._seconds.items() if at > second - KEPT_SECONDS}
        over = sorted(at for at in self._seconds if at < second)
        # All that is said of one in which nothing was asked for: how it stands.
        last = second - 1
        if last not in self._seconds and last > self._closed:
            over.append(last)
        found: list[PaceRow] = []
        for at in over:
            counted = self._seconds.get(at, {})
            for campaign_id in campaigns if at == last else counted.keys():
                row = self._row(campaign_id, at, counted.get(campaign_id), live_calls, word)
                if row is not None:
                    found.append(row)
        return found

    def written(self, rows: Collection[PaceRow], campaigns: Collection[str]) -> None:
        """These are kept now; of other than these campaigns nothing is remembered."""
        second = int(self.now() + (self.offset or 0.0))
        self._closed = second - 1
        self._seconds = {at: found for at, found in self._seconds.items() if at >= second}
        self._said |= {row.campaign_id: (row.cap, row.second) for row in rows}
        self._said = {name: said for name, said in self._said.items() if name in campaigns}

    def _row(
        self,
        campaign_id: str,
        second: int,
        counted: Counted | None,
        live_calls: Callable[[str], int],
        word: Callable[[str], str | None],
    ) -> PaceRow | None:
        live = live_calls(campaign_id)
        if counted is not None and counted.offered:
            return PaceRow(campaign_id, second, counted.offered, counted.admitted, live, counted.cap)
        cap = word(campaign_id) if counted is None else counted.cap
        said, at = self._said.get(campaign_id, (None, 0))
        news = cap != said or (cap is not None and second - at >= AGAIN_SECONDS)
        return PaceRow(campaign_id, second, 0, 0, live, cap) if live or news else None

    def _now(self) -> dict[str, Counted]:
        if self.offset is None:
            return self._early
        return self._seconds.setdefault(int(self.now() + self.offset), {})
