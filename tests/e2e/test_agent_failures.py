"""An agent that cannot run is nobody's attempt, holds its campaign, and goes on when the nodes can run it."""

from __future__ import annotations

from typing import Any

from local.api_client import ApiFailedError
from local.stack import Stack
from settings import nodes_from
from tests.e2e.rig import Tenant, new_tenant, numbers, polled
from tests.real.machine import ask

SAY = {"type": "playback", "say": "Hello"}


def command(stack: Stack, line: str) -> None:
    for node in nodes_from(stack.environ["FREESWITCH_URLS"]):
        ask(node, line)


def test_whoever_could_not_be_spoken_to_is_called_again_once_the_nodes_have_their_voice(stack: Stack) -> None:
    tenant = new_tenant(stack, action=SAY)
    campaign = tenant.campaign(
        numbers("07", count=30), retry_delay_seconds=60, retries_per_contact=0, max_concurrent_calls=2
    )
    command(stack, "unload mod_flite")
    try:
        started = tenant.api.post(f"/api/v1/campaigns/{campaign}/start")
        assert started["status"] == "running", "nobody had asked the nodes yet"
        polled(lambda: tenant.get(campaign)["blocked_reason"] == "agent", "the hold")
        agent = tenant.api.get(f"/api/v1/agents/{tenant.agent_id}")
        assert agent["held_reason"] == "NO_SPEECH_MODULE"
        tenant.wait_idle(campaign)
        failed = calls_of(tenant, campaign, "agent_failed")
        assert 5 <= len(failed) < 30
        assert {(call["attempt"], call["cause"]) for call in failed} == {(None, "NO_SPEECH_MODULE")}
        # Nobody is called again at once, and nobody is charged.
        waiting = contacts_of(tenant, campaign, {call["contact_id"] for call in failed})
        assert {(one["status"], one["disposition"], one["attempts"]) for one in waiting} == {
            ("pending", "agent_failed", 0)
        }
        polled(lambda: refused(tenant), "what the dialers wrote of their nodes")
    finally:
        command(stack, "load mod_flite")
    polled(lambda: calls_of(tenant, campaign, "answered"), "a call that is given to the agent again")
    # A node that had its module later may have failed one more probe before.
    polled(lambda: tenant.api.get(f"/api/v1/agents/{tenant.agent_id}")["held_at"] is None, "the hold's end")
    tenant.act(campaign, "stop")
    tenant.wait_over(campaign)
    assert tenant.proof(campaign, stack).faults == []


def calls_of(tenant: Tenant, campaign: str, disposition: str) -> list[dict[str, Any]]:
    path = f"/api/v1/calls?campaign_id={campaign}&disposition={disposition}"
    found: list[dict[str, Any]] = tenant.api.get(path)["calls"]
    return found


def contacts_of(tenant: Tenant, campaign: str, ids: set[str]) -> list[dict[str, Any]]:
    found = tenant.api.get(f"/api/v1/campaigns/{campaign}/contacts")["contacts"]
    return [contact for contact in found if contact["id"] in ids]


def refused(tenant: Tenant) -> bool:
    """Whether a start is refused because no node could run the agent."""
    campaign = tenant.campaign(numbers("07", count=1))
    try:
        tenant.act(campaign, "start")
    except ApiFailedError as error:
        return "has no module mod_flite" in str(error)
    tenant.act(campaign, "stop")
    return False
