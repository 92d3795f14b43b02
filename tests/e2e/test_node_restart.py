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
from tests.e2e.rig import of_campaign, polled

CONTACTS = 500
"""Of the demo's list: more than are called before the node is back."""


def test_who_was_talking_when_a_node_was_killed_is_brought_back(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contacts = tmp_path / "contacts.csv"
    contacts.write_text("".join(demo.LIST.read_text().splitlines(keepends=True)[: CONTACTS + 1]))
    monkeypatch.setattr(demo, "LIST", contacts)
    client = client_of(stack)
    campaign = create(client)
    client.post(f"/api/v1/campaigns/{campaign['id']}/start")
    path = f"/api/v1/campaigns/{campaign['id']}"
    polled(lambda: client.get(path)["counts"]["completed"] >= 80, "a part of the campaign")
    ledgers = [node.ledger for node in stack.nodes]
    victim = stack.pids["fs1"]

    def answered() -> set[str]:
        view = read_ledger(ledgers[0])
        ours = {line.uuid for line in of_campaign(view, campaign["id"])}
        return ours & {step.uuid for step in view.steps if step.event == "answer"} - set(view.ends())

    polled(lambda: len(answered()) >= 3, "some calls up")
    os.kill(victim, signal.SIGKILL)
    talking = answered()
    assert talking
    polled(lambda: stack.pids.get("fs1") not in (None, victim), "the node's next run")
    watch(client, campaign["id"], show=False)
    done, calls, proof = collect(client, campaign["id"], ledgers)
    assert done["end_reason"] == "exhausted"
    # Calls that rang when their node died ended there without a word, and what it had been sent and did not live to
    # carry out is nowhere but in our records, as unknown: that is all that may be missing.
    unknown = [call for call in calls if call["disposition"] == "outcome_unknown"]
    allowed = {f"{call['phone_number']} was dialled 0 times, recorded 1 times" for call in unknown}
    faults = [fault for fault in proof.faults if "never ended at the switch" not in fault]
    assert set(faults) <= allowed
    outcomes = {call["id"]: call for call in calls}
    for uuid in talking:
        assert outcomes[uuid]["disposition"] == "answered"
        assert outcomes[uuid]["billsec"] is not None, "its end was heard, or told by its record"
        assert outcomes[uuid]["cause"] != "NODE_RESTARTED"
    again = [outcomes[uuid] for uuid in talking if outcomes[uuid]["recovered"]]
    assert again, "when the others left is not known, and said so"
    assert all(
        call["certain_billsec"] is None or call["certain_billsec"] <= call["billsec"] for call in again
    )
    assert not any(call["recovered"] for call in calls if call["node"] != "fs1")
    assert len(unknown) <= 100
    assert {call["node"] for call in unknown} <= {"fs1"}
