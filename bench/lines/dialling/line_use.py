"""How much of a rate is used, by the node's own ledger: 5, 50 and 300 calls a second, and far from the database.

Beside it a bare loop that places each call at its instant: what this machine leaves of a rate at that moment.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from bench.bare import EIGHT, Bare
from bench.stand import Stand, Window, account, load, stand
from bench.table import Row, goal_at_least, goal_at_most
from bench.windows import fullest, used
from simulator.process import SimulatedNode

WARM_UP_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Case:
    """A rate that is allowed, what is added to each statement, and the goal."""

    per_second: int
    delay: float
    goal: float

    @property
    def what(self) -> str:
        """As its rows say it."""
        added = f", {self.delay * 1000:.0f} ms added to every statement" if self.delay else ""
        return f"{self.per_second} calls a second allowed{added}"


CASES = (
    Case(5, 0.0, 0.98),
    Case(50, 0.0, 0.98),
    Case(300, 0.0, 0.98),
    Case(40, 0.060, 0.95),
    Case(40, 0.120, 0.9),
)


def measure(quick: bool) -> Sequence[Row]:
    """Each in its turn. The windows of one case follow upon each other: it is one that is six times as long."""
    seconds = 4.0 if quick else 30.0
    rows: list[Row] = []
    with (
        stand(dialers=0) as at,
        SimulatedNode(speed=20, sps=1_000_000, max_sessions=1_000_000) as node,
        Bare(node.port, EIGHT) as loop,
    ):
        for delay, cases in itertools.groupby(CASES, key=lambda case: case.delay):
            with at.distant_dialer(delay) if delay else at.dialer():
                for case in cases:
                    did = loop.pace(seconds / 3, case.per_second)
                    rows += figures(at, case, seconds, did.placed / did.clock / case.per_second)
    return rows


def figures(at: Stand, case: Case, seconds: float, bare: float) -> Sequence[Row]:
    """How much of its rate one campaign uses, and whether it ever uses more."""
    contacts = round(case.per_second * (seconds + WARM_UP_SECONDS) * 1.5) + 50
    dialled = load(at, 1, contacts, gateway={"cps": case.per_second})
    with dialled.dialled(WARM_UP_SECONDS):
        window = at.window(seconds)
    placed = account(dialled).placed_at
    busy = window.spent.dialer / window.seconds
    beside = f"1; a bare loop {bare:.2f}; the dialer had {busy:.2f} of a core"
    return [
        goal_at_least(
            f"used of {case.what}", used(placed_in(placed, window), case.per_second), case.goal, beside
        ),
        goal_at_most(
            f"fullest 1.05 s of {case.what}", fullest(placed, case.per_second), 1.0, "1, by the node's ledger"
        ),
    ]


def placed_in(placed: Sequence[float], window: Window) -> Sequence[float]:
    """The moments that lie in a window."""
    return [at for at in placed if window.began <= at < window.ended]
