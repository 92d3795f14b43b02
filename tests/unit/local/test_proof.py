"""What the proof finds, and what it lets pass, in ledgers and records that were spoilt on purpose."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from local.proof import Proof, prove

NUMBER, OTHER = "+12125550110", "+12125550111"


def originate(uuid: str, number: str = NUMBER, result: str = "accepted", t: float = 1.0) -> dict[str, Any]:
    names = ("node", "gateway", "tenant", "contact", "dialer")
    line = dict.fromkeys(names, "") | {"event": "originate", "t": t, "campaign": "c"}
    return line | {"uuid": uuid, "number": number, "result": result}


def step(uuid: str, event: str, t: float = 2.0) -> dict[str, Any]:
    return {"event": event, "t": t, "uuid": uuid}


def call(call_id: str, number: str = NUMBER, **changes: Any) -> dict[str, Any]:
    plain = {"id": call_id, "phone_number": number, "contact_id": number, "sent_at": "then", "attempt": 1}
    return plain | {"disposition": "answered"} | changes


def proof_of(tmp_path: Path, lines: Sequence[Mapping[str, Any]], calls: Sequence[dict[str, Any]]) -> Proof:
    ledger = tmp_path / "ledger"
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    numbers = {item["phone_number"] for item in calls}
    contacts = [
        {
            "id": number,
            "status": "completed",
            "attempts": len([c for c in calls if c["phone_number"] == number and c["attempt"] is not None]),
        }
        for number in sorted(numbers)
    ]
    counts = {"total": len(numbers), "completed": len(numbers)}
    return prove({"id": "c", "counts": counts}, contacts, calls, [ledger])


def lived(uuid: str, number: str = NUMBER) -> list[dict[str, Any]]:
    return [originate(uuid, number), step(uuid, "answer"), step(uuid, "end", 3.0)]


def test_ledgers_and_records_that_agree_hold(tmp_path: Path) -> None:
    lines = [*lived("a"), *lived("b", OTHER)]
    assert proof_of(tmp_path, lines, [call("a"), call("b", OTHER)]).holds


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([*lived("a"), *lived("a")], "call a was placed 2 times"),
        ([*lived("a"), *lived("x")], f"{NUMBER} was dialled 2 times, recorded 1 times"),
        (
            [*lived("a"), originate("x", result="refused:Y")],
            f"{NUMBER} was dialled 2 times, recorded 1 times",
        ),
        ([], f"{NUMBER} was dialled 0 times, recorded 1 times"),
        ([originate("a")], "call a never ended at the switch"),
        (
            [originate("a"), step("a", "end")],
            "call a is recorded as answered, which the switch does not know",
        ),
    ],
)
def test_what_does_not_agree_is_named(tmp_path: Path, lines: list[dict[str, Any]], said: str) -> None:
    assert said in proof_of(tmp_path, lines, [call("a")]).faults


def test_an_order_that_was_refused_and_given_again_under_its_id_is_one_call(tmp_path: Path) -> None:
    lines = [originate("a", result="refused:Y", t=0.5), *lived("a")]
    assert proof_of(tmp_path, lines, [call("a")]).faults == []


def test_a_refusal_that_nobody_heard_may_be_recorded_as_never_sent(tmp_path: Path) -> None:
    unsent = call("x", sent_at=None, attempt=None, disposition=None)
    lines = [originate("x", result="refused:Y", t=0.5), *lived("a")]
    assert proof_of(tmp_path, lines, [unsent, call("a")]).faults == []
    placed = proof_of(tmp_path, [*lived("x"), *lived("a")], [unsent, call("a")])
    assert "the switch dialled +12125550110 as x, which no record knows" in placed.faults
