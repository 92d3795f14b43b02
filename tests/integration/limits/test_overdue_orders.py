"""What a node carries out late has its place in the second in which it does, at every gateway that it leaves by."""

from __future__ import annotations

import math
import random
from bisect import bisect_left

import pytest

from limits.caps import POSTPONED_SECONDS, GatewayCaps, NodeCaps
from limits.limiter import Permit, Usage
from tests.integration.limits.limiter_rig import NOON, OPEN_NODES, Clock, Dialer, words

STEP = 0.02
NOTICED = 0.27
"""Seconds after which a node that leaves an order unanswered is offered no more, and what it owes is postponed."""
AGAIN = 0.1
HORIZON = 0.1
STILL, GONE_ON = "fs1", "fs2"
NODES = [NodeCaps(STILL, None, None), NodeCaps(GONE_ON, None, None)]


def fullest(times: list[float]) -> int:
    """The most within any second."""
    return max(bisect_left(times, t + 1.0 - 1e-6) - index for index, t in enumerate(times))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("still", [0.3, 0.6, 1.5, 4.0])
def test_a_gateway_sees_no_call_too_many_when_a_node_goes_on_after_a_stand(
    timed_dialer: Dialer, virtual_clock: Clock, seed: int, still: float
) -> None:
    draw = random.Random(seed)
    limit = draw.choice([3, 5, 20, 40])
    began, number = 1.5, 0
    carried_out: list[float] = []
    owed: dict[str, float] = {}
    postponed_at = -1.0
    t = 0.0
    while t < began + still + 2.5:
        stands = began <= t < began + still
        noticed = stands and bool(owed) and t >= min(owed.values()) + NOTICED
        if not stands:
            carried_out += [max(t, turn) for turn in owed.values()]
            owed.clear()
        if noticed and t >= postponed_at + AGAIN:
            timed_dialer.limiter.postpone(list(owed))
            postponed_at = t
        nodes = NODES[1:] if noticed else draw.sample(NODES, 2)
        names = [f"{number + n}" for n in range(draw.randint(1, 4))]
        number += len(names)
        answers = timed_dialer.ask(
            *names, gateway=GatewayCaps("gw", limit, None), nodes=nodes, horizon=HORIZON
        )
        turns = timed_dialer.turns("gateway", "gw")
        for permit in answers:
            if isinstance(permit, Permit):
                turn = (turns[permit.call_id] - NOON) / 1e6
                if permit.node == STILL and began <= turn < began + still:
                    owed[permit.call_id] = turn
                else:
                    carried_out.append(turn)
        t += STEP
        virtual_clock.advance(STEP)
    # What was sent before anybody could notice comes with what was due then, where the stand was hardly longer.
    allowed = limit if still >= 1.5 else limit + math.ceil((NOTICED + HORIZON) * limit)
    assert fullest(sorted(carried_out)) <= allowed
    late = [at for at in carried_out if began + still <= at < began + still + 1.0]
    assert late, "nothing was carried out then: nothing was proven"


def test_a_postponed_order_counts_until_its_window_has_passed_since_it_was_said_last(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    one = GatewayCaps("gw", 1, None)
    timed_dialer.ask("owed", gateway=one)
    for _ in range(3):
        virtual_clock.advance(0.9)
        timed_dialer.limiter.postpone(["owed", "unknown"])
    said = NOON + 2_700_000
    assert timed_dialer.turns("gateway", "gw") == {
        "owed": said + round(POSTPONED_SECONDS * 1e6),
        "owed:owed": said,
    }
    virtual_clock.advance(1.2)
    assert words(timed_dialer.ask("next", gateway=one)) == ["gateway_cps"]
    virtual_clock.advance(0.05)
    assert words(timed_dialer.ask("next", gateway=one)) == ["fs1"]


def test_an_order_that_is_over_is_not_postponed(timed_dialer: Dialer, virtual_clock: Clock) -> None:
    timed_dialer.ask("over")
    timed_dialer.end("over")
    virtual_clock.advance(0.9)
    timed_dialer.limiter.postpone(["over"])
    assert timed_dialer.turns("node", OPEN_NODES[0].name) == {"over": NOON}
    assert timed_dialer.limiter.usage("t") == Usage(0, 1, 1, 0)
