"""Reports: when and where people pick up, how long calls take, what further attempts bring, and what is abandoned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from flask import Response, redirect, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from api.blueprint import PREFIX
from web import report_plots
from web.ask import ask, given
from web.blueprint import blp
from web.gateway_names import gateway_names
from web.pages import page, shown
from web.plots import image_response
from web.report_words import FORMULAS, LONG_US, MEASURES, UNCOUNTED, US, WEEKDAYS
from web.showing import address, moment, page_number, paging, rfc3339
from web.words import meaning, outcome_chip

SHOWS: Final = (
    ("hours", "When"),
    ("routes", "Where"),
    ("lengths", "How long"),
    ("attempts", "Attempts"),
    ("abandoned", "Abandoned"),
    ("lists", "Lists"),
)
DAYS: Final = ((1, "1 day"), (7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "365 days"))
DEFAULT_DAYS: Final = 30
CAMPAIGNS: Final = 100
PER_PAGE: Final = 100
QUARTER: Final = timedelta(minutes=15)
ROUTES: Final = (
    ("gateways", "gateway_id", "Gateway", ""),
    ("caller-ids", "caller_id", "Caller id", "One that falls behind the others is perhaps shown as spam."),
    ("prefixes", "prefix", "Prefix", "The first four digits of the numbers called."),
)


@blp.get("/reports")
@page()
def reports() -> AnyResponse:
    """The first of them."""
    return redirect(address(url_for("board.report", show=SHOWS[0][0]), request.args.to_dict()))


@blp.get("/reports/<any(hours, routes, lengths, attempts, abandoned, lists):show>")
@page()
def report(show: str) -> Response:
    """One of the pages."""
    query = _query(show)
    names = ("campaign", "days", "zone")
    kept = {name: request.args[name] for name in names if request.args.get(name)}
    chosen = {
        "show": show,
        "shows": [(word, words, address(url_for("board.report", show=word), kept)) for word, words in SHOWS],
        "days": _days(),
        "day_choices": DAYS,
        "zone": request.args.get("zone") or "UTC",
        "zoned": show in ("hours", "abandoned"),
        "campaign_id": request.args.get("campaign", ""),
        "campaigns": ask("GET", "/campaigns", {"limit": CAMPAIGNS, "order": "newest"})["campaigns"],
        "plot": lambda name: _plots(show, name, kept),
        "csv": lambda name: _csv(name, query),
    }
    return shown("reports.html", chosen | _PAGES[show](query))


@blp.get("/reports/<any(hours, routes, lengths, attempts):show>/<name>.svg")
@page()
def report_image(show: str, name: str) -> AnyResponse:
    """A plot of it."""
    narrow, query = "narrow" in request.args, _query(show)
    if show == "lengths":
        for row in ask("GET", "/reports/distributions", query)["distributions"]:
            if row["measure"] == name:
                return image_response(report_plots.lengths(row["buckets"], row["unit"], narrow=narrow))
        raise NotFound
    if (show, name) not in {("hours", "hours"), ("attempts", "attempts"), ("routes", "prefixes")}:
        raise NotFound
    rows = ask("GET", f"/reports/{name}", query)[name]
    if show == "hours":
        return image_response(report_plots.hours(rows, narrow=narrow))
    labels = [_label(row) for row in rows]
    return image_response(report_plots.rates(labels, [row["answer_rate"] for row in rows], narrow=narrow))


def _label(row: Mapping[str, Any]) -> str:
    if "attempt" in row:
        return f"attempt {row['attempt']}"
    return row["prefix"] or "erased"


def _days() -> int:
    """As many as the address asks for, of those that there are."""
    asked = page_number(request.args.get("days"))
    return asked if asked in dict(DAYS) else DEFAULT_DAYS


def _query(show: str) -> dict[str, object]:
    """What the address asks for, as the API is asked: the days up to the end of this quarter of an hour."""
    campaign_id = request.args.get("campaign") or None
    if show == "lists":
        return {"campaign_id": campaign_id}
    now = datetime.now(UTC)
    end = now - (now - datetime.min.replace(tzinfo=UTC)) % QUARTER + QUARTER
    asked: dict[str, object] = {
        "campaign_id": campaign_id,
        "from": rfc3339(end - timedelta(days=_days())),
        "to": rfc3339(end),
    }
    if show in ("hours", "abandoned"):
        asked["time_zone"] = request.args.get("zone") or "UTC"
    return asked


def _plots(show: str, name: str, kept: Mapping[str, str]) -> tuple[str, str]:
    """The addresses of a plot, for a desk and for a telephone."""
    path = url_for("board.report_image", show=show, name=name)
    return address(path, kept), address(path, {**kept, "narrow": "1"})


def _hours(query: Mapping[str, object]) -> dict[str, object]:
    rows = ask("GET", "/reports/hours", query)["hours"]
    cells = {(row["hour"], row["weekday"]): row for row in rows}
    return {
        "weekdays": WEEKDAYS,
        "cells": cells,
        "hours_used": sorted({row["hour"] for row in rows if row["placed"]}),
    }


def _routes(query: Mapping[str, object]) -> dict[str, object]:
    each = []
    for name, key, words, note in ROUTES:
        rows = ask("GET", f"/reports/{name}", query)[name.replace("-", "_")]
        each.append({"name": name, "key": key, "words": words, "note": note, "rows": rows})
    return {
        "each": each,
        "short": ask("GET", "/reports/short-calls", query)["short_calls"],
        "gateway_names": gateway_names(),
    }


def _lengths(query: Mapping[str, object]) -> dict[str, object]:
    rows = ask("GET", "/reports/distributions", query)["distributions"]
    told = [(row, *MEASURES.get(row["measure"], (row["measure"], ""))) for row in rows]
    return {"told": told, "bucket_words": report_plots.bucket_words}


def _attempts(query: Mapping[str, object]) -> dict[str, object]:
    uncounted = ask("GET", "/reports/uncounted", query)["uncounted"]
    chips = [(row, UNCOUNTED.get(row["reason"]) or outcome_chip(row["reason"])) for row in uncounted]
    return {
        "attempts": ask("GET", "/reports/attempts", query)["attempts"],
        "uncounted": [(row, chip, meaning(row["reason"])) for row, chip in chips],
    }


def _abandoned(query: Mapping[str, object]) -> dict[str, object]:
    """By each formula: its words, its rows, and the address of the same rows as CSV."""
    told = []
    for formula, (words, note) in FORMULAS.items():
        asked = {**query, "formula": formula}
        if formula == US:
            # The line is about 30 days: a rate over fewer says nothing of it.
            whole = max(_days() // LONG_US, 1) * LONG_US
            asked["from"] = rfc3339(moment(str(query["to"])) - timedelta(days=whole))
        found = ask("GET", "/reports/abandon-rate", asked)["abandon_rate"]
        if found:
            told.append((words, note, found, _csv("abandon-rate", asked)))
    return {"formulas": told}


def _csv(name: str, query: Mapping[str, object]) -> str:
    """The address of a report as a table."""
    return f"{PREFIX}/reports/{name}?{urlencode(given(query) | {'format': 'csv'})}"


def _lists(query: Mapping[str, object]) -> dict[str, object]:
    number = page_number(request.args.get("page"))
    asked = {**query, "limit": PER_PAGE, "offset": number * PER_PAGE}
    found = ask("GET", "/reports/penetration", asked)
    path = url_for("board.report", show="lists")
    at = paging(path, {"campaign": str(query["campaign_id"] or "")}, number, found["total"], PER_PAGE)
    return {"lists": found["penetration"], "at": at}


_PAGES: Final = {
    "hours": _hours,
    "routes": _routes,
    "lengths": _lengths,
    "attempts": _attempts,
    "abandoned": _abandoned,
    "lists": _lists,
}
