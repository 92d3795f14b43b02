"""Calling windows on real rows: who is read, claimed and sent again, when the next is due, where retries go.

Instants are compared by the database's clock, so openings lie around its now.
"""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns import never_open, openings
from campaigns.opening_tables import LABEL, RELEASE, TABLES
from dialer import openings_ahead, shut_retries
from dialer.dispatch import due as reading
from dialer.dispatch.claims import claim_again
from dialer.dispatch.due import Due
from dialer.openings_ahead import PUT_OFF_SECONDS, WAIT_SECONDS, OpeningsAhead
from models import db, rows, transaction
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.one_campaign import claim, due, next_due, wanted
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all, end, ended
from tests.integration.dialer.test_large_lists import cost

ALL_DAY = '[{"days": ["mon"], "from": "09:00", "to": "10:00"}]'
HOUR = 3_600
EAST, WEST = 7, -9


def change(statement: str, *values: object) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(statement, *values)


def give_window(campaign_id: uuid.UUID) -> None:
    """Its openings are the test's to write, by the tables that this process has."""
    change(
        "UPDATE campaign SET windows = %s::jsonb, time_zone = 'UTC', openings_by = %s WHERE id = %s",
        ALL_DAY,
        LABEL,
        campaign_id,
    )


def windowed(world: World, *groups: int, contacts: int = 1) -> uuid.UUID:
    """A running campaign with a window that is closed, and so many contacts in each of these groups, in turn."""
    campaign_id = make_campaign(world, contacts * len(groups), retries_per_contact=1)
    give_window(campaign_id)
    for place, group in enumerate(groups):
        change(
            "UPDATE contact SET zone_group = %s WHERE campaign_id = %s AND position %% %s = %s",
            group,
            campaign_id,
            len(groups),
            place,
        )
        change("INSERT INTO campaign_zone VALUES (%s, %s, '[]')", campaign_id, group)
    return campaign_id


def opens(campaign_id: uuid.UUID, group: int, since: float, until: float) -> datetime:
    """An opening from so many seconds from now to so many; its beginning."""
    (found,) = change(
        "INSERT INTO opening VALUES (%s, %s, now() + make_interval(secs => %s), now() + make_interval(secs => %s))"
        " RETURNING opens_at",
        campaign_id,
        group,
        since,
        until,
    )
    opens_at: datetime = found["opens_at"]
    return opens_at.astimezone(UTC)


def groups_of(found: list[Due]) -> set[int]:
    ids = [item.contact_id for item in found]
    return {
        row["zone_group"] for row in change("SELECT zone_group FROM contact WHERE id = ANY(%s::uuid[])", ids)
    }


def positions(found: list[Due]) -> list[int]:
    ids = [item.contact_id for item in found]
    return [
        row["position"]
        for row in change(
            "SELECT position FROM contact WHERE id = ANY(%s::uuid[]) ORDER BY array_position(%s::uuid[], id)",
            ids,
            ids,
        )
    ]


def test_nobody_is_read_or_claimed_outside_his_own_window(world: World) -> None:
    campaign_id = windowed(world, EAST, WEST, contacts=2)
    everybody = [
        wanted(Due(str(row["id"]), row["phone_number"]))
        for row in change("SELECT id, phone_number FROM contact")
    ]
    assert due(str(campaign_id), 10) == []
    assert claim(str(campaign_id), DIALER, everybody) == []
    opens(campaign_id, EAST, -2 * HOUR, -1.0)
    opens(campaign_id, WEST, HOUR, 2 * HOUR)
    assert due(str(campaign_id), 10) == []
    assert claim(str(campaign_id), DIALER, everybody) == [], "one window is over, and the other has not come"
    opens(campaign_id, EAST, -0.5, HOUR)
    assert groups_of(due(str(campaign_id), 10)) == {EAST}
    claimed = claim(str(campaign_id), DIALER, everybody)
    assert {item.contact_id for item in claimed} == {item.contact_id for item in everybody} & {
        str(row["id"]) for row in change("SELECT id FROM contact WHERE zone_group = %s", EAST)
    }
    assert all(HOUR - 60 < (item.closes_in or 0) <= HOUR for item in claimed)


