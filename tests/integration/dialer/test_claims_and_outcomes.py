"""Contacts move by compare-and-set, with their call, their counts and their transitions, in one transaction."""

from __future__ import annotations

import re
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from tempfile import TemporaryFile
from typing import Any, cast

import gevent
import pytest
from peewee import DataError, IntegrityError, OperationalError

from dialer.call_rows import open_calls
from dialer.dispatch import claims
from dialer.dispatch.claims import Claimed, claim_again, claim_pool
from dialer.dispatch.due import Due
from dialer.record import outcome_rows
from dialer.record.outcome_rows import Answered, Ended, Seen, Written, items_of, write
from dialer.recovery.delivery_unknown import note
from models import Agent, Call, Campaign, CampaignStatus, Contact, Halt, Transition, db, new_id, rows
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.one_campaign import claim, due, next_due, wanted
from tests.waiting import HANG_SECONDS, wait_until

DIALER = "d0123456789ab"


def claim_all(campaign_id: uuid.UUID, dialer: str = DIALER, limit: int = 100) -> list[Claimed]:
    return claim(str(campaign_id), dialer, [wanted(item) for item in due(str(campaign_id), limit, (0, 1))])


def ended(call_id: str, status: str, **changes: Any) -> Ended:
    plain = Ended(
        call_id,
        status,
        counts=True,
        delay=60.0 if status == "pending" else None,
        age=0.0,
        sent_age=1.0,
        disposition="busy",
        cause="USER_BUSY",
    )
    return plain._replace(**changes)


def end(*items: Ended) -> Written:
    return write(DIALER, [], [], items)


def contact_of(call: Claimed) -> Contact:
    with db.connection_context():
        return Contact.get_by_id(call.contact_id)


def test_a_claim_commits_call_rows_before_anything_is_sent(world: World) -> None:
    campaign_id = make_campaign(world, 3)
    claimed = claim_all(campaign_id)
    with db.connection_context():
        calls = cast("list[dict[str, Any]]", list(Call.select().dicts()))
        transitions = Transition.select().where(Transition.status == "originated").count()
    assert {str(call["id"]) for call in calls} == {item.call_id for item in claimed}
    assert all((call["state"], call["seq"], call["attempt"]) == ("dispatching", 1, 1) for call in calls)
    assert all(call["dialer_id"] == call["sent_by"] == DIALER for call in calls)
    assert transitions == 3
    assert counts(campaign_id) == {"originated": 3}
    assert claimed[0].custom_fields["first_name"].startswith("Ann")


def test_a_claim_is_one_exchange_with_the_server(world: World) -> None:
    """It is committed by itself: how far ahead a turn must be asked for is what one round trip takes."""
    campaign_id = make_campaign(world, 3)
    with db.connection_context():
        generation = Campaign.get_by_id(campaign_id).generation
    found = [
        replace(wanted(item), campaign_id=str(campaign_id), generation=generation)
        for item in due(str(campaign_id), 3, (0, 1))
    ]
    assert round_trips(lambda: claims.claim(DIALER, found)) == 1
    db.close_all()
    assert counts(campaign_id) == {"originated": 3}


def test_a_group_is_recorded_in_one_exchange_with_the_server(world: World) -> None:
    campaign_id = make_campaign(world, 3)
    ringing, answered, over = claim_all(campaign_id)
    groups = (
        [Seen(ringing.call_id, 0.0, 1.0, progress=True)],
        [Answered(answered.call_id, 0.0, 1.0)],
        [ended(over.call_id, "failed")],
    )
    assert round_trips(lambda: write(DIALER, *groups)) == 1
    assert counts(campaign_id) == {"originated": 1, "connected": 1, "failed": 1}


def test_of_a_group_that_is_refused_nothing_is_written_and_the_connection_goes_on(world: World) -> None:
    first, second = claim_all(make_campaign(world, 2))
    with pytest.raises(DataError):
        write(
            DIALER, [], [Answered(first.call_id, 0.0, 1.0)], [ended(second.call_id, "failed", q850=100_000)]
        )
    assert [contact_of(call).status for call in (first, second)] == ["originated", "originated"]
    assert end(ended(second.call_id, "failed")).ended == {second.call_id}


