"""What is broken when: a schedule drawn from a seed. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dialer.fault_points import FaultPoint


class Kind(StrEnum):
    """What one fault does."""

    DIALER_KILLED = "dialer killed"
    DIALER_STOPPED = "dialer stopped"
    DIALER_ENDED = "dialer ended by SIGTERM"
    AT_POINT_KILLED = "dialer killed at a point"
    AT_POINT_STOPPED = "dialer stopped at a point"
    HALF_WRITE_KILLED = "killed in half a write"
    HALF_WRITE_STOPPED = "stopped in half a write"
    WORKER_KILLED = "web worker killed"
    WORKER_STOPPED = "web worker stopped"
    WEB_KILLED = "web killed"
    SHIPPER_KILLED = "shipper killed"
    SHIPPER_STOPPED = "shipper stopped"
    NODE_KILLED = "node killed"
    NODE_STOPPED = "node stopped"
    LINKS_RESET = "links to a node reset"
    NODE_PARTITIONED = "node partitioned"
    POSTGRES_RESTARTED = "PostgreSQL restarted"
    POSTGRES_KILLED = "PostgreSQL killed"
    BACKEND_KILLED = "PostgreSQL backend killed"
    VALKEY_EMPTIED = "Valkey restarted empty"
    VALKEY_KILLED = "Valkey killed"
    VALKEY_STOPPED = "Valkey stopped"
    DISK_FULL = "disk full at an import"
    HALT_CUT_OFF = "halt while links are cut"
    HALT_UNHEARD = "halt without pub/sub"
    STOP_CUT_OFF = "stop while links are cut"
    SUPPRESSED_UNHEARD = "suppression without pub/sub"
    CARRIER_REFUSES = "carrier refuses everything"
    POSTGRES_STOPPED = "PostgreSQL stopped"


WEIGHTS: dict[Kind, int] = {
    Kind.DIALER_KILLED: 20,
    Kind.DIALER_STOPPED: 14,
    Kind.DIALER_ENDED: 6,
    Kind.AT_POINT_KILLED: 30,
    Kind.AT_POINT_STOPPED: 10,
    Kind.HALF_WRITE_KILLED: 6,
    Kind.HALF_WRITE_STOPPED: 4,
    Kind.WORKER_KILLED: 8,
    Kind.WORKER_STOPPED: 4,
    Kind.WEB_KILLED: 3,
    Kind.SHIPPER_KILLED: 4,
    Kind.SHIPPER_STOPPED: 4,
    Kind.NODE_KILLED: 4,
    Kind.NODE_STOPPED: 4,
    Kind.LINKS_RESET: 6,
    Kind.NODE_PARTITIONED: 4,
    Kind.POSTGRES_RESTARTED: 2,
    Kind.POSTGRES_KILLED: 2,
    Kind.BACKEND_KILLED: 2,
    Kind.VALKEY_EMPTIED: 2,
    Kind.VALKEY_KILLED: 2,
    Kind.VALKEY_STOPPED: 2,
    Kind.DISK_FULL: 2,
    Kind.HALT_CUT_OFF: 4,
    Kind.HALT_UNHEARD: 2,
    Kind.STOP_CUT_OFF: 3,
    Kind.SUPPRESSED_UNHEARD: 2,
    Kind.CARRIER_REFUSES: 1,
    Kind.POSTGRES_STOPPED: 2,
}
LASTING = frozenset(
    {
        Kind.DIALER_STOPPED,
        Kind.AT_POINT_STOPPED,
        Kind.HALF_WRITE_STOPPED,
        Kind.WORKER_STOPPED,
        Kind.SHIPPER_STOPPED,
        Kind.NODE_STOPPED,
        Kind.NODE_PARTITIONED,
        Kind.VALKEY_STOPPED,
        Kind.HALT_CUT_OFF,
        Kind.HALT_UNHEARD,
        Kind.STOP_CUT_OFF,
        Kind.CARRIER_REFUSES,
        Kind.POSTGRES_STOPPED,
    }
)
"""Faults that are in force until they are ended."""
STOPS = frozenset({Kind.HALT_CUT_OFF, Kind.HALT_UNHEARD, Kind.STOP_CUT_OFF})
"""Faults beside which somebody has calls ended."""
SIMULATED = STOPS | {Kind.SUPPRESSED_UNHEARD, Kind.CARRIER_REFUSES}
"""Faults that are struck or judged by what only a simulated node does and notes."""
REFUSES_SECONDS = 30.0
OF_ALL = frozenset(
    {
        Kind.POSTGRES_RESTARTED,
        Kind.POSTGRES_KILLED,
        Kind.BACKEND_KILLED,
        Kind.VALKEY_EMPTIED,
        Kind.VALKEY_KILLED,
        Kind.VALKEY_STOPPED,
        Kind.POSTGRES_STOPPED,
    }
)
"""Faults under which nobody can dial; their stops are short, or the system would be down for most of the time."""
LONGEST_OF_ALL_SECONDS = 4.0
AT_POINT = frozenset({Kind.AT_POINT_KILLED, Kind.AT_POINT_STOPPED})
PROVOKED: dict[str, Kind] = {
    FaultPoint.TAKEOVER_CLAIMED: Kind.DIALER_KILLED,
    FaultPoint.PERMITS_TAKEN: Kind.DIALER_KILLED,
    FaultPoint.ADOPTED: Kind.DIALER_KILLED,
    FaultPoint.DECIDED: Kind.DIALER_KILLED,
    FaultPoint.RESEND_CLAIMED: Kind.HALF_WRITE_KILLED,
    FaultPoint.SNAPSHOT_TAKEN: Kind.VALKEY_EMPTIED,
    FaultPoint.HANDED_OVER: Kind.DIALER_ENDED,
}
"""Points that nobody passes unless something else is broken, and what that is."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much: `spacing` is the average number of seconds between two faults, `longest` the longest stop.

    `settle` is how many seconds everything may take to be settled once nothing is broken any more.
    """

    contacts: int
    faults: int
    spacing: float
    longest: float
    settle: float


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: after `wait` seconds, for `seconds` where it lasts. `die` chooses among what there is to strike."""

    number: int
    kind: Kind
    wait: float
    seconds: float
    die: float
    point: str

    def __str__(self) -> str:
        where = f" {self.point}" if self.kind in AT_POINT else ""
        lasts = f" for {self.seconds:.1f} s" if self.kind in LASTING else ""
        return f"#{self.number} {self.kind}{where}{lasts}"


