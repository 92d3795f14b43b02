"""A dialer that is killed while its nodes have not read its last originates: whoever takes over sends them again, and
the nodes refuse the first ones when they come to read them."""

from __future__ import annotations

import os
import signal
import time
import uuid

from freeswitch import dedup
from local.simulated_cluster import SimulatorOptions
from simulator.ledger import Originate
from tests.e2e.conftest import StackMaker
from tests.e2e.rig import new_tenant, numbers, of_campaign, polled, seen

CONTACTS = 2500
"""More than are called before the test is over, however late it acts: what ends the campaign is a stop."""
UNDER_WAY = 75
CPS = 25
REFUSED = f"refused:{dedup.CAUSE}"
SENT_AGAIN = 2
"""How many orders, of those that no node has read when their dialer dies, are sent again at the least: it writes to a
node that does not answer for a quarter of a second and no longer."""


def claimed_at(call_id: str) -> float:
    """When a call was claimed: its id is a UUIDv7."""
    return (uuid.UUID(call_id).int >> 80) / 1000


def test_what_a_node_reads_only_after_it_was_sent_again_is_not_carried_out(make_stack: StackMaker) -> None:
    simulator = SimulatorOptions(cps=CPS, arguments=("--control-port", "0"))
    stack = make_stack(simulator=simulator, dialers=1)
    controls = [stack.control(node.name) for node in stack.nodes]
    tenant = new_tenant(stack)
    campaign = tenant.campaign(numbers("01", count=CONTACTS), max_concurrent_calls=100, retries_per_contact=0)
    tenant.act(campaign, "start")
    tenant.wait_touched(campaign, UNDER_WAY)
    for control in controls:
        control.fault("half-open", resume="yes")
    # It says so once both have left an order unanswered.
    polled(lambda: tenant.get(campaign)["blocked_reason"] == "node_stalled", "originates that no node reads")
    os.kill(stack.pids["dialer.1"], signal.SIGKILL)
    killed = time.time()

    def again() -> list[Originate]:
        lines = of_campaign(seen(stack), campaign)
        return [line for line in lines if line.accepted and claimed_at(line.uuid) < killed < line.t]

    def duplicates_refused() -> int:
        found = {line.uuid for line in of_campaign(seen(stack), campaign) if line.result == REFUSED}
        return len(found & {line.uuid for line in again()})

    def open_of(killed: float) -> list[str]:
        calls = tenant.api.every("/api/v1/calls", "calls", campaign_id=campaign)
        return [call["id"] for call in calls if claimed_at(call["id"]) < killed and call["ended_at"] is None]

    polled(lambda: len(again()) >= SENT_AGAIN, "a second originate of the calls that were not seen")
    # All of them: one that its node reads before that is the first, and nothing is refused.
    polled(lambda: not open_of(killed), "the end of every call that was not seen")
    tenant.act(campaign, "stop")
    tenant.wait_over(campaign)
    for control in controls:
        control.clear()
    # A node that answers the first of what it reads late learns that its client is gone, and may drop the rest.
    polled(duplicates_refused, "what the nodes read late")
    assert tenant.proof(campaign, stack).faults == []
    dialled = seen(stack).dialled()
    assert {dialled[line.number] for line in again()} == {1}
