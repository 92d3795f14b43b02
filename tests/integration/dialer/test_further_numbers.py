"""A contact with several numbers, on real rows: by which it is called next, and that each is judged when its turn
comes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gevent
import pytest
from redis import Redis

from campaigns import duplicates, never_open, suppressed_contacts
from campaigns.duplicates import Repeats
from campaigns.further_numbers import goes_on
from campaigns.number_hash import ERASED
from campaigns.suppressed_contacts import cancel_named
from coordination.redis_client import client
from dialer import lookout
from dialer.call_rows import adopt_calls, open_calls
from dialer.dispatch.claims import Claimed, claim_again
from dialer.record.outcome_rows import Answered, write
from models import CampaignStatus, Contact, db, rows
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.house import House
from tests.integration.dialer.one_campaign import claim, due, wanted
from tests.integration.dialer.test_claims_and_outcomes import DIALER, contact_of, end, ended
from tests.integration.dialer.test_erasures import ask, eraser, is_done, mentions, published
from tests.integration.dialer.test_suppressions import HASH, everything, suppress
from tests.integration.dialer.test_windows import change, give_window, opens
from tests.waiting import HANG_SECONDS, wait_until

FIRST, SECOND, THIRD, OTHER = (f"+1415556{last:04d}" for last in (0, 9001, 9002, 1))
HOME, WORK, AWAY, ABROAD = 3, 5, 7, 9


def several(world: World, numbers: Sequence[str] = (FIRST, SECOND, THIRD), **columns: Any) -> uuid.UUID:
    """A running campaign of one contact with these numbers."""
    campaign_id = make_campaign(world, 1, **({"retries_per_contact": 5} | columns))
    give_numbers(campaign_id, numbers)
    return campaign_id


def give_numbers(campaign_id: uuid.UUID, numbers: Sequence[str]) -> None:
    """The campaign's first contact has these numbers."""
    change(
        "UPDATE contact SET numbers = %s, zone_groups = %s, zone_group = %s, phone_number = %s, repeats = position"
        " WHERE campaign_id = %s AND position = 0",
        list(numbers),
        [HOME, WORK, AWAY, ABROAD][: len(numbers)],
        HOME,
        numbers[0],
        campaign_id,
    )


def call(campaign_id: uuid.UUID, **how: Any) -> Claimed:
    """Call its contact, however long it would have to wait; `how` the call ends."""
    change("UPDATE contact SET next_attempt_at = NULL WHERE campaign_id = %s", campaign_id)
    (item,) = claim(str(campaign_id), DIALER, [wanted(item) for item in due(str(campaign_id), 1)], HASH)
    following = {"next_number": item.other_number} if how.get("status", "pending") == "pending" else {}
    end(ended(item.call_id, **({"status": "pending"} | following | how)))
    return item


def contact(campaign_id: uuid.UUID) -> dict[str, Any]:
    (found,) = change(
        "SELECT status, phone_number, zone_group, struck, attempts FROM contact WHERE campaign_id = %s",
        campaign_id,
    )
    return found


def test_after_each_unanswered_attempt_the_next_number_is_called_in_turn(world: World) -> None:
    campaign_id = several(world)
    called = [call(campaign_id) for _ in range(5)]
    assert [item.phone_number for item in called] == [FIRST, SECOND, THIRD, FIRST, SECOND]
    assert [item.attempt for item in called] == [1, 2, 3, 4, 5]
    assert all(item.other_number for item in called)
    # The rows of the calls say which number was called.
    found = change("SELECT phone_number FROM call WHERE campaign_id = %s ORDER BY seq", campaign_id)
    assert [row["phone_number"] for row in found] == [FIRST, SECOND, THIRD, FIRST, SECOND]
    assert contact(campaign_id)["zone_group"] == AWAY
    assert counts(campaign_id) == {"pending": 1}


def test_what_is_told_of_a_call_is_about_the_number_that_was_called(world: World) -> None:
    campaign_id = several(world)
    (item,) = claim(str(campaign_id), DIALER, [wanted(item) for item in due(str(campaign_id), 1)])
    (told,) = end(ended(item.call_id, "pending", next_number=True)).told
    assert (told.phone_number, contact(campaign_id)["phone_number"]) == (FIRST, SECOND)


def test_a_call_that_did_not_count_is_repeated_to_the_same_number(world: World) -> None:
    campaign_id = several(world)
    call(campaign_id, counts=False, free="carrier", next_number=False)
    assert contact(campaign_id)["phone_number"] == FIRST


