"""What a call costs, and how many one dialer carries, in turns with a bare loop that keeps nothing.

As many calls as it can place, one campaign without a cap. Both are given calls of the same recorded bytes by a
simulated node of their own, whose work counts for nobody.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from statistics import median

from bench.bare import EIGHT, FEWEST, Bare, Did
from bench.stand import Account, Stand, Window, account, load, rounds, seconds, stand
from bench.table import Figure, Row, goal_at_least, goal_at_most, shown
from bench.windows import median_ratio, within
from simulator.process import SimulatedNode

BARE = "a bare greenswitch loop"
STATISTICS_SECONDS = 2.0
"""Backends bring together what they have counted every second."""


def measure(quick: bool) -> Sequence[Row]:
    """CPU for a call, calls sustained, and what PostgreSQL writes for a call."""
    with (
        stand() as at,
        SimulatedNode(speed=20, sps=1_000_000, max_sessions=1_000_000) as node,
        SimulatedNode(speed=20, sps=1_000_000, max_sessions=1_000_000) as another,
        Bare(node.port, EIGHT) as eight,
        Bare(another.port, FEWEST) as fewest,
    ):
        at.without_page_images()
        dialled = load(at, 1, 8_000 if quick else 50_000)
        theirs: dict[str, list[Did]] = {EIGHT: [], FEWEST: []}
        windows: list[Window] = []
        wholes: list[Window] = []
        wal: list[float] = []
        before = updates(at)
        for _ in range(rounds(quick)):
            theirs[EIGHT].append(eight.window(seconds(quick)))
            theirs[FEWEST].append(fewest.window(seconds(quick)))
            written, began = wal_bytes(at), at.spent()
            with dialled.dialled():
                windows.append(at.window(seconds(quick)))
            ended = at.spent()
            wholes.append(Window(began.clock, ended.clock, ended.since(began)))
            wal.append(wal_bytes(at) - written)
            assert dialled.left(), "the list was at its end"
        at.window(STATISTICS_SECONDS)
        changed = {name: count - before[name] for name, count in updates(at).items()}
        found = account(dialled)
    return [
        *costs(found, windows, wholes, theirs[EIGHT], theirs[FEWEST]),
        *written_for(found, wholes, wal, changed),
    ]


def costs(
    found: Account,
    windows: Sequence[Window],
    wholes: Sequence[Window],
    eight: Sequence[Did],
    fewest: Sequence[Did],
) -> Sequence[Figure]:
    """CPU for each call, from the first that was placed to the last that was recorded: a recorder that falls behind
    does its work after the window. Calls that ended for each second of the window alone."""
    calls = ended_in(found, wholes)
    dialer = [whole.spent.dialer / count for whole, count in zip(wholes, calls, strict=True)]
    ours = [whole.spent.ours / count for whole, count in zip(wholes, calls, strict=True)]
    postgres = [whole.spent.postgres / count for whole, count in zip(wholes, calls, strict=True)]
    valkey = [whole.spent.valkey / count for whole, count in zip(wholes, calls, strict=True)]
    everybody = [whole.spent.all / count for whole, count in zip(wholes, calls, strict=True)]
    ended = ended_in(found, windows)
    rate = [count / window.seconds for window, count in zip(windows, ended, strict=True)]
    bare = [did.cpu / did.ended for did in eight]
    least = [did.cpu / did.ended for did in fewest]
    bare_rate = [did.ended / did.clock for did in eight]
    cores = os.cpu_count() or 1
    allowed = [min(1 / one, cores / every) for one, every in zip(dialer, everybody, strict=True)]
    beside = f"{BARE}, the same eight events: {micro(bare)}"
    return [
        goal_at_most(
            "CPU of the dialer for a call", median_ratio(dialer, bare), 0.6, f"{beside}; ours {micro(dialer)}"
        ),
        goal_at_most(
            "CPU of dialer, PostgreSQL and Valkey for a call",
            median_ratio(ours, bare),
            1.3,
            f"{beside}; ours {micro(ours)}, PostgreSQL {micro(postgres)} and Valkey {micro(valkey)} of it",
        ),
        shown(
            "CPU of the dialer for a call, beside less",
            median_ratio(dialer, least),
            "×",
            f"{BARE}, the fewest events it could live with: {micro(least)}",
        ),
        goal_at_least(
            "calls sustained by one dialer",
            median_ratio(rate, allowed),
            0.9,
            f"what its own CPU figures allow: {median(allowed):.0f} a second; ours {median(rate):.0f}",
        ),
        goal_at_least(
            "calls sustained by one dialer, beside the loop",
            median_ratio(rate, bare_rate),
            1.2,
            f"{BARE}: {median(bare_rate):.0f} a second",
        ),
        shown(
            "cores that the simulated node had meanwhile",
            median(window.spent.node / window.seconds for window in windows),
            "cores",
            "1, at which it would limit",
        ),
    ]


def written_for(
    found: Account, wholes: Sequence[Window], wal: Sequence[float], changed: dict[str, int]
) -> Sequence[Figure]:
    """What PostgreSQL wrote for each call; `changed` as `updates` has it."""
    each = [size / count for size, count in zip(wal, ended_in(found, wholes), strict=True)]
    moved = changed["contact"] - changed["contact hot"] + changed["call"] - changed["call hot"]
    return [
        goal_at_most("WAL for a call", median(each) / 1024, 4.0, "bytes, without images of pages", "KB"),
        *(
            shown(
                f"updates of {table} that are HOT",
                100 * changed[f"{table} hot"] / max(1, changed[table]),
                "%",
                f"{changed[table] / max(1, len(found.told)):.1f} updates for a call",
            )
            for table in ("contact", "call")
        ),
        goal_at_most(
            "updates that are not HOT for a call",
            moved / max(1, len(found.told)),
            2.0,
            "one of its contact, at the claim, and one of its row",
            "",
        ),
    ]


def ended_in(found: Account, windows: Sequence[Window]) -> list[int]:
    """How many calls' ends were told in each window."""
    told = found.told_at
    return [max(1, within(told, window.began, window.ended)) for window in windows]


def updates(at: Stand) -> dict[str, int]:
    """How many rows of contact and call were ever updated, and how many of them in place."""
    found = at.sql(
        "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname IN ('contact', 'call')"
    )
    return {name: every for name, every, _ in found} | {f"{name} hot": hot for name, _, hot in found}


def wal_bytes(at: Stand) -> float:
    """How much has been written ahead."""
    ((position,),) = at.sql("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
    return float(position)


def micro(each: Sequence[float]) -> str:
    """The median of seconds, in µs."""
    return f"{median(each) * 1e6:.0f} µs"
