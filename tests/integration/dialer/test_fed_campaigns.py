"""A campaign that is fed while it runs: who is called first, who too late, and when it is over."""

from __future__ import annotations

import uuid
from typing import Any

import gevent
import psycopg

from campaigns import expiry
from campaigns.expiry import expire_slice
from campaigns.lifecycle import complete_if_exhausted
from campaigns.opening_tables import LABEL
from dialer.dispatch.claims import claim_again
from dialer.expiry import Expiry
from dialer.lookout import look
from models import db, new_id, rows
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.one_campaign import claim, due, wanted
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all, end, ended
from tests.waiting import HANG_SECONDS, wait_until


def change(statement: str, *values: object) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(statement, *values)


def expires(campaign_id: uuid.UUID, seconds: float, *positions: int) -> None:
    change(
        "UPDATE contact SET expires_at = now() + make_interval(secs => %s)"
        " WHERE campaign_id = %s AND position = ANY(%s)",
        seconds,
        campaign_id,
        list(positions),
    )


def positions(campaign_id: uuid.UUID, limit: int, share: tuple[int, int] = (0, 1)) -> list[int]:
    found = [uuid.UUID(one.contact_id) for one in due(str(campaign_id), limit, share)]
    place = {
        row["id"]: row["position"]
        for row in change("SELECT id, position FROM contact WHERE campaign_id = %s", campaign_id)
    }
    return [place[one] for one in found]


def status(campaign_id: uuid.UUID) -> str:
    (found,) = change("SELECT status FROM campaign WHERE id = %s", campaign_id)
    told: str = found["status"]
    return told


def test_the_highest_priority_is_called_first_and_nobody_is_named_twice(world: World) -> None:
    campaign_id = make_campaign(world, 6)
    change("UPDATE contact SET priority = position * 10 WHERE position IN (3, 5)")
    change("UPDATE contact SET priority = 30 WHERE position = 4")
    assert positions(campaign_id, 100) == [5, 3, 4, 0, 1, 2]
    assert positions(campaign_id, 2) == [5, 3]
    assert positions(campaign_id, 4) == [5, 3, 4, 0]
    assert positions(campaign_id, 100, (1, 2)) == [5, 3, 1]
    # A retry goes before the new ones, like any other's.
    change("UPDATE contact SET next_attempt_at = now() - interval '1 s' WHERE position = 5")
    assert positions(campaign_id, 100) == [5, 3, 4, 0, 1, 2]


def test_nobody_is_claimed_or_sent_again_once_he_has_expired(world: World) -> None:
    campaign_id = make_campaign(world, 3)
    seen = due(str(campaign_id), 3)
    expires(campaign_id, -1.0, 0)
    expires(campaign_id, 3600.0, 1)
    assert positions(campaign_id, 100) == [1, 2]
    claimed = claim(str(campaign_id), DIALER, [wanted(item) for item in seen])
    assert len(claimed) == 2
    expires(campaign_id, -1.0, 1)
    again = [claim_again(call.call_id, DIALER) is not None for call in claimed]
    assert sorted(again) == [False, True]


def test_a_claimed_call_leaves_before_its_contact_expires_whichever_ends_first(world: World) -> None:
    campaign_id = make_campaign(world, 2)
    expires(campaign_id, 3600.0, 1)
    claimed = claim(str(campaign_id), DIALER, [wanted(item) for item in due(str(campaign_id), 2)])
    again = [claim_again(call.call_id, DIALER) for call in claimed]
    closes = [
        (one.closes_in, two.closes_in) for one, two in zip(claimed, again, strict=True) if two is not None
    ]
    assert closes[0] == (None, None)
    assert all(3500 < (seconds or 0) <= 3600 for seconds in closes[1])
    change("UPDATE campaign SET windows = '[]', openings_by = %s", LABEL)
    change("INSERT INTO opening SELECT %s, 0, now() - interval '1 s', now() + interval '60 s'", campaign_id)
    within = [claim_again(call.call_id, DIALER) for call in claimed]
    assert all(one is not None and 0 < (one.closes_in or 0) <= 60 for one in within)


