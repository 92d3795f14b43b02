"""How fast a campaign was dialled in any past minutes: the plot, the rates that held it, each second as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from web.ask import ask
from web.blueprint import blp
from web.pace_gaps import SAID_AGAIN, held_through
from web.pace_plot import Minutes, drawn, rate_name
from web.pages import page, shown
from web.plots import image_response
from web.showing import moment, rfc3339

MINUTES: Final = 3


@blp.get("/campaigns/<campaign_id>/pace")
@page()
def pace(campaign_id: str) -> Response:
    """How fast it was dialled, and what held it back, second by second."""
    campaign = ask("GET", f"/campaigns/{quote(campaign_id, safe='')}")
    minutes = _minutes()
    found = _pacing(campaign, minutes)
    values = {
        "campaign": campaign,
        "minutes": minutes,
        "steps": found["pacing"],
        "rates": [(rate_name(rate["cap"]), rate["calls_per_second"]) for rate in found["rates"]],
        "reasons": _reasons(found["pacing"]),
        "query": {"at": rfc3339(minutes.start), "zone": minutes.zone.key},
    }
    return shown("pace.html", values)


@blp.get("/campaigns/<campaign_id>/pace.svg")
@page()
def pace_image(campaign_id: str) -> AnyResponse:
    """The plot of it."""
    minutes = _minutes()
    found = _pacing(ask("GET", f"/campaigns/{quote(campaign_id, safe='')}"), minutes)
    return image_response(drawn(found["pacing"], found["rates"], minutes, narrow="narrow" in request.args))


def _minutes() -> Minutes:
    """Those that the address asks for, as UTC or as a browser's field writes them; the last ones without."""
    now = datetime.now(UTC)
    try:
        start = moment(request.args.get("at", ""))
        start = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
    except (ValueError, OverflowError):
        start = now - timedelta(minutes=MINUTES)
    start = min(max(start, now - timedelta(hours=23, minutes=59)), now)
    start = start.replace(second=0, microsecond=0)
    return Minutes(start, start + timedelta(minutes=MINUTES), _zone())


def _zone() -> ZoneInfo:
    """The viewer's, as his browser put it into the address; UTC without, and for what is none."""
    try:
        return ZoneInfo(request.args.get("zone") or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _pacing(campaign: Mapping[str, Any], minutes: Minutes) -> Mapping[str, Any]:
    """What the API tells of these minutes, with the seconds through which something held the campaign: what is
    written before and after them says so."""
    query = {"from": rfc3339(minutes.start - SAID_AGAIN), "to": rfc3339(minutes.end + SAID_AGAIN)}
    found: dict[str, Any] = ask("GET", f"/campaigns/{quote(campaign['id'], safe='')}/pacing", query)
    word = campaign["blocked_reason"] if campaign["status"] == "running" else None
    steps = held_through(found["pacing"], word, datetime.now(UTC))
    within = [step for step in steps if minutes.start <= moment(step["at"]) < minutes.end]
    return found | {"pacing": within}


def _reasons(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """What held it back, and for how many seconds; the longest first."""
    seconds: dict[str, int] = {}
    for step in steps:
        if step["cap"]:
            seconds[step["cap"]] = seconds.get(step["cap"], 0) + 1
    return sorted(seconds.items(), key=lambda item: -item[1])
