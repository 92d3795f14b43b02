"""One campaign, live: what it does and why not more, its people, its pace and its last calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.blueprint import PREFIX
from web.ask import Refused, ask
from web.blueprint import blp
from web.breaker_page import held_of
from web.campaign_list import ACTIONS
from web.log_words import Told, told
from web.nested_forms import window_sentence
from web.pages import fragment, page, shared, shown
from web.policy_words import PURPOSES, by_place
from web.showing import bar_parts, page_number, paging, share
from web.why import why
from web.words import CAPS, OUTCOMES, RATES, call_chip, meaning, outcome_chip

LAST_CALLS: Final = 15
LOG_ENTRIES: Final = 8
LOG_PER_PAGE: Final = 50
PEOPLE: Final = (
    ("completed", "good", "reached"),
    ("failed", "bad", "not reached"),
    ("busy-now", "run", "on a call now"),
    ("pending", "rest", "to be called"),
    ("cancelled", "rest", "cancelled"),
)
NOT_ADVICE: Final = "Not legal advice."


@blp.get("/campaigns/<campaign_id>")
@page()
def campaign(campaign_id: str) -> Response:
    """The page."""
    found = _campaign(campaign_id)
    return shown("campaign.html", _head(found) | {"held": held_of(found)} | _calls(found) | _figures(found))


@blp.get("/campaigns/<campaign_id>/head")
@page()
def campaign_head(campaign_id: str) -> Response:
    """Its name, its state, what is offered and why it is not dialling: read again when one of them has changed."""
    found = _campaign(campaign_id)
    return fragment("campaign_head.html", _head(found) | {"held": held_of(found)})


@blp.get("/campaigns/<campaign_id>/last-calls")
@page()
def campaign_calls(campaign_id: str) -> Response:
    """Its outcomes and last calls: read again while calls end."""

    def values() -> dict[str, Any]:
        found = _campaign(campaign_id)
        return {"campaign": found} | _calls(found)

    return shared("campaign_calls.html", (campaign_id,), values)


@blp.get("/campaigns/<campaign_id>/log")
@page()
def campaign_log(campaign_id: str) -> Response:
    """All that happened to it, newest first."""
    found, number = _campaign(campaign_id), page_number(request.args.get("page"))
    entries, total = _log(found["id"], LOG_PER_PAGE, number * LOG_PER_PAGE)
    path = url_for("board.campaign_log", campaign_id=found["id"])
    values = {"campaign": found, "log": entries, "at": paging(path, {}, number, total, LOG_PER_PAGE)}
    return shown("log.html", values)


@blp.get("/campaigns/<campaign_id>/log/part")
@page()
def campaign_log_part(campaign_id: str) -> Response:
    """The last that happened to it: read by its page once that is there, and again."""

    def values() -> dict[str, Any]:
        entries, total = _log(quote(campaign_id, safe=""), LOG_ENTRIES)
        return {"campaign_id": campaign_id, "log": entries, "total": total}

    return shared("log_part.html", (campaign_id,), values)


@blp.get("/campaigns/<campaign_id>/rules")
@page()
def campaign_rules(campaign_id: str) -> Response:
    """What policy packs ask of its calls, and where that was read."""
    found = _campaign(campaign_id)
    policy = found.get("policy", {"places": [], "advice": NOT_ADVICE})
    purpose = PURPOSES.get(found["purpose"] or "", found["purpose"])
    values = {"campaign": found, "places": by_place(policy), "purpose": purpose, "advice": policy["advice"]}
    return shown("rules.html", values)


@blp.get("/campaigns/<campaign_id>/stop")
@page("operate", limited=False)
def confirm_stop(campaign_id: str) -> Response:
    """The second step of a stop, which cannot be undone."""
    return shown("stop.html", _head(_campaign(campaign_id)))


@blp.get("/campaigns/<campaign_id>/delete")
@page("operate")
def confirm_delete(campaign_id: str) -> Response:
    """The second step of a deletion, which cannot be undone."""
    return _confirm_delete(campaign_id)


@blp.post("/campaigns/<campaign_id>/delete")
@page("operate")
def delete_campaign(campaign_id: str) -> AnyResponse:
    """Delete it."""
    try:
        ask("DELETE", f"/campaigns/{quote(campaign_id, safe='')}")
    except Refused as error:
        if error.status == 404:
            raise
        return _confirm_delete(campaign_id, error.sentence, error.status)
    return redirect(url_for("board.campaigns", done="deleted"), 303)


def _campaign(campaign_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ask("GET", f"/campaigns/{quote(campaign_id, safe='')}", {"include": "outcomes"})
    return found


def _confirm_delete(campaign_id: str, fault: str | None = None, status: int = 200) -> Response:
    return shown("delete.html", _head(_campaign(campaign_id)) | {"fault": fault}, status)


def _head(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "campaign": found,
        "why": why(found, brief=True),
        "actions": ACTIONS.get(found["status"], ()),
        "may_stop": found["status"] in ("running", "paused", "scheduled", "draft"),
        "may_delete": found["status"] != "running" and not _up(found),
        "window": window_sentence(found["windows"], found["holidays"]),
    }


def _up(found: Mapping[str, Any]) -> int:
    """Calls of it that are up."""
    counts = found["counts"]
    number: int = counts["originated"] + counts["connected"]
    return number


def _figures(found: Mapping[str, Any]) -> dict[str, Any]:
    counts, up = found["counts"], _up(found)
    numbers = counts | {"busy-now": up}
    over = counts["completed"] + counts["failed"] + counts["cancelled"]
    return {
        "people": [(name, kind, words, numbers[name]) for name, kind, words in PEOPLE],
        "bar": bar_parts([(f"bar-{name}", kind, numbers[name]) for name, kind, _ in PEOPLE]),
        "done": share(over, counts["total"]),
        "up": up,
        "outcome_words": {name: [chip.kind, chip.words] for name, chip in OUTCOMES.items()},
        "cap_words": CAPS,
        "rate_words": RATES,
        "stream": f"{PREFIX}/campaigns/{found['id']}/events",
    }


def _calls(found: Mapping[str, Any]) -> dict[str, Any]:
    query = {"campaign_id": found["id"], "state": "ended", "limit": LAST_CALLS, "order": "newest"}
    outcomes: dict[str, int] = found["outcomes"]["dispositions"]
    placed, picked_up = found["outcomes"]["calls_ended"], found["outcomes"]["picked_up"]
    calls = sorted(ask("GET", "/calls", query)["calls"], key=lambda call: call["ended_at"], reverse=True)
    return {
        "calls": [(call, call_chip(call)) for call in calls],
        "outcomes": [
            (name, outcome_chip(name), calls, meaning(name), share(calls, sum(outcomes.values())))
            for name, calls in outcomes.items()
        ],
        "causes": found["outcomes"]["top_causes"],
        "placed": placed,
        "picked_up": picked_up,
        "answered": share(picked_up, placed),
    }


def _log(campaign_id: str, limit: int, offset: int = 0) -> tuple[list[Told], int]:
    """What happened to it, the newest first, and how much there is in all."""
    found = ask("GET", f"/campaigns/{campaign_id}/log", {"order": "newest", "limit": limit, "offset": offset})
    return [told(entry) for entry in found["log"]], found["total"]
