"""A node that stands still gets no heap of orders: when it goes on, its gateway sees no burst."""

from __future__ import annotations

import os
import signal
import time

from local.stack import Stack
from simulator.ledger import window_peak
from tests.e2e.rig import new_tenant, numbers, of_campaign, polled, seen

CPS = 5
STILL_SECONDS = 8.0
AFTER_SECONDS = 3.0
WINDOW = 0.95
"""A second, less the life of a permit."""
BURST = 3
"""What such a machine as runs tests may add: it lets processes wait, which looks as if their node stood still. Before
nodes were watched 35 calls came within the first second."""


def test_a_gateway_sees_no_burst_when_one_of_its_nodes_goes_on(stack: Stack) -> None:
    tenant = new_tenant(stack, gateway={"cps": CPS})
    campaign = tenant.campaign(numbers("01", count=400), max_concurrent_calls=100)
    tenant.act(campaign, "start")
    tenant.wait_touched(campaign, 10)
    node = stack.pids[stack.nodes[0].name]
    os.kill(node, signal.SIGSTOP)
    try:
        until = time.monotonic() + STILL_SECONDS
        polled(lambda: time.monotonic() > until, "the end of the stand")
        before = tenant.touched(campaign)
    finally:
        woken = time.time()
        os.kill(node, signal.SIGCONT)
    until = time.monotonic() + AFTER_SECONDS
    polled(lambda: time.monotonic() > until, "the seconds after it")
    polled(lambda: tenant.touched(campaign) > before + CPS, "calls by both nodes again")
    tenant.act(campaign, "stop")
    tenant.wait_idle(campaign)
    times = [line.t for line in of_campaign(seen(stack), campaign) if line.t >= woken - WINDOW]
    assert CPS <= window_peak(times, WINDOW) <= CPS + BURST
    assert tenant.proof(campaign, stack).faults == []