def test_a_number_that_is_no_good_is_called_no_more(world: World) -> None:
    campaign_id = several(world)
    assert call(campaign_id, no_good=True, disposition="invalid").phone_number == FIRST
    assert contact(campaign_id)["struck"] == 0b001
    assert call(campaign_id).phone_number == SECOND
    assert call(campaign_id, no_good=True, disposition="invalid").phone_number == THIRD
    assert contact(campaign_id)["struck"] == 0b101
    last = call(campaign_id)
    assert (last.phone_number, last.other_number) == (SECOND, False)
    assert contact(campaign_id)["phone_number"] == SECOND


def test_whose_only_number_is_no_good_has_failed_whoever_says_that_he_has_another(world: World) -> None:
    for numbers in ((FIRST,), (FIRST, SECOND)):
        campaign_id = several(world, numbers)
        if len(numbers) == 1:
            change(
                "UPDATE contact SET numbers = NULL, zone_groups = NULL WHERE campaign_id = %s", campaign_id
            )
        else:
            change("UPDATE contact SET struck = 2 WHERE campaign_id = %s", campaign_id)
        call(campaign_id, no_good=True, next_number=True, disposition="invalid")
        assert contact(campaign_id)["status"] == "failed"
        assert counts(campaign_id) == {"failed": 1}


def test_who_is_answered_or_stopped_keeps_the_number_that_was_called(world: World) -> None:
    campaign_id = several(world)
    (item,) = claim(str(campaign_id), DIALER, [wanted(item) for item in due(str(campaign_id), 1)])
    write(DIALER, [], [Answered(item.call_id, 0.0, 1.0)], [])
    end(ended(item.call_id, "pending", next_number=True))
    assert (contact(campaign_id)["status"], contact(campaign_id)["phone_number"]) == ("completed", FIRST)
    stopped = several(world)
    (item,) = claim(str(stopped), DIALER, [wanted(item) for item in due(str(stopped), 1)])
    change(
        "UPDATE campaign SET status = 'completed', completed_at = now(), end_reason = 'stopped' WHERE id = %s",
        stopped,
    )
    end(ended(item.call_id, "pending", next_number=True))
    assert (contact(stopped)["status"], contact(stopped)["phone_number"]) == ("failed", FIRST)


def test_a_claim_that_was_judged_for_another_number_gets_nothing(world: World) -> None:
    """Its gateway, its caps, and whether it is erased, were looked up for the number of before."""
    campaign_id = several(world)
    (stale,) = (wanted(item) for item in due(str(campaign_id), 1))
    suppress(number=FIRST)
    everything()
    assert contact(campaign_id)["phone_number"] == SECOND
    assert claim(str(campaign_id), DIALER, [stale], HASH) == []
    assert claim(str(campaign_id), DIALER, [replace(stale, phone_number=SECOND)], HASH) != []


@pytest.mark.parametrize("entry", [{"number": SECOND}, {"prefix": SECOND}, {"digest": HASH(SECOND)}])
def test_the_second_number_is_asked_about_when_it_is_about_to_be_called(
    world: World, entry: dict[str, Any]
) -> None:
    campaign_id = several(world, (FIRST, SECOND))
    call(campaign_id)
    suppress(**entry, news=False)
    change("UPDATE contact SET next_attempt_at = NULL WHERE campaign_id = %s", campaign_id)
    (item,) = due(str(campaign_id), 1)
    assert item.phone_number == SECOND
    assert claim(str(campaign_id), DIALER, [wanted(item)], HASH) == []
    # Whom a claim had to leave goes on with what he has, once and for all.
    done = cancel_named(DIALER, [item.contact_id], [SECOND], [HASH(SECOND)])
    assert done.campaigns == (str(campaign_id),)
    assert contact(campaign_id) | {"attempts": 0} == {
        "status": "pending",
        "phone_number": FIRST,
        "zone_group": HOME,
        "struck": 0b10,
        "attempts": 0,
    }
    last = call(campaign_id)
    assert (last.phone_number, last.other_number) == (FIRST, False)


def test_whose_numbers_are_all_suppressed_is_cancelled_and_his_campaign_counts_him_so(world: World) -> None:
    campaign_id = several(world, (FIRST, SECOND))
    suppress(number=FIRST)
    suppress(number=SECOND)
    while everything():
        pass
    assert contact(campaign_id)["status"] == "cancelled"
    assert counts(campaign_id) == {"cancelled": 1}


