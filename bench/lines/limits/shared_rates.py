"""How much of a rate four processes make use of that share it, and how evenly."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.table import Bound, Figure
from local.valkey import EmbeddedValkey
from tests.integration.limits.limiter_rig import Dialer, connect
from tests.integration.limits.test_processes import hammer, stamps


def steadiest(times: list[float], length: int) -> list[float]:
    """So many calls and one in a row that came in the shortest time."""
    assert len(times) > length
    runs = (times[at : at + length + 1] for at in range(len(times) - length))
    return min(runs, key=lambda run: run[-1] - run[0])


def measure(_quick: bool) -> Sequence[Figure]:
    """50 a second, which come so fast that a turn is soon missed, and 600 a minute, which are to come evenly."""
    figures = []
    for name, cps, per_minute in (("50 a second", 50, 0), ("600 a minute", 0, 600)):
        with TemporaryDirectory() as folder, EmbeddedValkey(Path(folder), durable=False) as server:
            client = connect(server.url)
            Dialer(client, "opener").open()
            hammer(server.url, seconds=5, tasks=2, per_minute=per_minute, cps=cps)
            times = stamps(client)
            client.close()
        interval = 1 / cps if cps else 60 / per_minute
        best = steadiest(times, round(1 / interval))
        used = (len(best) - 1) * interval / (best[-1] - best[0])
        figures.append(
            Figure(f"used of {name} by four processes", used * 100, "%", Bound.AT_LEAST, 95.0, "the cap")
        )
        if per_minute:
            gaps = [later - sooner for sooner, later in itertools.pairwise(best)]
            uneven = statistics.pstdev(gaps) / interval * 100
            figures.append(
                Figure(f"unevenness of {name}", uneven, "%", Bound.AT_MOST, 20.0, "the time between two")
            )
    return figures
