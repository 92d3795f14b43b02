"""Sets and changes when a campaign starts and ends: local times become instants, and what cannot be is refused."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

from campaigns import time_zones
from campaigns.campaign_state import WEB, set_status
from campaigns.errors import CampaignsError
from models import Campaign, CampaignStatus, rows

NOT_STARTED = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)


class ScheduleRefusedError(CampaignsError):
    """A time that cannot be; `field` is `value`, as a message shows it, which breaks `rule`."""

    def __init__(self, field: str, value: str, rule: str) -> None:
        super().__init__(f"{field} is {value}; {rule}.")
        self.field = field


class StartFixedError(CampaignsError):
    """The campaign has been started: nothing starts it by the clock any more. Decision 0092."""

    def __init__(self, status: CampaignStatus) -> None:
        paused = status is CampaignStatus.PAUSED
        do = "resume it when it is to go on" if paused else "pause it to have nobody called"
        super().__init__(
            f"Campaign is {status}: it has started, and nothing starts it at another scheduled_at. Leave that as it "
            f"is, or take it away (null), and {do}."
        )


class ScheduleChanges(TypedDict, total=False):
    """What is asked for; a time without an offset is one of `time_zone`. What is left out stays."""

    scheduled_at: datetime | None
    end_at: datetime | None
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a campaign starts and ends, as instants in UTC, and the zone in which it was told."""

    scheduled_at: datetime | None
    end_at: datetime | None
    time_zone: str | None


def resolved(asked: ScheduleChanges, before: Schedule) -> Schedule:
    """`before` with what is asked for. A zone by itself moves no instant.

    Raises ScheduleRefusedError for a local time without a zone, and for one outside the years 1 to 9999.
    """
    name = asked.get("time_zone", before.time_zone)
    return Schedule(
        _instant("scheduled_at", asked.get("scheduled_at", before.scheduled_at), name),
        _instant("end_at", asked.get("end_at", before.end_at), name),
        name,
    )


def check(asked: ScheduleChanges, schedule: Schedule, now: datetime) -> None:
    """Raise ScheduleRefusedError where what is `asked` for, as an instant of `schedule`, is past, or its end does not
    come after its start."""
    start, end = schedule.scheduled_at, schedule.end_at
    if start is not None and "scheduled_at" in asked and start < now:
        raise ScheduleRefusedError("scheduled_at", _told(start), "it must not be in the past")
    if end is not None and "end_at" in asked and end <= now:
        raise ScheduleRefusedError("end_at", _told(end), "it must not be in the past")
    if start is None or end is None or end > start or not asked.keys() & {"scheduled_at", "end_at"}:
        return
    if "end_at" in asked:
        rule = f"it must be later than scheduled_at, {_told(start)}"
        raise ScheduleRefusedError("end_at", _told(end), rule)
    raise ScheduleRefusedError("scheduled_at", _told(start), f"it must be earlier than end_at, {_told(end)}")


def change(campaign_id: uuid.UUID, asked: ScheduleChanges, now: datetime) -> None:
    """Change the schedule of a campaign that has not ended, whose row the caller has locked, in his transaction. A
    draft that gets a start is scheduled from then on, and a scheduled campaign that loses it a draft again.

    Raises ScheduleRefusedError, or StartFixedError where it has been started and is to start at another time.
    """
    (found,) = rows(
        "SELECT status, scheduled_at, end_at, time_zone FROM campaign WHERE id = %s FOR NO KEY UPDATE",
        campaign_id,
    )
    status, before = CampaignStatus(found.pop("status")), Schedule(**found)
    schedule = resolved(asked, before)
    if "scheduled_at" in asked and status not in NOT_STARTED:
        if not _stays(schedule.scheduled_at, before.scheduled_at):
            raise StartFixedError(status)
        if schedule.scheduled_at is None:
            Campaign.update(scheduled_at=None).where(Campaign.id == campaign_id).execute()
        asked = asked.copy()
        del asked["scheduled_at"]
    check(asked, schedule, now)
    Campaign.update(end_at=schedule.end_at, time_zone=schedule.time_zone).where(
        Campaign.id == campaign_id
    ).execute()
    if "scheduled_at" not in asked:
        return
    to = CampaignStatus.DRAFT if schedule.scheduled_at is None else CampaignStatus.SCHEDULED
    if to is not status:
        set_status(campaign_id, status, to, WEB)
    Campaign.update(
        scheduled_at=schedule.scheduled_at,
        next_action_at=schedule.scheduled_at,
        blocked_reason=None,
        blocked_since=None,
    ).where(Campaign.id == campaign_id).execute()


def _stays(start: datetime | None, before: datetime | None) -> bool:
    """Whether nothing is to start at another time than before, as that is shown; no time is none."""
    return start is None or (before is not None and _told(start) == _told(before))


def _instant(field: str, value: datetime | None, name: str | None) -> datetime | None:
    if value is None or value.tzinfo is not None:
        return value
    local = value.isoformat()
    if name is None:
        raise ScheduleRefusedError(field, repr(local), "a time without an offset needs a time_zone")
    try:
        return time_zones.instant(value, name)
    except ValueError as error:
        raise ScheduleRefusedError(field, repr(local), f"it is out of range in {name}") from error


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