def test_who_has_expired_is_cancelled_with_his_reason_and_nobody_else(world: World) -> None:
    campaign_id, other = make_campaign(world, 4), make_campaign(world, 1)
    assert not look(DIALER).expired
    (call,) = claim(str(campaign_id), DIALER, [wanted(due(str(campaign_id), 1)[0])])
    end(ended(call.call_id, "pending"))
    expires(campaign_id, -1.0, 0, 1)
    expires(campaign_id, 3600.0, 2)
    expires(other, -1.0, 0)
    assert look(DIALER).expired
    assert expire_slice(DIALER) == {campaign_id: 2, other: 1}
    assert (expire_slice(DIALER), look(DIALER).expired) == ({}, False)
    found = change(
        "SELECT status, disposition, next_attempt_at FROM contact WHERE campaign_id = %s ORDER BY position",
        campaign_id,
    )
    assert [(row["status"], row["disposition"]) for row in found] == [
        ("cancelled", "expired"),
        ("cancelled", "expired"),
        ("pending", None),
        ("pending", None),
    ]
    assert found[0]["next_attempt_at"] is None
    assert counts(campaign_id) == {"pending": 2, "cancelled": 2}
    told = change(
        "SELECT disposition, attempt, version FROM transition WHERE campaign_id = %s AND status = 'cancelled'"
        " ORDER BY version DESC",
        campaign_id,
    )
    assert [(row["disposition"], row["attempt"]) for row in told] == [("expired", 1), ("expired", None)]
    noted = change("SELECT by, reason, details FROM campaign_log WHERE campaign_id = %s", campaign_id)
    assert (None, "expired", {"cancelled": 2}) in [tuple(row.values()) for row in noted]


def test_a_campaign_of_which_the_last_expire_is_over_and_all_of_it_is_told(
    world: World, monkeypatch: Any
) -> None:
    monkeypatch.setattr(expiry, "SLICE", 2)
    campaign_id = make_campaign(world, 5)
    expires(campaign_id, -1.0, *range(5))
    nudges: list[int] = []
    mine = Expiry(DIALER, lambda: True, lambda: nudges.append(1), completed)
    Expiry(DIALER, lambda: False, lambda: nudges.append(1), completed).round()
    assert (nudges, status(campaign_id)) == ([], "running")
    mine.round()
    assert (status(campaign_id), counts(campaign_id)) == ("completed", {"cancelled": 5})
    assert len(nudges) == 3


def completed(campaign_id: str) -> bool:
    return complete_if_exhausted(uuid.UUID(campaign_id), DIALER)


def test_a_campaign_that_is_kept_open_goes_on_where_nobody_is_left(world: World) -> None:
    campaign_id = make_campaign(world, 1, keep_open=True)
    end(*[ended(call.call_id, "failed") for call in claim_all(campaign_id)])
    assert not complete_if_exhausted(campaign_id, DIALER)
    change("UPDATE campaign SET keep_open = false")
    assert complete_if_exhausted(campaign_id, DIALER)


def test_a_campaign_does_not_end_over_contacts_that_are_being_added(world: World, database_url: str) -> None:
    campaign_id = make_campaign(world, 0)
    with psycopg.connect(database_url) as adder:
        adder.execute("SELECT 1 FROM campaign FOR NO KEY UPDATE")
        adder.execute(
            "INSERT INTO contact (id, campaign_id, position, phone_number) VALUES (%s, %s, 1, '+14155550001')",
            (new_id(), campaign_id),
        )
        ending = gevent.spawn(complete_if_exhausted, campaign_id, DIALER)
        wait_until(
            lambda: bool(
                change(
                    "SELECT 1 FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            ),
            "the end waiting for who adds",
        )
        adder.commit()
    assert ending.get(timeout=HANG_SECONDS) is False
    assert status(campaign_id) == "running"
