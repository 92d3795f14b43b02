"""A node is killed with calls on it: those who talk are brought back and bounded, nobody is lost or called twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from local import demo
from local.demo import collect, create, watch
from local.stack import Stack
from simulator.ledger import read_ledger
from tests.e2e.conftest import client_of
from tests.e2e.rig import PARK, new_tenant, numbers, of_campaign, polled

CONTACTS = 500
"""Of the demo's list: more than are called before the node is back."""
STAYING = 24
"""Contacts who never hang up."""
STAY_SECONDS = 200
"""Of the call's own time. The timer is the node's and ends with it: they talk until one is set anew."""


def test_who_was_talking_when_a_node_was_killed_is_brought_back(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacts = tmp_path / "contacts.csv"
    contacts.write_text("".join(demo.LIST.read_text().splitlines(keepends=True)[: CONTACTS + 1]))
    monkeypatch.setattr(demo, "LIST", contacts)
    client = client_of(stack)
    tenant = new_tenant(stack, action=PARK, agent={"max_call_seconds": STAY_SECONDS})
    theirs = tenant.campaign(numbers("07", count=STAYING), max_concurrent_calls=STAYING)
    campaign = create(client)
    client.post(f"/api/v1/campaigns/{campaign['id']}/start")
    path = f"/api/v1/campaigns/{campaign['id']}"
    polled(lambda: client.get(path)["counts"]["completed"] >= 80, "a part of the campaign")
    tenant.act(theirs, "start")
    ledgers = [node.ledger for node in stack.nodes]
    victim = stack.pids["fs1"]

    def answered(campaign_id: str) -> set[str]:
        view = read_ledger(ledgers[0])
        ours = {line.uuid for line in of_campaign(view, campaign_id)}
        return ours & {step.uuid for step in view.steps if step.event == "answer"} - set(view.ends())

    polled(lambda: len(answered(theirs)) >= 3, "some calls that stay up")
    # A call that is just about to end has no file any more, and no line of its end yet: nobody can bring it back.
    os.kill(victim, signal.SIGSTOP)
    kept = {file.stem for file in (ledgers[0].parent / "tracked" / "fs1").glob("*.json")}
    staying, talking = answered(theirs) & kept, answered(campaign["id"]) & kept
    os.kill(victim, signal.SIGKILL)
    assert staying
    polled(lambda: stack.pids.get("fs1") not in (None, victim), "the node's next run")
    watch(client, campaign["id"], show=False)
    tenant.wait_over(theirs)
    calls = []
    for api, campaign_id in ((client, campaign["id"]), (tenant.api, theirs)):
        done, found, proof = collect(api, campaign_id, ledgers)
        assert done["end_reason"] == "exhausted"
        # Calls that rang when their node died ended there without a word, and what it had been sent and did not live
        # to carry out is nowhere but in our records, as unknown: that is all that may be missing.
        unknown = [call for call in found if call["disposition"] == "outcome_unknown"]
        allowed = {f"{call['phone_number']} was dialled 0 times, recorded 1 times" for call in unknown}
        faults = [fault for fault in proof.faults if "never ended at the switch" not in fault]
        assert set(faults) <= allowed
        assert len(unknown) <= 100
        assert {call["node"] for call in unknown} <= {"fs1"}
        calls += found
    outcomes = {call["id"]: call for call in calls}
    for uuid in talking | staying:
        assert outcomes[uuid]["disposition"] == "answered"
        assert outcomes[uuid]["billsec"] is not None, "its end was heard, or told by its record"
        assert outcomes[uuid]["cause"] != "NODE_RESTARTED"
    # When one of the others left before a dialer was back is not known, and said so.
    again = [call for call in calls if call["recovered"]]
    assert staying <= {call["id"] for call in again}
    assert {outcomes[uuid]["cause"] for uuid in staying} == {"ALLOTTED_TIMEOUT"}
    assert all(
        call["certain_billsec"] is None or call["certain_billsec"] <= call["billsec"] for call in again
    )
    assert {call["node"] for call in again} == {"fs1"}
