"""The limiter against a model of it, over random histories at a clock that the test moves.

The model knows what is live and when each call was last admitted. It does not repeat the scripts' reckoning: it says
which answers would break a cap, and which denials nothing explains.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from limits.limiter import Denied, GatewayCaps, NodeCaps, Permit, TenantCaps
from tests.integration.limits.limiter_rig import CLOCK, NOON, Dialer, HookedRedis, words

"""µs of a moment at 12:00 UTC: no history here reaches midnight."""
TOLERANCE = 20_000
CONCURRENCY, TENANT_SLOTS, RESERVED, CHANNELS = 3, 5, 2, 4
PER_MINUTE, CPS, NODE_CPS = 30, 4, 3
DAY_CALLS, DAY_MINUTES = 40, 5
TENANT = TenantCaps(TENANT_SLOTS, PER_MINUTE, DAY_CALLS, DAY_MINUTES, reserved=RESERVED)
GATEWAY = GatewayCaps("gw", CPS, CHANNELS)
DESK = 2
SINGLE = "s"
"""The campaign of calls that were each asked for by themselves."""
SECOND_LEGS = {"c": None, "d": GatewayCaps("desk", 1, DESK), "e": GATEWAY, SINGLE: None}
"""By which gateway each campaign's agent is reached: none, another's, the same as its calls leave by."""
NODES = [NodeCaps("fs1", NODE_CPS, 3), NodeCaps("fs2", NODE_CPS, 3)]
WINDOWS = {
    "tenant_minute": (PER_MINUTE, 60_050_000),
    "gateway_cps": (CPS, 1_000_000),
    "node_cps": (NODE_CPS, 1_000_000),
}


@dataclass
class Call:
    """One call as the model sees it; `stamp` in µs: when it was admitted, or its turn is."""

    call_id: str
    campaign: str
    number: str
    node: str
    stamp: int
    live: bool = True
    admitted: bool = True


class LimiterModel(RuleBasedStateMachine):
    """One tenant with three campaigns and single calls, one gateway, another one for agents, two nodes."""

    client: HookedRedis
    calls = Bundle("calls")

    @initialize()
    def begin(self) -> None:
        self.client.flushall()
        self.now = NOON
        self.serial = 0
        self.known: dict[str, Call] = {}
        self.seconds = 0
        self.client.set(CLOCK, self.now)
        self.dialer = Dialer(self.client).open()

    @rule(
        micros=st.integers(0, 70_000)
        | st.integers(0, 1_500_000)
        | st.sampled_from([0, 1, 250_000, 20_000_000])
    )
    def tick(self, micros: int) -> None:
        """Time passes, with the renewals that keep every lease."""
        self.now += micros
        self.client.set(CLOCK, self.now)
        self.dialer.limiter.renew()

    @rule(
        target=calls,
        campaign=st.sampled_from("cde" + SINGLE),
        numbers=st.lists(st.sampled_from("123456789"), max_size=4),
    )
    def new_calls(self, campaign: str, numbers: list[str]) -> object:
        """Ask for a batch of new calls, every one of them on its own so that each may have its number."""
        admitted = []
        for number in numbers:
            self.serial += 1
            call_id = f"call{self.serial}"
            (answer,) = self.ask(call_id, campaign, number)
            if isinstance(answer, Permit):
                self.must_have_fitted(campaign, number, answer.node)
                self.known[call_id] = Call(call_id, campaign, number, answer.node, self.now)
                admitted.append(call_id)
            else:
                self.must_be_explained(answer, campaign, number)
        return multiple(*admitted)

    @rule(call_id=calls)
    def again(self, call_id: str) -> None:
        """A permit lapsed, or its answer was lost."""
        call = self.known[call_id]
        if not call.live:
            return
        old = call.stamp
        (answer,) = self.ask(
            call_id, call.campaign, call.number, nodes=[n for n in NODES if n.name == call.node]
        )
        if isinstance(answer, Permit):
            assert answer.node == call.node
            assert old <= self.now, "its turn had not come"
            call.stamp, call.admitted = self.now, True
            self.windows_must_hold(call)
        else:
            assert answer.reason in WINDOWS
            call.stamp, call.admitted = self.now + round(answer.retry_after * 1e6), False
            if old > self.now:
                assert abs(call.stamp - old) <= 5_000, "a turn is kept"

    @rule(call_id=consumes(calls), billsec=st.integers(0, 90), times=st.integers(1, 2))
    def over(self, call_id: str, billsec: int, times: int) -> None:
        call = self.known[call_id]
        if call.live:
            self.seconds += billsec
        call.live = False
        for _ in range(times):
            self.dialer.end(call_id, billsec=billsec)

    @rule(call_id=consumes(calls), times=st.integers(1, 2))
    def never_sent(self, call_id: str, times: int) -> None:
        for _ in range(times):
            self.dialer.limiter.give_back([Permit(call_id, self.known[call_id].node, 0.0, 0.0)])
        del self.known[call_id]

    @invariant()
    def usage_is_what_happened(self) -> None:
        live = [call for call in self.known.values() if call.live]
        recent = [call for call in self.known.values() if self.now - 60_000_000 < call.stamp <= self.now]
        usage = self.dialer.limiter.usage("t")
        assert usage is not None
        assert usage.concurrent == len(live)
        assert usage.last_minute == len(recent)
        assert (usage.day_calls, usage.day_seconds) == (len(self.known), self.seconds)

    @invariant()
    def no_slot_cap_is_exceeded(self) -> None:
        live = [call for call in self.known.values() if call.live]
        assert len(live) <= TENANT_SLOTS
        assert sum(call.campaign != SINGLE for call in live) <= TENANT_SLOTS - RESERVED
        assert self.legs("gw") <= CHANNELS
        assert self.legs("desk") <= DESK
        assert len({call.number for call in live}) == len(live)
        for campaign in "cde":
            assert sum(call.campaign == campaign for call in live) <= CONCURRENCY
        for node in NODES:
            assert sum(call.node == node.name for call in live) <= 3

    def ask(
        self, call_id: str, campaign: str, number: str, nodes: list[NodeCaps] = NODES
    ) -> list[Permit | Denied]:
        return self.dialer.ask(
            call_id,
            number=number,
            campaign_id=campaign,
            concurrency=CONCURRENCY,
            tenant=TENANT,
            gateway=GATEWAY,
            nodes=nodes,
            second_leg=SECOND_LEGS[campaign],
            single=campaign == SINGLE,
        )

    def legs(self, gateway: str) -> int:
        """The channels of a gateway that are in use: first legs, all of which leave by one, and second legs."""
        live = [call for call in self.known.values() if call.live]
        second = [SECOND_LEGS[call.campaign] for call in live]
        first = len(live) if gateway == "gw" else 0
        return first + sum(leg is not None and leg.id == gateway for leg in second)

    def of(self, reason: str, node: str) -> list[Call]:
        """The calls that a rate counts."""
        return [call for call in self.known.values() if reason != "node_cps" or call.node == node]

    def must_have_fitted(self, campaign: str, number: str, node: str) -> None:
        live = [call for call in self.known.values() if call.live]
        if campaign != SINGLE:
            assert sum(call.campaign == campaign for call in live) < CONCURRENCY
        assert number not in {call.number for call in live}
        assert len(self.known) < DAY_CALLS
        assert self.seconds < DAY_MINUTES * 60
        for reason, (limit, window) in WINDOWS.items():
            others = [call.stamp for call in self.of(reason, node)]
            assert sum(stamp > self.now - window for stamp in others) < limit
            if others:
                assert self.now - max(others) >= window // limit - TOLERANCE - 1, "calls come evenly"

    def windows_must_hold(self, moved: Call) -> None:
        for reason, (limit, window) in WINDOWS.items():
            stamps = [call.stamp for call in self.of(reason, moved.node) if call.admitted]
            assert sum(self.now - window < stamp <= self.now for stamp in stamps) <= limit

    def no_channel(self, answer: Denied, campaign: str) -> bool:
        if not answer.of_second_leg:
            return self.legs("gw") >= CHANNELS
        return self.legs("desk") >= DESK if campaign == "d" else self.legs("gw") == CHANNELS - 1

    def must_be_explained(self, answer: Denied, campaign: str, number: str) -> None:
        live = [call for call in self.known.values() if call.live]
        held = {
            "campaign_concurrency": campaign != SINGLE
            and sum(call.campaign == campaign for call in live) >= CONCURRENCY,
            "tenant_concurrency": len(live) >= TENANT_SLOTS
            or (
                campaign != SINGLE
                and sum(call.campaign != SINGLE for call in live) >= TENANT_SLOTS - RESERVED
            ),
            "tenant_day_calls": len(self.known) >= DAY_CALLS,
            "tenant_day_minutes": self.seconds >= DAY_MINUTES * 60,
            "gateway_channels": self.no_channel(answer, campaign),
            "node_channels": True,
            "number_cap": number in {call.number for call in live},
        }
        if answer.reason not in WINDOWS:
            assert held[answer.reason], answer
            return
        limit, window = WINDOWS[answer.reason]
        explained = []
        for node in NODES:
            stamps = [call.stamp for call in self.of(answer.reason, node.name)]
            full = sum(stamp > self.now - window for stamp in stamps) >= limit
            explained.append(full or (bool(stamps) and self.now - max(stamps) < window / limit))
        assert any(explained), answer


def test_random_histories_agree_with_the_model(client: HookedRedis, virtual_clock: None) -> None:
    machine = type("Machine", (LimiterModel,), {"client": client})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def fullest(stamps: list[int]) -> int:
    """The most calls in any second, half open."""
    return max(sum(start <= stamp < start + 1_000_000 for stamp in stamps) for start in stamps)


@pytest.mark.parametrize("cps", [5, 40])
def test_after_a_stall_every_second_holds_and_nobody_starves(
    client: HookedRedis, virtual_clock: None, cps: int
) -> None:
    """The database answers nobody for a while, so that every permit lapses and all ask again, each a little late."""
    random.seed(cps)
    client.set(CLOCK, now := NOON)
    dialer = Dialer(client).open()
    gateway = GatewayCaps("gw", cps, None)
    calls = [f"call{n}" for n in range(3 * cps)]
    for call_id in calls:
        client.set(CLOCK, now := now + 1_000_000 // cps)
        assert words(dialer.ask(call_id, gateway=gateway)) == ["fs1"]
    stall_ends = now + 60_000
    asking = dict.fromkeys(calls, stall_ends)
    sent: dict[str, int] = {}
    while asking:
        call_id = min(asking, key=lambda call_id: asking[call_id])
        client.set(CLOCK, now := asking.pop(call_id))
        (answer,) = dialer.ask(call_id, gateway=gateway)
        if isinstance(answer, Denied):
            late = random.choice([0, 0, 0, 2_000, 20_000, 45_000])
            asking[call_id] = now + round(answer.retry_after * 1e6) + late
        else:
            sent[call_id] = dialer.turns("gateway", "gw")[call_id]
            assert sent[call_id] <= now < sent[call_id] + 50_000
    assert fullest(list(sent.values())) <= cps
    assert now - stall_ends < 1.1 * 3_000_000


def test_calls_whose_turn_was_kept_leave_in_their_order_and_on_time(
    client: HookedRedis, virtual_clock: None
) -> None:
    client.set(CLOCK, now := NOON)
    dialer = Dialer(client).open()
    gateway = GatewayCaps("gw", 10, None)
    for n in range(5):
        client.set(CLOCK, now := NOON + n * 100_000)
        assert words(dialer.ask(f"call{n}", gateway=gateway)) == ["fs1"]
    client.set(CLOCK, now := now + 60_000)
    turns = {}
    for n in range(5):
        (answer,) = dialer.ask(f"call{n}", gateway=gateway)
        turns[f"call{n}"] = now + (round(answer.retry_after * 1e6) if isinstance(answer, Denied) else 0)
    assert list(turns.values()) == sorted(turns.values())
    for late, (call_id, turn) in zip([0, 49_000, 30_000, 0, 40_000], turns.items(), strict=True):
        client.set(CLOCK, turn + late)
        assert words(dialer.ask(call_id, gateway=gateway)) == ["fs1"]
    assert now + 300_000 < turn < now + 500_000


@pytest.mark.parametrize("cps", [7, 150])
def test_the_next_admission_is_exactly_when_it_was_promised(
    client: HookedRedis, virtual_clock: None, cps: int
) -> None:
    client.set(CLOCK, now := NOON)
    dialer = Dialer(client).open()
    gateway = GatewayCaps("gw", cps, None)
    admitted: list[int] = []
    while len(admitted) < 2.5 * cps:
        (answer,) = dialer.ask(call_id := f"call{len(admitted)}", gateway=gateway)
        if isinstance(answer, Denied):
            promised = now + round(answer.retry_after * 1e6)
            if answer.retry_after > 0.005:
                client.set(CLOCK, promised - 1)
                assert words(dialer.ask(call_id, gateway=gateway)) == ["gateway_cps"]
            client.set(CLOCK, now := promised)
            assert words(dialer.ask(call_id, gateway=gateway)) == ["fs1"]
        admitted.append(now)
    assert fullest(admitted) <= cps
    assert (len(admitted) - 1) / cps - 0.1 <= (now - NOON) / 1e6 <= len(admitted) / cps
