"""Campaigns on a node that has no port for its calls, or stands still while phones ring: its own fault, nobody's
attempt, and nobody is called again before the campaign's delay."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from settings import NodeSettings
from tests.e2e.rig import Tenant, new_tenant, numbers, polled
from tests.real.carrier import Carrier
from tests.real.conftest import real_stack, shippers
from tests.real.machine import pid_of, stopped
from tests.real.test_agent_failures import FROZEN_ROUNDS, no_rtp_port, rtp_range
from tests.waiting import wait_until

pytestmark = pytest.mark.real

AT_ONCE, RINGS_FIRST, EARLY_MEDIA = "07", "00", "08"
DELAY = 3600
RING = 15
STILL_SECONDS = RING + 4.0


def of_one_node(node: NodeSettings) -> dict[str, str]:
    """The environment of a product that knows this node alone."""
    return {"FREESWITCH_URLS": f"esl://:{node.password}@{node.host}:{node.port}?name={node.name}&cps=19"}


def contacts_of(tenant: Tenant, campaign: str) -> list[dict[str, Any]]:
    return list(tenant.api.every(f"/api/v1/campaigns/{campaign}/contacts", "contacts"))


def calls_of(tenant: Tenant, campaign: str) -> list[dict[str, Any]]:
    return list(tenant.api.every("/api/v1/calls", "calls", campaign_id=campaign))


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def compare(tenant: Tenant, campaign: str, carrier: Carrier, cause: str) -> list[dict[str, Any]]:
    """Who was disturbed has used no attempt and waits for the delay; each was invited once. The calls that failed."""
    calls = calls_of(tenant, campaign)
    failed = [call for call in calls if call["disposition"] == "node_fault"]
    assert {(call["cause"], call["attempt"]) for call in failed} <= {(cause, None)}
    by_number = {contact["phone_number"]: contact for contact in contacts_of(tenant, campaign)}
    for call in failed:
        contact = by_number[call["phone_number"]]
        assert (contact["status"], contact["disposition"], contact["attempts"]) == (
            "pending",
            "node_fault",
            0,
        )
        waits = at(contact["next_attempt_at"]) - at(call["ended_at"])
        assert waits >= timedelta(seconds=DELAY) - timedelta(milliseconds=1)
    invited = Counter(message.number for message in carrier.invites(list(by_number)))
    assert set(invited.values()) == {1}
    assert set(invited) == {call["phone_number"] for call in calls}
    return failed


def test_a_node_without_ports_disturbs_few_and_the_others_are_called_once_it_has_some(
    server_home: Path, tmp_path: Path, carrier: Carrier, nodes: tuple[NodeSettings, ...]
) -> None:
    called = numbers(AT_ONCE, RINGS_FIRST, EARLY_MEDIA, count=30)
    with real_stack(server_home / tmp_path.name, more=of_one_node(nodes[0])) as stack:
        stack.wait_ready()
        tenant = new_tenant(stack, agent={"max_call_seconds": 15})
        campaign = tenant.campaign(
            called, max_concurrent_calls=4, retries_per_contact=0, retry_delay_seconds=DELAY
        )
        with no_rtp_port(*rtp_range(nodes[0])):
            tenant.act(campaign, "start")
            polled(lambda: tenant.get(campaign)["blocked_reason"] == "node_refuses", "the word", seconds=120)
            tenant.wait_idle(campaign)
            disturbed = compare(tenant, campaign, carrier, "NO_MEDIA")
        assert len(disturbed) < len(called) / 2
        polled(
            lambda: tenant.get(campaign)["counts"]["completed"] == len(called) - len(disturbed),
            "everybody else",
            seconds=300,
        )
        assert len(compare(tenant, campaign, carrier, "NO_MEDIA")) == len(disturbed)
    print(f"{len(disturbed)} of {len(called)} picked up for nothing before the node was rested")


def test_who_answered_a_frozen_node_is_charged_for_nothing_that_it_did(
    server_home: Path, tmp_path: Path, carrier: Carrier, nodes: tuple[NodeSettings, ...]
) -> None:
    pid = pid_of(nodes[0])
    told: Counter[str | None] = Counter()
    with (
        real_stack(server_home / tmp_path.name, more=of_one_node(nodes[0])) as stack,
        shippers(stack) as told_all,
    ):
        stack.wait_ready()
        tenant = new_tenant(stack, agent={"ring_timeout_seconds": RING})
        # Whether its timers or the answers come first is by chance, as whether they were there when it was stopped.
        for _ in range(FROZEN_ROUNDS):
            called = numbers(RINGS_FIRST, count=8)
            campaign = tenant.campaign(
                called, max_concurrent_calls=len(called), retries_per_contact=0, retry_delay_seconds=DELAY
            )
            tenant.act(campaign, "start")
            wait_until(lambda: carrier.invites(called), "an INVITE")  # noqa: B023
            thaw = time.monotonic() + STILL_SECONDS
            with stopped(pid):
                wait_until(lambda: time.monotonic() > thaw, "the thaw")  # noqa: B023
            wait_until(lambda: len(carrier.invites(called)) == len(called), "every INVITE")  # noqa: B023
            tenant.wait_idle(campaign)
            calls = calls_of(tenant, campaign)
            told.update(call["disposition"] for call in calls)
            charged = {call["disposition"] for call in calls if call["attempt"] is not None}
            # Without its record nobody knows of one that ended while the connection was gone.
            assert charged <= ({"answered"} if told_all else {"answered", "outcome_unknown"})
            if compare(tenant, campaign, carrier, "TIMER_RAN_LATE"):
                break
    print(f"people who answered a frozen node: {dict(told)}")
    # Also what had not left when it stopped: taken back, or refused by it.
    assert set(told) <= {"answered", "node_fault", "congestion", "outcome_unknown", None}
