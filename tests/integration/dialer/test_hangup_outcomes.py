"""What a halt or `stop?hangup=true` makes of the contacts whose calls it hangs up: it costs nobody an attempt."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns import calls_to_end
from dialer.record.outcome_rows import Answered, Ended, write
from models import db, rows
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.house import CAUSE, RINGS, TALKS, House
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all, contact_of, ended
from tests.waiting import wait_until


def test_a_halt_costs_nobody_an_attempt_and_nobody_is_called_again_at_once(
    house: House, patient: None
) -> None:
    house.dialer()
    campaign_id = house.campaign(RINGS, RINGS, TALKS, retry_delay_seconds=3600)
    assert house.api("POST", "/halt")["still_up"] == []
    wait_until(house.settled, "the rows")
    with db.connection_context():
        contacts = rows(
            "SELECT status, disposition, attempts, free_sends + carrier_refusals + gateway_faults AS uncounted,"
            " next_attempt_at >= updated_at + interval '3600 s' AS later FROM contact ORDER BY position"
        )
        calls = rows(
            "SELECT attempt, disposition, cause, sent_at IS NOT NULL AS sent FROM call ORDER BY phone_number"
        )
    back = {"status": "pending", "disposition": None, "attempts": 0, "uncounted": 0, "later": True}
    talked = {"status": "completed", "disposition": "answered", "attempts": 1, "uncounted": 0, "later": None}
    assert contacts == [back, back, talked]
    rang = {"attempt": None, "disposition": None, "cause": CAUSE, "sent": True}
    assert calls == [rang, rang, {**rang, "attempt": 1, "disposition": "answered"}]
    assert counts(campaign_id) == {"pending": 2, "completed": 1}


def test_whom_a_stop_hangs_up_before_an_answer_is_cancelled(house: House, patient: None) -> None:
    house.dialer()
    campaign_id = house.campaign(RINGS, TALKS, retries_per_contact=3)
    assert house.api("POST", f"/campaigns/{campaign_id}/stop?hangup=true")["still_up"] == []
    wait_until(house.settled, "the rows")
    assert counts(campaign_id) == {"cancelled": 1, "completed": 1}
    with db.connection_context():
        (rang,) = rows("SELECT disposition, attempts FROM contact WHERE status = 'cancelled'")
    assert rang == {"disposition": None, "attempts": 0}


def marked(world: World, **campaign: Any) -> Any:
    """A call that is up and has to end."""
    campaign_id = make_campaign(world, 1, retries_per_contact=0, retry_delay_seconds=600, **campaign)
    (call,) = claim_all(campaign_id)
    with db.connection_context():
        calls_to_end.mark_campaign(campaign_id)
    return call


def ours(call_id: str, **changes: Any) -> Ended:
    return ended(call_id, "failed", disposition="no_answer", cause=CAUSE, hung_up_by="us", **changes)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({}, ("pending", None, 0)),
        # A gateway that was not tried is no reason to call again at once.
        ({"failover": True, "counts": False, "free": "carrier"}, ("pending", None, 0)),
        # What ended it before we did is what it was.
        ({"cause": "USER_BUSY", "disposition": "busy"}, ("failed", "busy", 1)),
        ({"hung_up_by": "remote"}, ("failed", "no_answer", 1)),
    ],
)
def test_only_what_we_hung_up_goes_back(
    world: World, what: dict[str, Any], expected: tuple[str, str | None, int]
) -> None:
    call = marked(world)
    write(DIALER, [], [], [ours(call.call_id)._replace(**what)])
    contact = contact_of(call)
    assert (contact.status, contact.disposition, contact.attempts) == expected
    with db.connection_context():
        (row,) = rows("SELECT attempt, failover FROM call")
        (later,) = rows(
            "SELECT coalesce(next_attempt_at > now() + interval '590 s', false) AS later FROM contact"
        )
    assert row == {"attempt": expected[2] or None, "failover": False}
    assert later["later"] == (expected[0] == "pending")
    assert contact.carrier_refusals == 0


def test_what_nobody_asked_to_be_hung_up_counts_whatever_its_cause(world: World) -> None:
    (call,) = claim_all(make_campaign(world, 1))
    write(DIALER, [], [], [ours(call.call_id)])
    assert (contact_of(call).status, contact_of(call).attempts) == ("failed", 1)


@pytest.mark.parametrize("known", [True, False])
def test_an_answered_call_that_is_hung_up_ends_as_answered(world: World, known: bool) -> None:
    call = marked(world)
    end = ours(call.call_id)
    if known:
        write(DIALER, [], [Answered(call.call_id, 0.0, 1.0)], [])
    else:
        # Its end is the first that is heard of it.
        end = end._replace(status="completed", disposition="answered", answered=True, billsec=3)
    write(DIALER, [], [], [end])
    assert (contact_of(call).status, contact_of(call).disposition) == ("completed", "answered")