def test_a_campaign_without_a_window_is_called_at_any_time(world: World) -> None:
    campaign_id = make_campaign(world, 2)
    assert [item.closes_in for item in claim_all(campaign_id)] == [None, None]


def test_the_groups_that_are_open_take_turns_in_the_order_of_the_list(world: World) -> None:
    campaign_id = windowed(world, EAST, WEST, 0, contacts=20)
    for group in (EAST, WEST):
        opens(campaign_id, group, -1.0, HOUR)
    assert positions(due(str(campaign_id), 20)) == [place for place in range(30) if place % 3 < 2]
    assert positions(due(str(campaign_id), 40, (1, 2))) == [
        place for place in range(60) if place % 3 < 2 and place % 2
    ]


def test_no_group_waits_until_another_that_comes_first_in_the_list_is_through(world: World) -> None:
    campaign_id = windowed(world, EAST, WEST, contacts=40)
    change(
        "UPDATE contact SET position = position + CASE WHEN zone_group = %s THEN 0 ELSE 1000 END,"
        " priority = CASE WHEN position %% 8 < 2 THEN 5 ELSE 0 END",
        EAST,
    )
    for group in (EAST, WEST):
        opens(campaign_id, group, -1.0, HOUR)
    found = due(str(campaign_id), 10)
    assert len(found) == 10
    for kind in ("priority = 5", "priority = 0"):
        first = due(str(campaign_id), 10)
        assert groups_of(first[:2]) == {EAST, WEST}, "the first of each group comes before the second of any"
        change(f"UPDATE contact SET status = 'failed' WHERE {kind}")
    change("UPDATE contact SET status = 'pending', next_attempt_at = now() - interval '1 h'")
    change("UPDATE contact SET next_attempt_at = now() - interval '1 min' WHERE zone_group = %s", WEST)
    assert groups_of(due(str(campaign_id), 10)[:2]) == {EAST, WEST}


def test_who_is_passed_over_takes_the_place_of_nobody_in_any_group(world: World) -> None:
    campaign_id = windowed(world, EAST, WEST, contacts=60)
    for group in (EAST, WEST):
        opens(campaign_id, group, -1.0, HOUR)
    change("UPDATE contact SET status = 'failed' WHERE zone_group = %s AND position > 10", WEST)
    held = [
        str(row["id"])
        for row in change("SELECT id FROM contact WHERE zone_group = %s ORDER BY position LIMIT 50", EAST)
    ]
    found = reading.due({str(campaign_id): 12}, (0, 1), held)[str(campaign_id)]
    assert groups_of(found) == {EAST, WEST}
    assert not {item.contact_id for item in found} & set(held)
    assert sum(1 for item in found if groups_of([item]) == {EAST}) >= 6


def test_a_call_is_sent_once_more_only_within_the_window(world: World) -> None:
    campaign_id = windowed(world, EAST)
    opens(campaign_id, EAST, -1.0, HOUR)
    (call,) = claim_all(campaign_id)
    again = claim_again(call.call_id, DIALER)
    assert again is not None
    assert HOUR - 60 < (again.closes_in or 0) <= HOUR
    change("UPDATE opening SET closes_at = now()")
    assert claim_again(call.call_id, DIALER) is None


def test_outside_the_next_opening_is_told_exactly_whichever_group_has_it(world: World) -> None:
    campaign_id = windowed(world, EAST, WEST)
    nobody = next_due(str(campaign_id))
    assert nobody is not None
    assert (nobody.at, nobody.window, nobody.seconds) == (None, True, reading.NEVER_SECONDS)
    opens(campaign_id, WEST, 2 * HOUR, 3 * HOUR)
    first = opens(campaign_id, EAST, HOUR, 3 * HOUR)
    found = next_due(str(campaign_id))
    assert found is not None
    assert (found.at, found.window) == (first.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), True)
    assert HOUR - 60 < found.seconds <= HOUR


