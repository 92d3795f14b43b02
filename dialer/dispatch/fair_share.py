"""Whose call is next: tenants take turns, and within each its campaigns. Pure.

Fair queueing by calls: each tenant, and each campaign of it, has a count of the calls it was given; the one with the
lowest is next. Only what was granted counts, so that who was denied a shared cap is the first to ask again. Who had
nothing to call for a while does not come back with a claim on all that it did not use: it starts where the others
are.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Served:
    """Calls given to each name, from where the others stood when it came."""

    counts: dict[str, float] = field(default_factory=dict)
    floor: float = 0.0

    def of(self, name: str) -> float:
        return max(self.counts.get(name, self.floor), self.floor)

    def add(self, calls: Mapping[str, int]) -> None:
        """These got so many calls of one batch."""
        self.counts |= {name: self.of(name) + count for name, count in calls.items()}
        # Once for the whole batch: raised between two of it, it would charge the second for what the first got.
        self.floor = max([self.floor, *(self.counts[name] - 1.0 for name in calls)])

    def forget_all_but(self, names: frozenset[str]) -> None:
        self.counts = {name: count for name, count in self.counts.items() if name in names}


@dataclass(slots=True)
class FairShare:
    """The order in which campaigns ask for their next calls."""

    _tenants: _Served = field(default_factory=_Served)
    _campaigns: dict[str, _Served] = field(default_factory=dict)

    def turns(self, wishes: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, str]]:
        """(tenant, campaign) of one call after the other, by tenant and campaign how many calls it wants, until all
        have what they want; of equals the one that is named first. Nothing is given by this."""
        rows = {
            tenant_id: [
                (self._within(tenant_id).of(name), place, name)
                for place, (name, count) in enumerate(wanted.items())
                if count > 0
            ]
            for tenant_id, wanted in wishes.items()
        }
        left = {tenant_id: dict(wanted) for tenant_id, wanted in wishes.items()}
        for row in rows.values():
            heapq.heapify(row)
        tenants = [
            (self._tenants.of(tenant_id), place, tenant_id)
            for place, (tenant_id, row) in enumerate(rows.items())
            if row
        ]
        heapq.heapify(tenants)
        while tenants:
            served, tenant, tenant_id = heapq.heappop(tenants)
            row = rows[tenant_id]
            count, place, name = heapq.heappop(row)
            yield tenant_id, name
            left[tenant_id][name] -= 1
            if left[tenant_id][name] > 0:
                heapq.heappush(row, (count + 1, place, name))
            if row:
                heapq.heappush(tenants, (served + 1, tenant, tenant_id))

    def give(self, calls: Mapping[str, Mapping[str, int]]) -> None:
        """By tenant and campaign, how many calls each got of one batch."""
        self._tenants.add(
            {tenant_id: sum(of.values()) for tenant_id, of in calls.items() if any(of.values())}
        )
        for tenant_id, of in calls.items():
            self._within(tenant_id).add({name: count for name, count in of.items() if count})

    def keep(self, campaigns: Mapping[str, str]) -> None:
        """Forget all but these campaigns, by id their tenant."""
        ids, tenants = frozenset(campaigns), frozenset(campaigns.values())
        self._tenants.forget_all_but(tenants)
        self._campaigns = {name: one for name, one in self._campaigns.items() if name in tenants}
        for one in self._campaigns.values():
            one.forget_all_but(ids)

    def _within(self, tenant_id: str) -> _Served:
        return self._campaigns.setdefault(tenant_id, _Served())
