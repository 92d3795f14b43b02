"""Calls that have to end, end whenever their node can be reached; and whom that cuts off was not called."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from tests.chaos.proxy import Mode
from tests.e2e.rig import PARK, Tenant, new_tenant, numbers, polled
from tests.real.carrier import Carrier
from tests.real.conftest import real_options
from tests.real.proxied import ProxiedNodes
from tests.real.test_campaigns import ON_ITS_WAY_SECONDS, compare, open_at

pytestmark = pytest.mark.real

ANSWERED = 6
AWAY_SECONDS = 21.0
"""More than any lease lasts, and than a message is repeated for."""
BACK_SECONDS = 15.0
"""Connections are made anew within 5 s at most, and what must end is looked for every second."""
QUIET_SECONDS = 5.0
RETRY_SECONDS = 60
PARKED: dict[str, Any] = {"action": PARK, "agent": {"max_call_seconds": 3600, "ring_timeout_seconds": 60}}


@pytest.fixture
def proxied(server_home: Path, tmp_path: Path, carrier: Carrier) -> Iterator[ProxiedNodes]:
    running = ProxiedNodes(server_home / tmp_path.name, **real_options())
    with running:
        running.wait_ready()
        yield running


def ends(tenant: Tenant, campaign: str, how: str) -> list[dict[str, Any]]:
    """Have every call end, by a halt or by a stop; what the answer says is still up."""
    said = tenant.own.post("/api/v1/halt") if how == "halt" else tenant.act(campaign, "stop?hangup=true")
    still_up: list[dict[str, Any]] = said["still_up"]
    return still_up


@pytest.mark.parametrize("how", ["halt", "stop"])
def test_what_has_to_end_ends_when_the_link_that_was_cut_is_back(
    proxied: ProxiedNodes, carrier: Carrier, how: str
) -> None:
    tenant = new_tenant(proxied, **PARKED)
    called = numbers("07", count=ANSWERED)
    campaign = tenant.campaign(called, max_concurrent_calls=ANSWERED, retries_per_contact=0)
    tenant.act(campaign, "start")
    polled(lambda: tenant.get(campaign)["counts"]["connected"] == ANSWERED, "the calls up")
    for proxy in proxied.proxies.values():
        proxy.set(Mode.SHUT)
    cut = time.monotonic()
    polled(lambda: time.monotonic() > cut + 1.0, "a second without a link")
    said = ends(tenant, campaign, how)
    nodes = {node["node"] for node in said}
    assert nodes <= proxied.proxies.keys()
    assert sum(node["calls"] for node in said) == ANSWERED
    if how == "halt":
        assert tenant.own.get("/api/v1/halt")["still_up"] == said
    polled(lambda: time.monotonic() > cut + AWAY_SECONDS, "the time without a link", seconds=AWAY_SECONDS)
    assert len(open_at(carrier, called)) == ANSWERED, "somebody ended by himself: nothing is proven"
    for proxy in proxied.proxies.values():
        proxy.set(Mode.OPEN)
    back = time.time()
    polled(lambda: not open_at(carrier, called), "the end of every call", seconds=BACK_SECONDS)
    byes = [m.t - back for m in carrier.messages() if m.kind == "BYE-IN" and m.number in called]
    assert len(byes) == ANSWERED
    tenant.wait_idle(campaign)
    polled(lambda: tenant.own.get("/api/v1/halt")["still_up"] == [], "nothing up any more")
    calls = list(tenant.api.every("/api/v1/calls", "calls", campaign_id=campaign))
    told = {(call["disposition"], call["attempt"], call["hung_up_by"]) for call in calls}
    assert told == {("answered", 1, "us")}
    print(
        f"{how}: {len(byes)} of {ANSWERED} ended {min(byes):.1f} to {max(byes):.1f} s after the link was back"
    )


@pytest.mark.parametrize("how", ["halt", "stop"])
def test_whom_a_halt_or_stop_finds_ringing_was_not_called(stack: Stack, carrier: Carrier, how: str) -> None:
    tenant = new_tenant(stack, **PARKED)
    ringing, talking = numbers("02", count=6), numbers("07", count=2)
    campaign = tenant.campaign(
        [*ringing, *talking],
        max_concurrent_calls=8,
        retries_per_contact=0,
        retry_delay_seconds=RETRY_SECONDS,
    )
    tenant.act(campaign, "start")
    polled(lambda: len(carrier.invites([*ringing, *talking])) == 8, "every INVITE")
    polled(lambda: tenant.get(campaign)["counts"]["connected"] == 2, "those who talk")
    asked = time.time()
    ends(tenant, campaign, how)
    tenant.wait_idle(campaign)
    assert {m.number for m in carrier.messages() if m.kind == "CANCEL"} >= set(ringing)
    contacts = {
        c["phone_number"]: c for c in tenant.api.every(f"/api/v1/campaigns/{campaign}/contacts", "contacts")
    }
    cut_off = [contacts[number] for number in ringing]
    answered = [contacts[number] for number in talking]
    assert {(c["status"], c["attempts"]) for c in answered} == {("completed", 1)}
    assert {c["attempts"] for c in cut_off} == {0}
    if how == "stop":
        assert {c["status"] for c in cut_off} == {"cancelled"}
        tenant.wait_over(campaign)
    else:
        assert {c["status"] for c in cut_off} == {"pending"}
        due = [datetime.fromisoformat(c["next_attempt_at"]).timestamp() for c in cut_off]
        assert min(due) >= asked + RETRY_SECONDS - 1
        tenant.own.delete("/api/v1/halt")
        lifted = time.time()
        polled(lambda: time.time() > lifted + QUIET_SECONDS, "some time in which nobody may be rung again")
        tenant.act(campaign, "stop")
        tenant.wait_over(campaign)
    assert len(carrier.invites([*ringing, *talking])) == 8
    calls = compare(tenant, campaign, carrier)
    of_ringing = [call for call in calls if call["phone_number"] in ringing]
    assert {(call["disposition"], call["attempt"]) for call in of_ringing} == {(None, None)}
    assert not [m for m in carrier.invites(ringing) if m.t > asked + ON_ITS_WAY_SECONDS]
