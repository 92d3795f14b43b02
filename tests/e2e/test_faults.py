"""What real clusters have every week, struck at a running campaign: everybody is settled, nobody is called twice, no
permit stays behind.

Each fault strikes simulated nodes through their control ports, and each test makes sure that it did. That the command
line orders the same faults is shown in tests/integration/simulator/test_faults.py.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dialer.recovery.decisions import MAY_LIVE_SECONDS, PDD_SECONDS
from local.demo import collect, demo_stack
from local.simulated_cluster import SimulatorOptions
from local.stack import Stack
from simulator.ledger import LedgerView
from simulator.remote import Control
from tests.e2e.rig import (
    Tenant,
    ledgers,
    left_in_redis,
    new_tenant,
    numbers,
    of_campaign,
    polled,
    seen,
    unexplained,
)

CONTACTS = 120
SPEED = 20.0
NODE_CPS = 80
ENDINGS = ("10", "00", "01", "08", "07", "03", "02", "10")
"""Answered and ended by either side, busy, early media, no such number, nobody answers."""
RING_SECONDS, MAX_SECONDS = 15, 30
HELD_SECONDS = PDD_SECONDS + RING_SECONDS + MAX_SECONDS + MAY_LIVE_SECONDS
DIALERS = 2
REFUSED = 3
"""Refusals after which a fault has been felt; the dialers slow down or pause on them, so many more may not come."""
OUT_OF_ORDER, GATEWAY_DOWN = "refused:DESTINATION_OUT_OF_ORDER", "refused:GATEWAY_DOWN"


@dataclass(slots=True)
class Struck:
    """One campaign and what a fault did to it.

    `died` is when calls ended with their node, if they did; `reset`: connections were, with all that was on them.
    """

    stack: Stack
    tenant: Tenant
    campaign: str
    died: float | None = None
    reset: bool = False
    calls: list[dict[str, Any]] = field(default_factory=list)
    contacts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def controls(self) -> list[Control]:
        """The control ports of all nodes."""
        return [self.stack.control(node.name) for node in self.stack.nodes]

    def fault(self, name: str, **values: float | str) -> None:
        """Strike at every node."""
        for control in self.controls:
            control.fault(name, **values)

    def clear(self) -> None:
        """End every fault at every node."""
        for control in self.controls:
            control.clear()

    def refuses_by(self, name: str, result: str, **values: float | str) -> None:
        """Strike at every node until calls were refused as `result`, and go on without the fault."""
        before = self.refused()[result]
        self.fault(name, **values)
        polled(lambda: self.refused()[result] - before > REFUSED, f"refusals by {name}")
        self.clear()

    def connected_anew(self) -> None:
        """Return once every dialer has a connection to every node that is heard there."""
        polled(
            lambda: all(control.status()["connections"] >= DIALERS for control in self.controls),
            "a new connection to every node",
        )

    def done(self, name: str) -> int:
        """How often a fault has struck, at all nodes, since they started."""
        return sum(control.status()["done"].get(name, 0) for control in self.controls)

    def view(self) -> LedgerView:
        """What the nodes say."""
        return seen(self.stack)

    def under_way(self, count: int = CONTACTS // 4) -> None:
        """Return once so many contacts have been called."""
        self.tenant.wait_touched(self.campaign, count)

    def refused(self) -> Counter[str]:
        """How the switch turned originates down, and how often."""
        return Counter(line.result for line in of_campaign(self.view(), self.campaign) if not line.accepted)

    def left(self) -> int:
        """Contacts that are not settled."""
        counts = self.tenant.get(self.campaign)["counts"]
        return int(counts["pending"] + counts["originated"] + counts["connected"])

    def died_up(self) -> int:
        """The calls that were up when their node died."""
        return len({line.uuid for line in of_campaign(self.view(), self.campaign)} & self.view().unfinished())

    def shortest_call(self) -> float:
        """Seconds, of its own time, since the last sign of life of any call that is up."""
        view = self.view()
        up = view.unfinished()
        return SPEED * (time.time() - max(step.t for step in view.steps if step.uuid in up))

    def failed_at_the_gateway(self) -> int:
        """The calls that ended with the cause of a 503."""
        ends = self.view().ends()
        ours = [line for line in of_campaign(self.view(), self.campaign) if line.uuid in ends]
        return sum(ends[line.uuid].sip == 503 for line in ours)

    def dispositions(self) -> Counter[str]:
        """How the calls ended, by word."""
        return Counter(call["disposition"] for call in self.calls if call["sent_at"] is not None)

    def settled(self) -> None:
        """Everybody is settled, nobody was called twice, the records agree with the switches, no permit is left."""
        self.tenant.wait_over(self.campaign)
        self.clear()
        ours = {line.uuid for line in of_campaign(self.view(), self.campaign) if line.accepted}
        # What a fault kept from ending ends with it; what died with its node never does.
        lost = {line.uuid for line in self.view().accepted if self.died and line.t <= self.died}
        polled(lambda: not (self.view().unfinished() & ours) - lost, "the end of every call at the switch")
        campaign, self.calls, proof = collect(self.tenant.api, self.campaign, ledgers(self.stack))
        path = f"/api/v1/campaigns/{self.campaign}/contacts"
        self.contacts = list(self.tenant.api.every(path, "contacts"))
        forgetful = self.died is not None or self.reset
        assert unexplained(proof, self.calls, lost, forgetful=forgetful) == []
        assert campaign["end_reason"] == "exhausted"
        # The slots of an order that nobody can prove dead are held until the last timer of that call is over.
        longest = 60 + (HELD_SECONDS if self.reset else 0)
        polled(
            lambda: left_in_redis(self.stack, self.tenant.id) == {},
            "the end of every permit",
            seconds=longest,
        )


@pytest.fixture(scope="module")
def faulty_stack(server_home: Path) -> Iterator[Stack]:
    """One stack for this module, with nodes that fail on demand."""
    arguments = ("--sps", str(NODE_CPS * 3), "--control-port", "0")
    simulator = SimulatorOptions(speed=SPEED, cps=NODE_CPS, arguments=arguments)
    said: list[str] = []
    with demo_stack(
        server_home / "faults",
        port=0,
        durable=False,
        simulator=simulator,
        output=lambda name, line: said.append(f"{time.time():.2f} {name}: {line}"),
    ) as running:
        running.wait_ready()
        yield running
    if folder := os.environ.get("CARILLON_TEST_LOGS"):
        Path(folder, "faults.log").write_text("\n".join(said))


@pytest.fixture(params=[1, *(pytest.param(run, marks=pytest.mark.full) for run in range(2, 11))])
def struck(faulty_stack: Stack) -> Iterator[Struck]:
    """A campaign that has not begun."""
    tenant = new_tenant(
        faulty_stack, agent={"ring_timeout_seconds": RING_SECONDS, "max_call_seconds": MAX_SECONDS}
    )
    campaign = tenant.campaign(
        numbers(*ENDINGS, count=CONTACTS), max_concurrent_calls=100, retries_per_contact=0
    )
    found = Struck(faulty_stack, tenant, campaign)
    yield found
    found.clear()
    tenant.act(campaign, "stop")


def begin(struck: Struck) -> None:
    struck.tenant.act(struck.campaign, "start")


def test_a_third_of_all_events_is_lost(struck: Struck) -> None:
    before = struck.done("drop")
    struck.fault("drop", percent=30)
    begin(struck)
    struck.settled()
    assert struck.done("drop") - before > CONTACTS // 2


def test_events_come_twice_and_overtake_each_other(struck: Struck) -> None:
    before = {name: struck.done(name) for name in ("duplicate", "reorder")}
    struck.fault("duplicate", percent=30)
    struck.fault("reorder", percent=30, seconds=0.5)
    begin(struck)
    struck.settled()
    assert all(struck.done(name) - count > CONTACTS // 2 for name, count in before.items())
    assert "outcome_unknown" not in struck.dispositions()


def test_events_come_a_minute_late(struck: Struck) -> None:
    before = struck.done("late")
    struck.fault("late", seconds=60)
    begin(struck)
    struck.settled()
    assert struck.done("late") - before > CONTACTS


def test_fifty_thousand_events_come_at_once(struck: Struck) -> None:
    begin(struck)
    struck.under_way()
    struck.fault("burst", events=50_000)
    struck.settled()


def test_a_reply_never_comes(struck: Struck) -> None:
    before = struck.done("no-reply")
    struck.fault("no-reply", percent=20)
    begin(struck)
    polled(lambda: struck.done("no-reply") > before, "a reply that does not come")
    struck.clear()
    struck.settled()


def test_a_reply_comes_three_seconds_late(struck: Struck) -> None:
    before = struck.done("late-reply")
    struck.fault("late-reply", percent=8, seconds=3)
    begin(struck)
    struck.settled()
    assert struck.done("late-reply") - before > 0
    assert "outcome_unknown" not in struck.dispositions()


def test_connections_fall_silent_and_come_back_after_they_were_given_up(struck: Struck) -> None:
    begin(struck)
    struck.under_way()
    struck.fault("half-open", resume="yes")
    struck.connected_anew()
    struck.clear()
    struck.settled()
    assert "outcome_unknown" not in struck.dispositions()


@pytest.mark.full
def test_connections_fall_silent_and_are_reset(struck: Struck) -> None:
    begin(struck)
    struck.under_way()
    struck.fault("half-open")
    struck.connected_anew()
    struck.clear()
    struck.reset = True
    struck.settled()


def test_a_frame_is_cut_and_the_connection_ends(struck: Struck) -> None:
    before = struck.done("cut")
    struck.fault("cut", after=40, times=4)
    begin(struck)
    struck.settled()
    assert struck.done("cut") - before >= 4


def test_nodes_reach_their_limits_are_paused_and_lose_their_gateway(struck: Struck) -> None:
    struck.fault("limits", sps=5, max_sessions=10)
    begin(struck)
    struck.refuses_by("limits", OUT_OF_ORDER, sps=5, max_sessions=10)
    struck.refuses_by("pause", OUT_OF_ORDER)
    struck.refuses_by("gateway-down", GATEWAY_DOWN)
    # It may have been paused for its faults; the operator says that it is well.
    struck.tenant.api.post(f"/api/v1/gateways/{struck.tenant.gateway_id}/resume")
    struck.settled()
    assert struck.refused().keys() == {OUT_OF_ORDER, GATEWAY_DOWN}
    assert all(contact["attempts"] == 1 for contact in struck.contacts)


def test_channels_survive_every_attempt_to_end_them(struck: Struck) -> None:
    before = struck.done("zombies")
    struck.fault("zombies", percent=20)
    begin(struck)
    polled(lambda: struck.left() <= struck.done("zombies") - before, "the end of all others")
    assert struck.done("zombies") - before > 3
    polled(lambda: struck.shortest_call() > 160, "calls that are far too long")
    # A dialer asks about every call once its connection is back, and else after half a minute of silence.
    struck.fault("half-open")
    for control in struck.controls:
        control.clear("half-open")
    struck.settled()
    assert struck.dispositions()["answered"] > CONTACTS // 4


def test_a_gateway_refuses(struck: Struck) -> None:
    begin(struck)
    struck.under_way()
    struck.fault("gateway-refuses", status=503)
    polled(lambda: struck.failed_at_the_gateway() > REFUSED, "refusals")
    struck.clear()
    struck.settled()
    assert struck.dispositions()["congestion"] > REFUSED
    assert all(contact["attempts"] == 1 for contact in struck.contacts)


@pytest.mark.parametrize(
    ("killed", "restarted"),
    [
        ("fs1", "fs2"),
        pytest.param("fs2", None, marks=pytest.mark.full),
        pytest.param(None, "fs1", marks=pytest.mark.full),
    ],
)
def test_one_node_is_killed_and_another_starts_again_without_a_word(
    struck: Struck, killed: str | None, restarted: str | None
) -> None:
    begin(struck)
    struck.under_way()
    before = dict(struck.stack.pids)
    struck.died = time.time() + 0.5
    if killed is not None:
        struck.stack.control(killed).fault("kill")
    if restarted is not None:
        struck.stack.control(restarted).fault("restart")
    struck.settled()
    if killed is not None:
        assert struck.stack.pids[killed] != before[killed]
    assert struck.died_up() > 0