def test_an_entry_for_a_number_whose_turn_has_not_come_changes_nothing_yet(world: World) -> None:
    campaign_id = several(world, (FIRST, SECOND))
    suppress(number=SECOND)
    assert everything() == []
    assert contact(campaign_id)["phone_number"] == FIRST


def test_a_digest_of_another_number_strikes_none(world: World) -> None:
    """Somebody else moved it on between the claim and the look."""
    campaign_id = several(world, (FIRST, SECOND))
    (item,) = due(str(campaign_id), 1)
    call(campaign_id)
    suppress(digest=HASH(FIRST), news=False)
    assert cancel_named(DIALER, [item.contact_id], [FIRST], [HASH(FIRST)]).campaigns == ()
    assert (contact(campaign_id)["phone_number"], contact(campaign_id)["struck"]) == (SECOND, 0)


@pytest.mark.parametrize("news", [True, False])
def test_who_goes_on_while_others_look_keeps_the_number_that_he_went_on_with(
    world: World, monkeypatch: pytest.MonkeyPatch, news: bool
) -> None:
    """By a list of many the look takes a while: a claim that had to leave him has him go on meanwhile."""
    campaign_id = several(world, (FIRST, SECOND))
    (item,) = due(str(campaign_id), 1)
    suppress(number=FIRST, news=news)
    name = "CANCEL_CONCERNED" if news else "CANCEL_NAMED"
    sql = getattr(suppressed_contacts, name)
    slowed = sql.replace("FROM whom))", "FROM whom, (SELECT pg_advisory_xact_lock_shared(7)) AS late))", 1)
    assert slowed != sql
    monkeypatch.setattr(suppressed_contacts, name, slowed)
    with db.connection_context():
        rows("SELECT pg_advisory_lock(7)")
        look = gevent.spawn(
            everything if news else lambda: cancel_named(DIALER, [item.contact_id], [FIRST], [HASH(FIRST)])
        )
        wait_until(lambda: rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != [])
        going_on = f"UPDATE contact SET {goes_on('contact', 'true', strike=True)} WHERE campaign_id = %s"
        db.execute_sql(going_on, (campaign_id,))
        rows("SELECT pg_advisory_unlock(7)")
        look.get(timeout=HANG_SECONDS)
    found = contact(campaign_id)
    assert (found["status"], found["phone_number"], found["struck"]) == ("pending", SECOND, 0b1)


def test_a_retry_waits_for_the_window_of_the_number_that_it_goes_to(world: World) -> None:
    campaign_id = several(world, (FIRST, SECOND))
    give_window(campaign_id)
    for group in (HOME, WORK):
        change("INSERT INTO campaign_zone VALUES (%s, %s, '[]')", campaign_id, group)
    opens(campaign_id, HOME, -60, 7200)
    later = opens(campaign_id, WORK, 3600, 7200)
    (item,) = claim(str(campaign_id), DIALER, [wanted(item) for item in due(str(campaign_id), 1)])
    end(ended(item.call_id, "pending", next_number=True))
    (found,) = change(
        "SELECT next_attempt_at >= %s AS waits FROM contact WHERE campaign_id = %s", later, campaign_id
    )
    assert found["waits"]
    assert due(str(campaign_id), 1) == []
    change("UPDATE contact SET next_attempt_at = NULL WHERE campaign_id = %s", campaign_id)
    assert due(str(campaign_id), 1) == []
    opens(campaign_id, WORK, -60, 60)
    (second,) = due(str(campaign_id), 1)
    assert second.phone_number == SECOND


def test_for_whom_the_window_never_opens_goes_on_with_a_number_that_it_opens_for(world: World) -> None:
    campaign_id = several(world, (FIRST, SECOND))
    give_window(campaign_id)
    opens(campaign_id, WORK, 60, 3600)
    assert never_open.cancel_slice(campaign_id, [HOME], DIALER) == (1, 0)
    assert (contact(campaign_id)["status"], contact(campaign_id)["phone_number"]) == ("pending", SECOND)
    assert never_open.cancel_slice(campaign_id, [HOME], DIALER) == (0, 0)
    change("DELETE FROM opening WHERE campaign_id = %s", campaign_id)
    assert never_open.cancel_slice(campaign_id, [HOME, WORK], DIALER) == (0, 1)
    assert contact(campaign_id)["status"] == "cancelled"


