"""Ten nodes of 1,000 calls a second: what the limiter spends on each call, measured, and how much of the 10,000
leaves, simulated with that.

The permits are asked for of a real server, by the script that all dialers run, over ten nodes, twenty tenants and as
many gateways. What PostgreSQL spends on a call is what was measured where it was dialled (docs/performance.md): one
machine does not make 10,000 calls a second.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.many_nodes import Costs, Plant, simulate
from bench.spent import of_process
from bench.table import Row, shown
from limits.caps import CallCaps, EndedCall, GatewayCaps, NodeCaps, Permit, PermitRequest, TenantCaps
from local.valkey import EmbeddedValkey
from tests.integration.limits.limiter_rig import Dialer, connect

NODES, NODE_RATE, TENANTS, CAMPAIGNS = 10, 1_000, 20, 100
MANY = 1_000_000
LARGE, SMALL = 200, 20
CLAIM, RECORD, STATEMENT = 0.00030, 0.00058, 0.001
"""Seconds of PostgreSQL for a call and for each statement beside: 880 µs a call in small groups."""
DIALERS, CORES = 16, 16
SIMULATED_SECONDS = 20.0


def measure(quick: bool) -> Sequence[Row]:
    """One thread that keeps all caps, and then shards of it by tenant."""
    batches, turns = (20, 2) if quick else (100, 6)
    large_permit, large_release = limiter_costs(LARGE, batches, turns)
    small_permit, small_release = limiter_costs(SMALL, batches * LARGE // SMALL, turns)
    # What a script costs beside its calls is what makes these dearer in small batches.
    of_calls = 1 / SMALL - 1 / LARGE
    script = max(0.0, (small_permit + small_release - large_permit - large_release) / of_calls / 2)
    permit, release = (max(0.0, cost - script / LARGE) for cost in (large_permit, large_release))
    costs = Costs(permit, release, script, CLAIM, RECORD, STATEMENT)
    spent = large_permit + large_release
    in_small = small_permit + small_release
    calls = float(NODES * NODE_RATE)
    found: list[Row] = [
        shown(
            "CPU of the limiter's server for a call, ten nodes",
            spent * 1e6,
            "µs",
            f"in batches of {LARGE}, {large_permit * 1e6:.0f} of it for its permit: one thread carries"
            f" {1 / spent:,.0f} calls a second; in batches of {SMALL} {in_small * 1e6:.0f} µs, {1 / in_small:,.0f}",
        )
    ]
    for shards in (1, 2, 4):
        plant = Plant(calls, DIALERS, shards, CORES)
        dialled = simulate(plant, costs, SIMULATED_SECONDS)
        # With a database of which there is always enough it is seen what the shards alone allow.
        alone = simulate(replace(plant, cores=100 * CORES), costs, SIMULATED_SECONDS)
        found.append(
            shown(
                f"simulated: used of {calls:,.0f} calls a second, ten nodes, shards of the limiter: {shards}",
                dialled.used,
                "×",
                f"{DIALERS} dialers; a shard is busy {dialled.shard:.0%}, {CORES} cores of PostgreSQL"
                f" {dialled.database:.0%}; a turn is asked for {dialled.lead * 1000:.0f} ms ahead;"
                f" {alone.used:.2f} with PostgreSQL never late",
            )
        )
    return found


def limiter_costs(size: int, batches: int, turns: int) -> tuple[float, float]:
    """Seconds of the server for a permit and for a release, in batches of one size; the median of some turns."""
    nodes = [NodeCaps(f"fs{number}", MANY, MANY) for number in range(NODES)]
    names = [node.name for node in nodes]
    tenant = TenantCaps(MANY, MANY, MANY, MANY)
    serial, numbers = itertools.count(), itertools.count(4_155_550_000)
    permits, releases = [], []
    with TemporaryDirectory() as folder, EmbeddedValkey(Path(folder), durable=False) as server:
        client = connect(server.url)
        dialer = Dialer(client, lease_seconds=600.0).open()
        pid = server.pid
        assert pid is not None
        for _ in range(turns):
            began, ended = of_process(pid), []
            for _ in range(batches):
                requests = [
                    PermitRequest(
                        f"{next(serial):x}",
                        f"+1{next(numbers)}",
                        CallCaps(
                            f"t{index % TENANTS}",
                            f"c{index % CAMPAIGNS}",
                            MANY,
                            tenant,
                            GatewayCaps(f"g{index % TENANTS}", MANY, MANY),
                        ),
                        names,
                    )
                    for index in range(size)
                ]
                answers = dialer.limiter.acquire(nodes, requests, lead=0.05, horizon=0.15)
                assert all(isinstance(answer, Permit) for answer in answers)
                ended.append(
                    [
                        EndedCall(
                            request.call_id,
                            request.caps.campaign_id,
                            request.caps.tenant_id,
                            request.caps.gateway.id,
                            answer.node,
                            0,
                        )
                        for request, answer in zip(requests, answers, strict=True)
                        if isinstance(answer, Permit)
                    ]
                )
            granted = of_process(pid)
            for calls in ended:
                dialer.limiter.release(calls)
            permits.append((granted - began) / batches / size)
            releases.append((of_process(pid) - granted) / batches / size)
        client.close()
    return median(permits), median(releases)
