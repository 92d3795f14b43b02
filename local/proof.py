"""The proof that nobody was called twice and nobody was lost: the switches' own ledgers against the call records.

The ledgers are written by the (simulated) nodes and know nothing of the database; the records are what the API
tells. They have to agree for every number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.ledger import LedgerView, read_ledger

TERMINAL = ("completed", "failed", "cancelled")


@dataclass(slots=True)
class Proof:
    """What was compared, and everything that does not agree."""

    originates: int
    accepted: int
    calls: int
    contacts: int
    faults: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the ledgers and the records agree."""
        return not self.faults


def prove(
    campaign: dict[str, Any],
    contacts: Sequence[dict[str, Any]],
    calls: Sequence[dict[str, Any]],
    ledgers: Iterable[Path],
) -> Proof:
    """Compare one campaign's records with what the nodes did for it."""
    view = read_ledger(*ledgers)
    ours = [line for line in view.originates if line.campaign == campaign["id"]]
    placed = {line.uuid for line in ours if line.accepted}
    refused = {line.uuid for line in ours} - placed
    # Where a connection was replaced, a refusal may have been heard by nobody: the order is given once more under its
    # id, or the record says that nothing left. Either way no phone has rung.
    sent = [call for call in calls if call["sent_at"] is not None or call["id"] in refused]
    proof = Proof(len(ours), sum(line.accepted for line in ours), len(calls), len(contacts))
    _compare_calls(proof, view, ours, sent)
    _compare_contacts(proof, campaign, contacts, sent)
    return proof


def _compare_calls(
    proof: Proof, view: LedgerView, ours: Sequence[Any], sent: Sequence[dict[str, Any]]
) -> None:
    accepted = Counter(line.uuid for line in ours if line.accepted)
    for uuid, times in accepted.items():
        if times > 1:
            proof.faults.append(f"call {uuid} was placed {times} times")
    dialled = Counter({line.uuid: line.number for line in ours}.values())
    recorded = Counter(call["phone_number"] for call in sent)
    for number in dialled.keys() | recorded.keys():
        if dialled[number] != recorded[number]:
            proof.faults.append(
                f"{number} was dialled {dialled[number]} times, recorded {recorded[number]} times"
            )
    records = {call["id"]: call for call in sent}
    ends = view.ends()
    answered = {step.uuid for step in view.steps if step.event == "answer"}
    for line in ours:
        call = records.get(line.uuid)
        if call is None:
            proof.faults.append(f"the switch dialled {line.number} as {line.uuid}, which no record knows")
        elif line.accepted and line.uuid not in ends:
            proof.faults.append(f"call {line.uuid} never ended at the switch")
        elif call["disposition"] in ("answered", "abandoned", "agent_failed") and line.uuid not in answered:
            proof.faults.append(f"call {line.uuid} is recorded as answered, which the switch does not know")
        elif line.uuid in answered and call["disposition"] not in (
            "answered",
            "abandoned",
            "agent_failed",
            "outcome_unknown",
        ):
            proof.faults.append(f"call {line.uuid} was answered and is recorded as {call['disposition']}")


def _compare_contacts(
    proof: Proof, campaign: dict[str, Any], contacts: Sequence[dict[str, Any]], sent: Sequence[dict[str, Any]]
) -> None:
    for contact in contacts:
        if contact["status"] not in TERMINAL:
            proof.faults.append(f"contact {contact['id']} is left {contact['status']}")
    counts = dict(campaign["counts"])
    total = counts.pop("total")
    if sum(counts.values()) != total or total != len(contacts):
        proof.faults.append(f"the counts {counts} do not add up to {total}, of {len(contacts)} contacts")
    statuses = Counter(contact["status"] for contact in contacts)
    for status, count in counts.items():
        if statuses[status] != count:
            proof.faults.append(f"{count} contacts are counted as {status}, {statuses[status]} are")
    counted = Counter(call["contact_id"] for call in sent if call["attempt"] is not None)
    for contact in contacts:
        attempts, rows = contact["attempts"], counted[contact["id"]]
        if attempts != rows:
            proof.faults.append(f"contact {contact['id']} has {attempts} attempts and {rows} counted calls")
