"""Pause, stop and halt hold for every process once they are answered, as the switches' own ledgers tell it."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import gevent
import pytest

from local.api_client import ApiFailedError
from local.stack import Stack
from simulator.ledger import LedgerView, Originate, live_calls_peak
from tests.e2e.rig import PARK, Tenant, became, dialer_ids_of, new_tenant, numbers, of_campaign, polled, seen
from tests.judging import Judge

CONTACTS = 2500
"""More than are called before a test is over, however late it acts: what ends the campaigns is a stop."""
ENDINGS = ("00", "10", "01", "08", "03")
HANGUP = "MANAGER_REQUEST"
PAUSE_SECONDS = 8.0
HANGUP_SECONDS = 5.0
LAST_END = "seconds until the end of the last call"
QUIET_SECONDS = 2.0
MORE = 60
"""Contacts that are called after the last resume."""
STUTTERS = 10
STUTTER_SECONDS = 0.1
"""Longer than a permit lives: what was claimed and is not sent by then has to ask whether it still may."""
PARKED: dict[str, Any] = {"action": PARK, "agent": {"max_call_seconds": 3600}}
"""An agent whose calls, to a callee who never hangs up, outlast every test."""

OUTLAST_SECONDS = 300
"""Of the call's own time: longer than a stop takes on a busy machine, where nobody hangs up before."""
TALK_SECONDS = 30
"""Of the call's own time, which the simulator's speed divides: long enough to fill every slot meanwhile."""


def starts_within(lines: list[Originate], began: float, ended: float = float("inf")) -> list[float]:
    """Seconds after `began` at which originates reached a switch, up to `ended`."""
    return [line.t - began for line in lines if began < line.t < ended]


def causes(view: LedgerView, lines: list[Originate]) -> set[str]:
    ends = view.ends()
    return {ends[line.uuid].cause for line in lines if line.accepted}


def open_at(view: LedgerView, lines: list[Originate], moment: float) -> list[str]:
    """The uuids of calls that were up at `moment`."""
    ends = view.ends()
    return [
        line.uuid
        for line in lines
        if line.accepted and line.t <= moment and (line.uuid not in ends or ends[line.uuid].t > moment)
    ]


def goes_on_to_its_end(tenant: Tenant, campaign_id: str) -> None:
    """Return once more contacts have been called, and everybody is settled after a stop."""
    tenant.wait_touched(campaign_id, tenant.touched(campaign_id) + MORE)
    tenant.act(campaign_id, "stop")
    tenant.wait_over(campaign_id)


def full_house(tenant: Tenant, campaign_id: str, calls: int) -> None:
    """Return once `calls` calls are answered and stay."""
    polled(lambda: tenant.get(campaign_id)["counts"]["connected"] >= calls, f"{calls} calls up")


def test_no_call_starts_between_pause_and_resume(stack: Stack) -> None:
    tenant = new_tenant(stack)
    campaign = tenant.campaign(numbers(*ENDINGS, count=CONTACTS), max_concurrent_calls=100)
    tenant.act(campaign, "start")
    pauses, paused = [], []
    for round_ in range(1, 6):
        tenant.wait_touched(campaign, 90 * round_)
        tenant.act(campaign, "pause")
        answered = time.time()
        paused.append(became(stack, campaign, "paused"))
        tenant.wait_idle(campaign)
        assert tenant.get(campaign)["status"] == "paused"
        pauses.append((answered, time.time()))
        tenant.act(campaign, "resume")
    goes_on_to_its_end(tenant, campaign)

    view = seen(stack)
    ours = of_campaign(view, campaign)
    assert [starts_within(ours, *pause) for pause in pauses] == [[]] * 5
    assert all(open_at(view, ours, moment) for moment in paused), "no call was up: nothing was proven"
    assert HANGUP not in causes(view, ours)
    assert tenant.proof(campaign, stack).faults == []


