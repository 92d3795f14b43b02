"""A node's own record gives a call the end that nobody heard, once, whenever it comes."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import gevent
import orjson
import pytest

from campaigns.dispositions import Disposition
from dialer.call_rows import open_calls
from dialer.dispatch.claims import Claimed
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.cdr_inbox import CdrInboxReader
from dialer.record.commit import Commit
from dialer.record.outcome_rows import Answered, Ended, Seen, Told, Written, write
from freeswitch import dedup
from limits.caps import LateSeconds, UncountedCall
from limits.errors import LimiterUnavailable
from models import Call, Campaign, CdrInbox, Contact, Transition, db, rows
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all, contact_of, end, ended
from tests.unit.dialer.factories import Followers, make_recorder

START = 1_795_428_430_000_000
BUSY = {
    "hangup_cause": "USER_BUSY",
    "hangup_cause_q850": "17",
    "sip_invite_failure_status": "486",
    "sip_invite_failure_phrase": "Busy Here",
    "sip_hangup_disposition": "recv_refuse",
    "start_uepoch": str(START),
    "end_uepoch": str(START + 20_000),
    "mduration": "20",
}
ANSWERED = {
    "hangup_cause": "NORMAL_CLEARING",
    "hangup_cause_q850": "16",
    "sip_term_status": "200",
    "sip_hangup_disposition": "recv_bye",
    "start_uepoch": str(START),
    "progress_uepoch": str(START + 20_000),
    "answer_uepoch": str(START + 1_520_000),
    "end_uepoch": str(START + 5_520_000),
    "billsec": "4",
    "mduration": "5520",
}
ABANDONED = ANSWERED | {"dialer_connect": "true", "dialer_abandoned": "true", "bridge_uepoch": "0"}
AGENT_FAILED = ANSWERED | {
    "sip_hangup_disposition": "send_bye",
    "dialer_action": "playback",
    "dialer_ran": "FILE NOT FOUND",
    "bridge_uepoch": "0",
}
FORESTALLED = {
    "hangup_cause": dedup.CAUSE,
    "hangup_cause_q850": "16",
    "start_uepoch": str(START),
    "end_uepoch": str(START),
    "mduration": "0",
}
UNKNOWN: dict[str, Any] = {"disposition": "outcome_unknown", "cause": "ENDED_UNSEEN"}


class Desk:
    """An inbox with a recorder that runs, and what they told."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.live_calls = LiveCalls()
        self.written: list[Written] = []
        self.over: list[Ended] = []
        self.published: list[Told] = []
        self.billed: Counter[str] = Counter()
        self.limiter_away = False
        self.uncounted: list[UncountedCall] = []
        self.recorder = make_recorder(self.live_calls, Followers(self._committed), owner=owner)
        self.cdr_inbox = CdrInboxReader(
            owner, self.live_calls, self.recorder, self._publish, self._bill, self.uncounted.extend
        )
        self.greenlet = gevent.spawn(self.recorder.run)

    def own(self, claimed: Claimed) -> LiveCall:
        (call,) = open_calls(self.owner, [claimed.call_id])
        self.live_calls.add(call)
        return call

    def round(self) -> None:
        self.cdr_inbox.round()
        assert self.recorder.flush(5)

    def stop(self) -> None:
        self.recorder.stop()
        self.greenlet.join(5)

    def _committed(self, commit: Commit) -> None:
        self.written.append(commit.written)
        self.over += commit.ended.values()

    def _publish(self, told: Sequence[Told]) -> None:
        self.published += told

    def _bill(self, calls: Sequence[LateSeconds]) -> None:
        if self.limiter_away:
            raise LimiterUnavailable("adding seconds", "away")
        for call in calls:
            self.billed[call.tenant_id] += call.seconds


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    made = Desk(DIALER)
    yield made
    made.stop()


def arrive(call_id: str, variables: dict[str, str], node: str = "fs1") -> None:
    """A record lands in the inbox, as the API puts it there."""
    with db.connection_context():
        rows(
            "INSERT INTO cdr_inbox (uuid, node, variables) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            call_id,
            node,
            orjson.dumps(variables).decode(),
        )


def waiting() -> int:
    with db.connection_context():
        found: int = CdrInbox.select().where(CdrInbox.applied_at.is_null()).count()
    return found


def call_of(call: Claimed) -> Call:
    with db.connection_context():
        return Call.get_by_id(call.call_id)


def told(contact_id: str) -> list[tuple[str, str | None, int]]:
    with db.connection_context():
        found = Transition.select().where(Transition.contact_id == contact_id).order_by(Transition.id)
        return [(row.status, row.disposition, row.version) for row in found]


