"""Campaigns that run and have nothing to do: nobody is due, or all wait for one cap. Beside none at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import gevent

from bench.stand import Stand, account, load, rounds, seconds, stand, wait_for
from bench.table import Row, goal_at_most

BUSY = "01"
"""The ending of numbers that are busy: they are tried again after the delay, which is a day."""
HOLDS = "07"
"""The ending of numbers that answer and never hang up."""
A_DAY = 86_400
SETTLE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Idle:
    """What it takes to do nothing: cores, and transactions a second, at the median of some windows."""

    dialer: float
    postgres: float
    transactions: float


def measure(quick: bool) -> Sequence[Row]:
    """A thousand of each kind, or so many as are made within seconds."""
    count = 50 if quick else 1_000
    with stand() as at:
        none = idle(at, quick)
        due = load(at, count, 1, ending=BUSY, retries_per_contact=1, retry_delay_seconds=A_DAY)
        due.start()
        wait_for(lambda: len(account(due).told) == count, "the first call of each campaign")
        with_nobody_due = idle(at, quick)
        due.pause()
        capped = load(at, count, 1, ending=HOLDS, gateway={"channels": 1})
        capped.start()
        wait_for(lambda: account(capped).answered, "the call that holds the cap")
        capped_ones = idle(at, quick)
        assert len(account(capped).placed) < count, "the cap does not bind"
    return [
        *figures(f"{count:,} campaigns with nobody due", with_nobody_due, none),
        *figures(f"{count:,} campaigns that wait for one cap", capped_ones, none),
    ]


def idle(at: Stand, quick: bool) -> Idle:
    """What the dialer and PostgreSQL do by themselves."""
    gevent.sleep(SETTLE_SECONDS)
    found = []
    for _ in range(rounds(quick)):
        before = transactions(at)
        window = at.window(seconds(quick))
        done = transactions(at) - before
        spent = window.spent
        found.append((spent.dialer / window.seconds, spent.postgres / window.seconds, done / window.seconds))
    return Idle(*(median(column) for column in zip(*found, strict=True)))


def figures(what: str, some: Idle, none: Idle) -> Sequence[Row]:
    """Beside none running."""
    return [
        goal_at_most(f"dialer, {what}", some.dialer, 0.03, f"0 running: {none.dialer:.3f}", "cores"),
        goal_at_most(f"PostgreSQL, {what}", some.postgres, 0.02, f"0 running: {none.postgres:.3f}", "cores"),
        goal_at_most(
            f"transactions, {what}",
            some.transactions,
            20.0,
            f"0 running: {none.transactions:.1f}",
            "a second",
        ),
    ]


def transactions(at: Stand) -> int:
    """How many there have been in the database."""
    ((count,),) = at.sql(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    )
    return int(count)
