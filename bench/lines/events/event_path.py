"""From a socket's bytes to committed rows and the stream: CPU for an event, beside greenswitch's receiver alone.

Calls are placed first; then nobody dials, and what comes are their answers and ends. What the dialer and the servers
spend while there is nothing to do is taken off: it is a line of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from statistics import median

from bench.bare import EIGHT, Bare
from bench.spent import Spent
from bench.stand import Stand, account, load, rounds, seconds, settled, stand, wait_for
from bench.table import Row, goal_at_most
from bench.windows import median_ratio
from simulator.process import SimulatedNode

TALKS = "00"
"""The ending of numbers that ring at once, answer after 1.5 s and talk for 4."""
SPEED = 0.5
FOR_AN_ANSWER, FOR_AN_END = 2, 1
"""CHANNEL_ANSWER and BACKGROUND_JOB; CHANNEL_HANGUP_COMPLETE."""


def measure(quick: bool) -> Sequence[Row]:
    """So many calls at a time, in turns."""
    calls = 200 if quick else 800
    with (
        stand(speed=SPEED) as at,
        SimulatedNode(speed=SPEED, sps=1_000_000, max_sessions=1_000_000) as node,
        Bare(node.port, EIGHT, ending=TALKS) as loop,
    ):
        idle = at.window(seconds(quick)).spent
        theirs, dialer, ours = [], [], []
        for _ in range(1 if quick else rounds(quick) // 2):
            loop.fill(calls)
            did = loop.drain()
            theirs.append(did.cpu / did.events)
            events, spent = drained(at, calls)
            dialer.append(less(spent.dialer, idle.dialer, spent, idle) / events)
            ours.append(less(spent.ours, idle.ours, spent, idle) / events)
    beside = f"greenswitch's receiver: {median(theirs) * 1e6:.0f} µs"
    return [
        goal_at_most(
            "CPU of the dialer for an event",
            median_ratio(dialer, theirs),
            0.35,
            f"{beside}; ours {median(dialer) * 1e6:.0f} µs",
        ),
        goal_at_most(
            "CPU of dialer, PostgreSQL and Valkey for an event",
            median_ratio(ours, theirs),
            0.6,
            f"{beside}; ours {median(ours) * 1e6:.0f} µs",
        ),
    ]


def drained(at: Stand, calls: int) -> tuple[int, Spent]:
    """Place so many calls and wait for their ends: the events that came after the last was placed, and their cost."""
    dialled = load(at, 1, calls, ending=TALKS)
    dialled.start()
    wait_for(lambda: len(account(dialled).placed) == calls, "the last of the calls")
    before = at.spent()
    wait_for(lambda: len(account(dialled).ended) == calls, "the end of the calls")
    # What is in the stream is recorded.
    found = settled(dialled)
    spent = at.spent().since(before)
    assert len(found.told) == calls, "an end is not in the stream"
    answers, ends = sorted(found.answered.values()), sorted(found.ended.values())
    came = FOR_AN_ANSWER * (calls - bisect_left(answers, before.clock))
    came += FOR_AN_END * (calls - bisect_left(ends, before.clock))
    return came, spent


def less(spent: float, at_rest: float, over: Spent, rest: Spent) -> float:
    """What was spent, less what is spent at rest in that time."""
    return max(0.0, spent - at_rest / rest.clock * over.clock)
