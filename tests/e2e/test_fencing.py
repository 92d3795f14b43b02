"""A dialer that is stopped between its check and its write: its unseen calls are nobody else's to send before it is
provably dead, and when it wakes one frame leaves at the most."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from coordination.membership import LEASE_SECONDS
from dialer.fault_points import FaultPoint
from tests.chaos.stage import state_of
from tests.e2e.conftest import StackMaker
from tests.e2e.rig import dialer_ids_of, new_tenant, numbers, of_campaign, polled, seen

CONTACTS = 200
SETTLE_SECONDS = 5.0
"""What a successor lets pass before it repeats a send that no switch has seen."""


def order(orders: Path, point: FaultPoint) -> None:
    """Order that the next dialer to pass `point` stops itself there."""
    (orders / "order.part").write_text("STOP")
    (orders / "order.part").rename(orders / point)


def stopped_at(orders: Path, point: FaultPoint) -> int:
    """The process id of the dialer that was ordered to stop there, once it stands still."""
    polled(lambda: list(orders.glob(f"{point}.*")), "a dialer at the point")
    (taken,) = orders.glob(f"{point}.*")
    pid = int(taken.suffix[1:])
    polled(lambda: state_of(pid) == "T", "the dialer's stop")
    return pid


@pytest.mark.full
@pytest.mark.parametrize("then", ["wakes", "dies"])
def test_a_call_past_its_check_is_sent_once_whether_its_dialer_wakes_or_dies(
    make_stack: StackMaker, tmp_path: Path, then: str
) -> None:
    orders = tmp_path / "orders"
    orders.mkdir()
    stack = make_stack(environ=os.environ | {"CARILLON_CHAOS_POINTS": str(orders)})
    tenant = new_tenant(stack)
    campaign = tenant.campaign(numbers("10", count=CONTACTS), max_concurrent_calls=20)
    pids = [pid for name, pid in stack.pids.items() if name.startswith("dialer.")]
    dialer_ids = {pid: dialer_ids_of(stack, pid) for pid in pids}
    order(orders, FaultPoint.CHECKED)
    tenant.act(campaign, "start")
    victim = stopped_at(orders, FaultPoint.CHECKED)
    since = time.monotonic()

    def unseen() -> int:
        return CONTACTS - len(of_campaign(seen(stack), campaign))

    try:
        enough = LEASE_SECONDS + 2 * SETTLE_SECONDS
        polled(
            lambda: time.monotonic() > since + enough,
            "time enough to repeat what it left",
            seconds=enough + 10,
        )
        polled(lambda: tenant.touched(campaign) == CONTACTS, "a call of everybody else")
        polled(lambda: tenant.in_flight(campaign) == unseen(), "the end of every call that was seen")
        assert unseen() >= 1
    finally:
        woken = time.time()
        os.kill(victim, signal.SIGCONT if then == "wakes" else signal.SIGKILL)
    tenant.wait_over(campaign)
    lines = of_campaign(seen(stack), campaign)
    assert sum(line.dialer in dialer_ids[victim] and line.t > woken for line in lines) <= (then == "wakes")
    assert len(lines) == CONTACTS
    assert tenant.proof(campaign, stack).faults == []
