"""A node that stands still gets no heap of orders: when it goes on, the called parties' carrier sees no burst."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from settings import NodeSettings
from simulator.ledger import window_peak
from tests.e2e.rig import new_tenant, numbers, polled
from tests.real.carrier import Carrier
from tests.real.conftest import real_stack
from tests.real.machine import pid_of, stopped
from tests.real.test_campaigns import compare

pytestmark = pytest.mark.real

CPS = 5
STILL_SECONDS = 8.0
AFTER_SECONDS = 3.0
WINDOW = 0.85
"""A second, less the life of a permit and what a busy machine puts between the order and its INVITE."""


@pytest.mark.parametrize("stand", ["one node", "all nodes"])
def test_a_gateway_sees_no_burst_when_nodes_that_stood_still_go_on(
    server_home: Path, tmp_path: Path, carrier: Carrier, nodes: tuple[NodeSettings, ...], stand: str
) -> None:
    pids = [pid_of(node) for node in (nodes[:1] if stand == "one node" else nodes)]
    with real_stack(server_home / tmp_path.name) as stack:
        stack.wait_ready()
        tenant = new_tenant(stack, gateway={"cps": CPS})
        called = numbers("01", count=200)
        campaign = tenant.campaign(called, max_concurrent_calls=100, retries_per_contact=0)
        tenant.act(campaign, "start")
        polled(lambda: len(carrier.invites(called)) >= 2 * CPS, "some calls")
        with stopped(*pids):
            until = time.monotonic() + STILL_SECONDS
            polled(lambda: time.monotonic() > until, "the end of the stand", seconds=STILL_SECONDS + 5)
            before = len(carrier.invites(called))
            woken = time.time()
        until = time.monotonic() + AFTER_SECONDS
        polled(lambda: time.monotonic() > until, "the seconds after it")
        polled(lambda: len(carrier.invites(called)) > before + CPS, "calls again")
        tenant.act(campaign, "stop")
        tenant.wait_over(campaign)
        calls = compare(tenant, campaign, carrier)
    times = [message.t for message in carrier.invites(called)]
    first = len([t for t in times if woken <= t < woken + 1.0])
    after = [t for t in times if t >= woken - WINDOW]
    print(
        f"{stand} stood still for {STILL_SECONDS:.0f} s, gateway of {CPS} calls a second: {first} INVITEs in the"
        f" first second after, {window_peak(after, 1.0)} in the fullest, {len(times)} of {len(calls)} calls in all"
    )
    assert window_peak(after, WINDOW) <= CPS