@pytest.mark.parametrize("in_window", [True, False])
def test_who_has_expired_is_not_told_to_be_next(world: World, *, in_window: bool) -> None:
    campaign_id = windowed(world, EAST, contacts=2) if in_window else make_campaign(world, 2)
    if in_window:
        opens(campaign_id, EAST, -1.0, 3 * HOUR)
    change("UPDATE contact SET next_attempt_at = now() + interval '30 min'")
    change(
        "UPDATE contact SET next_attempt_at = NULL, expires_at = now()"
        " WHERE position = (SELECT min(position) FROM contact)"
    )
    found = next_due(str(campaign_id))
    assert found is not None
    assert round(found.seconds / 60) == 30


def test_who_waits_for_a_retry_within_an_opening_waits_for_no_window(world: World) -> None:
    campaign_id = windowed(world, EAST, WEST)
    opens(campaign_id, EAST, -1.0, 3 * HOUR)
    change("UPDATE contact SET next_attempt_at = now() + interval '30 min' WHERE zone_group = %s", EAST)
    opens(campaign_id, WEST, HOUR, 3 * HOUR)
    found = next_due(str(campaign_id))
    assert found is not None
    assert (found.window, round(found.seconds / 60)) == (False, 30)
    change("UPDATE contact SET next_attempt_at = now() + interval '2 h' WHERE zone_group = %s", EAST)
    found = next_due(str(campaign_id))
    assert found is not None
    assert (found.window, round(found.seconds / 60)) == (True, 60), "the other's opening comes first"


def test_a_retry_that_falls_outside_moves_to_the_next_opening_spread_over_half_an_hour(world: World) -> None:
    campaign_id = windowed(world, EAST, WEST, contacts=30)
    for group in (EAST, WEST):
        opens(campaign_id, group, -1.0, 30.0 if group == EAST else 2 * HOUR)
    opening = opens(campaign_id, EAST, 20 * HOUR, 30 * HOUR)
    claimed = claim_all(campaign_id)
    end(*(ended(call.call_id, "pending", delay=60.0) for call in claimed))
    found = change(
        "SELECT zone_group, extract(epoch FROM next_attempt_at - %s)::float8 AS after,"
        " extract(epoch FROM next_attempt_at - now())::float8 AS from_now FROM contact",
        opening,
    )
    moved = [row["after"] for row in found if row["zone_group"] == EAST]
    assert len(moved) == 30
    assert 0 <= min(moved) < 900 < max(moved) < 1_800, (
        "thirty of them lie in no one half but once in a billion"
    )
    assert all(0 < row["from_now"] <= 60 for row in found if row["zone_group"] == WEST)


def wants(since: str, group: int, **columns: object) -> datetime:
    """The contacts of a group wait for so long from now; until when."""
    values = "".join(f", {name} = %s" for name in columns)
    (found, *_) = change(
        f"UPDATE contact SET next_attempt_at = now() + %s::interval{values} WHERE zone_group = %s"
        " RETURNING next_attempt_at",
        since,
        *columns.values(),
        group,
    )
    at: datetime = found["next_attempt_at"]
    return at.astimezone(UTC)


@pytest.mark.parametrize("begins", [-1.0, HOUR], ids=["by day", "at night"])
@pytest.mark.parametrize("reason", [None, "number_cap"])
def test_who_waits_for_longer_than_openings_are_known_is_told_with_his_own_time_and_reason(
    world: World, begins: float, reason: str | None
) -> None:
    campaign_id = windowed(world, EAST, WEST)
    at = wants("16 days", EAST, wait_reason=reason)
    wants("17 days", WEST)
    for group in (EAST, WEST):
        opens(campaign_id, group, begins, 15 * 24 * HOUR)
    found = next_due(str(campaign_id))
    assert found is not None
    assert (found.at, found.reason) == (at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), reason)
    assert round(found.seconds / 3600) == 16 * 24
    first = opens(campaign_id, WEST, 15.5 * 24 * HOUR, 17.5 * 24 * HOUR)
    change("UPDATE contact SET next_attempt_at = NULL WHERE zone_group = %s", WEST)
    change("DELETE FROM opening WHERE zone_group = %s AND opens_at < %s", WEST, first)
    found = next_due(str(campaign_id))
    assert found is not None
    assert (found.at, found.window) == (first.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), True)


