"""Before the start: who would be called when, what would hold the campaign back, and how long it would take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from flask import Response
from markupsafe import Markup

from web.ask import ask
from web.blueprint import blp
from web.pages import fragment, page, shown
from web.sentences import counted, figure, joined, sentence
from web.words import CAPS, blocked_sentence, outcome_chip

REASONS: Final[Mapping[str, str]] = {
    "window": "outside the hours where they live",
    "retry_wait": "wait for another try",
    "callback": "asked to be called at a time",
    "number_cap": "were called as often, or as lately, as they may be",
    "suppressed": "on a do-not-call list",
    "expired": "too late by then",
    "deadline": "after the end of the campaign",
}
BY_WHOM: Final[Mapping[str, str]] = {
    "campaign": "By how its own last calls ended.",
    "tenant": "By how your last calls ended.",
    "assumed": "There are no calls yet to judge by: usual shares are assumed.",
}


@blp.get("/campaigns/<campaign_id>/preflight")
@page()
def preflight(campaign_id: str) -> Response:
    """The page; a long list is looked at while it is there already."""
    return shown("preflight.html", {"campaign": ask("GET", f"/campaigns/{quote(campaign_id, safe='')}")})


@blp.get("/campaigns/<campaign_id>/preflight/part")
@page()
def preflight_part(campaign_id: str) -> Response:
    """The forecast, made anew each time; nothing is dialled."""
    found = ask("POST", f"/campaigns/{quote(campaign_id, safe='')}/preflight")
    people = found["contacts"]
    values = {
        "found": found,
        "people": people,
        "lasting": span(found["duration_seconds"]),
        "blocked": [blocked_sentence(reason) for reason in found["blocked_by"]],
        "later": _reasons(people["later_reasons"]),
        "never": _reasons(people["never_reasons"]),
        "caps": [
            (CAPS.get(cap["cap"], cap["cap"].replace("_", " ")), cap, span(cap["binds_seconds"]))
            for cap in found["caps"]
        ],
        "outcomes": [
            (outcome_chip(word), sentence("{} %", figure(round(100 * share))))
            for word, share in found["outcomes"].items()
        ],
        "by_whom": BY_WHOM.get(found["outcomes_from"], ""),
    }
    return fragment("preflight_part.html", values)


def _reasons(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(REASONS.get(word, word.replace("_", " ")), number) for word, number in counts.items()]


def span(seconds: int | None) -> Markup:
    """So long, as it is said: `5 h 15 min`, `3 days 2 h`; empty where there is none."""
    if seconds is None:
        return Markup("")
    minutes = -(-seconds // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [counted(days, "day", "days") if days else "", sentence("{} h", figure(hours)) if hours else ""]
    if not days and (minutes or not hours):
        parts.append(sentence("{} min", figure(minutes)))
    return joined(*parts)