@pytest.mark.full
def test_pause_holds_for_dialers_that_it_finds_between_a_claim_and_its_originate(stack: Stack) -> None:
    tenant = new_tenant(stack)
    campaign = tenant.campaign(numbers("10", "01", "03", count=CONTACTS), max_concurrent_calls=100)
    tenant.act(campaign, "start")
    dialers = [pid for name, pid in stack.pids.items() if name.startswith("dialer.")]

    def signal_all(number: int) -> None:
        for pid in dialers:
            os.kill(pid, number)

    pauses = []
    for round_ in range(1, STUTTERS + 1):
        tenant.wait_touched(campaign, 40 * round_)
        signal_all(signal.SIGSTOP)
        waking = gevent.spawn_later(STUTTER_SECONDS, signal_all, signal.SIGCONT)
        tenant.act(campaign, "pause")
        answered = time.time()
        waking.join()
        polled(lambda: time.time() > answered + 3 * STUTTER_SECONDS, "the next resume")  # noqa: B023
        pauses.append((answered, time.time()))
        tenant.act(campaign, "resume")
    goes_on_to_its_end(tenant, campaign)

    ours = of_campaign(seen(stack), campaign)
    assert [starts_within(ours, *pause) for pause in pauses] == [[]] * STUTTERS
    assert tenant.proof(campaign, stack).faults == []


@pytest.mark.full
@pytest.mark.parametrize("victim", ["dialer.1", "dialer.2"])
def test_pause_holds_for_a_dialer_that_was_stopped_in_its_tracks(
    stack: Stack, victim: str, judge: Judge
) -> None:
    tenant = new_tenant(stack)
    campaign = tenant.campaign(numbers(*ENDINGS, count=CONTACTS), max_concurrent_calls=100)
    tenant.act(campaign, "start")
    tenant.wait_touched(campaign, 150)
    pid = stack.pids[victim]
    fenced = dialer_ids_of(stack, pid)
    os.kill(pid, signal.SIGSTOP)
    try:
        asked = time.monotonic()
        tenant.act(campaign, "pause")
        took = time.monotonic() - asked
        answered = time.time()
        polled(lambda: time.time() > answered + QUIET_SECONDS, "some time in which nothing may start")
        woken = time.time()
    finally:
        os.kill(pid, signal.SIGCONT)
    polled(lambda: dialer_ids_of(stack, pid) - fenced, "a new identity of the process that was stopped")
    back = time.time()
    tenant.wait_idle(campaign)
    resumed = time.time()
    print(
        f"pause took {took:.1f} s, the new dialer {back - woken:.1f} s, the calls' end {resumed - back:.1f} s"
    )
    tenant.act(campaign, "resume")
    goes_on_to_its_end(tenant, campaign)

    ours = of_campaign(seen(stack), campaign)
    judge.at_most(took, PAUSE_SECONDS, "seconds of a pause")
    assert starts_within(ours, answered, woken) == []
    assert len(starts_within(ours, woken, resumed)) <= 1
    assert tenant.proof(campaign, stack).faults == []


