"""Reports say at every read what the rows of calls say: whoever ends or corrects a call, folded or not."""

from __future__ import annotations

import random
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from campaigns import call_reports, retention
from campaigns.call_reports import Answers, Route, RouteFigures, Scope
from campaigns.report_buckets import LENGTH_SECONDS, PDD_MS, RING_MS, Distribution
from campaigns.report_spans import Span, local_days, local_hours
from migrations.runner import migrate
from models import db, new_id, rows
from tests.factories import World, make_campaign, make_world
from tests.integration.dialer.folding import two_at_once
from tests.integration.dialer.test_call_counts import dial
from tests.integration.dialer.test_claims_and_outcomes import DIALER

MIGRATION = "0046_reports"
START = datetime(2026, 3, 26, tzinfo=UTC)
"""Clocks in Lord Howe go back by half an hour, and those in Paris forward, within these days."""
DAYS = 12
QUARTER = timedelta(minutes=15)
ZONES = ("UTC", "Asia/Kathmandu", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Paris", "Pacific/Chatham")

_OPEN = """
WITH person AS (
    INSERT INTO contact (id, campaign_id, position, phone_number, status, attempts, sends, version, call_id)
    VALUES (gen_random_uuid(), %(campaign)s, %(position)s, %(number)s, 'originated', 1, 1, 1, %(call)s) RETURNING *
)
INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, generation, phone_number, caller_id,
    gateway_id, node, dialer_id, sent_by, created_at)
SELECT call_id, %(tenant)s, campaign_id, id, 1, %(attempt)s, 1, phone_number, %(caller)s, %(gateway)s, 'fs1',
    %(dialer)s, %(dialer)s, %(at)s FROM person
"""
_SET = """
UPDATE call SET state = 'ended', ended_at = coalesce(ended_at, now()), disposition = %(disposition)s,
    attempt = %(attempt)s, sent_at = %(sent)s, answered_at = %(answered)s, progress_at = %(progress)s,
    pdd_ms = %(pdd)s, ring_ms = %(ring)s, billsec = %(billsec)s
WHERE id = %(call)s
"""


class Calls:
    """Calls of two tenants that end, are corrected and forgotten, as chance has it."""

    def __init__(self, world: World, seed: int) -> None:
        self.chance = random.Random(seed)
        self.worlds = [world, make_world("other", "+14155550900")]
        self.campaigns = [(world, make_campaign(world, 0)) for world in self.worlds for _ in range(2)]
        self.gateways = [new_id(), new_id()]
        self.up: list[uuid.UUID] = []
        self.over: list[uuid.UUID] = []

    def act(self) -> None:
        """One thing happens."""
        kinds = [
            self.begin,
            self.begin,
            self.end,
            self.end,
            self.end,
            self.correct,
            self.look_away,
            self.fold,
        ]
        with db.connection_context():
            self.chance.choice(kinds)()

    def begin(self) -> None:
        world, campaign_id = self.chance.choice(self.campaigns)
        call_id = new_id()
        digits = self.chance.choice(["1415555", "1212555", "4477009", "4930901", "2902"])
        _do(
            _OPEN,
            campaign=campaign_id,
            position=len(self.up) + len(self.over),
            number=f"+{digits}{len(self.up) + len(self.over):04d}",
            call=call_id,
            tenant=world.tenant_id,
            attempt=self.chance.choice([1, 1, 2, 3]),
            caller=self.chance.choice(["+14155550100", "+14155550101"]),
            gateway=self.chance.choice(self.gateways),
            dialer=DIALER,
            at=START + timedelta(seconds=self.chance.randrange(DAYS * 86_400)),
        )
        self.up.append(call_id)

    def end(self) -> None:
        if self.up:
            self._set(call_id := self.up.pop(self.chance.randrange(len(self.up))))
            self.over.append(call_id)

    def correct(self) -> None:
        """The call's record comes late, or it is found not to count."""
        if self.over:
            self._set(self.chance.choice(self.over))

    def look_away(self) -> None:
        """Something changes that no report is about, or the number is erased."""
        if self.over:
            column = self.chance.choice(["slot_until = now()", "phone_number = 'erased'"])
            _do(f"UPDATE call SET {column} WHERE id = %(call)s", call=self.chance.choice(self.over))

    def fold(self) -> None:
        db.execute_sql(call_reports.FOLD)

    def _set(self, call_id: uuid.UUID) -> None:
        either = self.chance.choice
        sent = either([True, True, True, False])
        picked_up = sent and either([True, False])
        progress = sent and either([True, True, False])
        words = (
            ["answered", "abandoned", "agent_failed"]
            if picked_up
            else ["busy", "no_answer", "congestion", None]
        )
        _do(
            _SET,
            call=call_id,
            disposition=either(words),
            attempt=either([None, 1, 2]),
            sent=START if sent else None,
            answered=START if picked_up else None,
            progress=START if progress else None,
            pdd=either([None, *_around(self.chance, PDD_MS)]),
            ring=either([None, *_around(self.chance, RING_MS)]),
            billsec=either([None, *_around(self.chance, LENGTH_SECONDS)]) if picked_up else 0,
        )


def _do(sql: str, **parameters: Any) -> None:
    db.execute_sql(sql, parameters)


def _around(chance: random.Random, bounds: Sequence[int]) -> list[int]:
    bound = chance.choice(bounds)
    return [max(0, bound - 1), bound, bound + 1, bounds[-1] + 1]


def over(scope: Scope, asked: Span) -> list[dict[str, Any]]:
    """The rows of the calls that are over and were begun then, as a plain scan finds them."""
    with db.connection_context():
        found = rows("SELECT * FROM call WHERE ended_at IS NOT NULL AND tenant_id = %s", scope.tenant_id)
    return [
        row
        for row in found
        if asked.start <= row["created_at"] < asked.end and scope.campaign_id in (None, row["campaign_id"])
    ]


def counted(values: Iterable[int | None], bounds: Sequence[int]) -> Distribution:
    """How many of these values lie in which bucket."""
    found = [0] * (len(bounds) + 1)
    for value in values:
        if value is not None:
            found[next((n for n, bound in enumerate(bounds) if value <= bound), len(bounds))] += 1
    return Distribution(bounds, found)


def pdds(calls: Iterable[dict[str, Any]]) -> Distribution:
    return counted((call["pdd_ms"] for call in calls if call["progress_at"]), PDD_MS)


def by_route(calls: Sequence[dict[str, Any]], route: Route) -> list[RouteFigures]:
    def key(call: dict[str, Any]) -> str:
        if route is Route.PREFIX:
            return "" if call["phone_number"] == "erased" else call["phone_number"][:5]
        return str(call[route])

    found = []
    for name in {key(call) for call in calls}:
        these = [call for call in calls if key(call) == name]
        up = [call["billsec"] for call in these if call["answered_at"] and call["billsec"] is not None]
        placed = sum(call["sent_at"] is not None for call in these)
        if placed:
            found.append(
                RouteFigures(
                    name,
                    placed,
                    sum(call["answered_at"] is not None for call in these),
                    sum(call["billsec"] or 0 for call in these),
                    sum(seconds == 0 for seconds in up),
                    sum(seconds <= 6 for seconds in up),
                    pdds(these),
                )
            )
    return sorted(found, key=lambda figures: (-figures.placed, figures.key))


def assert_reports_say_what_the_rows_say(scope: Scope, asked: Span, zone: str) -> int:
    """Compares every report with a plain scan; how many calls it was about."""
    calls = over(scope, asked)
    hours, days = local_hours(asked, zone), local_days(asked, zone)
    with db.connection_context():
        told = call_reports.by_step(scope, asked, hours)
        lengths = call_reports.lengths(scope, asked)
        outcomes = call_reports.outcomes(scope, asked)
        picked_up = call_reports.picked_up(scope, asked, days)
        routes = {route: call_reports.by_route(scope, asked, route) for route in Route}
    here = ZoneInfo(zone)
    placed: Counter[tuple[int, int]] = Counter()
    answered: Counter[tuple[int, int]] = Counter()
    for call in calls:
        local = call["created_at"].astimezone(here)
        placed[local.isoweekday(), local.hour] += call["sent_at"] is not None
        answered[local.isoweekday(), local.hour] += call["answered_at"] is not None
    found_placed: Counter[tuple[int, int]] = Counter()
    found_answered: Counter[tuple[int, int]] = Counter()
    for step, figures in told.items():
        hour = hours[step].local
        found_placed[hour.isoweekday(), hour.hour] += figures.placed
        found_answered[hour.isoweekday(), hour.hour] += figures.picked_up
    assert (+found_placed, +found_answered) == (+placed, +answered)
    assert lengths.pdd == pdds(calls)
    assert lengths.ring == counted((call["ring_ms"] for call in calls if call["progress_at"]), RING_MS)
    assert lengths.length == counted(
        (call["billsec"] for call in calls if call["answered_at"]), LENGTH_SECONDS
    )
    assert Counter({(o.disposition, o.attempt, o.placed): o.calls for o in outcomes}) == Counter(
        (call["disposition"] or "", call["attempt"] or 0, call["sent_at"] is not None) for call in calls
    )
    assert Counter(
        {
            (figures.campaign_id, days[figures.step].local.date(), word): number
            for figures in picked_up
            for word in ("answered", "abandoned", "agent_failed")
            if (number := getattr(figures, word))
        }
    ) == Counter(
        (call["campaign_id"], call["created_at"].astimezone(here).date(), call["disposition"])
        for call in calls
        if call["answered_at"]
    )
    for route, told_routes in routes.items():
        assert told_routes == by_route(calls, route), route
    return len(calls)


@pytest.mark.parametrize("seed", range(4))
def test_every_report_says_what_a_plain_scan_of_the_calls_says(world: World, seed: int) -> None:
    calls = Calls(world, seed)
    found = 0
    for number in range(1, 241):
        calls.act()
        if number % 40:
            continue
        whose, campaign_id = calls.chance.choice(calls.campaigns)
        begin = START + QUARTER * calls.chance.randrange(DAYS * 96)
        some = Span(begin, begin + QUARTER * calls.chance.randrange(1, 500))
        for asked in (Span(START, START + timedelta(days=DAYS)), some):
            for scope in (Scope(whose.tenant_id), Scope(whose.tenant_id, campaign_id)):
                found += assert_reports_say_what_the_rows_say(scope, asked, calls.chance.choice(ZONES))
    assert found > 100


def test_a_call_that_is_recorded_or_corrected_is_in_the_report_at_once(world: World) -> None:
    one, other = make_campaign(world, 10), make_campaign(world, 10)
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    asked = Span(midnight - timedelta(days=1), midnight + timedelta(days=2))
    for campaign_id in (one, one, other):
        dial(campaign_id)
        assert assert_reports_say_what_the_rows_say(Scope("demo"), asked, "Asia/Kathmandu")
        call_reports.fold()
        assert assert_reports_say_what_the_rows_say(Scope("demo", campaign_id), asked, "UTC")
    with db.connection_context():
        assert rows("SELECT 1 FROM report_change") == []
        assert call_reports.by_step(Scope("other"), asked, local_hours(asked, "UTC")) == {}
        (hour,) = {
            answers: hour
            for hour, answers in call_reports.by_step(Scope("demo"), asked, local_days(asked, "UTC")).items()
        }
    assert hour == Answers(placed=9, picked_up=6)


def test_a_report_reads_the_cells_of_its_tenant_and_its_time_alone(world: World) -> None:
    dial(make_campaign(world, 10))
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    asked = Span(now - timedelta(days=3), now + timedelta(hours=1))
    with db.connection_context():
        db.execute_sql(call_reports.FOLD)
        for table in ("report_total", "report_route", "report_outcome"):
            _crowd(table)
        db.execute_sql("ANALYZE")
    kinds = (
        (call_reports.ANSWERS, (), True),
        (call_reports.PICKED_UP, ("campaign_id",), True),
        (call_reports.LENGTHS, (), False),
        (call_reports.ROUTES, ("prefix",), False),
        (call_reports.OUTCOMES, call_reports.OUTCOME_KEYS, False),
    )
    steps = local_hours(asked, "UTC")
    for whose in (call_reports.TENANT, call_reports.CAMPAIGN):
        for figures, keys, stepwise in kinds:
            sql = call_reports.statement(figures, keys, whose=whose, stepwise=stepwise)
            given = call_reports.parameters(Scope("demo", new_id()), asked, steps)
            with db.connection_context():
                plan = "\n".join(line for (line,) in db.execute_sql("EXPLAIN " + sql, given).fetchall())
            assert not re.search(r"Seq Scan on report_(total|route|outcome)", plan), plan


def _crowd(table: str) -> None:
    """Cells of other tenants, and of this one in other years."""
    columns = [
        row["column_name"]
        for row in rows("SELECT column_name FROM information_schema.columns WHERE table_name = %s", table)
    ]
    of_others = {
        "tenant_id": "CASE WHEN mod(n, 4) = 0 THEN tenant_id ELSE 't' || mod(n, 50) END",
        "campaign_id": "gen_random_uuid()",
        "start_at": "start_at - n * interval '1 day'",
    }
    chosen = ", ".join(of_others.get(name, name) for name in columns)
    db.execute_sql(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen} FROM {table}, generate_series(1, 3000) AS n"
    )