def closed_unknown(world: World, **columns: Any) -> tuple[uuid.UUID, Claimed]:
    """A call that recovery gave up on."""
    campaign_id = make_campaign(world, 1, **columns)
    (call,) = claim_all(campaign_id)
    end(ended(call.call_id, "failed", **UNKNOWN))
    return campaign_id, call


# Open calls.


@pytest.mark.parametrize(
    ("variables", "outcome"),
    [
        (BUSY, ("failed", "busy", 0)),
        (ANSWERED, ("completed", "answered", 4)),
        (ABANDONED, ("completed", "abandoned", 4)),
    ],
    ids=["busy", "answered", "abandoned"],
)
def test_a_record_ends_a_call_as_its_event_would_have(
    world: World, desk: Desk, variables: dict[str, str], outcome: tuple[str, str, int]
) -> None:
    status, disposition, billsec = outcome
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    with db.connection_context():
        db.execute_sql("UPDATE call SET created_at = now() - interval '10 s'")
    desk.own(call)
    arrive(call.call_id, variables)
    desk.round()
    row = call_of(call)
    assert (row.state, row.disposition, row.billsec, row.cause) == (
        "ended",
        disposition,
        billsec,
        variables["hangup_cause"],
    )
    assert row.created_at <= row.sent_at <= row.ended_at, "the switch dialled it, whoever wrote that down"
    assert counts(campaign_id) == {status: 1}
    assert [item.call_id for item in desk.over] == [call.call_id]
    assert waiting() == 1
    desk.round()
    assert waiting() == 0
    assert told(call.contact_id)[-1][:2] == (status, disposition)
    assert desk.published == []
    assert not desk.billed


def test_the_record_of_a_call_that_its_event_ended_changes_nothing(world: World, desk: Desk) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    end(ended(call.call_id, "failed", duration_ms=20))
    before = call_of(call).__data__, contact_of(call).__data__, told(call.contact_id)
    arrive(call.call_id, ANSWERED)
    desk.round()
    assert (call_of(call).__data__, contact_of(call).__data__, told(call.contact_id)) == before
    assert waiting() == 0
    assert counts(campaign_id) == {"failed": 1}


def test_a_record_is_its_owners_to_apply(world: World, desk: Desk) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id, "dffffffffffff")
    arrive(call.call_id, BUSY)
    desk.round()
    assert call_of(call).state == "dispatching"
    assert waiting() == 1
    with db.connection_context():
        Call.update(dialer_id=DIALER).execute()
    desk.round()
    assert waiting() == 1, "not in the book yet"
    desk.own(call)
    desk.round()
    assert call_of(call).disposition == "busy"


def test_a_retry_follows_where_the_record_says_so(world: World, desk: Desk) -> None:
    campaign_id = make_campaign(world, 1, retries_per_contact=1)
    (call,) = claim_all(campaign_id)
    desk.own(call)
    arrive(call.call_id, BUSY)
    desk.round()
    assert counts(campaign_id) == {"pending": 1}


def test_a_record_without_a_cause_is_done_with(world: World, desk: Desk) -> None:
    _, call = closed_unknown(world)
    arrive(call.call_id, {"billsec": "4"})
    desk.round()
    assert waiting() == 0
    assert call_of(call).disposition == "outcome_unknown"


def test_the_record_of_a_refused_duplicate_ends_nothing_and_corrects_nothing(
    world: World, desk: Desk
) -> None:
    (claimed,) = claim_all(make_campaign(world, 1))
    call = desk.own(claimed)
    arrive(call.call_id, FORESTALLED)
    desk.round()
    assert call_of(claimed).state == "dispatching"
    assert call.call_id in desk.live_calls
    _, closed = closed_unknown(world)
    arrive(closed.call_id, FORESTALLED)
    desk.round()
    row = call_of(closed)
    assert (row.disposition, row.cause, row.duration_ms) == ("outcome_unknown", "ENDED_UNSEEN", None)
    assert waiting() == 1


# Late ones.