def test_a_call_that_rings_and_is_answered_within_one_group_keeps_both_times(world: World) -> None:
    (call,) = claim_all(make_campaign(world, 1))
    write(DIALER, [], [Answered(call.call_id, 1.0, 4.0, progress_age=3.0, ring_age=2.0)], [])
    with db.connection_context():
        row = Call.get_by_id(call.call_id)
    ages = [(row.answered_at - at).total_seconds() for at in (row.sent_at, row.progress_at, row.ring_at)]
    assert ages == pytest.approx([3.0, 2.0, 1.0])


def round_trips(action: Callable[[], object]) -> int:
    """How often the server had to be waited for: each time it said that it was ready for the next."""
    with db.connection_context():
        # The action gets it again: the one used last is handed out first.
        connection = db.connection().pgconn
    with TemporaryFile() as trace:
        connection.trace(trace.fileno())
        action()
        connection.untrace()
        trace.seek(0)
        return trace.read().count(b"ReadyForQuery")


def test_a_claim_that_has_to_wait_is_ended_by_the_server(database_url: str) -> None:
    pool = claim_pool(database_url)
    with pool.connection_context():
        bounds = [pool.execute_sql(f"SHOW {name}_timeout").fetchone() for name in ("statement", "lock")]
    pool.close_all()
    assert bounds == [("1s",), ("100ms",)]


