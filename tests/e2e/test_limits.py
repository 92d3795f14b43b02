"""No cap is exceeded, over any window, with any number of dialers; and what is allowed is used."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from local.demo import NODE_CPS, NODE_SESSIONS_PER_SECOND
from local.simulated_cluster import SimulatorOptions
from local.stack import Stack
from simulator.ledger import LedgerView, Originate, live_calls_peak, window_peak
from tests.e2e.conftest import StackMaker
from tests.e2e.rig import Tenant, new_tenant, numbers, of_campaign, polled, seen
from tests.judging import Judge

TOLERANCE = 0.05
"""Seconds by which a window of the switch's may be shorter than one of the limiter's: a permit's life."""
USED = 0.97
SHORT_USED = 0.9
"""Of what the best ten seconds allow: turns that a busy machine missed at another time do not count."""
SHORT_SECONDS = 20.0
BEST_SECONDS = 10.0
LONG_SECONDS = 150.0
TALKS = "00"
"""Rings 1.5 s, talks 4 s: of the call's own time, which the simulator's speed divides."""


def start(stack: Stack, tenant: Tenant, count: int, **fields: object) -> str:
    """A running campaign over `count` numbers; its id."""
    campaign = tenant.campaign(numbers(TALKS, count=count), **fields)
    tenant.act(campaign, "start")
    polled(lambda: tenant.touched(campaign) > 0, "a first call")
    return campaign


def peak_of(view: LedgerView, lines: Sequence[Originate]) -> int:
    """The most of these calls alive at any moment."""
    return live_calls_peak(view, {line.uuid for line in lines})


def first_seconds(lines: Sequence[Originate], seconds: float) -> list[Originate]:
    """What was dialled within `seconds` of the first call."""
    return [line for line in lines if line.t - lines[0].t <= seconds]


@pytest.mark.full
def test_each_cap_holds_alone_while_others_dial_beside_it(stack: Stack, judge: Judge) -> None:
    minute = new_tenant(stack, limits={"calls_per_minute": 120})
    slots = new_tenant(stack, limits={"concurrent_max": 4})
    cps = new_tenant(stack, gateway={"cps": 5})
    channels = new_tenant(stack, gateway={"channels": 3})
    campaigns = {
        "minute": (minute, start(stack, minute, 300, max_concurrent_calls=50)),
        "slots": (slots, start(stack, slots, 300, max_concurrent_calls=4)),
        "cps": (cps, start(stack, cps, 300, max_concurrent_calls=50)),
        "channels": (channels, start(stack, channels, 300, max_concurrent_calls=50)),
    }
    began, until = time.time(), time.monotonic() + SHORT_SECONDS
    polled(lambda: time.monotonic() > until, "the time in which calls are counted", seconds=SHORT_SECONDS + 5)
    for tenant, campaign in campaigns.values():
        tenant.act(campaign, "stop")
        tenant.wait_idle(campaign)

    view = seen(stack)
    lines = {name: of_campaign(view, campaign) for name, (_, campaign) in campaigns.items()}
    times = {name: [line.t for line in dialled] for name, dialled in lines.items()}
    assert window_peak(times["minute"], 60 - TOLERANCE) <= 120
    best = {name: window_peak(times[name], BEST_SECONDS) for name in ("minute", "cps")}
    judge.at_least(
        best["minute"], SHORT_USED * 2 * BEST_SECONDS, "calls of the best ten seconds at 120 a minute"
    )
    assert window_peak(times["cps"], 1 - TOLERANCE) <= 5
    judge.at_least(best["cps"], SHORT_USED * 5 * BEST_SECONDS, "calls of the best ten seconds at 5 a second")
    for name, cap in (("slots", 4), ("channels", 3)):
        peak = peak_of(view, lines[name])
        assert peak <= cap
        judge.at_least(peak, cap, f"calls at once with {cap} {name}")
    for node in stack.nodes:
        # Other tests of this stack stop dialers between a permit and its use.
        sent = [line.t for line in view.originates if line.node == node.name and line.t > began]
        assert window_peak(sent, 1 - TOLERANCE) <= NODE_CPS
    for tenant, campaign in campaigns.values():
        assert tenant.proof(campaign, stack).faults == []


@pytest.mark.full
def test_four_dialers_keep_to_600_calls_a_minute_and_use_them(make_stack: StackMaker, judge: Judge) -> None:
    nodes = SimulatorOptions(speed=2.0, cps=NODE_CPS, arguments=("--sps", str(NODE_SESSIONS_PER_SECOND)))
    stack = make_stack(dialers=4, simulator=nodes)
    tenant = new_tenant(stack, limits={"calls_per_minute": 600, "concurrent_max": 40})
    campaigns = [start(stack, tenant, 1200, max_concurrent_calls=20) for _ in range(2)]
    until = time.monotonic() + LONG_SECONDS
    polled(lambda: time.monotonic() > until, "the time in which calls are counted", seconds=LONG_SECONDS + 5)
    for campaign in campaigns:
        tenant.act(campaign, "stop")
        tenant.wait_idle(campaign)

    view = seen(stack)
    times = [line.t for line in view.originates]
    used = len(first_seconds(view.originates, LONG_SECONDS))
    peaks = [peak_of(view, of_campaign(view, campaign)) for campaign in campaigns]
    busiest, live = window_peak(times, 60 - TOLERANCE), peak_of(view, view.originates)
    dialers = {line.dialer for line in view.originates}
    print(f"{used} calls in {LONG_SECONDS:.0f} s, at most {busiest} in a minute and {live} ({peaks}) at once")
    assert busiest <= 600
    judge.at_least(used, USED * 10 * LONG_SECONDS, f"calls in {LONG_SECONDS:.0f} s at 600 a minute")
    assert live <= 40
    assert max(peaks) <= 20
    assert len(dialers) == 4
    for campaign in campaigns:
        assert tenant.proof(campaign, stack).faults == []