def test_a_late_record_says_that_a_call_was_answered(world: World, desk: Desk) -> None:
    campaign_id, call = closed_unknown(world)
    assert counts(campaign_id) == {"failed": 1}
    arrive(call.call_id, ANSWERED)
    desk.round()
    row, contact = call_of(call), contact_of(call)
    assert (row.disposition, row.cause, row.billsec, row.duration_ms) == (
        "answered",
        "NORMAL_CLEARING",
        4,
        5520,
    )
    assert (
        (row.progress_at - row.sent_at).total_seconds() == (row.ring_at - row.sent_at).total_seconds() == 0.02
    )
    assert (row.pdd_ms, row.ring_ms, row.sip_status, row.hung_up_by) == (20, 1500, 200, "remote")
    assert (row.ended_at - row.answered_at).total_seconds() == 4
    assert (contact.status, contact.disposition, contact.last_cause) == (
        "completed",
        "answered",
        "NORMAL_CLEARING",
    )
    assert (contact.attempts, row.attempt) == (1, 1)
    assert counts(campaign_id) == {"completed": 1}
    assert told(call.contact_id)[-1] == ("completed", "answered", 3)
    assert [(item.status, item.version, item.call_id) for item in desk.published] == [
        ("completed", 3, call.call_id)
    ]
    assert desk.billed == {world.tenant_id: 4}
    assert desk.uncounted == []
    assert waiting() == 0


def test_a_late_record_of_another_end_says_so_and_calls_nobody_again(world: World, desk: Desk) -> None:
    campaign_id, call = closed_unknown(world, retries_per_contact=5)
    arrive(call.call_id, BUSY)
    desk.round()
    contact = contact_of(call)
    assert (contact.status, contact.disposition, contact.next_attempt_at) == ("failed", "busy", None)
    assert counts(campaign_id) == {"failed": 1}
    assert told(call.contact_id)[-1] == ("failed", "busy", 3)
    assert not desk.billed
    assert desk.uncounted == [UncountedCall(world.tenant_id, call.phone_number, call.call_id)], "never rang"


def test_a_late_record_is_applied_once_whoever_and_however_often(world: World, desk: Desk) -> None:
    campaign_id, call = closed_unknown(world)
    other = Desk("dffffffffffff")
    arrive(call.call_id, ANSWERED, "fs1")
    arrive(call.call_id, ANSWERED, "fs1.example.com")
    gevent.joinall([gevent.spawn(place.round) for place in (desk, other) for _ in range(3)], raise_error=True)
    other.stop()
    assert counts(campaign_id) == {"completed": 1}
    assert len(told(call.contact_id)) == 3
    assert desk.billed + other.billed == {world.tenant_id: 4}
    assert waiting() == 0


def test_what_was_spoken_is_not_lost_to_the_day_where_redis_is_away(world: World, desk: Desk) -> None:
    campaign_id, call = closed_unknown(world)
    arrive(call.call_id, ANSWERED)
    desk.limiter_away = True
    with pytest.raises(LimiterUnavailable):
        desk.round()
    assert (waiting(), counts(campaign_id), desk.published) == (1, {"failed": 1}, []), (
        "the record waits for it"
    )
    desk.limiter_away = False
    desk.round()
    assert desk.billed == {world.tenant_id: 4}
    assert (waiting(), counts(campaign_id)) == (0, {"completed": 1})


@pytest.mark.parametrize("ending", ["stopped", "exhausted"])
def test_the_counts_add_up_after_the_campaign_is_over_too(world: World, desk: Desk, ending: str) -> None:
    campaign_id, call = closed_unknown(world)
    with db.connection_context():
        Campaign.update(status="completed", end_reason=ending, completed_at="2026-01-01").execute()
    arrive(call.call_id, ANSWERED)
    desk.round()
    assert counts(campaign_id) == {"completed": 1}
    assert contact_of(call).status == "completed"


def test_a_call_that_was_known_to_be_answered_gets_its_length(world: World, desk: Desk) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    write(DIALER, [Seen(call.call_id, 0.0, 0.5, True)], [Answered(call.call_id, 0.0, 1.0)], [])
    end(ended(call.call_id, "completed", disposition="answered", cause="ENDED_UNSEEN"))
    version = contact_of(call).version
    answered_at = call_of(call).answered_at
    # A record that does not know of the answer cannot take it back.
    arrive(call.call_id, ANSWERED | {"answer_uepoch": "0"})
    desk.round()
    row, contact = call_of(call), contact_of(call)
    assert (row.disposition, row.billsec, row.answered_at) == ("answered", 4, answered_at)
    assert (contact.status, contact.disposition, contact.version) == ("completed", "answered", version)
    assert desk.published == []
    assert desk.billed == {world.tenant_id: 4}


