"""Whose call is next: tenants take turns by their weights, and within each its campaigns by theirs, behind its
single calls. Pure.

Each tenant, and each campaign of it, has a clock of its own that goes on by 1 / weight with each call it is given. Of
those whose clock is not ahead of the mean, the one whose next call would be due first is next (earliest eligible
virtual deadline first). So nobody is ever a whole call ahead of its share or behind it, however large the weights are
and however few calls there are to share (decision 0033). Only what was granted counts, so that who was denied a
shared cap is the first to ask again. Who had nothing to call for a while does not come back with a claim on all that
it did not use: it starts where the others are, one call behind at most. What one does not want the others get.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from dialer.dispatch.plans import Plan


@dataclass(frozen=True, slots=True)
class Share:
    """What a campaign is given beside others: its own weight and its tenant's, from 1 on."""

    tenant_id: str
    weight: int = 1
    tenant_weight: int = 1


def share_of(plan: Plan) -> Share:
    """What a running campaign is given beside others."""
    return Share(plan.tenant_id, plan.weight, plan.tenant_weight)


@dataclass(slots=True)
class _Served:
    """The clock of each name, and how far those have come that are served."""

    clocks: dict[str, float] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    floor: float = 0.0

    def weight(self, name: str) -> int:
        return self.weights.get(name, 1)

    def of(self, name: str) -> float:
        """Its clock. Who is new is where those are that were served last, who was away one call behind at most."""
        clock = self.clocks.setdefault(name, self.floor)
        return max(clock, self.floor - 1.0 / self.weight(name))

    def add(self, calls: Mapping[str, int], asked: Collection[str]) -> None:
        """These got so many calls of one batch, for which all of `asked` had asked."""
        self.clocks |= {name: self.of(name) + count / self.weight(name) for name, count in calls.items()}
        # Once for the whole batch: raised between two of it, it would charge the second for what the first got.
        self.floor = max(self.floor, self._mean(asked))

    def _mean(self, asked: Collection[str]) -> float:
        """Of their clocks, by weight; one that is bound, and falls back ever farther, counts as one call behind."""
        mean, before = -math.inf, None
        while mean != before:
            before, clocks, weights = mean, 0.0, 0
            for name in asked:
                weight, clock = self.weight(name), self.of(name)
                if clock < mean - 1.0 / weight:
                    clocks -= 1.0
                else:
                    clocks += weight * clock
                    weights += weight
            mean = max(mean, clocks / weights)
        return mean

    def keep(self, weights: Mapping[str, int]) -> None:
        """Forget all but these, and know their weights."""
        self.clocks = {name: clock for name, clock in self.clocks.items() if name in weights}
        self.weights = dict(weights)


@dataclass(slots=True)
class _Line:
    """Those that ask now, in the order in which their calls are due."""

    served: _Served
    left: dict[str, int]
    """Calls that each still wants, by name; of equals the one that is named first."""
    _early: list[tuple[float, int, str]] = field(default_factory=list)
    """Whose clock is ahead of the mean, by clock."""
    _due: list[tuple[float, int, str]] = field(default_factory=list)
    """The others, by when their next call is due."""
    _place: dict[str, int] = field(default_factory=dict)
    _clock: dict[str, float] = field(default_factory=dict)
    _sum: float = 0.0
    _weights: int = 0

    def __post_init__(self) -> None:
        self._place = {name: place for place, name in enumerate(self.left)}
        self._clock = {name: self.served.of(name) for name in self.left}
        for name, clock in self._clock.items():
            weight = self.served.weight(name)
            self._sum += weight * clock
            self._weights += weight
            self._early.append((clock, self._place[name], name))
        heapq.heapify(self._early)

    def __bool__(self) -> bool:
        return bool(self._early or self._due)

    def next(self) -> str:
        """Whose call is next, while anybody asks."""
        mean = self._sum / self._weights
        while self._early and (self._early[0][0] <= mean or not self._due):
            clock, place, name = heapq.heappop(self._early)
            heapq.heappush(self._due, (clock + 1.0 / self.served.weight(name), place, name))
        return self._due[0][2]

    def took(self, name: str, *, wants_more: bool) -> None:
        """The one that `next` named got it."""
        due, place, _ = heapq.heappop(self._due)
        weight = self.served.weight(name)
        if wants_more:
            self._sum += 1.0
            self._clock[name] = due
            heapq.heappush(self._early, (due, place, name))
        else:
            self._sum -= weight * self._clock[name]
            self._weights -= weight


