"""How long each report over a million calls of a month takes, beside a scan of their rows that answers the same.

Twenty campaigns, four gateways, ten caller ids and 300 prefixes, dialled for ten hours of each day; the last calls of
the last campaign are not folded yet.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median

from bench.recording import database
from bench.table import Bound, Figure, Row
from campaigns import call_reports, list_reach
from campaigns.call_reports import Route, Scope
from campaigns.report_spans import Span, local_days, local_hours
from models import db
from tests.factories import World, make_campaign

CALLS, QUICK_CALLS = 1_000_000, 100_000
CAMPAIGNS = 20
CALLS_OF_ONE = 10
MOST_MS = 300.0
ROUNDS, QUICK_ROUNDS = 5, 3
START = datetime(2026, 3, 1, tzinfo=UTC)
ASKED = Span(START - timedelta(hours=6), START + timedelta(days=30) - timedelta(hours=6))
"""A month by the clocks of a zone west of Greenwich: within a day of UTC at both ends."""
ZONE = "America/Denver"

_CONTACTS = """
INSERT INTO contact (id, campaign_id, position, phone_number, status, disposition, attempts, sends, version)
SELECT gen_random_uuid(), %s, n, '+1' || 200 + n %% 300 || 5550000 + n, 'failed', 'busy', 1, 1, 3
FROM generate_series(1, %s) AS n
"""
_CALLS = """
INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, generation, phone_number, caller_id,
    gateway_id, node, dialer_id, sent_by, state, disposition, created_at, sent_at, progress_at, answered_at, ended_at,
    billsec, pdd_ms, ring_ms)
SELECT gen_random_uuid(), %(tenant)s, campaign_id, id, %(seq)s, %(seq)s, 1, phone_number,
    '+1415555010' || position %% 10, ('00000000-0000-0000-0000-00000000000' || position %% 4)::uuid, 'fs1', 'd', 'd',
    'ended', CASE WHEN up THEN 'answered' ELSE 'no_answer' END, at, at, at, CASE WHEN up THEN at END, at,
    (random() * 120)::int, (random() * 9000)::int, (random() * 30000)::int
FROM contact CROSS JOIN LATERAL (
    SELECT random() < 0.3 AS up, %(start)s::timestamptz + (position %% 30) * interval '1 day'
        + interval '9 hours' + random() * interval '10 hours' AS at
) AS drawn WHERE campaign_id = %(campaign)s
"""
_SCAN = """
SELECT {keys}, count(sent_at), count(answered_at), sum(billsec) FILTER (WHERE answered_at IS NOT NULL),
    percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY pdd_ms)
FROM call WHERE tenant_id = %(tenant)s AND created_at >= %(start)s AND created_at < %(end)s AND ended_at IS NOT NULL
GROUP BY {keys}
"""
_SCANNED: Mapping[str, str] = {
    "hours": "extract(isodow FROM created_at AT TIME ZONE 'America/Denver'),"
    " extract(hour FROM created_at AT TIME ZONE 'America/Denver')",
    "gateways": "gateway_id",
    "caller ids": "caller_id",
    "prefixes": "left(phone_number, 5)",
    "distributions": "width_bucket(billsec, 0, 7200, 27)",
    "outcomes": "disposition, attempt",
    "abandon rate": "campaign_id, (created_at AT TIME ZONE 'America/Denver')::date",
    "penetration": "campaign_id",
}


def measure(quick: bool) -> Sequence[Row]:
    """Each report of a tenant, and one of a campaign."""
    with database() as world:
        calls = QUICK_CALLS if quick else CALLS
        campaign_id = fill(world, calls)
        scope = Scope(world.tenant_id)
        one = Scope(world.tenant_id, campaign_id)
        hours, days = local_hours(ASKED, ZONE), local_days(ASKED, ZONE)
        reports: dict[str, Callable[[], object]] = {
            "hours": lambda: call_reports.by_step(scope, ASKED, hours),
            "gateways": lambda: call_reports.by_route(scope, ASKED, Route.GATEWAY),
            "caller ids": lambda: call_reports.by_route(scope, ASKED, Route.CALLER_ID),
            "prefixes": lambda: call_reports.by_route(scope, ASKED, Route.PREFIX),
            "distributions": lambda: call_reports.lengths(scope, ASKED),
            "outcomes": lambda: call_reports.outcomes(scope, ASKED),
            "abandon rate": lambda: call_reports.picked_up(scope, ASKED, days),
            "penetration": lambda: list_reach.reach(scope, 100, 0),
            "prefixes of a campaign": lambda: call_reports.by_route(one, ASKED, Route.PREFIX),
        }
        rounds = QUICK_ROUNDS if quick else ROUNDS
        found: list[Row] = []
        for name, report in reports.items():
            beside = ""
            if keys := _SCANNED.get(name):
                given = {"tenant": world.tenant_id, "start": ASKED.start, "end": ASKED.end}
                scan = took(partial(db.execute_sql, _SCAN.format(keys=keys), given), 1)
                beside = f"a scan of the rows: {scan:,.0f} ms"
            what = f"report over {calls:,} calls: {name}"
            found.append(Figure(what, took(report, rounds), "ms", Bound.AT_MOST, MOST_MS, beside))
        return found


def fill(world: World, calls: int) -> uuid.UUID:
    """Calls of a month, folded but for the last; the last campaign."""
    contacts = calls // CAMPAIGNS // CALLS_OF_ONE
    made = [make_campaign(world, 0) for _ in range(CAMPAIGNS)]
    for campaign_id in made:
        with db.connection_context():
            db.execute_sql(_CONTACTS, (campaign_id, contacts))
        for seq in range(1, CALLS_OF_ONE + 1):
            call_reports.fold()
            given = {"tenant": world.tenant_id, "campaign": campaign_id, "seq": seq, "start": START}
            with db.connection_context():
                db.execute_sql(_CALLS, given)
    with db.connection_context():
        db.execute_sql("VACUUM (ANALYZE)")
    return made[-1]


def took(work: Callable[[], object], rounds: int) -> float:
    """The median of its milliseconds, on a connection of its own."""
    each = []
    with db.connection_context():
        work()
        for _ in range(rounds):
            began = time.perf_counter()
            work()
            each.append((time.perf_counter() - began) * 1000)
    return median(each)
