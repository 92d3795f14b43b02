"""What deletes the hangup markers of a node."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from statistics import median

from bench.table import Bound, Figure
from dialer.recovery.hangup_markers import BATCH
from freeswitch.cluster import Cluster, NodeConfig
from freeswitch.commands import hangup_marker_delete
from simulator.process import SimulatedNode
from tests.waiting import wait_until


def measure(quick: bool) -> Sequence[Figure]:
    """Hangup markers deleted a second, in batches and one round trip each, by turns."""
    batches, rates = (5 if quick else 30), []
    with SimulatedNode() as node:
        config = NodeConfig("fs1", "127.0.0.1", node.port, node.password)
        cluster = Cluster([config], "dbench", lambda *_: None, lambda _: None)
        cluster.start()
        wait_until(cluster.connected)
        link = cluster.links["fs1"]
        for _ in range(batches):
            lines = [hangup_marker_delete(str(uuid.uuid4())) for _ in range(BATCH)]
            began = time.perf_counter()
            link.api_many(lines)
            joined = time.perf_counter()
            for line in lines:
                link.api(line)
            rates.append((BATCH / (joined - began), BATCH / (time.perf_counter() - joined)))
        cluster.stop()
    together, alone = (median(found) for found in zip(*rates, strict=True))
    return [
        Figure(
            "hangup markers deleted in batches",
            together,
            "a second",
            Bound.AT_LEAST,
            3 * alone,
            "three times those deleted by one round trip each",
        )
    ]
