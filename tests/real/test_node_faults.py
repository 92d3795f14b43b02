"""Nodes that die, or stand still, with calls on them: nobody is called twice and nobody is left unsettled."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from settings import NodeSettings
from tests.e2e.rig import PARK, new_tenant, numbers, polled
from tests.real.carrier import Carrier
from tests.real.conftest import real_stack, shippers
from tests.real.machine import killed, pid_of, restart_command, started, stopped
from tests.real.test_campaigns import FAST, compare, refused

pytestmark = pytest.mark.real

CONTACTS = 1000
LIVE = 400
BACK_SECONDS = 10.0
LONGEST = 60
STILL_SECONDS = 20


def twice(carrier: Carrier, called: Sequence[str]) -> list[str]:
    """The numbers that got more than one INVITE."""
    return [
        number for number, times in Counter(m.number for m in carrier.invites(called)).items() if times > 1
    ]


@pytest.mark.full
@pytest.mark.parametrize("run", range(1, 6))
def test_a_node_that_was_killed_leaves_nobody_called_twice_and_nobody_unsettled(
    server_home: Path, tmp_path: Path, carrier: Carrier, nodes: tuple[NodeSettings, ...], run: int
) -> None:
    victim = nodes[run % len(nodes)]
    restart_command(victim)
    with real_stack(server_home / tmp_path.name) as stack, ExitStack() as beside:
        stack.wait_ready()
        beside.enter_context(shippers(stack))
        tenant = new_tenant(stack)
        called = numbers(*FAST, count=CONTACTS)
        campaign = tenant.campaign(called, max_concurrent_calls=900, retries_per_contact=0)
        tenant.exempt(campaign)
        tenant.act(campaign, "start")
        tenant.wait_touched(campaign, CONTACTS // 3, 120)
        in_flight = tenant.in_flight(campaign)
        killed(victim)
        started(victim)
        tenant.wait_over(campaign, 300)
        calls = compare(tenant, campaign, carrier, node_died=True)
    unknown = [call for call in calls if call["disposition"] == "outcome_unknown"]
    again = twice(carrier, called)
    unsent = len([call for call in calls if refused(call)])
    print(
        f"| {run} | {victim.name} | {in_flight} | {len(calls)} | {unsent} | {len(carrier.invites(called))} |"
        f" {len(again)} | 0 | {len(unknown)} |"
    )
    assert again == []
    assert {call["node"] for call in unknown} <= {victim.name}
    assert len(unknown) <= in_flight


@pytest.mark.full
def test_who_was_talking_when_a_node_was_killed_is_reconnected_and_bounded_within_ten_seconds_of_its_restart(
    server_home: Path, tmp_path: Path, carrier: Carrier, nodes: tuple[NodeSettings, ...]
) -> None:
    victim = nodes[0]
    restart_command(victim)
    bounded: dict[str, float] = {}

    def note(_name: str, line: str) -> None:
        if "call_recovered" in line:
            bounded[line] = time.monotonic()

    with real_stack(server_home / tmp_path.name, output=note) as stack:
        stack.wait_ready()
        tenant = new_tenant(stack, action=PARK, agent={"max_call_seconds": LONGEST})
        called = numbers("07", count=LIVE)
        campaign = tenant.campaign(called, max_concurrent_calls=LIVE, retries_per_contact=0)
        tenant.act(campaign, "start")
        polled(lambda: tenant.get(campaign)["counts"]["connected"] >= LIVE * 0.99, "the calls up", seconds=60)
        calls = list(tenant.api.every("/api/v1/calls", "calls", campaign_id=campaign))
        talking = {
            call["phone_number"]
            for call in calls
            if call["node"] == victim.name and call["answered_at"] is not None
        }
        killed(victim)
        up = started(victim)
        back_by = time.time() + BACK_SECONDS
        polled(lambda: time.time() > back_by, "the time it may take", seconds=BACK_SECONDS + 5)
        back = {
            m.number
            for m in carrier.messages()
            if m.kind == "REINVITE" and m.number in talking and m.t <= back_by
        }
        in_time = [at for at in bounded.values() if at <= up + BACK_SECONDS]
        tenant.wait_over(campaign, LONGEST + 60)
        ended = {m.number for m in carrier.messages() if m.kind == "BYE-IN"} & back
        compare(tenant, campaign, carrier, node_died=True)
    last = max(in_time, default=up) - up
    print(
        f"{len(talking)} people on the node that was killed: {len(back)} reconnected and {len(in_time)} bounded"
        f" within 10 s of its restart (the last after {last:.1f} s), {len(ended)} of them ended by their maximum"
    )
    assert len(talking) >= LIVE * 0.4
    assert len(back) >= 0.95 * len(talking)
    assert len(in_time) >= 0.95 * len(talking)
    assert ended == back
    assert twice(carrier, called) == []


def test_what_a_dead_dialer_wrote_to_nodes_that_stood_still_is_not_sent_again(
    server_home: Path, tmp_path: Path, carrier: Carrier, nodes: tuple[NodeSettings, ...]
) -> None:
    # Every call is over as soon as it is made: its id is free again when a second order for it is read.
    called = numbers("01", count=600)
    pids = [pid_of(node) for node in nodes]
    said: list[str] = []
    folder = server_home / tmp_path.name
    with (
        real_stack(folder, output=lambda name, line: said.append(f"{name}: {line}")) as stack,
        ExitStack() as beside,
    ):
        stack.wait_ready()
        beside.enter_context(shippers(stack))
        tenant = new_tenant(stack)
        campaign = tenant.campaign(called, max_concurrent_calls=500, retries_per_contact=0)
        tenant.act(campaign, "start")
        tenant.wait_touched(campaign, 200, 120)
        with stopped(*pids):
            still = time.monotonic()
            polled(lambda: time.monotonic() > still + 4, "some calls that no node reads", seconds=10)
            os.kill(stack.pids["dialer.1"], signal.SIGKILL)
            in_flight = tenant.in_flight(campaign)
            polled(
                lambda: time.monotonic() > still + STILL_SECONDS,
                "the time that the nodes stand still",
                seconds=STILL_SECONDS + 5,
            )
        tenant.wait_over(campaign, 240)
        calls = compare(tenant, campaign, carrier)
    unknown = [call for call in calls if call["disposition"] == "outcome_unknown"]
    again = twice(carrier, called)
    repeated = len([line for line in said if "originate_resent" in line])
    print(
        f"{in_flight} calls that no node had read, {repeated} sent again: {len(carrier.invites(called))} INVITEs,"
        f" {len(again)} numbers twice, {len(unknown)} outcomes unknown"
    )
    assert again == []