def test_stop_cancels_who_was_not_called_and_lets_calls_end_by_themselves(stack: Stack) -> None:
    agent = {"ring_timeout_seconds": 15, "max_call_seconds": OUTLAST_SECONDS}
    tenant = new_tenant(stack, action=PARK, agent=agent)
    endings = ("00", "02", "01") * 3 + ("07",)
    campaign = tenant.campaign(
        numbers(*endings, count=CONTACTS), max_concurrent_calls=60, retries_per_contact=1
    )
    tenant.act(campaign, "start")
    tenant.wait_touched(campaign, 100)
    answer = tenant.act(campaign, "stop")
    answered = time.time()
    assert (answer["status"], answer["end_reason"]) == ("completed", "stopped")
    assert answer["counts"]["pending"] == 0
    tenant.wait_idle(campaign)

    view = seen(stack)
    ours = of_campaign(view, campaign)
    # Whose call ends while the stop waits for its turn at the campaign's row is one of those who wait for a retry.
    up = open_at(view, ours, answered)
    assert starts_within(ours, answered) == []
    assert up, "no call was up: nothing was proven"
    assert HANGUP not in causes(view, ours)
    calls = {call["id"]: call for call in tenant.api.every("/api/v1/calls", "calls", campaign_id=campaign)}
    assert {calls[uuid]["disposition"] for uuid in up} <= {"answered", "no_answer", "busy"}
    assert all(calls[uuid]["ended_at"] is not None for uuid in up)
    contacts = list(tenant.api.every(f"/api/v1/campaigns/{campaign}/contacts", "contacts"))
    expected = {"answered": "completed", "no_answer": "failed", "busy": "failed"}
    last = {calls[uuid]["contact_id"]: expected[calls[uuid]["disposition"]] for uuid in up}
    assert {contact["id"]: contact["status"] for contact in contacts if contact["id"] in last} == last
    waited = [c for c in contacts if c["status"] == "cancelled" and c["attempts"] == 1]
    assert waited, "nobody was waiting for a retry: nothing was proven"
    assert tenant.get(campaign)["end_reason"] == "stopped"
    assert tenant.proof(campaign, stack).faults == []


def test_stop_with_hangup_ends_the_calls_of_that_campaign_only(stack: Stack, judge: Judge) -> None:
    tenant = new_tenant(stack, **PARKED)
    doomed = tenant.campaign(numbers("07", count=60), max_concurrent_calls=30)
    spared = tenant.campaign(numbers("07", count=20), max_concurrent_calls=10)
    for campaign, calls in ((doomed, 30), (spared, 10)):
        tenant.act(campaign, "start")
        full_house(tenant, campaign, calls)
    asked = time.time()
    tenant.act(doomed, "stop?hangup=true")
    answered = time.time()
    tenant.wait_over(doomed)

    view = seen(stack)
    ours, others = of_campaign(view, doomed), of_campaign(view, spared)
    ends = view.ends()
    assert len(open_at(view, ours, asked)) == 30
    judge.at_most(max(ends[line.uuid].t for line in ours) - asked, HANGUP_SECONDS, LAST_END)
    assert causes(view, ours) == {HANGUP}
    assert starts_within(ours, answered) == []
    assert len(open_at(view, others, time.time())) == 10
    tenant.act(spared, "stop?hangup=true")
    tenant.wait_over(spared)
    for campaign, called, total in ((doomed, 30, 60), (spared, 10, 20)):
        counts = tenant.get(campaign)["counts"]
        assert (counts["completed"], counts["cancelled"]) == (called, total - called)
        assert tenant.proof(campaign, stack).faults == []


def test_a_tenants_halt_ends_its_calls_and_no_one_elses(stack: Stack, judge: Judge) -> None:
    halted, other = new_tenant(stack, **PARKED), new_tenant(stack, **PARKED)
    campaign = halted.campaign(numbers("07", count=70), max_concurrent_calls=20)
    second = halted.campaign(numbers("07", count=5), max_concurrent_calls=5)
    elsewhere = other.campaign(numbers("07", count=20), max_concurrent_calls=10)
    halted.act(campaign, "start")
    other.act(elsewhere, "start")
    full_house(halted, campaign, 20)
    full_house(other, elsewhere, 10)
    asked = time.time()
    assert halted.own.post("/api/v1/halt")["halted"] is True
    answered = time.time()
    try:
        halted.wait_idle(campaign)
        halted.act(second, "start")
        for blocked in (campaign, second):
            polled(lambda: halted.get(blocked)["blocked_reason"] == "halted", "the reason")  # noqa: B023
            assert halted.get(blocked)["status"] == "running"
        polled(lambda: time.time() > asked + HANGUP_SECONDS, "the time in which calls end")
        assert other.own.get("/api/v1/halt")["halted"] is False
    finally:
        lifted = time.time()
        halted.own.delete("/api/v1/halt")
    full_house(halted, campaign, 20)
    full_house(halted, second, 5)

    view = seen(stack)
    ours = [line for line in view.originates if line.tenant == halted.id]
    first = open_at(view, ours, asked)
    ends = view.ends()
    assert len(first) == 20
    judge.at_most(max(ends[uuid].t for uuid in first) - asked, HANGUP_SECONDS, LAST_END)
    assert starts_within(ours, answered, lifted) == []
    assert len(open_at(view, of_campaign(view, elsewhere), time.time())) == 10
    assert not [line for line in of_campaign(view, elsewhere) if line.uuid in ends]
    for tenant, ended in ((halted, campaign), (halted, second), (other, elsewhere)):
        tenant.act(ended, "stop?hangup=true")
        tenant.wait_over(ended)
        assert tenant.proof(ended, stack).faults == []


