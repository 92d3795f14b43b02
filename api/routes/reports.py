"""Reports over calls: when, by what and after how many tries people answer, and what carriers and regulators look at.

Every figure is of the calls that are over at that moment, those of deleted campaigns and those that were purged among
them. Decision 0076.
"""

from __future__ import annotations

from collections.abc import Sequence

import flask
import marshmallow as ma
from flask import Response

from api import times
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.csv_out import csv_table
from api.errors import not_found
from api.json_rows import json_answer
from api.paging import Page, list_schema
from api.resources import id_or_404, invalid
from api.routes.campaigns import NOT_FOUND
from api.routes.report_schemas import (
    CSV,
    EXAMPLE_ABANDON,
    EXAMPLE_ATTEMPT,
    EXAMPLE_BUCKET,
    EXAMPLE_CALLER_ID,
    EXAMPLE_DISTRIBUTION,
    EXAMPLE_GATEWAY,
    EXAMPLE_HOUR,
    EXAMPLE_PREFIX,
    EXAMPLE_REACH,
    EXAMPLE_SHORT,
    EXAMPLE_UNCOUNTED,
    AbandonQuery,
    AbandonSchema,
    AttemptSchema,
    CallerIdSchema,
    DistributionSchema,
    GatewaySchema,
    HourSchema,
    PrefixSchema,
    ReachQuery,
    ReachSchema,
    ReachValues,
    ReportFormat,
    ReportQuery,
    ReportValues,
    ShortCallsSchema,
    UncountedSchema,
    ZonedReportQuery,
    example,
    example_table,
    marked,
    report_schema,
)
from api.transactions import transaction
from campaigns import call_reports, list_reach, report_spans, report_tables
from campaigns.call_reports import Route, Scope
from campaigns.report_spans import Span
from campaigns.report_tables import UK_DAY, US_30_DAYS, Period, Row, share
from models import rows

blp = Blueprint("reports", description="What became of calls, counted as they end")

_ROUTES = {Route.GATEWAY: GatewaySchema, Route.CALLER_ID: CallerIdSchema, Route.PREFIX: PrefixSchema}
_OWN = "SELECT 1 FROM campaign WHERE tenant_id = %s AND id = %s"


@blp.route("/reports/hours")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(ZonedReportQuery, location="query")
@blp.response(
    200,
    report_schema("hours", HourSchema, zoned=True),
    example=example("hours", EXAMPLE_HOUR, time_zone="America/Denver"),
)
@blp.also_csv(example_table(EXAMPLE_HOUR))
def get_hours(query: ReportValues) -> Response:
    """Get the answer rate by hour and weekday

    All 168 hours of a week, by the clocks of `time_zone`: when people pick up.
    """
    asked, zone = _span(query), query["time_zone"]
    steps = report_spans.local_hours(asked, zone)
    with transaction(writes=False):
        found = call_reports.by_step(_scope(query), asked, steps)
    return _answer(query, "hours", HourSchema, report_tables.hours(found, steps), asked, time_zone=zone)


@blp.route("/reports/gateways")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(ReportQuery, location="query")
@blp.response(
    200,
    report_schema("gateways", GatewaySchema),
    example=example("gateways", EXAMPLE_GATEWAY),
)
@blp.also_csv(example_table(EXAMPLE_GATEWAY))
def get_gateways(query: ReportValues) -> Response:
    """Get the answer rate by gateway

    The most used first, with how long its calls took to ring and were up.
    """
    return _by_route(query, "gateways", Route.GATEWAY)


@blp.route("/reports/caller-ids")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(ReportQuery, location="query")
@blp.response(
    200,
    report_schema("caller_ids", CallerIdSchema),
    example=example("caller_ids", EXAMPLE_CALLER_ID),
)
@blp.also_csv(example_table(EXAMPLE_CALLER_ID))
def get_caller_ids(query: ReportValues) -> Response:
    """Get the answer rate by caller id

    The most used first. One whose rate falls behind the others' is perhaps shown as spam.
    """
    return _by_route(query, "caller_ids", Route.CALLER_ID)


