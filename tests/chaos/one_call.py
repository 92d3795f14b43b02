"""The records of a run in which one contact was called once, for tests of the comparison to spoil."""

from __future__ import annotations

from typing import Any

from simulator.ledger import LedgerView, Originate, Step
from tests.chaos.breaker import Struck
from tests.chaos.caps import CAPPED, MINUTE_WINDOWS, Cap, Limit
from tests.chaos.listener_client import Heard
from tests.chaos.records import Listener, Records

CAMPAIGN, CONTACT, CALL = "campaign", "contact", "call"
NUMBER = "+14155550110"
TOLD = [
    ("originated", None, 1, CALL, None),
    ("connected", None, 1, CALL, None),
    ("completed", "answered", 1, CALL, "NORMAL_CLEARING"),
]


def originate(uuid: str = CALL, t: float = 1.0, result: str = "accepted", number: str = NUMBER) -> Originate:
    return Originate(t, uuid, number, "fs1", "gw", "t", CAMPAIGN, CONTACT, "d1", result)


def row(**changes: Any) -> dict[str, Any]:
    return {
        "id": CALL,
        "campaign_id": CAMPAIGN,
        "contact_id": CONTACT,
        "phone_number": NUMBER,
        "node": "fs1",
        "seq": 1,
        "attempt": 1,
        "state": "ended",
        "disposition": "answered",
        "cause": "NORMAL_CLEARING",
        "sent_at": 1.0,
    } | changes


def records() -> Records:
    """One contact that was called once, answered, and told of."""
    counts = dict.fromkeys(("pending", "originated", "connected", "failed", "cancelled"), 0) | {
        "completed": 1
    }
    keys = ("status", "disposition", "attempt", "call_id", "cause")
    told = [
        dict(zip(keys, item, strict=True))
        | {"campaign_id": CAMPAIGN, "contact_id": CONTACT, "at": 2.0 + place}
        for place, item in enumerate(TOLD)
    ]
    return Records(
        view=LedgerView([originate()], [Step(2.0, "answer", CALL), Step(4.0, "end", CALL)], []),
        calls=[row()],
        contacts=[
            {
                "id": CONTACT,
                "campaign_id": CAMPAIGN,
                "phone_number": NUMBER,
                "status": "completed",
                "disposition": "answered",
                "attempts": 1,
                "last_cause": "NORMAL_CLEARING",
            }
        ],
        campaigns=[{"id": CAMPAIGN, "status": "completed", "end_reason": "exhausted"} | counts],
        told=told,
        listeners=[Listener(CAMPAIGN, [Heard(CONTACT, item, 0) for item in TOLD], [], True)],
        uploaded={CAMPAIGN: [NUMBER]},
        caps=[Cap(scope, Limit(1_000), None, MINUTE_WINDOWS if rate else ()) for scope, rate in CAPPED],
        struck=Struck(),
        imports=[(5, [5])],
        permits=0,
        orders=[],
    )
