"""How much of a line is used by dialers that ask ahead, among tenants whose own calls come late."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from limits.caps import CallCaps, GatewayCaps, PermitRequest, TenantCaps
from limits.limiter import EndedCall, Permit
from tests.integration.limits.limiter_rig import NOON, OPEN_NODES, OPEN_TENANT, Clock, Dialer, HookedRedis

SECOND = 1_000_000
WARM_UP, END = NOON + SECOND, NOON + 6 * SECOND
SLOW = TenantCaps(None, 60, None, None)


@dataclass(frozen=True, slots=True)
class Asks:
    """A dialer that asks every `horizon` seconds, from `first` on, for `share` of what the line carries meanwhile."""

    lead: float
    horizon: float
    first: float = 0.0
    share: float = 1.5


def turns_taken(
    client: HookedRedis, clock: Clock, gateway: GatewayCaps, askers: Sequence[Asks], slow_tenants: int
) -> list[int]:
    """The turns that all of them get within some seconds, in their order: each asks for a call of every slow tenant
    too, at any place of its batch."""
    client.flushall()
    clock.now = NOON
    clock.advance(0.0)
    dialers = [Dialer(client, f"d{n}") for n in range(len(askers))]
    dialers[0].open()
    chance, serial, turns = random.Random(1), itertools.count(), []
    tenants = {f"slow{n}": SLOW for n in range(slow_tenants)}
    due = sorted((NOON + round(asks.first * SECOND), n) for n, asks in enumerate(askers))
    while due[0][0] < END:
        clock.now, n = due.pop(0)
        clock.advance(0.0)
        asks, dialer = askers[n], dialers[n]
        calls = int((gateway.cps or 0) * asks.horizon * asks.share + chance.random())
        wanted = [("wide", OPEN_TENANT)] * calls + list(tenants.items())
        chance.shuffle(wanted)
        requests = [
            PermitRequest(
                f"{name}.{serial}", f"+{serial}", CallCaps(name, name, 10**6, caps, gateway), ["fs1"]
            )
            for (name, caps), serial in zip(wanted, serial, strict=False)
        ]
        answers = dialer.limiter.acquire(OPEN_NODES, requests, lead=asks.lead, horizon=asks.horizon)
        got = [answer.call_id for answer in answers if isinstance(answer, Permit)]
        log = dialer.turns("gateway", "gw")
        turns += [log[call_id] for call_id in got]
        dialer.limiter.release(EndedCall(call_id, "", "", "", "", 0) for call_id in got)
        due = sorted([*due, (clock.now + round(asks.horizon * SECOND), n)])
    return sorted(turns)


def used(turns: Sequence[int], cps: int) -> float:
    """The share of the line that they use, once it is running."""
    return sum(WARM_UP <= turn < END for turn in turns) / (cps * (END - WARM_UP) / SECOND)


@pytest.mark.parametrize(("lead", "horizon"), [(0.01, 0.1), (0.06, 0.15), (0.12, 0.13)])
@pytest.mark.parametrize(("cps", "slow_tenants"), [(5, 0), (5, 1), (40, 0), (40, 10), (300, 0), (300, 20)])
def test_a_line_that_is_asked_for_ahead_is_used_whoever_is_late_on_it(  # noqa: PLR0917
    client: HookedRedis, virtual_clock: Clock, cps: int, slow_tenants: int, lead: float, horizon: float
) -> None:
    turns = turns_taken(
        client, virtual_clock, GatewayCaps("gw", cps, None), [Asks(lead, horizon, share=2.0)], slow_tenants
    )
    assert used(turns, cps) >= 0.99
    assert all(later - sooner >= SECOND for sooner, later in zip(turns, turns[cps:], strict=False))
    assert min(later - sooner for sooner, later in itertools.pairwise(turns)) >= SECOND / cps - 20_001


@pytest.mark.parametrize("cps", [40, 300])
def test_what_one_dialer_books_far_ahead_leaves_the_rest_to_one_that_is_quicker(
    client: HookedRedis, virtual_clock: Clock, cps: int
) -> None:
    """Together they ask for a little more than the line carries. It used to lose a quarter of it."""
    askers = [Asks(0.01, 0.1, 0.0, 0.6), Asks(0.12, 0.13, 0.03, 0.6)]
    gateway = GatewayCaps("gw", cps, None)
    without = used(turns_taken(client, virtual_clock, gateway, askers, 0), cps)
    assert without >= 0.95
    assert used(turns_taken(client, virtual_clock, gateway, askers, 5), cps) >= without - 0.01
