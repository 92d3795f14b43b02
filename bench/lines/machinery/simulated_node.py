"""What a simulated node carries, beside the bare loop that is measured with it: the node must not be what limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import simulator
from bench.bare import EIGHT, Bare
from bench.stand import rounds, seconds
from bench.table import Bound, Figure
from bench.windows import median_ratio
from simulator.process import SimulatedNode


def measure(quick: bool) -> Sequence[Figure]:
    """Calls for each CPU second: the node's with a raw client, and a bare loop's, in turns."""
    carried, placed = [], []
    with TemporaryDirectory() as folder:
        for turn in range(max(1, rounds(quick) // 2)):
            ledger = Path(folder) / f"{turn}.jsonl"
            with SimulatedNode(speed=20, sps=1_000_000, max_sessions=1_000_000, ledger=ledger) as node:
                carried.append(simulator.measure(node, seconds(quick), simulator.ALL))
                with Bare(node.port, EIGHT) as loop:
                    did = loop.window(seconds(quick))
                placed.append(did.ended / did.cpu)
    return [
        Figure(
            "calls of a simulated node for each CPU second",
            median_ratio(carried, placed),
            "×",
            Bound.AT_LEAST,
            1.0,
            f"a bare greenswitch loop: {median(placed):,.0f}; the node {median(carried):,.0f}",
        )
    ]