def windowed(world: World, numbers: Sequence[str], *opened: int) -> uuid.UUID:
    """A running campaign of one contact with these numbers, whose window is open for these groups and never opens
    for others."""
    campaign_id = several(world, numbers)
    give_window(campaign_id)
    for group in (HOME, WORK, AWAY):
        change("INSERT INTO campaign_zone VALUES (%s, %s, '[]')", campaign_id, group)
    for group in opened:
        opens(campaign_id, group, -60, 7200)
    return campaign_id


def test_nobody_goes_round_to_a_number_that_the_window_never_opens_for(world: World) -> None:
    campaign_id = windowed(world, (FIRST, SECOND, THIRD), WORK, AWAY)
    never_open.cancel_slice(campaign_id, [HOME], DIALER)
    called = [call(campaign_id).phone_number for _ in range(4)]
    assert called == [SECOND, THIRD, SECOND, THIRD]
    # Where it opens for one alone, that one is called again.
    alone = windowed(world, (FIRST, SECOND), WORK)
    never_open.cancel_slice(alone, [HOME], DIALER)
    assert [call(alone).phone_number for _ in range(2)] == [SECOND, SECOND]
    call(alone, no_good=True, disposition="invalid")
    assert (contact(alone)["status"], contact(alone)["phone_number"]) == ("failed", SECOND)


def test_who_is_left_with_numbers_that_the_window_never_opens_for_is_cancelled(world: World) -> None:
    campaign_id = windowed(world, (FIRST, SECOND, THIRD), HOME, AWAY)
    suppress(number=FIRST)
    everything()
    assert (contact(campaign_id)["status"], contact(campaign_id)["phone_number"]) == ("pending", THIRD)
    suppress(number=THIRD)
    everything()
    assert contact(campaign_id)["status"] == "cancelled"


def test_who_takes_a_call_over_knows_whether_there_is_another_number(world: World) -> None:
    campaign_id = several(world, (FIRST, SECOND))
    (item,) = claim(str(campaign_id), DIALER, [wanted(item) for item in due(str(campaign_id), 1)])
    (known,) = open_calls(DIALER, [item.call_id])
    assert (known.phone_number, known.other_number) == (FIRST, True)
    plain = make_campaign(world, 1)
    claim(str(plain), DIALER, [wanted(item) for item in due(str(plain), 1)])
    adopted = {one.campaign_id: one.other_number for one in adopt_calls(DIALER, "d000000000002")}
    assert adopted == {str(campaign_id): True, str(plain): False}


@pytest.fixture
def redis(redis_url: str) -> Redis:
    return client(redis_url)


@pytest.mark.parametrize("erased", [FIRST, SECOND])
def test_whoever_is_erased_by_any_of_his_numbers_is_erased_with_all(
    world: World, redis: Redis, erased: str
) -> None:
    campaign_id = several(world, (FIRST, SECOND, THIRD))
    call(campaign_id)
    erasure_id = ask(world, erased)
    round_of = eraser(redis).round
    round_of()
    assert contact(campaign_id)["status"] == "cancelled"
    published()
    round_of()
    assert is_done(world, erasure_id)
    assert [mentions(number) for number in (FIRST, SECOND, THIRD)] == [set(), set(), set()]
    (found,) = change("SELECT phone_number FROM call WHERE campaign_id = %s", campaign_id)
    assert found["phone_number"] == ERASED


def test_whoever_is_being_erased_by_one_number_is_called_by_none(world: World) -> None:
    """Between the request and the round in which he is taken off the lists."""
    campaign_id = several(world, (FIRST, SECOND))
    (item,) = claim(str(campaign_id), DIALER, [wanted(item) for item in due(str(campaign_id), 1)], HASH)
    ask(world, SECOND)
    # What is claimed and was not sent does not leave, and is not sent again.
    asked = {"dialer": DIALER, "unsent": [item.call_id], "digests": [HASH(FIRST)]}
    with db.connection_context():
        ((*_, forbidden),) = db.execute_sql(lookout.LOOK, asked).fetchall()
    assert forbidden == [item.call_id]
    assert claim_again(item.call_id, DIALER, FIRST, HASH) is None
    end(ended(item.call_id, "pending", counts=False, sent_age=None, disposition=None))
    change("UPDATE contact SET next_attempt_at = NULL WHERE campaign_id = %s", campaign_id)
    (again,) = due(str(campaign_id), 1)
    assert again.phone_number == FIRST
    assert claim(str(campaign_id), DIALER, [wanted(again)], HASH) == []
    # Of another tenant nobody is erased by that.
    change("INSERT INTO tenant (id, name) VALUES ('another', 'Another')")
    change("UPDATE erasure SET tenant_id = 'another'")
    assert claim(str(campaign_id), DIALER, [wanted(again)], HASH) != []


