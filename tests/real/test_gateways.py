"""Gateways on real nodes: who calls, as the called party sees it, and what is sent again by the next gateway.

What reached the called party is told by SIPp's log. The nodes' gateway needs `caller-id-in-from`, as ours in
`freeswitch/conf/gateway.xml` has it.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from local.stack import Stack
from tests.e2e.rig import Tenant, new_tenant, numbers, polled
from tests.real.carrier import Carrier
from tests.real.test_outcomes import dialled

pytestmark = pytest.mark.real

REFUSES_SECONDS = 25.0
PROBE_SECONDS = 60.0
IN_A_ROW = 5
"""Refusals that pause a gateway."""
QUIET_PARTIES = ("01", "03")
PROVES = ("5403020", "5503020", "5500020", "5502020", "5438020")
"""403, 503, 500, 502 and 438 at once."""
PROVES_NOT = (
    "5408020",
    "5504020",
    "5480020",
    "5487020",
    "5486020",
    "5404020",
    "5603020",
    "5503021",
    "5500022",
)
"""Timers, a person, a number; and 503 after a 180, 500 after a 183."""


def caller_of(tenant: Tenant) -> str:
    (number,) = tenant.api.get("/api/v1/phone-numbers")["phone_numbers"]
    return str(number["e164"])


@pytest.mark.parametrize("form", ["e164", "digits"])
@pytest.mark.parametrize("header", ["from", "pai", "rpid"])
def test_the_called_party_sees_the_caller_where_the_gateway_says(
    stack: Stack, carrier: Carrier, header: str, form: str
) -> None:
    tenant = new_tenant(stack, gateway={"caller_id_header": header, "caller_id_format": form})
    called = numbers(*QUIET_PARTIES, count=4)
    calls = dialled(tenant, called)
    caller = caller_of(tenant)
    shown = caller.removeprefix("+") if form == "digits" else caller
    seen = {(m.caller, m.asserted, m.remote_party) for m in carrier.invites(called)}
    assert seen == {(shown, shown if header == "pai" else "", shown if header == "rpid" else "")}
    assert {call["caller_id"] for call in calls} == {caller}


@pytest.fixture
def failing_over(stack: Stack) -> Tenant:
    """A tenant whose gateway has a second one behind it: there, whoever is called answers."""
    # The called party goes by the end of what is dialled: 10 rings and answers.
    behind = new_tenant(stack, gateway={"dial_string": "sofia/gateway/carrier/{digits}10"})
    (number,) = behind.api.get("/api/v1/phone-numbers")["phone_numbers"]
    return new_tenant(stack, gateway={"failover": [number["gateway_id"]]})


def ending(tail: str) -> str:
    """A number of nobody else's that ends so: the called party then gives the final response in it."""
    return numbers("00", count=1)[0][: -len(tail)] + tail


def sends(calls: list[dict[str, Any]], number: str) -> list[dict[str, Any]]:
    return sorted(
        (call for call in calls if call["phone_number"] == number), key=lambda call: int(call["seq"])
    )


def test_only_a_refusal_that_proves_that_nobody_was_reached_is_sent_by_the_next_gateway(
    failing_over: Tenant, carrier: Carrier
) -> None:
    proving, not_proving = [ending(tail) for tail in PROVES], [ending(tail) for tail in PROVES_NOT]
    calls = dialled(failing_over, [*proving, *not_proving])
    for number in proving:
        first, second = sends(calls, number)
        assert (first["failover"], first["attempt"], second["attempt"]) == (True, None, 1), number
        assert (second["disposition"], second["failover"]) == ("answered", False)
        assert first["gateway_id"] != second["gateway_id"]
    for number in not_proving:
        assert {call["failover"] for call in sends(calls, number)} == {False}, number
    again = [number.removeprefix("+") + "10" for number in [*proving, *not_proving]]
    invited = Counter(m.number for m in carrier.invites([*proving, *not_proving, *again]))
    assert {number for number in again if invited[number]} == {n.removeprefix("+") + "10" for n in proving}
    assert set(invited.values()) == {1}


def test_a_carrier_that_refuses_everything_is_paused_at_nobodys_cost_until_a_probe_gets_through(
    stack: Stack, carrier: Carrier
) -> None:
    tenant = new_tenant(stack, gateway={"cps": 10})
    refused, answers = numbers("04", count=30), numbers("10", count=5)
    campaign = tenant.campaign(refused, max_concurrent_calls=30, retries_per_contact=0)
    began = time.monotonic()
    tenant.act(campaign, "start")
    polled(lambda: tenant.get(campaign)["blocked_reason"] == "gateway_paused", "the pause")
    polled(lambda: time.monotonic() > began + REFUSES_SECONDS, "the time in which it refuses", seconds=40)
    gateway = tenant.api.get(f"/api/v1/gateways/{tenant.gateway_id}")
    assert gateway["paused_at"] is not None
    assert gateway["paused_reason"].startswith("503 ")
    tenant.wait_idle(campaign)
    sent = len(carrier.invites(refused))
    assert IN_A_ROW <= sent < len(refused), "what pauses it, and what was on its way meanwhile"
    tenant.act(campaign, "pause")
    contacts = list(tenant.api.every(f"/api/v1/campaigns/{campaign}/contacts", "contacts"))
    assert {(contact["status"], contact["attempts"]) for contact in contacts} == {("pending", 0)}
    # Whoever is called next is the probe: it gets through.
    well = tenant.campaign(answers, max_concurrent_calls=5, retries_per_contact=0)
    tenant.act(well, "start")
    tenant.wait_over(well, 90)
    assert tenant.api.get(f"/api/v1/gateways/{tenant.gateway_id}")["paused_at"] is None
    first, second = sorted(message.t for message in carrier.invites(answers))[:2]
    paused = datetime.fromisoformat(gateway["paused_at"]).timestamp()
    assert first - paused >= PROBE_SECONDS - 1
    assert second > first, "one call is the probe"
    assert len(carrier.invites(answers)) == len(answers)
    tenant.act(campaign, "stop")
    tenant.wait_over(campaign)
    contacts = list(tenant.api.every(f"/api/v1/campaigns/{campaign}/contacts", "contacts"))
    assert {(contact["status"], contact["attempts"]) for contact in contacts} == {("cancelled", 0)}
    print(
        f"503 for everything, {REFUSES_SECONDS:.0f} s: {sent} INVITEs, 0 of {len(refused)} contacts charged"
    )
