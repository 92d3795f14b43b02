"""What processes have spent of a processor, as the kernel counts it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.chaos.stage import children_of

TICKS = os.sysconf("SC_CLK_TCK")


def of_stat(text: str) -> tuple[float, float]:
    """Of a line of /proc/PID/stat: seconds of the process itself, and of its children that are gone."""
    after_name = text.rpartition(")")[2].split()
    own, gone = after_name[11:13], after_name[13:15]
    return sum(map(int, own)) / TICKS, sum(map(int, gone)) / TICKS


def of_process(pid: int) -> float:
    """Seconds of one process, all of its threads; 0 where it is gone."""
    try:
        return of_stat(Path(f"/proc/{pid}/stat").read_text())[0]
    except OSError:
        return 0.0


def of_family(pid: int) -> float:
    """Seconds of a process and of its children, those included that are gone."""
    try:
        own, gone = of_stat(Path(f"/proc/{pid}/stat").read_text())
    except OSError:
        return 0.0
    return own + gone + sum(of_process(child) for child in children_of(pid))


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of a processor by who had them, and by the clock. `feeder` is what posts the nodes' call records and
    the web processes that take them."""

    clock: float
    dialer: float
    postgres: float
    valkey: float
    node: float
    feeder: float

    @classmethod
    def now(
        cls, dialers: Iterable[int], postgres: int, valkey: int, nodes: Iterable[int], feeders: Iterable[int]
    ) -> Spent:
        """As it stands; all are process ids."""
        return cls(
            time.time(),
            sum(map(of_process, dialers)),
            of_family(postgres),
            of_family(valkey),
            sum(map(of_process, nodes)),
            sum(map(of_family, feeders)),
        )

    def since(self, before: Spent) -> Spent:
        """What came to it."""
        return Spent(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))

    @property
    def ours(self) -> float:
        """Of the dialers and of both servers."""
        return self.dialer + self.postgres + self.valkey

    @property
    def all(self) -> float:
        """Of everybody that is listed here."""
        return self.ours + self.node + self.feeder