@pytest.mark.parametrize("lookups", [0, 1_000])
def test_whom_a_tenant_called_lately_is_known_however_many_campaigns_it_has(
    world: World, lookups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "MOST_LOOKUPS", lookups)
    campaign_id = several(world, (FIRST, SECOND, THIRD))
    call(campaign_id)
    call(campaign_id)

    def lately(numbers: Sequence[str], tenant: str = world.tenant_id) -> frozenset[str]:
        with db.connection_context():
            return duplicates.called_lately(tenant, Repeats("recent", 1), numbers)

    assert lately((FIRST, SECOND, THIRD, OTHER)) == {FIRST, SECOND}
    assert lately((FIRST,), "another") == frozenset()
    change("UPDATE call SET created_at = now() - interval '2 hours' WHERE phone_number = %s", FIRST)
    assert lately((FIRST, SECOND)) == {SECOND}


def test_contacts_with_one_number_are_as_they_were(world: World) -> None:
    campaign_id = make_campaign(world, 1, retries_per_contact=5)
    one = call(campaign_id, next_number=True)
    assert (one.phone_number, one.other_number) == (FIRST, False)
    assert call(campaign_id).phone_number == FIRST
    with db.connection_context():
        found = Contact.get(Contact.campaign == campaign_id)
    assert (found.numbers, found.struck, found.repeats) == (None, 0, 0)
    assert contact_of(one).attempts == 2


INVALID, RINGS_BUSY, ANSWERS = "+14155550003", "+14155550001", "+14155550010"
"""Numbers that end so at a simulated node: unknown, busy, and picked up for some seconds."""


def running(campaign_id: uuid.UUID, contacts: int) -> None:
    change(
        "UPDATE campaign_count SET pending = %s WHERE campaign_id = %s AND lane = 'import'",
        contacts,
        campaign_id,
    )
    change("UPDATE campaign SET status = 'running', generation = generation + 1 WHERE id = %s", campaign_id)


def over(campaign_id: uuid.UUID) -> bool:
    # Nobody waits out the delay of a retry.
    change("UPDATE contact SET next_attempt_at = now() WHERE status = 'pending' AND next_attempt_at > now()")
    return bool(
        change("SELECT 1 FROM campaign WHERE id = %s AND status = 'completed'", campaign_id),
    )


def test_a_node_is_asked_for_one_number_after_the_other_until_somebody_is_reached(house: House) -> None:
    house.dialer()
    campaign_id = make_campaign(house.world, 1, status=CampaignStatus.PAUSED, retries_per_contact=5)
    give_numbers(campaign_id, (INVALID, RINGS_BUSY, ANSWERS, SECOND))
    running(campaign_id, 1)
    wait_until(lambda: over(campaign_id), "the end")
    found = change(
        "SELECT phone_number, disposition, attempt FROM call WHERE campaign_id = %s ORDER BY seq", campaign_id
    )
    assert [tuple(row.values()) for row in found] == [
        (INVALID, "invalid", 1),
        (RINGS_BUSY, "busy", 2),
        (ANSWERS, "answered", 3),
    ]
    assert contact(campaign_id) == {
        "status": "completed",
        "phone_number": ANSWERS,
        "zone_group": AWAY,
        "struck": 1,
        "attempts": 3,
    }


def test_two_contacts_with_one_number_are_never_in_a_call_at_the_same_time(house: House) -> None:
    """`duplicates` is off; each is called, one after the other."""
    house.dialer()
    house.dialer()
    campaign_id = make_campaign(house.world, 4, status=CampaignStatus.PAUSED)
    change(
        "UPDATE contact SET phone_number = %s, repeats = position + 1 WHERE campaign_id = %s",
        ANSWERS,
        campaign_id,
    )
    running(campaign_id, 4)
    wait_until(lambda: over(campaign_id), "the end")
    found = change(
        "SELECT count(*) AS calls, count(DISTINCT contact_id) AS contacts, count(*) FILTER (WHERE EXISTS ("
        " SELECT FROM call AS twin WHERE twin.id <> call.id AND twin.created_at < call.ended_at"
        " AND twin.ended_at > call.created_at)) AS at_once FROM call WHERE campaign_id = %s",
        campaign_id,
    )
    assert found == [{"calls": 4, "contacts": 4, "at_once": 0}]
