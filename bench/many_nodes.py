"""Dialers, shards of the limiter and a database that dial many nodes together, as queues: a simulation, and pure.

Each part is a server that takes one thing after another; what each thing costs is given. What it shows is where turns
pass unused, and since which part is late: not what a node, a network or a disk does.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from dialer.dispatch.agenda import SOONEST_SECONDS
from dialer.dispatch.cap_waits import MOST
from dialer.dispatch.turn_timing import TurnTiming
from limits.caps import PERMIT_LIFE

RECORD_SECONDS = 0.05
"""So often a dialer records what happened to its calls, and releases those that are over."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of a server: of the limiter's for a call's permit and for its release, and for each script beside; of
    the database's for a call's claim and for all that is recorded of it, and for each statement beside."""

    permit: float
    release: float
    script: float
    claim: float
    record: float
    statement: float


@dataclass(frozen=True, slots=True)
class Plant:
    """How many there are of each part, and the calls a second that all nodes together are allowed."""

    calls: float
    dialers: int
    shards: int
    cores: int


@dataclass(frozen=True, slots=True)
class Dialled:
    """What came of it: the share of the turns that were used, how busy the busiest shard and the database's cores
    were, and how long nine batches in ten took from the question to the claim."""

    used: float
    shard: float
    database: float
    lead: float


@dataclass(slots=True)
class _Server:
    """Some that work side by side, each at one thing at a time, in the order in which the things come."""

    free_at: list[float]
    worked: float = 0.0

    def work(self, at: float, seconds: float) -> float:
        """When something is done that comes at a moment and takes so long."""
        begins = max(at, heapq.heappop(self.free_at))
        heapq.heappush(self.free_at, begins + seconds)
        self.worked += seconds
        return begins + seconds


@dataclass(slots=True)
class _Dialer:
    """One of the plant, as two who go on for ever, each of whom says when he goes on: one asks and claims, the other
    records and releases."""

    plant: Plant
    costs: Costs
    shards: list[_Server]
    database: _Server
    counts_from: float
    timing: TurnTiming = field(default_factory=TurnTiming)
    got: float = 0.0
    """Turns that were used."""

    def dials(self, at: float) -> Iterator[float]:
        """From one batch to the next: as many turns as the horizon holds, of the dialer's part of all."""
        rate, turn_at = self.plant.calls / self.plant.dialers, 0.0
        while True:
            yield at
            asked_at, lead = at, self.timing.lead
            begins = max(turn_at, at + lead)
            reach = at + lead + self.timing.horizon
            if begins > reach:
                at = max(begins - lead - self.timing.horizon, at + SOONEST_SECONDS)
                continue
            ends = min(max(reach, begins + 1 / rate), begins + MOST / rate)
            calls = rate * (ends - begins)
            turn_at = ends
            # Where all turns within reach are given, so many are waited for as are worth a claim of their own.
            again_at = at + self.timing.horizon / 2 if calls < MOST else at
            at = self._at_shards(at, calls, self.costs.permit)
            yield at
            at = self.database.work(at, self.costs.statement + calls * self.costs.claim)
            self.timing.ready_after(at - asked_at)
            if begins >= self.counts_from:
                # What is claimed later than its permit's life after its turn is not sent.
                self.got += max(0.0, calls - rate * max(0.0, at - begins - PERMIT_LIFE))
            at = max(at, again_at)

    def records(self, at: float) -> Iterator[float]:
        """What ended meanwhile, which is as much as was placed."""
        calls = self.plant.calls / self.plant.dialers * RECORD_SECONDS
        while True:
            yield at
            began = at
            at = self.database.work(at, self.costs.statement + calls * self.costs.record)
            yield at
            self._at_shards(at, calls, self.costs.release)
            at = max(at, began + RECORD_SECONDS)

    def _at_shards(self, at: float, calls: float, cost: float) -> float:
        """When all shards have done their part of a batch."""
        each = calls / len(self.shards) * cost
        return max(shard.work(at, self.costs.script + each) for shard in self.shards)


def simulate(plant: Plant, costs: Costs, seconds: float) -> Dialled:
    """So many seconds of it, of which the first tenth is not counted: nobody knows yet how long a batch takes.

    A turn whose claim comes too late is lost here; who dials asks for another. So below 1 `used` says that it is too
    much, and not how much would leave.
    """
    shards = [_Server([0.0]) for _ in range(plant.shards)]
    database = _Server([0.0] * plant.cores)
    warm = seconds / 10
    dialers = [_Dialer(plant, costs, shards, database, warm) for _ in range(plant.dialers)]
    agenda: list[tuple[float, int, Iterator[float]]] = []
    for number, dialer in enumerate(dialers):
        # They do not begin at one moment.
        at = RECORD_SECONDS * number / plant.dialers
        agenda += [(at, 2 * number, dialer.dials(at)), (at, 2 * number + 1, dialer.records(at))]
    heapq.heapify(agenda)
    while agenda[0][0] < seconds:
        _, number, someone = heapq.heappop(agenda)
        heapq.heappush(agenda, (next(someone), number, someone))
    leads = sorted(dialer.timing.lead for dialer in dialers)
    return Dialled(
        used=min(1.0, math.fsum(dialer.got for dialer in dialers) / (plant.calls * (seconds - warm))),
        shard=min(1.0, max(shard.worked for shard in shards) / seconds),
        database=min(1.0, database.worked / seconds / plant.cores),
        lead=leads[len(leads) // 2],
    )
