"""A row that somebody keeps locked, in a transaction that he forgot, keeps nothing else waiting."""

from __future__ import annotations

from collections import Counter

import psycopg
import pytest

from campaigns import calls_to_end
from dialer.call_rows import adopt_calls
from dialer.live_calls import LiveCalls
from dialer.record.cdr_inbox import CdrInboxReader
from dialer.record.locked_rows import find_free
from freeswitch.events import ChannelEventKind
from models import db, new_id, rows
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import contacts_of
from tests.integration.dialer.house import RINGS, House
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all, end, ended
from tests.unit.dialer.factories import busy, channel_event, make_hangup, make_recorder
from tests.waiting import wait_until

OTHER = "d00000000000b"
ENDED, ANSWERED = ChannelEventKind.HANGUP_COMPLETE, ChannelEventKind.ANSWERED
LOCKS = {
    "the call": "SELECT FROM call WHERE id = %(call)s FOR UPDATE",
    "the contact": "SELECT FROM contact WHERE id = %(contact)s FOR UPDATE",
    "the campaign": "SELECT FROM campaign WHERE id = %(campaign)s FOR UPDATE",
}


@pytest.mark.parametrize("row", ["the call", "the campaign"])
def test_the_others_are_written_meanwhile_and_it_once_its_rows_are_free(
    house: House, patient: None, database_url: str, row: str
) -> None:
    process = house.dialer().process
    first = house.campaign(RINGS, retries_per_contact=0)
    calls = {call.campaign_id: call for call in process.live_calls}
    second = house.campaign(RINGS, RINGS, retries_per_contact=0)
    others = [call for call in process.live_calls if call.campaign_id == str(second)]
    held = calls[str(first)]
    with psycopg.connect(database_url) as forgotten:
        ids = {"call": held.call_id, "contact": held.contact_id, "campaign": held.campaign_id}
        forgotten.execute(LOCKS[row], ids)
        for call in (held, others[0]):
            process.recorder.on_event("fs1", channel_event(call.call_id, ANSWERED))
        wait_until(lambda: contacts_of(second) == {"connected": 1, "originated": 1}, "the other's answer")
        # What comes of it meanwhile waits with it, and holds up nobody either.
        process.recorder.on_event("fs1", channel_event(held.call_id, ENDED, make_hangup()))
        process.recorder.on_event("fs1", channel_event(others[1].call_id, ENDED, busy()))
        wait_until(lambda: contacts_of(second) == {"connected": 1, "failed": 1}, "the other's end")
        assert contacts_of(first) == {"originated": 1}
        assert len(process.recorder.locked) == 1
    wait_until(lambda: contacts_of(first) == {"completed": 1}, "what waited for its rows")
    with db.connection_context():
        (told,) = rows(
            "SELECT array_agg(status ORDER BY id) AS states FROM transition WHERE contact_id = %s",
            held.contact_id,
        )
    assert told["states"] == ["originated", "connected", "completed"]


@pytest.mark.parametrize("row", ["the call", "the contact"])
def test_the_records_of_others_are_applied_meanwhile(world: World, database_url: str, row: str) -> None:
    calls = claim_all(make_campaign(world, 2))
    end(*(ended(call.call_id, "failed") for call in calls))
    with db.connection_context():
        for call in calls:
            rows("INSERT INTO cdr_inbox (uuid, node, variables) VALUES (%s, 'fs1', '{}')", call.call_id)

    def left() -> list[str]:
        inbox = CdrInboxReader(
            DIALER, LiveCalls(), make_recorder(), lambda _told: None, lambda _late: None, lambda _calls: None
        )
        inbox.round()
        with db.connection_context():
            return [row["uuid"] for row in rows("SELECT uuid::text FROM cdr_inbox WHERE applied_at IS NULL")]

    with psycopg.connect(database_url) as forgotten:
        forgotten.execute(LOCKS[row], {"call": calls[0].call_id, "contact": calls[0].contact_id})
        assert left() == [calls[0].call_id]
    assert left() == []


def test_a_takeover_leaves_what_is_locked_and_takes_the_rest(world: World, database_url: str) -> None:
    calls = claim_all(make_campaign(world, 3))
    with psycopg.connect(database_url) as forgotten:
        forgotten.execute(LOCKS["the call"], {"call": calls[0].call_id})
        assert {call.call_id for call in adopt_calls(DIALER, OTHER)} == {call.call_id for call in calls[1:]}
    assert [call.call_id for call in adopt_calls(DIALER, OTHER)] == [calls[0].call_id]


def test_a_dialer_marks_for_a_halt_what_is_not_locked_and_the_rest_at_its_next_look(
    world: World, database_url: str
) -> None:
    calls = claim_all(make_campaign(world, 3))
    with db.connection_context():
        rows("INSERT INTO halt (scope, by) VALUES ('*', 'operator')")

    def marked() -> Counter[bool]:
        with db.connection_context(), db.atomic():
            calls_to_end.mark_dialer(DIALER)
        with db.connection_context():
            return Counter(row["marked"] for row in rows("SELECT hangup_at IS NOT NULL AS marked FROM call"))

    with psycopg.connect(database_url) as forgotten:
        forgotten.execute(LOCKS["the call"], {"call": calls[0].call_id})
        assert marked() == {True: 2, False: 1}
    assert marked() == {True: 3}


@pytest.mark.parametrize("row", LOCKS)
def test_whose_rows_are_free_is_found_without_waiting(world: World, database_url: str, row: str) -> None:
    locked = claim_all(make_campaign(world, 2))
    free = claim_all(make_campaign(world, 1))
    # What a failover has lost is nobody's to keep.
    lost = str(new_id())
    everybody = {lost, *(call.call_id for call in (*locked, *free))}
    assert find_free(everybody) == everybody
    with psycopg.connect(database_url) as forgotten:
        ids = {"call": locked[0].call_id, "contact": locked[0].contact_id, "campaign": locked[0].campaign_id}
        forgotten.execute(LOCKS[row], ids)
        expected = {lost, free[0].call_id} if row == "the campaign" else everybody - {locked[0].call_id}
        assert find_free(everybody) == expected
