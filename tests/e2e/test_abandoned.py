"""Whoever no agent joins in time is let go with a message by the node itself, and counted as abandoned."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from local.stack import Stack
from tests.e2e.rig import Tenant, Witness, new_tenant, numbers

SORRY = "Sorry, we had nobody for you."


def desk(stack: Stack, number: str, message: Mapping[str, object] | None = None) -> Tenant:
    """A tenant whose agent bridges to this number of its own gateway; who finds nobody there hears the message."""
    tenant = new_tenant(stack)
    (gateway,) = (
        item
        for item in tenant.api.get("/api/v1/gateways?limit=1000")["gateways"]
        if item["name"] == tenant.id
    )
    tenant.api.patch(f"/api/v1/tenants/{tenant.id}", {"gateway_ids": [gateway["id"]]})
    action = {"type": "bridge", "gateway_id": gateway["id"], "number": number}
    tenant.api.patch(f"/api/v1/agents/{tenant.agent_id}", {"action": action, "safe_harbour": message})
    return tenant


@pytest.mark.full
def test_calls_that_nobody_joins_are_abandoned_and_those_that_somebody_joins_are_not(stack: Stack) -> None:
    for ending, disposition in (("02", "abandoned"), ("10", "answered")):
        (agent,) = numbers(ending, count=1)
        tenant = desk(stack, agent, {"say": SORRY})
        with Witness(stack) as witness:
            campaign = tenant.campaign(numbers("07", count=3), retries_per_contact=2)
            tenant.act(campaign, "start")
            tenant.wait_over(campaign)
            calls = tenant.api.get(f"/api/v1/calls?campaign_id={campaign}&disposition={disposition}")["calls"]
            witness.wait_ends(call["id"] for call in calls)
        assert len(calls) == 3
        assert all((call["attempt"], call["hung_up_by"]) == (1, "us") for call in calls)
        assert tenant.get(campaign)["counts"]["completed"] == 3
        contacts = tenant.api.get(f"/api/v1/campaigns/{campaign}/contacts")["contacts"]
        assert {contact["disposition"] for contact in contacts} == {disposition}
        heard = [("speak", f"flite|slt|{SORRY}") in witness.executed[call["id"]] for call in calls]
        assert heard == [disposition == "abandoned"] * 3
        assert tenant.proof(campaign, stack).faults == []
