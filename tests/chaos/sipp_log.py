"""What the called party saw, as the ledger of a run on real nodes: each INVITE beside its call row.

SIPp knows numbers and times and nothing of ids. An INVITE belongs to the row of its number in whose time it came; one
that no row is left for is a call that nobody placed. Who calls tells its gateway and its tenant, and where the answer
goes its node; its campaign is what its row says, and so what its number's list was uploaded for. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simulator.ledger import LedgerView, Originate, Step
from tests.real.carrier import Message

EARLY_SECONDS, LATE_SECONDS = 1.0, 5.0
"""An INVITE may come so long before its row's first moment, or after its last, by PostgreSQL's clock."""
ENDS = frozenset({"BYE-IN", "BYE-OUT", "CANCEL"})
NO_RESPONSE = ("02",)
"""Endings of numbers whose calls are over only when somebody says so; the others that nobody answers are refused at
once."""
NOBODY: dict[str, Any] = {"id": "", "contact_id": ""}
"""What stands for the row of a number that was never to be called."""
ANSWERING = ("00", "07", "08", "10")


def called(
    messages: Sequence[Message],
    rows: Iterable[dict[str, Any]],
    callers: Mapping[str, tuple[str, str]],
    nodes: Mapping[int, str],
) -> LedgerView:
    """The ledger of these messages, whose calls have these rows (of `records.CALLS`).

    `callers` are the gateway and the tenant of each number that calls, `nodes` the names by the ports of their
    profiles.
    """
    view = LedgerView([], [], [])
    of_number: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in sorted(rows, key=lambda row: row["seq"]):
        of_number[one["phone_number"]].append(one)
    ended = {m.sip_call_id: m for m in messages if m.kind in ENDS}
    taken: set[str] = {NOBODY["id"]}
    campaign = next(iter(of_number.values()))[0]["campaign_id"] if of_number else ""
    for message in messages:
        if message.kind != "INVITE":
            continue
        # SIPp serves this run alone: a number that nobody asked for is as wrong as one too many.
        known = of_number.get(message.number) or [NOBODY | {"campaign_id": campaign}]
        row = _row_of(message, [row for row in known if row["id"] not in taken])
        uuid = f"{message.sip_call_id} of nobody" if row is None else row["id"]
        taken.add(uuid)
        view.originates.append(_originate(message, uuid, row or known[0], callers, nodes))
        view.steps += _steps(message, uuid, row, ended.get(message.sip_call_id))
    view.originates.sort(key=lambda line: line.t)
    view.steps.sort(key=lambda step: step.t)
    return view


def _row_of(message: Message, free: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The row in whose time it came, the nearest of those that were sent first; else, of one that came late, any row
    of which the end is not known."""

    def fits(row: dict[str, Any]) -> bool:
        until = float("inf") if row["ended_at"] is None else row["ended_at"] + LATE_SECONDS
        return bool(row["created_at"] - EARLY_SECONDS <= message.t <= until)

    def distance(row: dict[str, Any]) -> tuple[bool, float]:
        return row["sent_at"] is None, abs(message.t - (row["sent_at"] or row["created_at"]))

    late = (row for row in free if row["disposition"] == "outcome_unknown")
    return min(filter(fits, free), key=distance, default=None) or next(late, None)


def _originate(
    message: Message,
    uuid: str,
    row: dict[str, Any],
    callers: Mapping[str, tuple[str, str]],
    nodes: Mapping[int, str],
) -> Originate:
    gateway, tenant = callers.get(message.caller, ("", ""))
    node = "" if message.port is None else nodes[message.port]
    campaign, contact = row["campaign_id"], row["contact_id"]
    return Originate(
        message.t, uuid, message.number, node, gateway, tenant, campaign, contact, "", "accepted"
    )


def _steps(message: Message, uuid: str, row: dict[str, Any] | None, end: Message | None) -> list[Step]:
    """Whether it was answered, and its end. A call that was cut off with its node says neither to SIPp: there the row
    is believed."""
    steps: list[Step] = []
    ending = message.number[-2:]
    believed = row is not None and row["disposition"] == "answered"
    if ending in ANSWERING and (believed if end is None else end.kind != "CANCEL"):
        steps.append(Step(message.t, "answer", uuid))
    if end is not None:
        steps.append(Step(end.t, "end", uuid, cause=end.kind))
    elif ending not in (*ANSWERING, *NO_RESPONSE):
        steps.append(Step(message.t, "end", uuid, cause="refused"))
    elif row is not None and row["ended_at"] is not None:
        steps.append(Step(max(message.t, row["ended_at"]), "end", uuid, cause="none seen"))
    return steps
