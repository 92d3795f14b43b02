"""The comparison of the four records finds each thing that may not happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator.ledger import LedgerView, Originate, Step
from tests.chaos import verdict
from tests.chaos.listener_client import Heard
from tests.chaos.records import Caps, Listener, Records
from tests.chaos.striker import Struck
from tests.chaos.verdict import compare

CAMPAIGN, CONTACT, CALL = "campaign", "contact", "call"
NUMBER = "+14155550110"
TOLD = [
    ("originated", None, 1, CALL, None),
    ("connected", None, 1, CALL, None),
    ("completed", "answered", 1, CALL, "NORMAL_CLEARING"),
]


def originate(uuid: str = CALL, t: float = 1.0, result: str = "accepted") -> Originate:
    return Originate(t, uuid, NUMBER, "fs1", "gw", "t", CAMPAIGN, CONTACT, "d1", result)


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
        campaigns=[{"id": CAMPAIGN, "status": "completed", "max_concurrent_calls": 1} | counts],
        told=told,
        listeners=[Listener(CAMPAIGN, [Heard(CONTACT, item, 0) for item in TOLD], [], True)],
        uploaded={CAMPAIGN: [NUMBER]},
        caps=Caps(1, 1, 1),
        struck=Struck(),
        imports=[(5, [5])],
        permits=0,
    )


def heard(given: Records, *items: Heard, resets: tuple[float, ...] = (), ended: bool = True) -> None:
    given.listeners[0] = Listener(CAMPAIGN, items, resets, ended)


def placed_again(given: Records) -> None:
    given.view.originates.append(originate(t=70.0))


def placed_under_another_id(given: Records) -> None:
    given.view.originates.append(originate("other", t=70.0))
    given.calls.append(row(id="other", seq=2, attempt=None, disposition="switch_lost", sent_at=70.0))


def placed_without_a_row(given: Records) -> None:
    given.calls.clear()
    given.contacts[0]["attempts"] = 0


def never_placed(given: Records) -> None:
    given.view.originates.clear()


def refused_as_a_second_of_none(given: Records) -> None:
    given.view.originates[:] = [originate(result="refused:LOSE_RACE")]
    given.calls[0] |= {"disposition": "outcome_unknown", "cause": "NEVER_SEEN"}
    given.contacts[0] |= {"disposition": "outcome_unknown", "last_cause": "NEVER_SEEN"}


def said_to_have_lived_and_never_placed(given: Records) -> None:
    given.view.originates.clear()
    given.calls[0] |= {"disposition": "outcome_unknown", "cause": "ENDED_UNSEEN"}
    given.contacts[0] |= {"disposition": "outcome_unknown", "last_cause": "ENDED_UNSEEN"}


def not_uploaded_whole(given: Records) -> None:
    given.imports[0] = (5, [3])


def left_originated(given: Records) -> None:
    given.contacts[0]["status"] = "originated"
    given.campaigns[0] |= {"completed": 0, "originated": 1}


def left_running(given: Records) -> None:
    given.campaigns[0]["status"] = "running"


def too_many_at_once(given: Records) -> None:
    given.view.originates.append(originate("other", t=3.0))
    given.calls.append(row(id="other", seq=2, attempt=2, sent_at=70.0, disposition="outcome_unknown"))
    given.contacts[0]["attempts"] = 2


def answered_and_recorded_as_busy(given: Records) -> None:
    given.calls[0]["disposition"] = "busy"


def counted_wrong(given: Records) -> None:
    given.campaigns[0] |= {"completed": 2}


def a_transition_unheard(given: Records) -> None:
    heard(given, *[Heard(CONTACT, item, 0) for item in TOLD[1:]])


def an_unheard_end(given: Records) -> None:
    heard(given, *[Heard(CONTACT, item, 0) for item in TOLD], ended=False)


def a_reset_for_no_reason(given: Records) -> None:
    heard(given, *[Heard(CONTACT, item, 0) for item in TOLD], resets=(3.0,))


def a_transition_heard_twice(given: Records) -> None:
    heard(given, *[Heard(CONTACT, item, 0) for item in [TOLD[0], *TOLD]])


@pytest.mark.parametrize(
    ("spoil", "column"),
    [
        (placed_again, verdict.DUPLICATES),
        (placed_under_another_id, verdict.DUPLICATES),
        (placed_without_a_row, verdict.LOST),
        (refused_as_a_second_of_none, verdict.LOST),
        (said_to_have_lived_and_never_placed, verdict.LOST),
        (never_placed, verdict.LOST),
        (not_uploaded_whole, verdict.LOST),
        (left_originated, verdict.STUCK),
        (left_running, verdict.STUCK),
        (too_many_at_once, verdict.CAPS),
        (answered_and_recorded_as_busy, verdict.OUTCOMES),
        (counted_wrong, verdict.OUTCOMES),
        (a_transition_unheard, verdict.MISSED),
        (an_unheard_end, verdict.MISSED),
        (a_reset_for_no_reason, verdict.MISSED),
        (a_transition_heard_twice, verdict.REPEATED),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_may_not_happen_is_found(spoil: Callable[[Records], None], column: str) -> None:
    spoilt = records()
    assert compare(spoilt).holds
    spoil(spoilt)
    assert compare(spoilt).found[column]


def test_what_went_with_an_emptied_valkey_is_not_a_miss_and_what_came_again_after_it_no_repetition() -> None:
    given = records()
    given.struck.emptied.append(3.5)
    heard(
        given,
        Heard(CONTACT, TOLD[0], 0),
        Heard(CONTACT, TOLD[0], 1),
        Heard(CONTACT, TOLD[2], 1),
        resets=(3.8,),
    )
    assert compare(given).holds


def test_a_rate_counts_as_exceeded_where_both_the_ledger_and_the_rows_say_so() -> None:
    given = records()
    given.view.originates.append(originate("other", t=50.0))
    given.view.steps.append(Step(51.0, "end", "other"))
    given.calls.append(row(id="other", seq=2, attempt=2, disposition="busy", sent_at=70.0))
    given.contacts[0]["attempts"] = 2
    assert compare(given).holds
    given.calls[1]["sent_at"] = 50.0
    assert compare(given).found[verdict.CAPS] == ["calls a minute: 2, the cap is 1"]
