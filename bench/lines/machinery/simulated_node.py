"""What a simulated node carries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import simulator
from bench.table import Bound, Figure
from simulator.process import SimulatedNode


def measure(quick: bool) -> Sequence[Figure]:
    """Calls for each second of the node's own CPU time: far more than anything that is measured with it needs."""
    with (
        TemporaryDirectory() as folder,
        SimulatedNode(
            speed=20, sps=1_000_000, max_sessions=1_000_000, ledger=Path(folder) / "ledger.jsonl"
        ) as node,
    ):
        calls = simulator.measure(node, 3.0 if quick else 8.0, simulator.ALL)
    return [
        Figure(
            "calls of a simulated node",
            calls,
            "for each CPU second",
            Bound.AT_LEAST,
            1_500.0,
            "what tests ask of one",
        )
    ]