def test_of_who_waits_for_long_nothing_is_told_where_no_opening_is_known(world: World) -> None:
    campaign_id = windowed(world, EAST)
    wants("16 days", EAST)
    found = next_due(str(campaign_id))
    assert found is not None
    assert (found.at, found.window, found.seconds) == (None, True, reading.NEVER_SECONDS)


def test_retries_of_a_day_that_was_not_known_yet_move_to_its_opening_once_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Mondays from 9 to 10: all of Tuesday to Sunday is shut."""
    monkeypatch.setattr(shut_retries, "SLICE", 7)
    campaign_id = windowed(world, EAST, contacts=30)
    with transaction():
        assert openings.write(campaign_id) == []
    (monday,) = change(
        "SELECT opens_at FROM opening WHERE opens_at > now() + interval '2 days' ORDER BY opens_at LIMIT 1"
    )
    shut = monday["opens_at"].astimezone(UTC) - timedelta(days=2)
    change("UPDATE contact SET next_attempt_at = %s", shut)
    kept = {
        1: "next_attempt_at = now() - interval '1 h'",
        2: f"next_attempt_at = '{monday['opens_at'] + timedelta(minutes=40)}'",
        3: "next_attempt_at = now() + interval '16 days'",
        4: "callback = true",
        5: "wait_reason = 'number_cap'",
        6: "next_attempt_at = NULL",
    }
    for place, values in kept.items():
        change(f"UPDATE contact SET {values} WHERE position = %s", place)
    stay = "SELECT position, next_attempt_at FROM contact WHERE position BETWEEN 1 AND 6 ORDER BY 1"
    before = change(stay)
    change("UPDATE campaign SET openings_until = now()")
    assert ahead_of().round(10) == 1
    assert change(stay) == before
    moved = change(
        "SELECT extract(epoch FROM next_attempt_at - %s)::float8 AS after FROM contact"
        " WHERE position NOT BETWEEN 1 AND 6",
        monday["opens_at"],
    )
    after = [row["after"] for row in moved]
    assert len(after) == 24
    assert 0 <= min(after) < 900 < max(after) < 1_800, "24 of them lie in no one half but once in a million"
    placed = "SELECT next_attempt_at FROM contact ORDER BY position"
    before = change(placed)
    change("UPDATE campaign SET openings_until = now()")
    assert ahead_of().round(10) == 1
    assert change(placed) == before, "who has his time within an opening keeps it"


@pytest.mark.parametrize("groups", [1, 20])
def test_reading_who_is_due_costs_the_same_however_many_are_outside(world: World, groups: int) -> None:
    campaign_id = windowed(world, *range(groups + 1))
    opens(campaign_id, 0, -1.0, HOUR)
    many = 20_000
    change(
        "INSERT INTO contact (id, campaign_id, position, phone_number, zone_group)"
        " SELECT gen_random_uuid(), %s, n, '+1416' || n, n %% %s FROM generate_series(1000, %s) AS n",
        campaign_id,
        groups + 1,
        1000 + many,
    )
    with db.connection_context():
        db.execute_sql("ANALYZE contact")
    read = cost(reading.DUE, reading.due_parameters({str(campaign_id): 50}, (0, 1)))
    assert read < 600 + 10 * groups
    change("UPDATE contact SET status = 'failed' WHERE zone_group = 0")
    assert cost(reading.DUE, reading.due_parameters({str(campaign_id): 50}, (0, 1))) < 300 + 10 * groups
    assert cost(reading.NEXT_DUE, [str(campaign_id)]) < 300 + 40 * groups
    for favoured in (
        "priority = 5",
        "priority = 0, callback = true, next_attempt_at = now() - position * interval '1 s'",
    ):
        change(f"UPDATE contact SET {favoured} WHERE status = 'pending'")
        change(f"UPDATE contact SET {favoured}, status = 'pending' WHERE zone_group = 0 AND position < 1200")
        with db.connection_context():
            db.execute_sql("ANALYZE contact")
        assert len(due(str(campaign_id), 50)) >= min(50, 200 // (groups + 1))
        assert cost(reading.DUE, reading.due_parameters({str(campaign_id): 50}, (0, 1))) < 900 + 20 * groups


def ahead_of(**more: Any) -> OpeningsAhead:
    return OpeningsAhead("d", **({"nudge": lambda: None, "exhausted": lambda _campaign: None} | more))


def test_who_can_never_be_called_any_more_is_cancelled_and_told_and_the_campaign_may_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(never_open, "SLICE", 2)
    campaign_id = windowed(world, EAST, WEST, contacts=3)
    change(
        'UPDATE campaign_zone SET zones = \'["Asia/Tokyo", "America/New_York"]\' WHERE zone_group = %s', WEST
    )
    change("UPDATE campaign SET openings_until = now()")
    ended: list[str] = []
    assert ahead_of(exhausted=ended.append).round(10) == 1
    found = change("SELECT zone_group, status, version FROM contact ORDER BY zone_group, status")
    assert [tuple(row.values()) for row in found] == [(WEST, "cancelled", 1)] * 3 + [(EAST, "pending", 0)] * 3
    assert counts(campaign_id) == {"pending": 3, "cancelled": 3}
    told = change("SELECT status, version FROM transition WHERE contact_id IS NOT NULL AND owner = 'd'")
    assert [tuple(row.values()) for row in told] == [("cancelled", 1)] * 3
    assert ended == [str(campaign_id)]
    noted = change("SELECT by, reason, details FROM campaign_log WHERE action = 'contacts_cancelled'")
    assert [tuple(row.values()) for row in noted] == [(None, "never_open", {"cancelled": 3})]
    assert [ahead_of().round(10) for _ in range(2)] == [1, 0], "it is due until nobody of them is left"
    change("UPDATE contact SET status = 'pending' WHERE zone_group = %s", WEST)
    opens(campaign_id, WEST, HOUR, 2 * HOUR)
    assert never_open.cancel_slice(campaign_id, [WEST], "d") == (0, 0), "it opens after all"


def test_openings_are_written_ahead_of_the_time_and_taken_away_with_the_campaign(world: World) -> None:
    campaign_id = windowed(world, 0)
    change("UPDATE campaign SET openings_until = now() + interval '1 day'")
    assert ahead_of().round(10) == 1
    written = change("SELECT * FROM opening ORDER BY opens_at")
    assert [one["closes_at"] - one["opens_at"] for one in written][1:] == [
        written[1]["closes_at"] - written[1]["opens_at"]
    ] * (len(written) - 1)
    assert all(one["opens_at"].astimezone(UTC).weekday() == 0 for one in written)
    assert len(written) >= 2
    assert ahead_of().round(10) == 0, "they are known far enough ahead"
    change("UPDATE campaign SET openings_by = 'tzdata 2000.1'")
    assert ahead_of().round(10) == 1, "clocks may be changed otherwise than was thought"
    change(
        "UPDATE campaign SET status = 'completed', completed_at = now(), end_reason = 'stopped' WHERE id = %s",
        campaign_id,
    )
    assert ahead_of().round(10) == 1
    assert change("SELECT 1 AS one FROM opening") == []
    assert ahead_of().round(10) == 0


OLDER = ("tzdata 2000.1", "packs of before", f"{RELEASE - 1}: {TABLES}", f"{RELEASE}: ", None)
"""Of a release without numbers, of the one before, with an older package by hand, and nobody's."""
AS_NEW = (LABEL, TABLES, f"{RELEASE + 1}: ", f"{RELEASE + 10}: {TABLES}", f"{LABEL} by hand")
"""The second is what a release without numbers says of the same tables."""


