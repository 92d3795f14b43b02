"""Nobody is called twice and nobody is lost: the switches' own ledgers against the call records."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from local.api_client import ApiClient
from local.demo import collect, create, dial, watch
from local.stack import Stack
from tests.e2e.conftest import client_of
from tests.e2e.rig import PARK, dialer_ids_of, new_tenant, numbers, polled
from tests.judging import Judge

ADOPTED_SECONDS = 15.0
LATE_SECONDS = 5.0
"""For a machine that is busy with other things."""
RUNS = 3
COMPLETED = 600
"""Of the demo's list, so many at the least are reached."""
STAYING = 20
OPEN_CALLS = "SELECT count(*) FROM call WHERE dialer_id = ANY(%s) AND state <> 'ended'"


def settled(client: ApiClient, campaign_id: str) -> dict[str, Any]:
    counts: dict[str, Any] = client.get(f"/api/v1/campaigns/{campaign_id}")["counts"]
    return counts


def calls_of(stack: Stack, dialer_ids: set[str]) -> int:
    """The calls in flight that are this dialer's to settle, under any of its names."""
    with psycopg.connect(stack.database_url) as connection:
        found = connection.execute(OPEN_CALLS, (list(dialer_ids),)).fetchone()
    return found[0] if found else 0


@contextmanager
def staying_calls(stack: Stack) -> Iterator[None]:
    """Calls that are up for as long as the block runs, however late it comes to strike, and settled at its end."""
    tenant = new_tenant(stack, action=PARK, agent={"max_call_seconds": 14_400})
    campaign = tenant.campaign(numbers("07", count=STAYING), max_concurrent_calls=STAYING)
    tenant.act(campaign, "start")
    polled(lambda: tenant.get(campaign)["counts"]["connected"] == STAYING, "calls that stay")
    yield
    assert tenant.get(campaign)["counts"]["connected"] == STAYING
    tenant.act(campaign, "stop?hangup=true")
    tenant.wait_over(campaign)
    assert tenant.get(campaign)["counts"]["completed"] == STAYING
    assert tenant.proof(campaign, stack).faults == []


def check_ten_outcomes(calls: list[dict[str, Any]]) -> None:
    found = Counter(call["disposition"] for call in calls)
    for disposition in ("answered", "busy", "no_answer", "unreachable", "invalid", "congestion", "rejected"):
        assert found[disposition] > 0, disposition


@pytest.mark.full
def test_the_ledgers_agree_with_the_records_of_demo_runs(
    stack: Stack, client: ApiClient, judge: Judge
) -> None:
    """A fresh clone dials a part of the same list by default; all of it with a dialer that ends is below."""
    seconds = []
    for _ in range(RUNS):
        outcome = dial(client, [node.ledger for node in stack.nodes], show=False)
        seconds.append(outcome.seconds)
        assert outcome.proof.faults == []
        assert outcome.proof.originates >= 1000
        assert outcome.campaign["end_reason"] == "exhausted"
        assert outcome.campaign["counts"]["completed"] >= COMPLETED
        check_ten_outcomes(outcome.calls)
    # What else the machine does meanwhile may cost one of them its time.
    judge.at_most(min(seconds), 60, "seconds of a demo")


@pytest.mark.parametrize("run", [1, *(pytest.param(n, marks=pytest.mark.full) for n in (4, 7, 10))])
def test_the_ledgers_agree_after_a_dialer_was_killed(stack: Stack, run: int, judge: Judge) -> None:
    client = client_of(stack)
    campaign = create(client)
    with staying_calls(stack):
        client.post(f"/api/v1/campaigns/{campaign['id']}/start")
        polled(lambda: settled(client, campaign["id"])["completed"] >= 60 * run, "a part of the campaign")
        names = (f"dialer.{1 + run % 2}", f"dialer.{2 - run % 2}")
        dialer_ids = {name: dialer_ids_of(stack, stack.pids[name]) for name in names}
        name = next(name for name in names if calls_of(stack, dialer_ids[name]) > 0)
        victim = stack.pids[name]
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        polled(lambda: calls_of(stack, dialer_ids[name]) == 0, "a successor")
        judge.at_most(
            time.monotonic() - killed,
            ADOPTED_SECONDS + LATE_SECONDS,
            "seconds until a successor has its calls",
        )
        watch(client, campaign["id"], show=False)
    done, calls, proof = collect(client, campaign["id"], [node.ledger for node in stack.nodes])
    assert proof.faults == []
    # What ended before its successor listened is told by the nodes' own records.
    assert [call for call in calls if call["disposition"] == "outcome_unknown"] == []
    answered = [call for call in calls if call["disposition"] == "answered"]
    assert all(call["billsec"] is not None and call["duration_ms"] for call in answered)
    assert done["end_reason"] == "exhausted"
    polled(lambda: stack.pids.get(name) not in (None, victim), "another process in its place")


@pytest.mark.full
def test_a_dialer_that_is_asked_to_end_hands_its_calls_over_and_misses_nothing(
    stack: Stack,
) -> None:
    client = client_of(stack)
    campaign = create(client)
    with staying_calls(stack):
        client.post(f"/api/v1/campaigns/{campaign['id']}/start")
        for name in ("dialer.1", "dialer.2"):
            until = min(settled(client, campaign["id"])["completed"] + 60, COMPLETED)
            polled(lambda: settled(client, campaign["id"])["completed"] >= until, "progress")  # noqa: B023
            pid = stack.pids[name]
            os.kill(pid, signal.SIGTERM)
            polled(lambda: stack.pids.get(name) not in (None, pid), "the dialer's end and new start")  # noqa: B023
        watch(client, campaign["id"], show=False)
    done, calls, proof = collect(client, campaign["id"], [node.ledger for node in stack.nodes])
    assert proof.faults == []
    assert proof.originates >= 1000
    assert done["end_reason"] == "exhausted"
    assert done["counts"]["completed"] >= COMPLETED
    check_ten_outcomes(calls)
    assert [call for call in calls if call["disposition"] == "outcome_unknown"] == []