def test_the_operators_halt_ends_everything(stack: Stack, judge: Judge) -> None:
    tenants = [new_tenant(stack, **PARKED), new_tenant(stack, **PARKED)]
    campaigns = [
        (tenant, tenant.campaign(numbers("07", count=40), max_concurrent_calls=8)) for tenant in tenants
    ]
    for tenant, campaign in campaigns:
        tenant.act(campaign, "start")
        full_house(tenant, campaign, 8)
    for ask in (tenants[0].own.post, tenants[0].own.delete):
        with pytest.raises(ApiFailedError, match=r"403 .*platform"):
            ask("/api/v1/halt", {"all": True})
    before = seen(stack)
    assert all(len(open_at(before, of_campaign(before, c), time.time())) == 8 for _, c in campaigns)
    asked = time.time()
    tenants[0].api.post("/api/v1/halt", {"all": True})
    answered = time.time()
    try:
        for tenant, campaign in campaigns:
            tenant.wait_idle(campaign)
            polled(lambda: tenant.get(campaign)["blocked_reason"] == "halted", "the reason")  # noqa: B023
        with pytest.raises(ApiFailedError, match="403"):
            tenants[1].own.delete("/api/v1/halt", {"all": True})
        tenants[1].own.delete("/api/v1/halt")
        assert tenants[1].own.get("/api/v1/halt")["halted"] is True
        polled(lambda: time.time() > asked + HANGUP_SECONDS, "the time in which calls end")
    finally:
        lifted = time.time()
        tenants[0].api.delete("/api/v1/halt", {"all": True})
    for tenant, campaign in campaigns:
        full_house(tenant, campaign, 8)

    view = seen(stack)
    ends = view.ends()
    assert starts_within(view.originates, answered, lifted) == []
    for tenant, campaign in campaigns:
        first = open_at(view, of_campaign(view, campaign), asked)
        assert len(first) == 8
        judge.at_most(max(ends[uuid].t for uuid in first) - asked, HANGUP_SECONDS, LAST_END)
        tenant.act(campaign, "stop?hangup=true")
        tenant.wait_over(campaign)
        assert tenant.proof(campaign, stack).faults == []


@pytest.mark.full
def test_two_tenants_keep_to_their_own_concurrency(stack: Stack, judge: Judge) -> None:
    talk: dict[str, Any] = {"action": PARK, "agent": {"max_call_seconds": TALK_SECONDS}}
    small = new_tenant(stack, limits={"concurrent_max": 7}, **talk)
    large = new_tenant(stack, limits={"concurrent_max": 12}, **talk)
    campaigns = [
        (small, small.campaign(numbers("07", count=28), max_concurrent_calls=7), 7),
        (large, large.campaign(numbers("07", count=48), max_concurrent_calls=12), 12),
    ]
    for tenant, campaign, _ in campaigns:
        tenant.act(campaign, "start")
    for tenant, campaign, _ in campaigns:
        tenant.wait_over(campaign)

    view = seen(stack)
    for tenant, campaign, cap in campaigns:
        ours = of_campaign(view, campaign)
        peak = live_calls_peak(view, {line.uuid for line in ours})
        assert peak <= cap
        judge.at_least(peak, cap, "calls at once of a tenant")
        assert {line.tenant for line in ours} == {tenant.id}
        assert tenant.proof(campaign, stack).faults == []