@blp.route("/reports/prefixes")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(ReportQuery, location="query")
@blp.response(
    200,
    report_schema("prefixes", PrefixSchema),
    example=example("prefixes", EXAMPLE_PREFIX),
)
@blp.also_csv(example_table(EXAMPLE_PREFIX))
def get_prefixes(query: ReportValues) -> Response:
    """Get the answer rate by prefix

    By the plus and the first four digits of the numbers called, the most called first.
    """
    return _by_route(query, "prefixes", Route.PREFIX)


@blp.route("/reports/distributions")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(ReportQuery, location="query")
@blp.response(
    200,
    report_schema("distributions", DistributionSchema),
    example=example("distributions", EXAMPLE_DISTRIBUTION),
)
@blp.also_csv(example_table(EXAMPLE_BUCKET))
def get_distributions(query: ReportValues) -> Response:
    """Get how long calls took to ring, rang and were up

    In buckets, with the median and the 95th percentile. As CSV a row for each bucket.
    """
    asked = _span(query)
    with transaction(writes=False):
        found = call_reports.lengths(_scope(query), asked)
    table = report_tables.buckets(found) if _wants_csv(query) else report_tables.distributions(found)
    return _answer(query, "distributions", DistributionSchema, table, asked)


@blp.route("/reports/short-calls")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(ReportQuery, location="query")
@blp.response(
    200, report_schema("short_calls", ShortCallsSchema), example=example("short_calls", EXAMPLE_SHORT)
)
@blp.also_csv(example_table(EXAMPLE_SHORT))
def get_short_calls(query: ReportValues) -> Response:
    """Get the share of calls that were over at once

    Of all calls, then of each gateway, beside the line from which carriers charge for them: 20 % of a month's calls.
    """
    asked = _span(query)
    with transaction(writes=False):
        found = call_reports.by_route(_scope(query), asked, Route.GATEWAY)
    return _answer(query, "short_calls", ShortCallsSchema, report_tables.short_calls(found), asked)


@blp.route("/reports/attempts")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(ReportQuery, location="query")
@blp.response(200, report_schema("attempts", AttemptSchema), example=example("attempts", EXAMPLE_ATTEMPT))
@blp.also_csv(example_table(EXAMPLE_ATTEMPT))
def get_attempts(query: ReportValues) -> Response:
    """Get answers by attempt

    What each further attempt brings.
    """
    asked = _span(query)
    with transaction(writes=False):
        found = call_reports.outcomes(_scope(query), asked)
    return _answer(query, "attempts", AttemptSchema, report_tables.attempts(found), asked)


@blp.route("/reports/uncounted")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(ReportQuery, location="query")
@blp.response(
    200, report_schema("uncounted", UncountedSchema), example=example("uncounted", EXAMPLE_UNCOUNTED)
)
@blp.also_csv(example_table(EXAMPLE_UNCOUNTED))
def get_uncounted(query: ReportValues) -> Response:
    """Get which calls used no attempt, and why

    Faults of the platform and of carriers, calls that never left, and those that a halt or a stop cut off.
    """
    asked = _span(query)
    with transaction(writes=False):
        found = call_reports.outcomes(_scope(query), asked)
    return _answer(query, "uncounted", UncountedSchema, report_tables.uncounted(found), asked)


