"""How late an event reaches a thousand and five thousand listeners on one worker: beside flask-sse as shipped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.listeners import Heard
from bench.served_streams import Streams, ours, stock
from bench.stand import rounds, seconds
from bench.table import Row, goal_at_least, goal_at_most
from local.valkey import EmbeddedValkey

Case = tuple[int, float, float]
CASES: Sequence[Case] = ((1_000, 20.0, 60.0), (5_000, 5.0, 250.0))
"""Listeners, events a second, and the goal in ms."""
QUICK: Sequence[Case] = ((200, 20.0, 60.0),)


def measure(quick: bool) -> Sequence[Row]:
    """In turns; all of them come anew for each window."""
    turns = 1 if quick else rounds(quick) // 2
    rows: list[Row] = []
    with TemporaryDirectory() as name, EmbeddedValkey(Path(name), durable=False) as server:
        folder = Path(name)
        with ours(folder, server.url) as carillon, stock(folder, server.url) as flask_sse:
            for case in QUICK if quick else CASES:
                heard: list[Said] = []
                peer: list[Said] = []
                for _ in range(turns):
                    peer.append(said(flask_sse, case, seconds(quick)))
                    heard.append(said(carillon, case, seconds(quick)))
                rows += figures(case, heard, peer)
    return rows


Said = tuple[Heard, float]
"""What was heard, and the share of it that should have been."""


def said(streams: Streams, case: Case, length: float) -> Said:
    """One window of one server."""
    listeners, per_second, _ = case
    heard, sent = streams.heard(listeners, per_second, length)
    return heard, heard.received / (sent * listeners)


def figures(case: Case, heard: Sequence[Said], peer: Sequence[Said]) -> Sequence[Row]:
    """Lateness and completeness, each beside the peer's."""
    listeners, per_second, goal = case
    what = f"{listeners:,} listeners, {per_second:.0f} events a second"
    theirs = median(one.p99 for one, _ in peer)
    refused = max(one.refused for one, _ in heard)
    return [
        goal_at_most(
            f"p99 from publishing to a listener, {what}",
            median(one.p99 for one, _ in heard),
            goal,
            f"flask-sse: {theirs:,.0f} ms; p50 {median(one.p50 for one, _ in heard):.0f}"
            f" to its {median(one.p50 for one, _ in peer):.0f} ms",
            "ms",
        ),
        goal_at_least(
            f"delivered, {what}",
            median(share for _, share in heard) * 100,
            100.0,
            f"flask-sse: {median(share for _, share in peer) * 100:.0f} %; refused {refused}, its"
            f" {max(one.refused for one, _ in peer)}",
            "%",
        ),
    ]
