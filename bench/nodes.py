"""What one core receives from a node, and what a simulated node carries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import protocol, simulator
from bench.table import Bound, Figure
from simulator.process import SimulatedNode


def receiving(quick: bool) -> Sequence[Figure]:
    """Events for each CPU second, in turns with greenswitch's own receiver."""
    events, rounds = (2_500, 3) if quick else (20_000, 5)
    ratio = protocol.measure(
        protocol.batch(protocol.recorded(), "all recorded events"), events=events, rounds=rounds
    )
    return [
        Figure(
            "events received for each CPU second", ratio, "×", Bound.AT_LEAST, 5.0, "greenswitch's receiver"
        )
    ]


def simulated_node(quick: bool) -> Sequence[Figure]:
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