def test_a_claim_tells_of_a_rejection_however_long_ago(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    told = []
    for disposition in ("rejected", "busy", "busy"):
        (claimed,) = claim_all(campaign_id)
        told.append(claimed.rejected)
        end(ended(claimed.call_id, "pending", delay=0.0, disposition=disposition))
    (claimed,) = claim_all(campaign_id)
    (adopted,) = open_calls(DIALER, [claimed.call_id])
    assert (told, claimed.rejected, adopted.rejected) == ([False, True, True], True, True)


def test_a_successor_knows_the_timers_that_a_call_left_with(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (found,) = due(str(campaign_id), 1, (0, 1))
    (claimed,) = claim(str(campaign_id), DIALER, [replace(wanted(found), ring_seconds=40, max_seconds=3600)])
    with db.connection_context():
        Agent.update(ring_timeout_seconds=20, max_call_seconds=60).execute()
    (adopted,) = open_calls(DIALER, [claimed.call_id])
    assert (adopted.ring_seconds, adopted.max_seconds) == (40, 3600)
    with db.connection_context():
        Call.update(ring_seconds=None, max_seconds=None).execute()
    (before,) = open_calls(DIALER, [claimed.call_id])
    assert (before.ring_seconds, before.max_seconds) == (20, 60)


def test_many_dialers_that_reach_for_the_same_contacts_get_each_of_them_once(world: World) -> None:
    """All have read who is due before the first of them claims, as it may be whenever two read at once."""
    campaign_id = make_campaign(world, 60)
    dialers = [f"d{number:012x}" for number in range(6)]
    read = [(dialer, due(str(campaign_id), 100, (0, 1))) for dialer in dialers]
    jobs = [
        gevent.spawn(claim, str(campaign_id), dialer, [wanted(item) for item in found])
        for dialer, found in read
    ]
    gevent.joinall(jobs, raise_error=True)
    taken = Counter(item.contact_id for job in jobs for item in job.get())
    assert len(taken) <= 60
    assert set(taken.values()) == {1}
    while claim_all(campaign_id):
        pass
    with db.connection_context():
        assert Call.select().count() == 60
    assert counts(campaign_id) == {"originated": 60}


@pytest.mark.parametrize("status", [s for s in CampaignStatus if s is not CampaignStatus.RUNNING])
def test_nothing_is_claimed_from_a_campaign_that_does_not_run(world: World, status: CampaignStatus) -> None:
    over = status in (CampaignStatus.COMPLETED, CampaignStatus.FAILED)
    columns: dict[str, Any] = {"completed_at": "2026-01-01", "end_reason": "stopped"} if over else {}
    campaign_id = make_campaign(world, 2, status=status, **columns)
    assert claim_all(campaign_id) == []
    assert counts(campaign_id) == {"pending": 2}


def test_nothing_is_claimed_under_a_plan_from_before_something_was_taken_away(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (item,) = due(str(campaign_id), 1)
    request = replace(wanted(item), campaign_id=str(campaign_id), generation=0)
    with db.connection_context():
        rows("UPDATE campaign SET generation = 1")
    assert claims.claim(DIALER, [request]) == []
    assert claims.claim(DIALER, [replace(request, generation=1)])


@pytest.mark.parametrize("scope", ["*", "demo"])
def test_nothing_is_claimed_while_the_tenant_is_halted(world: World, scope: str) -> None:
    campaign_id = make_campaign(world, 2)
    with db.connection_context():
        Halt.create(scope=scope, by="test")
    assert claim_all(campaign_id) == []


def test_a_contact_is_not_due_before_its_time(world: World) -> None:
    campaign_id = make_campaign(world, 1, retries_per_contact=1)
    (call,) = claim_all(campaign_id)
    began = time.monotonic()
    end(ended(call.call_id, "pending", delay=60.0))
    assert due(str(campaign_id), 10, (0, 1)) == []
    first = next_due(str(campaign_id))
    assert first is not None
    assert 59 - (time.monotonic() - began) < first.seconds <= 60
    assert claim(str(campaign_id), DIALER, [wanted(Due(call.contact_id, "", sends=1))]) == []


def test_a_call_says_when_its_contact_was_to_be_called_again_where_that_was_decided(world: World) -> None:
    campaign_id = make_campaign(world, 5, retries_per_contact=1)
    later, at_once, failed, answered, hung_up = claim_all(campaign_id)
    write(DIALER, [], [Answered(answered.call_id, 0.0, 1.0)], [])
    with db.connection_context():
        rows("UPDATE call SET hangup_at = now() WHERE id = %s", hung_up.call_id)
    end(
        ended(later.call_id, "pending", delay=60.2),
        ended(at_once.call_id, "pending", delay=None, counts=False, failover=True),
        ended(failed.call_id, "failed"),
        ended(answered.call_id, "pending", delay=60.0),
        ended(hung_up.call_id, "pending", delay=60.0, cause="MANAGER_REQUEST"),
    )
    with db.connection_context():
        decided = [call.retry_seconds for call in Call.select().order_by(Call.contact)]
    assert decided == [61, None, None, None, None]


def test_the_gateways_tried_are_those_since_a_call_that_none_was_to_follow(world: World) -> None:
    campaign_id = make_campaign(world, 1, retries_per_contact=3)

    def send(gateway_id: str, **how: object) -> tuple[str, ...]:
        (item,) = due(str(campaign_id), 1, (0, 1))
        (call,) = claim(str(campaign_id), DIALER, [replace(wanted(item), gateway_id=gateway_id)])
        end(ended(call.call_id, "pending", **({"delay": None, "counts": False} | how)))
        (again,) = due(str(campaign_id), 1, (0, 1))
        return again.tried

    first, second, third = (str(new_id()) for _ in range(3))
    assert send(first, failover=True) == (first,)
    assert set(send(second, failover=True)) == {first, second}
    assert set(send(third, sent_age=None, disposition=None)) == {first, second}
    assert send(third, counts=True) == ()
    assert send(third, failover=True) == (third,)
    assert send(first) == ()
    with db.connection_context():
        assert [call.failover for call in Call.select().order_by(Call.seq)] == [
            True,
            True,
            False,
            False,
            True,
            False,
        ]


def test_a_gateway_chosen_before_the_contact_was_sent_again_is_not_used(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (seen,) = due(str(campaign_id), 1, (0, 1))
    (call,) = claim_all(campaign_id)
    end(ended(call.call_id, "pending", delay=None, counts=False, failover=True))
    assert claim(str(campaign_id), DIALER, [wanted(seen)]) == []
    assert len(claim_all(campaign_id)) == 1


def test_dialers_look_at_disjoint_parts_of_a_list(world: World) -> None:
    campaign_id = make_campaign(world, 10)
    parts = [{item.contact_id for item in due(str(campaign_id), 100, (rank, 3))} for rank in range(3)]
    assert sum(map(len, parts)) == 10
    assert len(set.union(*parts)) == 10


def test_a_call_goes_from_ringing_over_answered_to_its_end(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    write(DIALER, [Seen(call.call_id, 0.0, 0.5, True)], [], [])
    written = write(DIALER, [], [Answered(call.call_id, 0.0, 1.0)], [])
    assert [told.status for told in written.told] == ["connected"]
    assert counts(campaign_id) == {"connected": 1}
    written = end(ended(call.call_id, "completed", disposition="answered", billsec=4, answered=True))
    assert [(told.status, told.attempt, told.version) for told in written.told] == [("completed", 1, 3)]
    assert counts(campaign_id) == {"completed": 1}
    with db.connection_context():
        row = Call.get_by_id(call.call_id)
    assert (row.state, row.disposition, row.billsec) == ("ended", "answered", 4)
    assert row.sent_at < row.progress_at <= row.answered_at <= row.ended_at


@pytest.mark.parametrize("ring", [True, False], ids=["180", "183"])
def test_a_call_row_tells_when_it_was_heard_of_and_when_it_rang(world: World, ring: bool) -> None:
    (call,) = claim_all(make_campaign(world, 1))
    write(DIALER, [Seen(call.call_id, 0.0, 0.5, False)], [], [])
    write(DIALER, [Seen(call.call_id, 0.0, 0.5, True, ring)], [], [])
    with db.connection_context():
        row = Call.get_by_id(call.call_id)
    assert row.sent_at < row.progress_at
    assert row.ring_at == (row.progress_at if ring else None)


def test_times_that_nobody_heard_of_are_those_of_the_end(world: World) -> None:
    (call,) = claim_all(make_campaign(world, 1))
    end(ended(call.call_id, "failed", sent_age=9.0, progress_ms=1_250, alert_ms=2_500))
    with db.connection_context():
        row = Call.get_by_id(call.call_id)
    assert (row.progress_at - row.sent_at).total_seconds() == 1.25
    assert (row.ring_at - row.sent_at).total_seconds() == 2.5


def test_late_and_repeated_events_change_nothing(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    end(ended(call.call_id, "failed"))
    before = contact_of(call)
    late = write(
        DIALER,
        [Seen(call.call_id, 0.0, None, True)],
        [Answered(call.call_id, 0.0, None)],
        [ended(call.call_id, "completed", disposition="answered")],
    )
    after = contact_of(call)
    assert late.told == []
    assert late.ended == {call.call_id}
    assert (after.status, after.version, after.disposition) == ("failed", before.version, "busy")
    assert counts(campaign_id) == {"failed": 1}
    with db.connection_context():
        assert Call.get_by_id(call.call_id).disposition == "busy"


def test_what_the_database_refuses_leaves_nothing_behind_and_the_next_group_is_written(world: World) -> None:
    campaign_id = make_campaign(world, 2)
    taken, refused = claim_all(campaign_id)
    for _ in range(8):  # more than there are connections
        with pytest.raises(DataError):
            write(
                DIALER,
                [Seen(taken.call_id, 0.0, 1.0, True)],
                [Answered(taken.call_id, 0.0, 1.0)],
                [ended(refused.call_id, "failed", q850=1_000_000)],
            )
    assert counts(campaign_id) == {"originated": 2}
    assert end(ended(taken.call_id, "failed"), ended(refused.call_id, "failed")).ended == {
        taken.call_id,
        refused.call_id,
    }
    assert counts(campaign_id) == {"failed": 2}


def test_a_group_whose_connection_is_cut_is_written_by_the_next_attempt(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    with db.connection_context(), db.atomic():
        db.execute_sql("SELECT 1 FROM call FOR UPDATE")
        writing = gevent.spawn(end, ended(call.call_id, "failed"))
        waits = "SELECT pid FROM pg_locks WHERE NOT granted"
        wait_until(lambda: rows(waits), "the group waiting for its call")
        rows(f"SELECT pg_terminate_backend(pid) FROM ({waits}) AS waiting")
        with pytest.raises(OperationalError):
            writing.get(timeout=HANG_SECONDS)
    assert counts(campaign_id) == {"originated": 1}
    assert end(ended(call.call_id, "failed")).ended == {call.call_id}
    assert counts(campaign_id) == {"failed": 1}


def test_an_old_call_of_a_contact_does_not_move_its_new_one(world: World) -> None:
    campaign_id = make_campaign(world, 1, retries_per_contact=1)
    (first,) = claim_all(campaign_id)
    end(ended(first.call_id, "pending", delay=0.0))
    (second,) = claim_all(campaign_id)
    assert (second.seq, second.attempt) == (2, 2)
    end(ended(first.call_id, "completed"))
    write(DIALER, [], [Answered(first.call_id, 0.0, None)], [])
    assert contact_of(second).status == "originated"
    assert counts(campaign_id) == {"originated": 1}


def test_a_call_that_does_not_count_gives_its_attempt_back(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (first,) = claim_all(campaign_id)
    end(ended(first.call_id, "pending", counts=False, free="refusal", delay=0.0, disposition="congestion"))
    contact = contact_of(first)
    assert (contact.attempts, contact.sends, contact.free_sends) == (0, 1, 1)
    (second,) = claim_all(campaign_id)
    assert (second.seq, second.attempt, second.free_sends) == (2, 1, 1)
    with db.connection_context():
        assert Call.get_by_id(first.call_id).attempt is None


def test_calls_that_do_not_count_are_counted_by_their_reason(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    for reason in ("refusal", "carrier", "gateway", "gateway", "disturbed"):
        (call,) = claim_all(campaign_id)
        end(ended(call.call_id, "pending", counts=False, free=reason, delay=0.0, disposition="congestion"))
    (last,) = claim_all(campaign_id)
    assert (last.free_sends, last.carrier_refusals, last.gateway_faults, last.disturbed) == (1, 1, 2, 1)
    assert (last.seq, last.attempt) == (6, 1)
    (adopted,) = open_calls(DIALER, [last.call_id])
    assert adopted.disturbed == 1


def test_an_answered_call_whose_agent_failed_gives_its_attempt_back_and_waits(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    write(DIALER, [], [Answered(call.call_id, 0.0, None)], [])
    failed: dict[str, Any] = {"counts": False, "free": "disturbed", "answered": True}
    end(ended(call.call_id, "pending", delay=300.0, disposition="agent_failed", cause="NO_FILE", **failed))
    contact = contact_of(call)
    assert (contact.status, contact.attempts, contact.disturbed) == ("pending", 0, 1)
    assert (contact.disposition, contact.last_cause) == ("agent_failed", "NO_FILE")
    assert counts(campaign_id) == {"pending": 1}
    with db.connection_context():
        row = Call.get_by_id(call.call_id)
    assert (row.disposition, row.attempt) == ("agent_failed", None)
    assert row.answered_at is not None
    assert due(str(campaign_id), 10, (0, 1)) == []


def test_a_call_that_was_answered_counts_whatever_its_end_says(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    write(DIALER, [], [Answered(call.call_id, 0.0, None)], [])
    end(ended(call.call_id, "pending", counts=False, free="refusal", delay=0.0, disposition="switch_lost"))
    contact = contact_of(call)
    assert (contact.status, contact.attempts, contact.free_sends) == ("completed", 1, 0)


def test_a_call_that_never_left_leaves_no_trace_in_the_contacts_history(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    end(
        ended(
            call.call_id,
            "pending",
            counts=False,
            delay=None,
            disposition=None,
            sent_age=None,
            cause="NOT_SENT",
        )
    )
    contact = contact_of(call)
    assert (contact.status, contact.attempts, contact.free_sends, contact.disposition) == (
        "pending",
        0,
        0,
        None,
    )
    with db.connection_context():
        assert Call.get_by_id(call.call_id).sent_at is None
    assert counts(campaign_id) == {"pending": 1}


@pytest.mark.parametrize(("disposition", "expected"), [("busy", "failed"), (None, "cancelled")])
def test_after_a_stop_nobody_goes_back_to_pending(
    world: World, disposition: str | None, expected: str
) -> None:
    campaign_id = make_campaign(world, 1, retries_per_contact=3)
    (call,) = claim_all(campaign_id)
    with db.connection_context():
        Campaign.update(status="completed", end_reason="stopped", completed_at="2026-01-01").execute()
    end(ended(call.call_id, "pending", disposition=disposition, counts=disposition is not None))
    assert contact_of(call).status == expected
    assert counts(campaign_id) == {expected: 1}


def test_a_stop_that_races_with_an_end_leaves_nobody_pending(world: World) -> None:
    """The end locks the campaign's row first, so that a stop either waits for it or is seen by it."""
    for _ in range(10):
        campaign_id = make_campaign(world, 4, retries_per_contact=3)
        calls = claim_all(campaign_id)

        def stop(campaign_id: uuid.UUID = campaign_id) -> None:
            with db.connection_context(), db.atomic():
                Campaign.update(status="completed", end_reason="stopped", completed_at="2026-01-01").where(
                    Campaign.id == campaign_id
                ).execute()
                gevent.sleep(0.001)
                Contact.update(status="cancelled").where(
                    Contact.campaign == campaign_id, Contact.status == "pending"
                ).execute()

        jobs = [gevent.spawn(stop)] + [
            gevent.spawn(end, ended(c.call_id, "pending", delay=0.0)) for c in calls
        ]
        gevent.joinall(jobs, raise_error=True)
        with db.connection_context():
            left = (
                Contact.select().where(Contact.campaign == campaign_id, Contact.status == "pending").count()
            )
        assert left == 0


def test_a_decision_about_somebody_elses_call_is_void_but_a_fact_is_not(world: World) -> None:
    campaign_id = make_campaign(world, 2)
    decided, reported = claim_all(campaign_id)
    with db.connection_context():
        Call.update(dialer_id="dfffffffffff").execute()
    written = end(
        ended(decided.call_id, "pending", counts=False, disposition=None, owner_only=True),
        ended(reported.call_id, "failed"),
    )
    assert written.ended == {reported.call_id}
    assert counts(campaign_id) == {"originated": 1, "failed": 1}


def test_a_call_that_was_seen_is_not_taken_back_as_never_sent(world: World) -> None:
    campaign_id = make_campaign(world, 2)
    ringing, created = claim_all(campaign_id)
    write(DIALER, [Seen(ringing.call_id, 0.0, 1.0, True), Seen(created.call_id, 0.0, 1.0, False)], [], [])
    back = {"counts": False, "disposition": None, "sent_age": None, "owner_only": True}
    written = end(*(ended(call.call_id, "pending", **back) for call in (ringing, created)))
    assert written.ended == frozenset()
    assert counts(campaign_id) == {"originated": 2}


def test_an_answered_call_ends_as_answered_whoever_closes_it(world: World) -> None:
    campaign_id = make_campaign(world, 2, retries_per_contact=3)
    for call, status in zip(claim_all(campaign_id), ("failed", "pending"), strict=True):
        write(DIALER, [], [Answered(call.call_id, 0.0, 1.0)], [])
        end(ended(call.call_id, status, disposition="outcome_unknown", counts=status == "failed"))
        contact = contact_of(call)
        assert (contact.status, contact.disposition, contact.attempts) == ("completed", "answered", 1)
        with db.connection_context():
            row = Call.get_by_id(call.call_id)
        assert (row.disposition, row.attempt) == ("answered", 1)
    assert counts(campaign_id) == {"completed": 2}


def test_an_end_is_found_without_reading_the_list(world: World) -> None:
    """The statements of a group commit go by keys: no plan reads all contacts, calls or transitions."""
    campaign_id = make_campaign(world, 30)
    (call, *_) = claim_all(campaign_id)
    with db.connection_context(), db.atomic():
        db.execute_sql("SET LOCAL enable_seqscan = off")
        explained = [
            plan_of(outcome_rows.ENDED, ended(call.call_id, "failed")),
            plan_of(outcome_rows.ANSWERED, Answered(call.call_id, 0.0, None)),
        ]
    for plan in explained:
        assert not re.search(r"Seq Scan on (contact|call|transition|campaign)\b", plan), plan
        assert "contact_in_flight" not in plan, plan


def plan_of(sql: str, item: Answered | Ended) -> str:
    cursor = db.execute_sql("EXPLAIN " + sql, items_of([item]) | {"owner": DIALER, "lane": "x"})
    return "\n".join(row[0] for row in cursor.fetchall())


def test_the_database_itself_refuses_a_second_open_call_for_a_contact(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    with db.connection_context():
        row = Call.get_by_id(call.call_id).__data__ | {"id": new_id(), "seq": 2, "attempt": 2}
        with pytest.raises(IntegrityError):
            Call.create(**row)


def test_the_database_itself_refuses_two_counted_calls_of_one_attempt(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    end(ended(call.call_id, "failed"))
    with db.connection_context():
        row = Call.get_by_id(call.call_id).__data__ | {"id": new_id(), "seq": 2}
        with pytest.raises(IntegrityError):
            Call.create(**row)


def test_the_database_itself_refuses_two_calls_of_one_send(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    end(ended(call.call_id, "failed"))
    with db.connection_context():
        row = Call.get_by_id(call.call_id).__data__ | {"id": new_id(), "attempt": None}
        with pytest.raises(IntegrityError):
            Call.create(**row)


def test_a_claim_does_not_wait_for_somebody_elses(world: World) -> None:
    campaign_id = make_campaign(world, 2)
    first, _ = due(str(campaign_id), 2, (0, 1))
    with db.connection_context(), db.atomic():
        db.execute_sql("SELECT 1 FROM contact WHERE id = %s FOR UPDATE", (first.contact_id,))
        claiming = gevent.spawn(claim_all, campaign_id)
        claiming.join(30)
        assert claiming.ready(), "a claim waits for a contact that somebody else is at"
    assert [item.contact_id for item in claiming.get()] != [first.contact_id]
    assert len(claiming.get()) == 1


def test_only_its_owner_may_send_a_call_again_and_only_while_it_is_unseen(world: World) -> None:
    campaign_id = make_campaign(world, 2)
    unseen, seen = claim_all(campaign_id)
    write(DIALER, [Seen(seen.call_id, 0.0, None, True)], [], [])
    assert claim_again(seen.call_id, DIALER) is None
    assert claim_again(unseen.call_id, "dffffffffffff") is None
    note(DIALER, open_calls(DIALER, [unseen.call_id]))
    assert [call.delivery_unknown for call in open_calls(DIALER, [unseen.call_id])] == [True]
    again = claim_again(unseen.call_id, DIALER)
    assert [call.delivery_unknown for call in open_calls(DIALER, [unseen.call_id])] == [False]
    assert again is not None
    assert again.custom_fields["first_name"].startswith("Ann")


def test_only_its_owner_puts_a_call_in_doubt_and_only_while_it_is_unseen(world: World) -> None:
    unseen, seen = claim_all(make_campaign(world, 2))
    ids = [unseen.call_id, seen.call_id]
    write(DIALER, [Seen(seen.call_id, 0.0, None, True)], [], [])
    calls = open_calls(DIALER, ids)
    note("dffffffffffff", calls)
    assert not any(call.delivery_unknown for call in open_calls(DIALER, ids))
    note(DIALER, calls)
    unknown_claims = [call.call_id for call in open_calls(DIALER, ids) if call.delivery_unknown]
    assert unknown_claims == [unseen.call_id]
