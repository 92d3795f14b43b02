"""Nobody is called twice and nobody is lost: the switches' own ledgers against the call records."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import Any

import gevent
import psycopg
import pytest

from local.api_client import ApiClient
from local.demo import collect, create, dial, watch
from local.stack import Stack
from tests.e2e.conftest import StackMaker, client_of
from tests.e2e.rig import dialer_id_of, polled
from tests.judging import Judge
from tests.waiting import wait_until

ADOPTED_SECONDS = 15.0
LATE_SECONDS = 5.0
"""For a machine that is busy with other things."""
OPEN_CALLS = "SELECT count(*) FROM call WHERE dialer_id = %s AND state <> 'ended'"


def settled(client: ApiClient, campaign_id: str) -> dict[str, Any]:
    counts: dict[str, Any] = client.get(f"/api/v1/campaigns/{campaign_id}")["counts"]
    return counts


def calls_of(stack: Stack, dialer_id: str) -> int:
    """The calls in flight that are this dialer's to settle."""
    with psycopg.connect(stack.database_url) as connection:
        found = connection.execute(OPEN_CALLS, (dialer_id,)).fetchone()
    return found[0] if found else 0


def check_ten_outcomes(calls: list[dict[str, Any]]) -> None:
    found = Counter(call["disposition"] for call in calls)
    for disposition in ("answered", "busy", "no_answer", "unreachable", "invalid", "congestion", "rejected"):
        assert found[disposition] > 0, disposition


@pytest.mark.parametrize("runs", [1, pytest.param(7, marks=pytest.mark.full)])
def test_the_ledgers_agree_with_the_records_of_demo_runs(
    stack: Stack, client: ApiClient, runs: int, judge: Judge
) -> None:
    seconds = []
    for _ in range(runs):
        outcome = dial(client, [node.ledger for node in stack.nodes], show=False)
        seconds.append(outcome.seconds)
        assert outcome.proof.faults == []
        assert outcome.proof.originates >= 1000
        assert outcome.campaign["end_reason"] == "exhausted"
        assert outcome.campaign["counts"]["completed"] >= 600
        check_ten_outcomes(outcome.calls)
    # What else the machine does meanwhile may cost one of them its time.
    judge.at_most(min(seconds), 60, "seconds of a demo")


@pytest.mark.parametrize("run", [1, 2, *(pytest.param(n, marks=pytest.mark.full) for n in range(3, 11))])
def test_the_ledgers_agree_after_a_dialer_was_killed(make_stack: StackMaker, run: int, judge: Judge) -> None:
    stack = make_stack()
    client = client_of(stack)
    campaign = create(client)
    client.post(f"/api/v1/campaigns/{campaign['id']}/start")
    wait_until(lambda: settled(client, campaign["id"])["completed"] >= 60 * run, "a part of the campaign")
    victim = stack.pids[f"dialer.{1 + run % 2}"]
    dialer_id = dialer_id_of(stack, victim)
    os.kill(victim, signal.SIGKILL)
    assert calls_of(stack, dialer_id) > 0, "it had no call in flight: nothing was proven"
    killed = time.monotonic()
    polled(lambda: calls_of(stack, dialer_id) == 0, "a successor")
    judge.at_most(
        time.monotonic() - killed, ADOPTED_SECONDS + LATE_SECONDS, "seconds until a successor has its calls"
    )
    watch(client, campaign["id"], show=False)
    done, calls, proof = collect(client, campaign["id"], [node.ledger for node in stack.nodes])
    assert proof.faults == []
    # What ended before its successor listened is told by the nodes' own records.
    assert [call for call in calls if call["disposition"] == "outcome_unknown"] == []
    answered = [call for call in calls if call["disposition"] == "answered"]
    assert all(call["billsec"] is not None and call["duration_ms"] for call in answered)
    assert done["end_reason"] == "exhausted"
    assert stack.pids[f"dialer.{1 + run % 2}"] != victim


def test_a_dialer_that_is_asked_to_end_hands_its_calls_over_and_misses_nothing(
    make_stack: StackMaker,
) -> None:
    stack = make_stack()
    client = client_of(stack)
    campaign = create(client)
    client.post(f"/api/v1/campaigns/{campaign['id']}/start")
    for name in ("dialer.1", "dialer.2"):
        before = settled(client, campaign["id"])["completed"]
        wait_until(lambda: settled(client, campaign["id"])["completed"] >= before + 60, "progress")  # noqa: B023
        pid = stack.pids[name]
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: stack.pids.get(name) not in (None, pid), "the dialer's end and new start")  # noqa: B023
        gevent.sleep(0)
    watch(client, campaign["id"], show=False)
    _, calls, proof = collect(client, campaign["id"], [node.ledger for node in stack.nodes])
    assert proof.faults == []
    assert [call for call in calls if call["disposition"] == "outcome_unknown"] == []