def test_a_late_record_of_an_answered_call_that_nobody_joined_says_so(world: World, desk: Desk) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    write(DIALER, [], [Answered(call.call_id, 0.0, 1.0)], [])
    end(ended(call.call_id, "completed", disposition="answered", cause="ENDED_UNSEEN"))
    arrive(call.call_id, ABANDONED)
    desk.round()
    row, contact = call_of(call), contact_of(call)
    assert (row.disposition, row.attempt) == ("abandoned", 1)
    assert (contact.status, contact.disposition, contact.attempts) == ("completed", "abandoned", 1)
    assert counts(campaign_id) == {"completed": 1}
    assert [(item.status, item.disposition) for item in desk.published] == [("completed", "abandoned")]


@pytest.mark.parametrize(
    ("before", "after"), [("answered", "completed"), ("outcome_unknown", "failed")], ids=["told", "unknown"]
)
def test_a_late_record_of_an_agent_that_could_not_run_says_so_and_calls_nobody(
    world: World, desk: Desk, before: str, after: str
) -> None:
    campaign_id = make_campaign(world, 1)
    (call,) = claim_all(campaign_id)
    write(DIALER, [], [Answered(call.call_id, 0.0, 1.0)], [])
    with db.connection_context():
        # As it is where whoever closed it did not know of the answer.
        state = "answered" if before == "answered" else "ringing"
        db.execute_sql("UPDATE call SET state = %s WHERE id = %s", (state, call.call_id))
    status = "completed" if before == "answered" else "failed"
    end(ended(call.call_id, status, disposition=before, cause="ENDED_UNSEEN"))
    arrive(call.call_id, AGENT_FAILED)
    desk.round()
    row, contact = call_of(call), contact_of(call)
    assert (row.disposition, row.cause) == ("agent_failed", "FILE_NOT_FOUND")
    assert (contact.status, contact.disposition) == (after, "agent_failed")
    assert counts(campaign_id) == {after: 1}


def test_a_contact_that_was_called_again_keeps_what_came_of_that(world: World, desk: Desk) -> None:
    campaign_id = make_campaign(world, 1, retries_per_contact=1)
    (first,) = claim_all(campaign_id)
    end(ended(first.call_id, "pending", counts=False, delay=0.0, disposition="switch_lost", cause="X"))
    (second,) = claim_all(campaign_id)
    end(ended(second.call_id, "failed", **UNKNOWN))
    arrive(first.call_id, ANSWERED)
    desk.round()
    contact = contact_of(first)
    assert (contact.status, contact.disposition, contact.attempts) == ("failed", "outcome_unknown", 1)
    row = call_of(first)
    assert (row.disposition, row.billsec, row.attempt) == ("answered", 4, None)
    assert counts(campaign_id) == {"failed": 1}


@pytest.mark.parametrize("status", ["pending", "cancelled"])
def test_a_contact_that_is_waiting_or_cancelled_stays_so(world: World, desk: Desk, status: str) -> None:
    campaign_id = make_campaign(world, 1, retries_per_contact=1)
    (call,) = claim_all(campaign_id)
    end(ended(call.call_id, "pending", counts=False, delay=60.0, **UNKNOWN))
    with db.connection_context():
        Contact.update(status=status).execute()
    before = contact_of(call).__data__
    arrive(call.call_id, ANSWERED)
    desk.round()
    assert contact_of(call).__data__ == before
    assert call_of(call).disposition == Disposition.ANSWERED


def test_a_record_that_knows_no_better_moves_nobody(world: World, desk: Desk) -> None:
    _, call = closed_unknown(world)
    arrive(call.call_id, {"hangup_cause": "UNKNOWN", "mduration": "10"})
    desk.round()
    assert len(told(call.contact_id)) == 2
    assert call_of(call).duration_ms == 10
    assert waiting() == 0


def test_only_todays_calls_count_for_today(world: World, desk: Desk) -> None:
    _, call = closed_unknown(world)
    with db.connection_context():
        db.execute_sql("UPDATE call SET created_at = now() - interval '1 day'")
    arrive(call.call_id, ANSWERED)
    desk.round()
    assert call_of(call).billsec == 4
    assert not desk.billed


def test_what_a_remote_party_wrote_is_bounded(world: World, desk: Desk) -> None:
    _, call = closed_unknown(world)
    arrive(
        call.call_id,
        BUSY | {"sip_invite_failure_phrase": "x" * 5000, "billsec": "9" * 18, "mduration": "9" * 18},
    )
    desk.round()
    row = call_of(call)
    assert row.sip_phrase is not None
    assert len(row.sip_phrase) == 200
    assert (row.disposition, row.duration_ms) == ("busy", 0)
    assert waiting() == 0
