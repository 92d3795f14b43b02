"""What is taken from a running campaign stops its calls as a pause does, by the switches' own ledgers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from local.stack import Stack
from tests.e2e.rig import Tenant, new_tenant, numbers, of_campaign, polled, seen
from tests.e2e.test_control import (
    CONTACTS,
    ENDINGS,
    HANGUP,
    QUIET_SECONDS,
    causes,
    goes_on_to_its_end,
    open_at,
    starts_within,
)

TRANSFER = {"type": "transfer", "extension": "100"}
CONTEXT = "phones"
"""Whose extensions a simulated node has; in `default` it has none, and an agent that cannot run is held."""
ROUNDS = 3


def caller_id(tenant: Tenant, *, given: bool) -> None:
    tenant.api.patch(f"/api/v1/phone-numbers/{tenant.number_id}", {"outbound_enabled": given})


def grant(tenant: Tenant, *, given: bool) -> None:
    tenant.api.patch(f"/api/v1/tenants/{tenant.id}", {"dialplan_context": CONTEXT if given else None})


def gateway(tenant: Tenant, *, given: bool) -> None:
    tenant.api.patch(f"/api/v1/gateways/{tenant.gateway_id}", {"outbound_enabled": given})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (caller_id, "caller_id"),
        (gateway, "gateway_paused"),
        pytest.param(grant, "agent", marks=pytest.mark.full),
    ],
)
def test_no_call_starts_between_taking_away_and_giving_back(
    stack: Stack, change: Callable[..., Any], reason: str
) -> None:
    tenant = new_tenant(stack)
    if change is grant:
        grant(tenant, given=True)
        tenant.api.patch(f"/api/v1/agents/{tenant.agent_id}", {"action": TRANSFER})
    campaign = tenant.campaign(numbers(*ENDINGS, count=CONTACTS), max_concurrent_calls=100)
    tenant.act(campaign, "start")
    without, before = [], []
    for round_ in range(1, ROUNDS + 1):
        tenant.wait_touched(campaign, 90 * round_)
        before.append(time.time())
        change(tenant, given=False)
        answered = time.time()
        polled(lambda: tenant.get(campaign)["blocked_reason"] == reason, "the reason")
        polled(lambda: time.time() > answered + QUIET_SECONDS, "time in which nothing may start")  # noqa: B023
        assert tenant.get(campaign)["status"] == "running"
        without.append((answered, time.time()))
        change(tenant, given=True)
    assert tenant.get(campaign)["counts"]["cancelled"] == 0
    goes_on_to_its_end(tenant, campaign)

    view = seen(stack)
    ours = of_campaign(view, campaign)
    assert [starts_within(ours, *span) for span in without] == [[]] * ROUNDS
    assert any(open_at(view, ours, asked) for asked in before), "no call was up: nothing was proven"
    assert HANGUP not in causes(view, ours)
    assert tenant.proof(campaign, stack).faults == []