def test_reports_are_kept_when_calls_are_deleted(world: World) -> None:
    campaign_id = make_campaign(world, 10)
    dial(campaign_id)
    with db.connection_context():
        db.execute_sql(
            "UPDATE call SET ended_at = now() - interval '9 days', state = 'ended' WHERE ended_at IS NULL"
        )
        db.execute_sql("UPDATE call SET ended_at = now() - interval '9 days'")
        db.execute_sql("UPDATE contact SET status = 'completed', call_id = NULL")
        db.execute_sql("DELETE FROM outbox")
        db.execute_sql("UPDATE tenant SET retention_days = 3")
        db.execute_sql(
            "UPDATE campaign SET status = 'completed', end_reason = 'exhausted',"
            " completed_at = now() - interval '9 days'"
        )
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    asked = Span(now - timedelta(days=1), now + timedelta(days=1))
    with db.connection_context():
        before = call_reports.outcomes(Scope("demo"), asked), call_reports.lengths(Scope("demo"), asked)
    assert retention.mark_due(10) == 1
    retention.delete_slices(10)
    with db.connection_context():
        assert rows("SELECT 1 FROM call") == []
        assert (
            call_reports.outcomes(Scope("demo"), asked),
            call_reports.lengths(Scope("demo"), asked),
        ) == before
        db.execute_sql(call_reports.FOLD)
        assert (
            call_reports.outcomes(Scope("demo"), asked),
            call_reports.lengths(Scope("demo"), asked),
        ) == before