def schedule(seed: int, size: Size, points: Sequence[str], kinds: Sequence[Kind]) -> Iterator[Fault]:
    """As many faults as `size` says.

    The first of a run go through all kinds and points in a shuffled order, so that a short run leaves none out that
    it has room for; the rest are drawn by weight.
    """
    dice, longest = random.Random(seed), size.longest
    kinds = tuple(kind for kind in kinds if points or kind not in AT_POINT)
    first = [*kinds]
    dice.shuffle(first)
    order = list(points)
    dice.shuffle(order)
    for number in range(1, size.faults + 1):
        kind = (
            first[number - 1] if number <= len(first) else dice.choices(kinds, [WEIGHTS[k] for k in kinds])[0]
        )
        # Most stops are short; some outlast every lease.
        seconds = min(
            longest, 0.5 + dice.expovariate(1 / 4.0) if dice.random() < 0.8 else dice.uniform(6, longest)
        )
        if kind in OF_ALL:
            seconds = min(seconds, LONGEST_OF_ALL_SECONDS)
        if kind is Kind.CARRIER_REFUSES:
            seconds = REFUSES_SECONDS
        point = ""
        if order and kind in AT_POINT:
            point = order[0]
            order = order[1:] + order[:1]
        yield Fault(number, kind, dice.uniform(0.3, 1.7) * size.spacing, seconds, dice.random(), point)