@blp.route("/reports/abandon-rate")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(AbandonQuery, location="query")
@blp.response(
    200,
    report_schema("abandon_rate", AbandonSchema, zoned=True),
    example=example("abandon_rate", EXAMPLE_ABANDON, time_zone="America/New_York"),
)
@blp.also_csv(example_table(EXAMPLE_ABANDON))
def get_abandon_rate(query: ReportValues) -> Response:
    """Get the abandon rate of campaigns

    By both formulas, each with what it divides by what: for each 30 days from `from` on, and for each day of
    `time_zone`. What no person answered is in neither. A campaign and a period in which nobody answered has no
    row, nor has a single call.
    """
    asked, zone = _span(query), query["time_zone"]
    days, months = report_spans.local_days(asked, zone), report_spans.thirty_days(asked)
    with transaction(writes=False):
        scope = _scope(query)
        by_day = call_reports.picked_up(scope, asked, days)
        by_month = call_reports.picked_up(scope, asked, months)
        names = list_reach.names({figures.campaign_id for figures in by_month})
    table = report_tables.abandon_rate(US_30_DAYS, by_month, Period.each(asked, months), names)
    table += report_tables.abandon_rate(UK_DAY, by_day, Period.each(asked, days), names)
    wanted = query.get("formula")
    table = [row for row in table if wanted in (None, row["formula"])]
    return _answer(query, "abandon_rate", AbandonSchema, table, asked, time_zone=zone)


@blp.route("/reports/penetration")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(ReachQuery, location="query")
@blp.response(
    200,
    list_schema("penetration", ReachSchema),
    example={"penetration": [EXAMPLE_REACH], "total": 1, "limit": 100, "offset": 0},
)
@blp.also_csv(example_table(EXAMPLE_REACH))
def get_penetration(query: ReachValues) -> Response:
    """Get how far lists were called

    Of each campaign since it was made, the newest first: how many of its contacts were called at all, and how many
    were reached.
    """
    page = Page(query["limit"], query["offset"])
    with transaction(writes=False):
        scope = _scope(query)
        found = list_reach.reach(scope, page.limit, page.offset)
        total = list_reach.how_many(scope)
    table: list[Row] = [
        {
            "campaign_id": one.campaign_id,
            "campaign_name": one.campaign_name,
            "contacts": one.contacts,
            "called": one.called,
            "reached": one.reached,
            "penetration": share(one.called, one.contacts),
        }
        for one in found
    ]
    if _wants_csv(query):
        return _csv("penetration", table, ReachSchema)
    return json_answer(page.body("penetration", table, total))


def _by_route(query: ReportValues, name: str, route: Route) -> Response:
    asked = _span(query)
    with transaction(writes=False):
        found = call_reports.by_route(_scope(query), asked, route)
    return _answer(query, name, _ROUTES[route], report_tables.routes(route.value, found), asked)


def _span(query: ReportValues) -> Span:
    """Raises ApiError 400 for a stretch of time that no report can be about."""
    try:
        return report_spans.span(query.get("from"), query.get("to"), times.utcnow())
    except report_spans.SpanRefusedError as error:
        raise invalid(error.field, times.to_rfc3339(error.value), error.rule) from error


def _scope(query: ReportValues | ReportFormat) -> Scope:
    """Raises ApiError 404 for a campaign that is not the caller's."""
    tenant_id, text = current_caller().tenant_id, query.get("campaign_id")
    if text is None:
        return Scope(tenant_id)
    found_id = id_or_404(text, "Campaign")
    if not rows(_OWN, tenant_id, found_id):
        raise not_found("Campaign")
    return Scope(tenant_id, found_id)


def _wants_csv(query: ReportValues | ReportFormat) -> bool:
    asked = query.get("format")
    if asked is not None:
        return asked == CSV
    accepted = flask.request.accept_mimetypes
    return accepted["text/csv"] > accepted["application/json"]


def _answer(
    query: ReportValues, name: str, schema: type[ma.Schema], table: Sequence[Row], asked: Span, **more: object
) -> Response:
    if _wants_csv(query):
        return _csv(name, table, schema)
    return json_answer({"from": asked.start, "to": asked.end} | more | {name: table})


def _csv(name: str, table: Sequence[Row], schema: type[ma.Schema]) -> Response:
    columns = [*table[0]] if table else [*schema().fields]
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(
        csv_table(columns, marked(table)), content_type="text/csv; charset=utf-8", headers=headers
    )
