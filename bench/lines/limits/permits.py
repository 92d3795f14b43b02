"""Permits a second: batches of 50 calls of twenty campaigns, asked for under every scope and released again.

Beside a bare round trip to Redis for each call, as a client would make that counts one thing and keeps nothing.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.stand import rounds, seconds
from bench.table import Row, goal_at_least
from bench.windows import median_ratio
from limits.caps import CallCaps, EndedCall, GatewayCaps, NodeCaps, Permit, PermitRequest, TenantCaps
from local.valkey import EmbeddedValkey
from tests.integration.limits.limiter_rig import Dialer, HookedRedis, connect

BATCH, CAMPAIGNS = 50, 20
MANY = 1_000_000
TENANT = TenantCaps(MANY, MANY, MANY, MANY)
GATEWAY = GatewayCaps("gw", MANY, MANY)
NODES = (NodeCaps("fs1", MANY, MANY), NodeCaps("fs2", MANY, MANY))


def measure(quick: bool) -> Sequence[Row]:
    """In turns, from one process."""
    with TemporaryDirectory() as folder, EmbeddedValkey(Path(folder), durable=False) as server:
        client = connect(server.url)
        dialer = Dialer(client, lease_seconds=600.0).open()
        serial = itertools.count()
        ours, theirs = [], []
        for _ in range(rounds(quick)):
            theirs.append(per_second(lambda: counted(client), seconds(quick)))
            ours.append(per_second(lambda: granted(dialer, serial), seconds(quick)))
        client.close()
    beside = f"a round trip for each call: {median(theirs):,.0f}; ours {median(ours):,.0f}"
    return [goal_at_least("permits a second", median_ratio(ours, theirs), 4.0, beside)]


def per_second(batch: Callable[[], None], length: float) -> float:
    """How many calls a second such batches come to."""
    began, done = time.monotonic(), 0
    while (passed := time.monotonic() - began) < length:
        batch()
        done += BATCH
    return done / passed


def counted(client: HookedRedis) -> None:
    """Count each call of a batch for itself."""
    for _ in range(BATCH):
        client.incr("calls")


def granted(dialer: Dialer, serial: itertools.count[int]) -> None:
    """Ask for a batch and release it."""
    names = [node.name for node in NODES]
    requests = [
        PermitRequest(
            f"{next(serial):x}",
            f"+1{index}",
            CallCaps("t", f"c{index % CAMPAIGNS}", MANY, TENANT, GATEWAY),
            names,
        )
        for index in range(BATCH)
    ]
    answers = dialer.limiter.acquire(NODES, requests, lead=0.05, horizon=0.15)
    assert all(isinstance(answer, Permit) for answer in answers)
    dialer.limiter.release(
        [EndedCall(request.call_id, request.caps.campaign_id, "t", "gw", "fs1", 0) for request in requests]
    )
