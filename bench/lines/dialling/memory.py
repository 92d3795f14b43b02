"""The memory of a dialer that has placed many calls, beside itself after a tenth of them.

Two hundred thousand, or as many as it places within some minutes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import gevent

from bench.stand import Load, Stand, load, stand
from bench.table import Row, goal_at_most

BUSY = "01"
"""The ending of numbers that are busy: such a call is over at once."""
LIST = 50_000
LOOK_SECONDS = 0.5


def measure(quick: bool) -> Sequence[Row]:
    """One campaign after the other."""
    wanted, patience = (2_000, 20.0) if quick else (200_000, 300.0)
    size = min(LIST, wanted)
    with stand() as at:
        loads = [load(at, 1, size, ending=BUSY) for _ in range(wanted // size)]
        until = time.monotonic() + patience
        sizes: list[tuple[int, float]] = []
        for before, dialled in enumerate(loads):
            dialled.start()
            watch(at, dialled, before * size, until, sizes)
    return figures(sizes)


def watch(at: Stand, dialled: Load, before: int, until: float, sizes: list[tuple[int, float]]) -> None:
    """Note how many calls are over and what the dialer has, until all are or the time is up."""
    over = 0
    while over < dialled.accepted and time.monotonic() < until:
        gevent.sleep(LOOK_SECONDS)
        over = dialled.over()
        sizes.append((before + over, resident(at.pids_of("dialer")[0])))


def figures(sizes: Sequence[tuple[int, float]]) -> Sequence[Row]:
    """The last size beside that after a tenth of the calls."""
    calls, at_the_end = sizes[-1]
    early = next(size for over, size in sizes if over >= calls / 10)
    return [
        goal_at_most(
            f"memory of a dialer after {calls:,} calls",
            at_the_end / early,
            1.05,
            f"itself after a tenth of them: {early:.0f} MB; at the end {at_the_end:.0f} MB",
        )
    ]


def resident(pid: int) -> float:
    """What a process has in memory, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
