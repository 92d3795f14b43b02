"""One real node, with everything on the same machine: calls sustained beside what a raw client gets out of it.

Measured where CARILLON_TEST_FREESWITCH_URLS names a node, as for `tests/real`, and SIPp is there to be called.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.bare import EIGHT, Bare
from bench.stand import Stand, Window, account, load, rounds, seconds, stand
from bench.table import Row, Unmeasured, goal_at_least, goal_at_most
from bench.windows import median_ratio, within
from settings import nodes_from
from tests.real.carrier import Carrier
from tests.real.conftest import SIP_PORT, URLS

WHAT = "one real node"
PER_SECOND = 50
WARM_UP_SECONDS = 3.0
"""Longer than a call: on a node that keeps real time as many end as are placed only after that."""


def measure(quick: bool) -> Sequence[Row]:
    """The first of the nodes that are named, or why there is none."""
    urls = os.environ.get(URLS, "")
    if not urls:
        return [Unmeasured(WHAT, f"no node is named: {URLS}, or --nodes", passes=True)]
    if Carrier.program() is None:
        return [Unmeasured(WHAT, "no sipp on PATH", passes=True)]
    with (
        TemporaryDirectory() as folder,
        Carrier(Path(folder), int(os.environ.get(SIP_PORT, "5190"))),
    ):
        return on_node(urls, quick)


def on_node(urls: str, quick: bool) -> Sequence[Row]:
    """In turns with a raw client on the same node; then at a rate below the knee of both."""
    node, *_ = nodes_from(urls)
    with (
        stand(urls=urls.partition(",esl:")[0]) as at,
        Bare(node.port, EIGHT, host=node.host, password=node.password) as loop,
    ):
        theirs, ours = [], []
        dialled = load(at, 1, 6_000 if quick else 16_000)
        for _ in range(rounds(quick)):
            loop.window(WARM_UP_SECONDS)
            did = loop.window(seconds(quick))
            theirs.append(did.ended / did.clock)
            loop.drain()
            with dialled.dialled(WARM_UP_SECONDS):
                ours.append(at.window(seconds(quick)))
        told = account(dialled).told_at
        rate = [within(told, one.began, one.ended) / one.seconds for one in ours]
        beside = f"a raw client: {median(theirs):.0f} a second; ours {median(rate):.0f}"
        return [
            goal_at_least(f"calls sustained, {WHAT}", median_ratio(rate, theirs), 0.7, beside),
            goal_at_most(
                f"our CPU for a call at {PER_SECOND} a second, {WHAT}",
                median(each_of(at, quick)) * 1000,
                4.0,
                "dialer, PostgreSQL, Valkey, web",
                "ms",
            ),
        ]


def each_of(at: Stand, quick: bool) -> list[float]:
    """CPU seconds of everything that is ours for a call, window by window."""
    length = rounds(quick) * (seconds(quick) + WARM_UP_SECONDS + 1)
    dialled = load(at, 1, round(PER_SECOND * length * 1.5), gateway={"cps": PER_SECOND})
    windows: list[Window] = []
    for _ in range(rounds(quick)):
        with dialled.dialled(WARM_UP_SECONDS):
            windows.append(at.window(seconds(quick)))
    told = account(dialled).told_at
    return [one.spent.all / max(1, within(told, one.began, one.ended)) for one in windows]