@pytest.mark.parametrize("label", [*OLDER, *AS_NEW])
def test_nobody_is_called_by_openings_of_older_tables(world: World, label: str | None) -> None:
    """They may be wider than the law that newer packs have."""
    campaign_id = windowed(world, EAST, contacts=2)
    opens(campaign_id, EAST, -1.0, HOUR)
    items = [wanted(item) for item in due(str(campaign_id), 1)]
    (sent,) = claim(str(campaign_id), DIALER, items)
    change("UPDATE campaign SET openings_by = %s", label)
    (left,) = change("SELECT id, phone_number FROM contact WHERE status = 'pending'")
    another = [wanted(Due(str(left["id"]), left["phone_number"]))]
    newer = label in AS_NEW
    assert len(due(str(campaign_id), 2)) == newer
    found = next_due(str(campaign_id))
    assert found is not None
    assert (found.window, found.seconds <= 0) == ((False, True) if newer else (True, False))
    assert (claim_again(sent.call_id, DIALER) is not None) == newer
    assert len(claim(str(campaign_id), DIALER, another)) == newer


def test_what_older_tables_wrote_is_written_anew_and_what_newer_wrote_is_left(world: World) -> None:
    ours = [windowed(world, 0) for _ in (*OLDER, *AS_NEW)]
    change("UPDATE campaign SET openings_until = now() + interval '14 days'")
    for campaign_id, label in zip(ours, (*OLDER, *AS_NEW), strict=True):
        change("UPDATE campaign SET openings_by = %s WHERE id = %s", label, campaign_id)
    change("UPDATE campaign SET status = 'paused' WHERE id = %s", ours[0])
    assert openings.due(100)[-1] == ours[0], "those that are dialled come first"
    assert ahead_of().round() == len(OLDER)
    labels = "SELECT openings_by AS label FROM campaign ORDER BY array_position(%s::uuid[], id)"
    assert [row["label"] for row in change(labels, ours)] == [LABEL] * len(OLDER) + list(AS_NEW)
    change("UPDATE campaign SET openings_until = now() + interval '2 days'")
    again = [row["label"] for row in change(labels, ours)]
    assert ahead_of().round() == again.count(LABEL) + again.count(TABLES)
    change("UPDATE campaign SET openings_until = now() + interval '23 hours' WHERE openings_by <> %s", LABEL)
    assert ahead_of().round() == 3, "nobody is left who has these tables"
    assert {row["label"] for row in change(labels, ours)} == {LABEL}