def test_two_that_fold_at_the_same_time_count_each_change_once(world: World, database_url: str) -> None:
    campaign_id = make_campaign(world, 20)
    dial(campaign_id)
    call_reports.fold()
    dial(campaign_id)
    with two_at_once(database_url, call_reports.FOLD, call_reports.fold):
        dial(campaign_id)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    asked = Span(now - timedelta(days=1), now + timedelta(days=1))
    assert assert_reports_say_what_the_rows_say(Scope("demo"), asked, "UTC")


def test_what_was_over_before_is_filled_in_once(world: World, database_url: str) -> None:
    campaign_id = make_campaign(world, 20)
    with db.connection_context():
        db.execute_sql("ALTER TABLE call DISABLE TRIGGER USER")
    dial(campaign_id)
    with db.connection_context():
        db.execute_sql("ALTER TABLE call ENABLE TRIGGER USER")
        db.execute_sql("DELETE FROM report_fill")
        db.execute_sql("DELETE FROM schema_migration WHERE name = %s", (MIGRATION,))
    dial(campaign_id)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    asked = Span(now - timedelta(days=1), now + timedelta(days=1))
    for _ in range(2):
        assert migrate(database_url) == [MIGRATION]
        assert assert_reports_say_what_the_rows_say(Scope("demo"), asked, "UTC")
        # As after a run that was interrupted behind it.
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DELETE FROM schema_migration WHERE name = %s", (MIGRATION,))
        call_reports.fold()