@dataclass(slots=True)
class FairShare:
    """The order in which campaigns ask for their next calls."""

    _tenants: _Served = field(default_factory=_Served)
    _campaigns: dict[str, _Served] = field(default_factory=dict)
    _asked: dict[str, frozenset[str]] = field(default_factory=dict)
    """Who asked when the order was made last, by tenant."""

    def turns(
        self, wishes: Mapping[str, Mapping[str, int]], first: Collection[str] = frozenset()
    ) -> Iterator[tuple[str, str]]:
        """(tenant, campaign) of one call after the other, by tenant and campaign how many calls it wants, until all
        have what they want; of equals the one that is named first. Those of `first`, which want one call each, go
        before the others in the turns of their tenant, which has no more of them for that. Nothing is given by
        this."""
        wanted = {
            tenant_id: {name: count for name, count in of.items() if count > 0}
            for tenant_id, of in wishes.items()
        }
        wanted = {tenant_id: of for tenant_id, of in wanted.items() if of}
        ahead = {tenant_id: deque(name for name in of if name in first) for tenant_id, of in wanted.items()}
        lines = {
            tenant_id: _Line(
                self._within(tenant_id), {name: count for name, count in of.items() if name not in first}
            )
            for tenant_id, of in wanted.items()
        }
        self._asked = {tenant_id: frozenset(line.left) for tenant_id, line in lines.items()}
        tenants = _Line(self._tenants, dict.fromkeys(lines, 0))
        while tenants:
            tenant_id = tenants.next()
            line = lines[tenant_id]
            if ahead[tenant_id]:
                yield tenant_id, ahead[tenant_id].popleft()
            else:
                name = line.next()
                yield tenant_id, name
                line.left[name] -= 1
                line.took(name, wants_more=line.left[name] > 0)
            tenants.took(tenant_id, wants_more=bool(ahead[tenant_id] or line))

    def give(self, calls: Mapping[str, Mapping[str, int]], first: Collection[str] = frozenset()) -> None:
        """By tenant and campaign, how many calls each got of one batch, in the order that was made last: all count
        for their tenant, and those of `first` take nothing from its others."""
        got = {
            tenant_id: {name: count for name, count in of.items() if count} for tenant_id, of in calls.items()
        }
        got = {tenant_id: of for tenant_id, of in got.items() if of}
        if not got:
            return
        self._tenants.add(
            {tenant_id: sum(of.values()) for tenant_id, of in got.items()}, self._asked.keys() | got.keys()
        )
        for tenant_id, of in got.items():
            others = {name: count for name, count in of.items() if name not in first}
            if others:
                self._within(tenant_id).add(others, self._asked.get(tenant_id, frozenset()) | others.keys())

    def keep(self, campaigns: Mapping[str, Share]) -> None:
        """Forget all but these campaigns, and know their weights."""
        by_tenant: dict[str, dict[str, int]] = {}
        for name, share in campaigns.items():
            by_tenant.setdefault(share.tenant_id, {})[name] = share.weight
        self._tenants.keep({share.tenant_id: share.tenant_weight for share in campaigns.values()})
        self._campaigns = {name: one for name, one in self._campaigns.items() if name in by_tenant}
        for tenant_id, weights in by_tenant.items():
            self._within(tenant_id).keep(weights)

    def _within(self, tenant_id: str) -> _Served:
        return self._campaigns.setdefault(tenant_id, _Served())