def test_who_was_quicker_with_newer_tables_is_not_written_over(world: World) -> None:
    campaign_id = windowed(world, 0)
    change("UPDATE campaign SET openings_by = 'tzdata 2000.1', openings_until = now() + interval '9 days'")
    assert openings.due(10) == [campaign_id]
    change("UPDATE campaign SET openings_by = %s", f"{RELEASE + 1}: ")
    assert openings.write_one(campaign_id) == []
    assert change("SELECT openings_by FROM campaign") == [{"openings_by": f"{RELEASE + 1}: "}]


def test_what_is_to_be_looked_at_soon_is_left_to_whoever_has_the_newer_tables(world: World) -> None:
    """By ours somebody could be called when the law that they have forbids it. Where none of them is left, as after
    a release that was taken back, somebody does it all the same, however often it is asked for."""
    campaign_id = windowed(world, 0)
    change(
        "UPDATE campaign SET openings_by = %s, openings_until = now() + interval '14 days'",
        f"{RELEASE + 1}: ",
    )
    for minutes, looked_at in ((0, 0), (5, 0), (6, 1)):
        change("UPDATE campaign SET openings_until = openings_until - make_interval(mins => %s)", minutes)
        with transaction():
            openings.look_soon(campaign_id)
        assert ahead_of().round() == looked_at
    with transaction():
        openings.look_soon(campaign_id)
    assert ahead_of().round() == 1, "ours are looked at at once"


