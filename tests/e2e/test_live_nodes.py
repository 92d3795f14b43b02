"""A third node is added, drained and removed while a campaign runs, and no call knows of it."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import pytest

from local.api_client import ApiFailedError
from local.demo import collect
from local.stack import Stack
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.e2e.rig import PARK, Api, ledgers, new_tenant, numbers, of_campaign, polled
from tests.judging import Judge

MOVED_SECONDS = 1.0


def test_a_node_that_comes_and_goes_under_a_campaign_takes_calls_and_loses_none(
    stack: Stack, tmp_path: Path, judge: Judge
) -> None:
    tenant = new_tenant(stack)
    operator, password = tenant.api, secrets.token_hex(8)
    campaign = tenant.campaign(numbers("00", "08", "01", count=3000), max_concurrent_calls=60)
    with SimulatedNode(speed=10, ledger=tmp_path / "ledger", password=password) as third:
        tenant.act(campaign, "start")
        tenant.wait_touched(campaign, 20)
        body = {"name": "live", "host": "127.0.0.1", "port": third.port, "password": password, "cps": 20}
        assert operator.post("/api/v1/nodes", body | {"weight": 100})["state"] == "unknown"

        def shown() -> dict[str, object]:
            return operator.get("/api/v1/nodes/live")

        polled(lambda: shown()["state"] == "up", "every link")
        polled(lambda: len(of_campaign(read_ledger(tmp_path / "ledger"), campaign)) >= 20, "calls there")
        polled(lambda: shown()["calls"] and shown()["calls_per_second"], "its calls in the answers")
        assert password not in str(shown())
        staying = {"name": "staying", "action": PARK, "max_call_seconds": 14_400}
        agent_id = operator.post("/api/v1/agents", staying)["id"]
        parked: list[str] = []

        def stays() -> bool:
            """A few more calls that stay, wherever they go: a node that is late to answer gets none meanwhile."""
            parked.append(tenant.campaign(numbers("07", count=5), max_concurrent_calls=5, agent_id=agent_id))
            tenant.act(parked[-1], "start")
            polled(lambda: tenant.get(parked[-1])["counts"]["connected"] >= 5, "five calls more")
            return bool(of_campaign(read_ledger(tmp_path / "ledger"), parked[-1]))

        polled(stays, "a call there that stays")
        with pytest.raises(ApiFailedError, match=r"409 Node 'live' has \d+ calls? in progress"):
            operator.delete("/api/v1/nodes/live")
        for one in parked:
            tenant.act(one, "stop?hangup=true")

        assert operator.post("/api/v1/nodes/live/drain")["draining"]
        drained = time.time()
        polled(lambda: _is_removed(operator), "the end of its calls")
        with pytest.raises(ApiFailedError, match="404"):
            operator.get("/api/v1/nodes/live")
        tenant.wait_touched(campaign, tenant.touched(campaign) + 20)
        tenant.act(campaign, "stop")
        tenant.wait_over(campaign)
        for one in parked:
            tenant.wait_over(one)
        last = max(line.t for line in of_campaign(read_ledger(tmp_path / "ledger"), campaign)) - drained
        judge.at_most(last, MOVED_SECONDS, "seconds until the last call to the drained node")
        assert collect(operator, campaign, [*ledgers(stack), tmp_path / "ledger"])[2].faults == []
        calls = operator.every("/api/v1/calls", "calls", campaign_id=campaign)
        assert {call["disposition"] for call in calls if call["sent_at"]} <= {"answered", "busy"}


def _is_removed(operator: Api) -> bool:
    try:
        operator.delete("/api/v1/nodes/live")
    except ApiFailedError as refused:
        if "409" in str(refused):
            return False
        raise
    return True
