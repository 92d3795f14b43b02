"""The agent's leg is a call of its gateway like any other: its channels, its rate and its prefixes hold.

A gateway of one call a second, one channel and the prefix +1 carried 12 bridged legs to +44 in 2.5 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from local.api_client import ApiFailedError
from local.stack import Stack
from simulator.ledger import LedgerView, Originate, window_peak
from tests.e2e.rig import Tenant, left_in_redis, new_tenant, numbers, polled, seen
from tests.judging import Judge

SORRY = {"say": "All our lines are taken."}
STAYS, HANGS_UP = "07", "10"
DISPOSITIONS = {"answered", "abandoned"}


def bridging(
    stack: Stack,
    gateway: dict[str, Any] | None,
    agent: str,
    *,
    message: dict[str, Any] | None = SORRY,
    **own: Any,
) -> tuple[Tenant, str]:
    """A tenant whose agent is reached at this number by a gateway of its own, or by that of its calls, which is as
    `own` says; and what the ledgers call it. Who is not joined hears the message."""
    tenant = new_tenant(stack, gateway={"dial_string": "sofia/gateway/out/{number}", **own})
    name, desk = "out", tenant.gateway_id
    if gateway is not None:
        name = f"desk-{tenant.id}"
        body = {"name": name, "dial_string": f"sofia/gateway/{name}/{{number}}", **gateway}
        desk = tenant.api.post("/api/v1/gateways", body)["id"]
    tenant.api.patch(f"/api/v1/tenants/{tenant.id}", {"gateway_ids": [desk]})
    action = {"type": "bridge", "gateway_id": desk, "number": agent}
    tenant.api.patch(f"/api/v1/agents/{tenant.agent_id}", {"action": action, "safe_harbour": message})
    return tenant, name


def dialled(stack: Stack, tenant: Tenant, count: int, ending: str = STAYS) -> str:
    """A campaign to so many people, each of whom answers, as it has ended."""
    called = numbers(ending, count=count)
    campaign = tenant.campaign(called, max_concurrent_calls=count)
    tenant.act(campaign, "start")
    tenant.wait_over(campaign)
    polled(lambda: not left_in_redis(stack, tenant.id), "the return of what it held")
    return campaign


def legs_of(view: LedgerView, campaign: str) -> list[Originate]:
    """The second legs of a campaign's calls."""
    return [leg for leg in view.legs if leg.campaign == campaign]


def most_at_once(view: LedgerView, lines: Sequence[Originate]) -> int:
    """The most of these legs, first or second ones, up at any moment."""
    ends = view.ends() | view.leg_ends
    changes = sorted(change for line in lines for change in ((line.t, 1), (ends[line.uuid].t, -1)))
    up, most = 0, 0
    for _, change in changes:
        up += change
        most = max(most, up)
    return most


def outcomes(tenant: Tenant, campaign: str) -> Counter[str]:
    """How often the campaign's contacts ended so."""
    contacts = tenant.api.get(f"/api/v1/campaigns/{campaign}/contacts?limit=1000")["contacts"]
    return Counter(contact["disposition"] for contact in contacts)


def test_one_call_a_second_and_one_channel_are_not_exceeded_by_second_legs(stack: Stack) -> None:
    (agent,) = numbers(HANGS_UP, count=1)
    narrow = {"cps": 1, "channels": 1, "prefixes": ["+1"]}
    tenant, desk = bridging(stack, narrow, agent)
    action = tenant.api.get(f"/api/v1/agents/{tenant.agent_id}")["action"] | {"number": "+442079460123"}
    with pytest.raises(ApiFailedError, match="carries"):
        tenant.api.patch(f"/api/v1/agents/{tenant.agent_id}", {"action": action})
    campaign = dialled(stack, tenant, 6)
    view = seen(stack)
    legs = legs_of(view, campaign)
    assert legs, "nobody was connected"
    assert {(leg.gateway, leg.number) for leg in legs} == {(desk, agent)}
    assert len({leg.node for leg in legs}) == 1, "one call a second is one node's"
    assert most_at_once(view, legs) == 1
    assert window_peak([leg.t for leg in legs], 1.0) == 1
    found = outcomes(tenant, campaign)
    assert found.keys() <= DISPOSITIONS
    assert (found["answered"], found.total()) == (len(legs), 6)
    assert tenant.proof(campaign, stack).faults == []


def test_no_first_leg_is_sent_whose_second_leg_would_find_no_channel(stack: Stack, judge: Judge) -> None:
    (agent,) = numbers(HANGS_UP, count=1)
    tenant, _ = bridging(stack, {"channels": 2}, agent)
    campaign = dialled(stack, tenant, 8)
    view = seen(stack)
    first = [line for line in view.accepted if line.campaign == campaign]
    assert most_at_once(view, legs_of(view, campaign)) <= 2
    most = most_at_once(view, first)
    assert most <= 2, "a channel is held from before the first leg on"
    judge.at_least(most, 2, "calls at once with two channels")
    assert outcomes(tenant, campaign) == {"answered": 8}


def test_over_its_rate_the_message_is_heard_and_whoever_is_within_it_is_connected(
    stack: Stack, judge: Judge
) -> None:
    (agent,) = numbers(STAYS, count=1)
    tenant, _ = bridging(stack, {"cps": 4}, agent)
    tenant.api.patch(f"/api/v1/agents/{tenant.agent_id}", {"max_call_seconds": 10})
    campaign = dialled(stack, tenant, 24)
    legs = legs_of(seen(stack), campaign)
    found = outcomes(tenant, campaign)
    assert found.keys() <= DISPOSITIONS, found
    judge.at_least(
        found["abandoned"], 1, "people who heard the message, since they answered faster than the rate"
    )
    assert (found["answered"], found.total()) == (len(legs), 24)
    assert window_peak([leg.t for leg in legs], 1.0) <= 4
    assert tenant.proof(campaign, stack).faults == []


@pytest.mark.parametrize("channels", [3, 5])
def test_a_call_whose_both_legs_leave_by_one_gateway_needs_two_of_its_channels(
    stack: Stack, judge: Judge, channels: int
) -> None:
    (agent,) = numbers(HANGS_UP, count=1)
    tenant, name = bridging(stack, None, agent, channels=channels, cps=8)
    campaign = dialled(stack, tenant, 8)
    view = seen(stack)
    first = [line for line in view.accepted if line.campaign == campaign]
    assert {line.gateway for line in [*first, *legs_of(view, campaign)]} == {name}
    most = most_at_once(view, first)
    assert most <= channels // 2
    judge.at_least(most, channels // 2, f"calls at once with {channels} channels")
    assert most_at_once(view, [*first, *legs_of(view, campaign)]) <= channels
    assert window_peak([line.t for line in [*first, *legs_of(view, campaign)]], 0.95) <= 8


def test_a_call_that_would_need_more_channels_than_there_are_says_so(stack: Stack) -> None:
    (agent,) = numbers(HANGS_UP, count=1)
    tenant, _ = bridging(stack, None, agent, channels=1)
    campaign = tenant.campaign(numbers(STAYS, count=1))
    tenant.act(campaign, "start")
    polled(lambda: tenant.get(campaign)["blocked_reason"] == "gateway_channels", "the reason")
    tenant.act(campaign, "stop")
    assert not [line for line in seen(stack).originates if line.campaign == campaign]