def test_a_campaign_whose_row_somebody_has_is_tried_again_soon(world: World) -> None:
    windowed(world, 0)
    change("UPDATE campaign SET openings_by = 'packs of before', openings_until = now() + interval '14 days'")
    clock = 0.0
    ahead = ahead_of(now=lambda: clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openings, "write", _waits)
        assert ahead.round() == 0
    assert ahead.round() == 0
    clock = WAIT_SECONDS
    assert ahead.round() == 1


def _waits(_campaign_id: uuid.UUID) -> list[int]:
    db.execute_sql("SET LOCAL statement_timeout = 1")
    db.execute_sql("SELECT pg_sleep(60)")
    return []


def test_openings_that_cannot_be_worked_out_keep_no_others_from_being_written(world: World) -> None:
    broken, whole = windowed(world, 0), windowed(world, 0)
    change("UPDATE campaign SET openings_until = now() + interval '1 day', openings_by = 'tzdata 2000.1'")
    change(
        "UPDATE campaign SET openings_until = now(), holidays = %s::jsonb WHERE id = %s",
        '{"country": "DE", "region": "Gone"}',
        broken,
    )
    clock = 0.0
    ahead = ahead_of(now=lambda: clock)
    assert ahead.round(1) == 1, "it is put off, and the next has its turn"
    assert {row["campaign_id"] for row in change("SELECT campaign_id FROM opening")} == {whole}
    change("UPDATE campaign SET holidays = NULL")
    assert ahead.round(1) == 0
    clock = PUT_OFF_SECONDS
    assert ahead.round(1) == 1


def test_a_round_writes_all_that_are_due_within_its_time_and_live_ones_before_it_clears_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a new version of a pack, which every window has to be written by before it narrows anybody's hours."""
    monkeypatch.setattr(openings_ahead, "FINISHED_AT_ONCE", 2)
    live, over = [windowed(world, 0) for _ in range(5)], [windowed(world, 0) for _ in range(5)]
    ended = "status = 'completed', completed_at = now(), end_reason = 'stopped'"
    change(f"UPDATE campaign SET {ended} WHERE id = ANY(%s::uuid[])", over)
    change("UPDATE campaign SET openings_until = now() + interval '14 days', openings_by = 'packs of before'")
    change("UPDATE campaign SET openings_until = now() WHERE id = ANY(%s::uuid[])", over)
    for campaign_id in over:
        opens(campaign_id, 0, HOUR, 2 * HOUR)
    left = "SELECT id FROM campaign WHERE openings_by = 'packs of before' AND id = ANY(%s::uuid[])"
    ticks = itertools.count()
    assert ahead_of(now=lambda: next(ticks) * 20.0).round(1) == 2, "until its time is over"
    assert (len(change(left, live)), len(change(left, over))) == (3, 5)
    assert ahead_of(now=lambda: 0.0).round(2) == 3 + 5
    assert {row["campaign_id"] for row in change("SELECT campaign_id FROM opening")} == set(live)
    assert change("SELECT id FROM campaign WHERE openings_until IS NULL ORDER BY id") == [
        {"id": one} for one in sorted(over)
    ]
    assert ahead_of().round() == 0


def test_an_opening_that_is_far_away_is_known(world: World) -> None:
    campaign_id = windowed(world, 0)
    change(
        "UPDATE campaign SET holidays = jsonb_build_object('dates', (SELECT jsonb_agg(to_char(day, 'YYYY-MM-DD'))"
        " FROM generate_series(now()::date, now()::date + 40, interval '1 day') AS day)) WHERE id = %s",
        campaign_id,
    )
    with transaction():
        assert openings.write(campaign_id) == []
    found = next_due(str(campaign_id))
    assert found is not None
    assert found.window
    assert 40 * 86_400 < found.seconds < 49 * 86_400
