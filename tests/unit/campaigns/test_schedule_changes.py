"""What may be asked of a campaign's start and end, and what becomes of times without an offset."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from campaigns.schedule_changes import Schedule, ScheduleChanges, ScheduleRefusedError, check, resolved

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
NOTHING = Schedule(None, None, None)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def checked(asked: ScheduleChanges, before: Schedule = NOTHING) -> Schedule:
    schedule = resolved(asked, before)
    check(asked, schedule, NOW)
    return schedule


def test_a_time_without_an_offset_is_one_of_the_zone_that_is_given_or_kept() -> None:
    local = at("2027-03-28T02:30:00")
    assert checked({"scheduled_at": local, "time_zone": "Europe/Berlin"}) == Schedule(
        at("2027-03-28T01:00:00+00:00"), None, "Europe/Berlin"
    )
    kept = Schedule(None, None, "America/New_York")
    assert checked({"end_at": local}, kept).end_at == at("2027-03-28T06:30:00+00:00")


def test_a_time_with_an_offset_and_one_that_stands_are_moved_by_no_zone() -> None:
    before = Schedule(at("2027-04-01T09:00:00+00:00"), at("2027-04-01T17:00:00+00:00"), "Europe/Berlin")
    assert checked({"time_zone": "Asia/Tokyo"}, before) == Schedule(
        before.scheduled_at, before.end_at, "Asia/Tokyo"
    )
    moved = at("2027-04-02T09:00:00+02:00")
    assert checked({"end_at": moved, "time_zone": None}, before) == Schedule(before.scheduled_at, moved, None)


def test_the_present_moment_is_a_start_and_no_end() -> None:
    assert checked({"scheduled_at": NOW}).scheduled_at == NOW
    with pytest.raises(ScheduleRefusedError):
        checked({"end_at": NOW})


LATER = Schedule(at("2027-04-01T09:00:00+00:00"), at("2027-04-01T17:00:00+00:00"), None)


@pytest.mark.parametrize(
    ("asked", "before", "message"),
    [
        (
            {"scheduled_at": at("2027-03-01T12:59:59+01:00")},
            NOTHING,
            "scheduled_at is 2027-03-01T11:59:59.000Z; it must not be in the past.",
        ),
        (
            {"end_at": at("2027-03-01T11:00:00+00:00")},
            NOTHING,
            "end_at is 2027-03-01T11:00:00.000Z; it must not be in the past.",
        ),
        (
            {"end_at": at("2027-04-01T09:00:00+00:00")},
            LATER,
            "end_at is 2027-04-01T09:00:00.000Z; it must be later than scheduled_at, 2027-04-01T09:00:00.000Z.",
        ),
        (
            {"scheduled_at": at("2027-04-01T18:00:00+00:00")},
            LATER,
            "scheduled_at is 2027-04-01T18:00:00.000Z; it must be earlier than end_at, 2027-04-01T17:00:00.000Z.",
        ),
        (
            {"end_at": at("2027-04-01T18:00:00")},
            NOTHING,
            "end_at is '2027-04-01T18:00:00'; a time without an offset needs a time_zone.",
        ),
        (
            {"end_at": at("9999-12-31T23:59:59.999999"), "time_zone": "America/New_York"},
            NOTHING,
            "end_at is '9999-12-31T23:59:59.999999'; it is out of range in America/New_York.",
        ),
    ],
)
def test_what_cannot_be_is_refused(asked: ScheduleChanges, before: Schedule, message: str) -> None:
    with pytest.raises(ScheduleRefusedError) as refused:
        checked(asked, before)
    assert str(refused.value) == message


def test_what_is_not_asked_for_is_not_judged_again() -> None:
    """A start that is late is still to come, and its end may be moved or its zone told."""
    late = Schedule(at("2027-03-01T11:00:00+00:00"), None, None)
    assert checked({"end_at": at("2027-03-01T13:00:00+00:00")}, late).scheduled_at == late.scheduled_at
    assert checked({"time_zone": "UTC"}, late).time_zone == "UTC"
