"""What one core receives from a node."""

from __future__ import annotations

from collections.abc import Sequence

from bench import protocol
from bench.table import Bound, Figure


def measure(quick: bool) -> Sequence[Figure]:
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
