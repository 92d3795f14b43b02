"""What real clusters have every week, struck at a running campaign: everybody is settled, nobody is called twice, no
permit stays behind.

Each fault strikes simulated nodes through their control ports, and each test makes sure that it did. That the command
line orders the same faults is shown in tests/integration/simulator/test_faults.py.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dialer.recovery.resend_or_close import MAY_LIVE_SECONDS, PDD_SECONDS
from local.demo import collect, demo_stack
from local.simulated_cluster import SimulatorOptions
from local.stack import Stack
from simulator.ledger import LedgerView, Originate, Start
from simulator.remote import Control
from tests.e2e.rig import (
    PARK,
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
from tests.waiting import HANG_SECONDS

CONTACTS = 120
SPEED = 20.0
NODE_CPS = 80
ENDINGS = ("10", "00", "01", "08", "07", "03", "02", "10")
"""Answered and ended by either side, busy, early media, no such number, nobody answers."""
STAYS = "07"
"""Whose calls end when the agent does, or their node."""
RING_SECONDS, MAX_SECONDS, HOURS = 15, 30, 14_400
HELD_SECONDS = PDD_SECONDS + RING_SECONDS + MAX_SECONDS + MAY_LIVE_SECONDS
DIALERS = 2
REFUSED = 3
"""Refusals after which a fault has been felt; the dialers slow down or pause on them, so many more may not come."""
SLOWLY = 5
"""Calls a second of a campaign whose contacts outlast a machine that stands still for a while."""
OUT_OF_ORDER, GATEWAY_DOWN = "refused:DESTINATION_OUT_OF_ORDER", "refused:GATEWAY_DOWN"


@dataclass(slots=True)
class Struck:
    """One campaign and what a fault did to it.

    `died`: nodes did, and calls with them; `reset`: connections were, with all that was on them.
    """

    stack: Stack
    tenant: Tenant
    campaign: str
    died: bool = False
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

    def clear(self, *names: str) -> None:
        """End the faults of these names at every node; all of them without a name."""
        for control in self.controls:
            control.clear(*names)

    def wait_refused(self, result: str) -> None:
        """Return once more calls were refused as `result`."""
        before = self.refused()[result]
        polled(lambda: self.refused()[result] - before > REFUSED, f"calls that are {result}")

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

    def at_most_a_second(self, calls: int | None) -> None:
        """So many calls leave in a second; None: as many as the nodes take."""
        self.tenant.api.patch(f"/api/v1/gateways/{self.tenant.gateway_id}", {"cps": calls})

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

    def up(self) -> list[Originate]:
        """The calls that are up, or died with their node."""
        view = self.view()
        unfinished = view.unfinished()
        return [line for line in of_campaign(view, self.campaign) if line.uuid in unfinished]

    def up_when_it_died(self) -> list[Originate]:
        """The calls that were up when their node died, which is before its ledger begins anew. One that was answered
        may have been recovered, and ended later."""
        view = self.view()
        began, ends = {start.node: start.t for start in view.starts}, view.ends()
        return [
            line
            for line in of_campaign(view, self.campaign)
            if line.accepted
            and line.t < began[line.node]
            and (line.uuid not in ends or ends[line.uuid].written > began[line.node])
        ]

    def lost(self) -> set[str]:
        """The calls that ended with their node."""
        return {line.uuid for line in self.up_when_it_died()} & {line.uuid for line in self.up()}

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

    def begun_since(self, before: Sequence[Start]) -> set[str]:
        """The nodes that have begun anew."""
        return {start.node for start in self.view().starts if start not in before}

    def only_staying(self) -> bool:
        """Whether everybody has been called, and is settled but for those whose calls stay."""
        counts = self.tenant.get(self.campaign)["counts"]
        path = f"/api/v1/campaigns/{self.campaign}/contacts"
        up = self.tenant.api.every(path, "contacts", status="connected")
        called = counts["pending"] == counts["originated"] == 0
        return called and all(contact["phone_number"].endswith(STAYS) for contact in up)

    def settled(self, end_reason: str = "exhausted") -> None:
        """Everybody is settled, nobody was called twice, the records agree with the switches, no permit is left."""
        self.tenant.wait_over(self.campaign)
        self.clear()
        # What a fault kept from ending ends with it; what died with its node never does.
        lost = self.lost() if self.died else set()
        polled(lambda: {line.uuid for line in self.up()} <= lost, "the end of every call at the switch")
        campaign, self.calls, proof = collect(self.tenant.api, self.campaign, ledgers(self.stack))
        path = f"/api/v1/campaigns/{self.campaign}/contacts"
        self.contacts = list(self.tenant.api.every(path, "contacts"))
        forgetful = self.died or self.reset
        assert unexplained(proof, self.calls, lost, forgetful=forgetful) == []
        assert campaign["end_reason"] == end_reason
        # The slots of an order that nobody can prove dead are held until the last timer of that call is over.
        longest = HANG_SECONDS + (HELD_SECONDS if self.reset else 0)
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


@contextmanager
def campaign_on(stack: Stack, max_call_seconds: int, **options: Any) -> Iterator[Struck]:
    """A campaign that has not begun."""
    agent = {"ring_timeout_seconds": RING_SECONDS, "max_call_seconds": max_call_seconds}
    tenant = new_tenant(stack, agent=agent, **options)
    campaign = tenant.campaign(
        numbers(*ENDINGS, count=CONTACTS), max_concurrent_calls=100, retries_per_contact=0
    )
    found = Struck(stack, tenant, campaign)
    yield found
    found.clear()
    tenant.act(campaign, "stop?hangup=true")


RUNS = [1, pytest.param(2, marks=pytest.mark.full)]
"""What a fault meets is chance, of which most is up to chaos."""


@pytest.fixture(params=RUNS)
def struck(faulty_stack: Stack) -> Iterator[Struck]:
    """A campaign that has not begun, whose calls are short."""
    with campaign_on(faulty_stack, MAX_SECONDS) as found:
        yield found


@pytest.fixture(params=RUNS)
def staying(faulty_stack: Stack) -> Iterator[Struck]:
    """A campaign that has not begun, of whose calls some stay for as long as the test may last."""
    with campaign_on(faulty_stack, HOURS, action=PARK) as found:
        yield found


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


@pytest.mark.full
def test_events_come_a_minute_late(struck: Struck) -> None:
    before = struck.done("late")
    struck.fault("late", seconds=60)
    begin(struck)
    struck.settled()
    assert struck.done("late") - before > CONTACTS


@pytest.mark.full
def test_fifty_thousand_events_come_at_once(struck: Struck) -> None:
    begin(struck)
    struck.under_way()
    struck.fault("burst", events=50_000)
    struck.settled()


@pytest.mark.full
def test_a_reply_never_comes(struck: Struck) -> None:
    before = struck.done("no-reply")
    struck.fault("no-reply", percent=20)
    begin(struck)
    polled(lambda: struck.done("no-reply") > before, "a reply that does not come")
    struck.clear()
    struck.settled()


@pytest.mark.full
def test_a_reply_comes_three_seconds_late(struck: Struck) -> None:
    before = struck.done("late-reply")
    struck.fault("late-reply", percent=8, seconds=3)
    begin(struck)
    struck.settled()
    assert struck.done("late-reply") - before > 0
    assert "outcome_unknown" not in struck.dispositions()


@pytest.mark.full
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


@pytest.mark.full
def test_nodes_reach_their_limits_are_paused_and_lose_their_gateway(struck: Struck) -> None:
    struck.fault("limits", sps=1, max_sessions=10)
    begin(struck)
    struck.wait_refused(OUT_OF_ORDER)
    for before, name, result in (("limits", "pause", OUT_OF_ORDER), ("pause", "gateway-down", GATEWAY_DOWN)):
        # There is no moment without a fault, in which everybody could be called.
        struck.fault(name)
        struck.clear(before)
        struck.wait_refused(result)
    struck.clear()
    # It may have been paused for its faults; the operator says that it is well.
    struck.tenant.api.post(f"/api/v1/gateways/{struck.tenant.gateway_id}/resume")
    struck.settled()
    assert struck.refused().keys() == {OUT_OF_ORDER, GATEWAY_DOWN}
    assert all(contact["attempts"] == 1 for contact in struck.contacts)


@pytest.mark.full
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
    struck.at_most_a_second(SLOWLY)
    begin(struck)
    struck.under_way(SLOWLY)
    struck.fault("gateway-refuses", status=503)
    polled(lambda: struck.failed_at_the_gateway() > REFUSED, "refusals")
    struck.clear()
    struck.at_most_a_second(None)
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
    staying: Struck, killed: str | None, restarted: str | None
) -> None:
    begin(staying)
    staying.under_way()
    dying = {killed, restarted} - {None}
    polled(
        lambda: dying <= {line.node for line in staying.up() if line.number.endswith(STAYS)},
        "calls that stay on every node that dies",
    )
    before = staying.view().starts
    if killed is not None:
        staying.stack.control(killed).fault("kill")
    if restarted is not None:
        staying.stack.control(restarted).fault("restart")
    staying.died = True
    polled(lambda: dying == staying.begun_since(before), "nodes that begin anew")
    polled(staying.only_staying, "the end of everybody else's calls")
    staying.tenant.act(staying.campaign, "stop?hangup=true")
    staying.settled("stopped")
    assert dying == {line.node for line in staying.up_when_it_died()}
