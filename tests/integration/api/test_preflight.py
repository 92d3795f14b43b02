"""A preflight: who is called now, later and never, by what and for how long; and that it changes nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from campaigns import preflight
from models import new_id
from tests.integration.api.resource_routes import call_of
from tests.integration.api.site import OTHER, TENANT, Site, lose_redis
from tests.integration.api.test_single_calls import Nobody, limiter_state

ALWAYS = '[{"from": "00:00", "to": "24:00"}]'


def ask(site: Site, campaign_id: str, **options: Any) -> Any:
    answer = site.post(f"/campaigns/{campaign_id}/preflight", role="read", **options)
    assert answer.status_code == 200, answer.text
    return answer.json


def contacts(site: Site, campaign_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(site, campaign_id)["contacts"]
    return found


def test_everybody_of_a_draft_is_called_at_once(site: Site) -> None:
    campaign_id = site.create(30, max_concurrent_calls=3)
    told = ask(site, campaign_id)
    assert told["contacts"] == {
        "total": 30,
        "examined": 30,
        "estimated": False,
        "over": 0,
        "in_calls": 0,
        "now": 30,
        "later": 0,
        "later_reasons": {},
        "hours": [],
        "never": 0,
        "never_reasons": {},
    }
    assert (told["binding_cap"], told["blocked_by"], told["outcomes_from"]) == (
        "campaign_concurrency",
        [],
        "assumed",
    )
    assert told["calls"] == 30
    assert told["duration_seconds"] > 30 / 3 * 20
    ends = dt.datetime.fromisoformat(told["ends_at"]) - dt.datetime.fromisoformat(told["starts_at"])
    assert abs(ends.total_seconds() - told["duration_seconds"]) <= 1


def test_each_who_is_not_called_now_is_told_with_the_reason_and_the_hour(site: Site) -> None:
    campaign_id = site.create(10)
    change = "UPDATE contact SET {} WHERE campaign_id = %s AND position = %s"
    for place, values in (
        (1, "next_attempt_at = now() + interval '2 hours'"),
        (2, "next_attempt_at = now() + interval '2 hours', callback = true"),
        (3, "next_attempt_at = now() + interval '3 hours', wait_reason = 'number_cap'"),
        (4, "expires_at = now() + interval '1 hour', next_attempt_at = now() + interval '2 hours'"),
        (5, "expires_at = now() - interval '1 hour'"),
        (6, "expires_at = now() + interval '1 hour'"),
    ):
        site.sql(change.format(values), campaign_id, place)
    site.sql(
        "INSERT INTO suppression (id, scope, campaign_id, number, source, created_by)"
        " SELECT %s, %s, %s, phone_number, 'test', 'test' FROM contact WHERE campaign_id = %s AND position = 7",
        new_id(),
        TENANT,
        campaign_id,
        campaign_id,
    )
    site.move_contact(campaign_id, 8, "completed")
    site.move_contact(campaign_id, 9, "originated")
    told = contacts(site, campaign_id)
    assert (told["now"], told["later"], told["never"], told["over"], told["in_calls"]) == (2, 3, 3, 1, 1)
    assert told["later_reasons"] == {"retry_wait": 1, "callback": 1, "number_cap": 1}
    assert told["never_reasons"] == {"expired": 2, "suppressed": 1}
    assert sum(hour["contacts"] for hour in told["hours"]) == 3
    assert [hour["contacts"] for hour in told["hours"]] == [2, 1]


def test_a_window_that_is_shut_says_when_it_opens_and_one_that_never_does_that_it_does_not(
    site: Site,
) -> None:
    day = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).strftime("%a").lower()
    windows = f'[{{"from": "09:00", "to": "18:00", "days": ["{day}"]}}]'
    campaign_id = site.create(4, windows=windows, time_zone="UTC")
    told = ask(site, campaign_id)
    assert told["contacts"]["later_reasons"] == {"window": 4}
    (hour,) = told["contacts"]["hours"]
    (opens,) = site.sql("SELECT min(opens_at) AS at FROM opening WHERE campaign_id = %s", campaign_id)
    assert dt.datetime.fromisoformat(hour["at"]) <= opens["at"]
    assert told["waits_seconds"]["window"] > 3600
    assert dt.datetime.fromisoformat(told["ends_at"]) > opens["at"]
    site.sql("DELETE FROM opening")
    assert contacts(site, campaign_id)["never_reasons"] == {"window": 4}


def in_days(days: int, hour: int) -> dt.datetime:
    """That hour of UTC, so many days from today."""
    today = dt.datetime.now(dt.UTC).replace(hour=hour, minute=0, second=0, microsecond=0)
    return today + dt.timedelta(days=days)


def windowed(site: Site, contacts: int, since: str, until: str, **fields: Any) -> str:
    """A campaign of contacts in UTC with a window from one time to another of every day."""
    body = {
        "windows": [{"from": since, "to": until}],
        "time_zone": "UTC",
        "contacts": [
            {"phone_number": f"+1415555{number:04d}", "time_zone": "UTC"} for number in range(contacts)
        ],
    }
    made = site.post("/campaigns", json=site.fields() | body | fields)
    assert made.status_code == 201, made.text
    campaign_id: str = made.json["id"]
    return campaign_id


@pytest.mark.parametrize("hours", [("09:00", "20:00"), ("00:00", "24:00")])
@pytest.mark.parametrize("days", [20, 800])
def test_openings_that_are_not_written_yet_are_as_those_of_the_last_week(
    site: Site, hours: tuple[str, str], days: int
) -> None:
    noon, night, morning = in_days(days, 12), in_days(days, 23), in_days(days + 1, 9)
    told = ask(site, windowed(site, 4, *hours, scheduled_at=noon.isoformat()))
    assert (told["contacts"]["now"], told["calls"] >= 4, told["uncalled"]) == (4, True, 0)
    assert told["ends_at"] is not None
    late = ask(site, windowed(site, 4, *hours, scheduled_at=night.isoformat()))
    if hours[0] == "00:00":
        assert late["contacts"]["now"] == 4
        return
    assert late["contacts"]["later_reasons"] == {"window": 4}
    assert [dt.datetime.fromisoformat(hour["at"]) for hour in late["contacts"]["hours"]] == [morning]
    assert (late["calls"] >= 4, late["uncalled"]) == (True, 0)


def test_who_waits_beyond_the_openings_that_are_written_is_called_then(site: Site) -> None:
    noon, night, morning = in_days(20, 12), in_days(20, 23), in_days(21, 9)
    campaign_id = windowed(site, 3, "09:00", "20:00")
    change = "UPDATE contact SET next_attempt_at = %s, callback = %s, expires_at = %s WHERE position = %s"
    site.sql(change, noon, True, None, 1)
    site.sql(change, night, False, morning + dt.timedelta(seconds=1), 2)
    site.sql(change, night, False, morning, 3)
    found = contacts(site, campaign_id)
    assert (found["later_reasons"], found["never_reasons"]) == ({"callback": 1, "window": 1}, {"expired": 1})
    assert [dt.datetime.fromisoformat(hour["at"]) for hour in found["hours"]] == [noon, morning]


def test_whose_turn_comes_after_the_campaigns_end_is_never_called(site: Site) -> None:
    until = in_days(2, 12)
    by_day = windowed(site, 2, "12:00", "20:00", end_at=until.isoformat())
    change = (
        "UPDATE contact SET next_attempt_at = %s, expires_at = %s WHERE campaign_id = %s AND position = %s"
    )
    site.sql(change, in_days(2, 2), None, by_day, 1)
    site.sql(change, in_days(1, 2), None, by_day, 2)
    told = ask(site, by_day)
    assert told["contacts"]["never_reasons"] == {"deadline": 1}
    assert (told["contacts"]["later"], told["uncalled"]) == (1, 0)
    at_any_time = site.create(3, end_at=until.isoformat())
    site.sql(change, until, None, at_any_time, 1)
    site.sql(change, until - dt.timedelta(seconds=1), None, at_any_time, 2)
    site.sql(change, until, until, at_any_time, 3)
    found = contacts(site, at_any_time)
    assert found["never_reasons"] == {"deadline": 1, "expired": 1}
    assert found["later_reasons"] == {"retry_wait": 1}


def test_nothing_is_written_and_nobody_is_told(site: Site) -> None:
    campaign_id = site.create(3, windows=ALWAYS, time_zone="UTC")
    messages = len(site.bus.messages)

    def state() -> Any:
        tables = ("campaign", "contact", "call", "transition", "campaign_log", "opening", "idempotency")
        return [site.sql(f"SELECT {table}.xmin::text, {table}.* FROM {table} ORDER BY 1") for table in tables]

    before = state()
    ask(site, campaign_id)
    assert state() == before
    assert len(site.bus.messages) == messages


def test_the_last_calls_say_how_calls_end_and_how_long_they_are(site: Site) -> None:
    campaign_id, other = site.create(100, max_concurrent_calls=1), site.create(100, max_concurrent_calls=1)
    for seq in range(1, 21):
        word = "answered" if seq % 2 else "busy"
        call_of(site, other, seq=seq, state="ended", ended_at="2026-01-31T09:00:00Z", disposition=word)
    site.sql(
        "UPDATE call SET created_at = now() - interval '1 hour', sent_at = now() - interval '100 s',"
        " ended_at = now() - interval '60 s'"
    )
    told = ask(site, campaign_id)
    assert (told["outcomes_from"], told["outcomes"]) == ("tenant", {"answered": 0.5, "busy": 0.5})
    assert told["duration_seconds"] == pytest.approx(100 * 40, rel=0.05)
    assert ask(site, other)["outcomes_from"] == "campaign"


def test_caps_of_tenant_and_gateway_are_among_those_that_bind(site: Site) -> None:
    limiter_state(site, calls=40, seconds=600)
    site.sql(
        "UPDATE call_limits SET concurrent_max = 10, reserved_concurrency = 2, calls_per_minute = 60,"
        " daily_calls_max = 50, daily_minutes_max = 100 WHERE tenant_id = %s",
        TENANT,
    )
    site.sql("UPDATE gateway SET cps = 3, channels = 4")
    campaign_id = site.create(200, max_concurrent_calls=7)
    told = ask(site, campaign_id)
    caps = {cap["cap"]: (cap["limit"], cap["left_today"]) for cap in told["caps"]}
    assert caps == {
        "tenant_minute": (1.0, None),
        "gateway_cps": (3.0, None),
        "campaign_concurrency": (7.0, None),
        "tenant_concurrency": (8.0, None),
        "gateway_channels": (4.0, None),
        "tenant_day_calls": (50.0, 10.0),
        "tenant_day_minutes": (100.0, 90.0),
    }
    assert told["binding_cap"] == "tenant_day_calls"
    assert told["duration_seconds"] > 3 * 86_400, "190 calls are left for days of 50"
    short = ask(site, site.create(40))
    assert short["ends_at"][:10] > short["starts_at"][:10], "ten of today's calls are left"


def test_what_keeps_it_from_dialling_is_told_beside(site: Site) -> None:
    campaign_id = site.create(1)
    site.sql("INSERT INTO halt (scope, at, by) VALUES ('demo', now(), 'x')")
    site.sql("UPDATE phone_number SET outbound_enabled = false")
    site.use(dialers=Nobody())
    assert ask(site, campaign_id)["blocked_by"] == ["halted", "caller_id", "no_dialer"]
    lose_redis(site)
    assert ask(site, campaign_id)["contacts"]["now"] == 1


def test_of_a_long_list_slices_stand_for_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "MOST_EXAMINED", 200)
    monkeypatch.setattr(preflight, "SMALL_SLICE", 20)
    campaign_id = site.create(1_000)
    site.sql("UPDATE contact SET status = 'cancelled' WHERE mod(position, 4) = 0")
    told = contacts(site, campaign_id)
    assert (told["total"], told["examined"], told["estimated"]) == (1_000, 200, True)
    assert (told["now"], told["over"]) == (750, 250)


def test_an_empty_list_takes_no_time(site: Site) -> None:
    campaign_id = site.create(1)
    site.sql("DELETE FROM contact")
    told = ask(site, campaign_id)
    assert (told["contacts"]["total"], told["duration_seconds"], told["binding_cap"]) == (0, 0, None)


def test_anothers_campaign_is_not_found(site: Site) -> None:
    path = f"/campaigns/{site.create(1)}/preflight"
    assert site.post(path, tenant=OTHER).status_code == 404
    assert site.post(f"/campaigns/{new_id()}/preflight").status_code == 404
