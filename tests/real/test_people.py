"""When somebody may be called, whether, and how often, on real nodes: judged by what reached the called party."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from local.stack import Stack
from tests.e2e.rig import Tenant, new_tenant, numbers, polled
from tests.real.carrier import Carrier
from tests.real.test_campaigns import MIX, ON_ITS_WAY_SECONDS, compare, open_at
from tests.waiting import wait_until

pytestmark = pytest.mark.real

CLOSED_SECONDS = 1.0
"""How long after a window's end, or the answer to a suppression, an INVITE may still be on its way."""
QUIET_SECONDS = 3.0
LEAST_OPEN_SECONDS = 12.0
ALL_DAY = [{"from": "00:00", "to": "24:00"}]


def in_utc(tenant: Tenant, called: Sequence[str], windows: object, **fields: object) -> str:
    """A campaign whose contacts all live by UTC, whatever their numbers say."""
    rows = "\n".join(["phone_number,time_zone", *(f"{number},Etc/UTC" for number in called)])
    given = {"max_concurrent_calls": 60, "retries_per_contact": 0, "time_zone": "Etc/UTC"} | fields
    return tenant.upload(rows.encode(), windows=json.dumps(windows), **given)


def next_minute(least: float) -> datetime:
    """The first minute that begins in at least so many seconds."""
    soon = datetime.now(UTC) + timedelta(seconds=least + 60)
    return soon.replace(second=0, microsecond=0)


def quiet(since: float) -> None:
    polled(lambda: time.time() > since + QUIET_SECONDS, "some time in which nothing may leave", seconds=300)


def test_once_a_window_has_closed_no_invite_reaches_anybody_and_calls_in_progress_go_on(
    stack: Stack, carrier: Carrier
) -> None:
    tenant = new_tenant(stack)
    called = numbers(*MIX, "07", count=3000)
    closes = next_minute(LEAST_OPEN_SECONDS)
    campaign = in_utc(tenant, called, [{"from": "00:00", "to": closes.strftime("%H:%M")}])
    tenant.exempt(campaign)
    tenant.act(campaign, "start")
    tenant.wait_touched(campaign, 80)
    quiet(closes.timestamp())
    invited = [message.t - closes.timestamp() for message in carrier.invites(called)]
    assert 80 <= len(invited) < len(called), "it was to close in the middle of the list"
    assert [late for late in invited if late > CLOSED_SECONDS] == []
    assert max(invited) > -CLOSED_SECONDS, "it was dialled until then"
    assert open_at(carrier, called), "who was talking goes on talking"
    shown = tenant.get(campaign)
    assert (shown["status"], shown["blocked_reason"]) == ("running", "window")
    assert shown["next_action_at"] == f"{closes.date() + timedelta(days=1)}T00:00:00.000Z"
    print(f"{len(invited)} INVITEs, the last {max(invited):+.3f} s from the end of the window")
    tenant.act(campaign, "stop?hangup=true")
    tenant.wait_over(campaign)
    compare(tenant, campaign, carrier)


def test_once_a_narrower_window_is_answered_no_invite_reaches_anybody(stack: Stack, carrier: Carrier) -> None:
    tenant = new_tenant(stack)
    called = numbers("10", "01", count=600)
    campaign = in_utc(tenant, called, ALL_DAY)
    tenant.exempt(campaign)
    tenant.act(campaign, "start")
    tenant.wait_touched(campaign, 80)
    tenant.api.patch(f"/api/v1/campaigns/{campaign}", {"windows": [{"from": "00:00", "to": "00:01"}]})
    answered = time.time()
    quiet(answered)
    late = [m.t - answered for m in carrier.invites(called) if m.t > answered + ON_ITS_WAY_SECONDS]
    assert late == []
    tenant.act(campaign, "stop?hangup=true")
    tenant.wait_over(campaign)
    compare(tenant, campaign, carrier)


def test_once_a_suppression_is_answered_nobody_of_it_is_called(stack: Stack, carrier: Carrier) -> None:
    tenant = new_tenant(stack)
    called = numbers("10", "01", count=600)
    campaign = in_utc(tenant, called, ALL_DAY)
    tenant.exempt(campaign)
    tenant.act(campaign, "start")
    tenant.wait_touched(campaign, 80)
    # Half of who is left, as single numbers, from whoever is next on.
    asked = called[1::2]
    answered: dict[str, float] = {}
    for number in asked:
        tenant.own.post("/api/v1/suppressions", {"number": number, "source": "phone"})
        answered[number] = time.time()
    tenant.wait_over(campaign)
    invited = {message.number: message.t for message in carrier.invites(called)}
    late = [invited[n] - answered[n] for n in asked if n in invited and invited[n] > answered[n]]
    assert [seconds for seconds in late if seconds > CLOSED_SECONDS] == []
    contacts = tenant.api.every(f"/api/v1/campaigns/{campaign}/contacts", "contacts")
    became = Counter(
        (contact["status"], contact["disposition"])
        for contact in contacts
        if contact["phone_number"] in answered and contact["phone_number"] not in invited
    )
    assert set(became) == {("cancelled", "suppressed")}
    assert set(called[0::2]) <= invited.keys(), "who was not suppressed is called"
    print(f"{became.total()} of {len(asked)} suppressed in time, {len(late)} INVITEs after an answer: {late}")
    compare(tenant, campaign, carrier)


def test_a_number_that_may_be_called_once_a_day_is_invited_once_by_two_campaigns(
    stack: Stack, carrier: Carrier
) -> None:
    tenant = new_tenant(stack)
    limits = tenant.api.get("/api/v1/call-limits")
    caps = {
        name: limits[name]
        for name in ("concurrent_max", "calls_per_minute", "daily_calls_max", "daily_minutes_max")
    }
    tenant.api.put("/api/v1/call-limits", caps | {"number_calls_24h": 1})
    # Of these some never ring, and may be called again.
    rings = numbers("10", "12", count=60)
    campaigns = [in_utc(tenant, rings, ALL_DAY) for _ in range(2)]
    for campaign in campaigns:
        tenant.exempt(campaign)
        tenant.act(campaign, "start")
    wait_until(lambda: len(carrier.invites(rings)) >= len(rings), what="a call to each")
    wait_until(
        lambda: not any(tenant.in_flight(campaign) for campaign in campaigns), what="the end of the calls"
    )
    # One of them has a contact left at least: half of the numbers were called by the other.
    wait_until(
        lambda: "number_cap" in [tenant.get(campaign)["blocked_reason"] for campaign in campaigns], what="why"
    )
    quiet(time.time())
    invited = Counter(message.number for message in carrier.invites(rings))
    assert invited == Counter(dict.fromkeys(rings, 1))
    for campaign in campaigns:
        if tenant.get(campaign)["status"] == "running":
            tenant.act(campaign, "stop")
