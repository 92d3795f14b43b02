"""The page that calls people of a campaign again: in the same campaign at once, or in a new one now or at a time."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from campaigns.dispositions import CONTACT_MEANINGS
from web.ask import USED, Refused, ask
from web.blueprint import blp
from web.campaign_settings import instant
from web.pages import page, shown
from web.words import outcome_chip

NOT_AGAIN: Final = ("not_sent", "suppressed", "expired")
"""Ends after which nobody is called again, whatever is asked."""
USUAL: Final = ("busy", "no_answer")
"""Chosen where nothing else is: who was called and not reached, by his own doing."""
ENDED_SO, CANCELLED, EVERYBODY = "ended", "cancelled", "everybody"
HERE, NOW, AT, DRAFT = "here", "now", "at", "draft"
NOBODY_CHOSEN: Final = "Choose whom to call again: at least one way in which a call ended."
ONLY_ENDED_HERE: Final = (
    "Only people whose last call ended in a way that you tick can be called again in this campaign. Everybody else is"
    " called by a campaign of its own: choose when that begins."
)
NO_TIME: Final = "Say when the new campaign is to start, or have it wait as a draft."
MADE_ALREADY: Final = (
    "This page has made a campaign already, of other people or under another name: it is among the campaigns. Send"
    " the form again where you want another one."
)


@blp.get("/campaigns/<campaign_id>/again")
@page("operate")
def call_again(campaign_id: str) -> Response:
    """The form: whom, and when."""
    return _again(campaign_id)


@blp.post("/campaigns/<campaign_id>/again")
@page("operate")
def called_again(campaign_id: str) -> AnyResponse:
    """Bring them back here, or make a campaign of them, which begins as the form says."""
    path = f"/campaigns/{quote(campaign_id, safe='')}"
    form, ends = request.form, request.form.getlist("ends")
    if form.get("who") == ENDED_SO and not ends:
        return _again(campaign_id, NOBODY_CHOSEN, 400)
    if form.get("when") == HERE and form.get("who") != ENDED_SO:
        # The ticks are hidden then, and sent all the same: they choose nobody.
        return _again(campaign_id, ONLY_ENDED_HERE, 400)
    at = instant(form.get("scheduled_at", ""))
    if form.get("when") == AT and at is None:
        return _again(campaign_id, NO_TIME, 400)
    try:
        if form.get("when") == HERE:
            back = ask("POST", f"{path}/retry", body={"dispositions": ends})["contacts"]
            return redirect(url_for("board.campaign", campaign_id=campaign_id, done="again", n=back), 303)
        made = ask("POST", f"{path}/clone", _wanted(ask("GET", path), ends), once=form.get("once", ""))
    except Refused as error:
        used = error.code == USED
        return _again(campaign_id, MADE_ALREADY if used else error.sentence, error.status, anew=used)
    try:
        done = _begun(made["id"], at)
    except Refused as error:
        # It is made, and cannot begin like this: its page says where it stands, and offers the rest.
        return shown("made_not_begun.html", {"campaign": made, "fault": error.sentence}, error.status)
    return redirect(url_for("board.campaign", campaign_id=made["id"], done=done), 303)


def _wanted(found: Mapping[str, Any], ends: list[str]) -> dict[str, object]:
    """What is asked of the API for the people that the form names."""
    who, status, disposition = request.form.get("who"), None, None
    if who == ENDED_SO:
        disposition = ",".join(ends)
    elif who == CANCELLED:
        status = "cancelled"
    elif found["status"] in ("draft", "scheduled"):
        # Nobody of it has been called yet: its whole list waits.
        status = "pending"
    return {
        "status": status,
        "disposition": disposition,
        "name": request.form.get("name", "").strip() or None,
    }


def _begun(campaign_id: str, at: str | None) -> str:
    """Start the new campaign, or have it start by itself; the word of what was done."""
    when = request.form.get("when")
    if when == NOW:
        ask("POST", f"/campaigns/{campaign_id}/start")
        return "started"
    if when == AT:
        ask("PATCH", f"/campaigns/{campaign_id}", body={"scheduled_at": at})
        return "scheduled"
    return "cloned"


def _again(campaign_id: str, fault: str | None = None, status: int = 200, *, anew: bool = False) -> Response:
    """The page; `anew` where what its form is sent once under is spent."""
    found = ask("GET", f"/campaigns/{quote(campaign_id, safe='')}", {"include": "outcomes"})
    form, calls = request.form, _calls(found["outcomes"]["dispositions"])
    goes_on = found["status"] in ("running", "paused")
    values = {
        "campaign": found,
        "offered": [
            (word, outcome_chip(word), CONTACT_MEANINGS.get(word, ""), number)
            for word, number in calls.items()
        ],
        "ends": form.getlist("ends") if fault else [word for word in USUAL if word in calls],
        "who": form.get("who") or (ENDED_SO if calls else EVERYBODY),
        "goes_on": goes_on,
        "when": form.get("when") or (HERE if goes_on and calls else AT),
        "scheduled_at": (instant(form.get("scheduled_at", "")) or "")[:16],
        "name": form.get("name", ""),
        "once": (None if anew else form.get("once")) or secrets.token_hex(16),
        "fault": fault,
    }
    return shown("again.html", values, status)


def _calls(outcomes: Mapping[str, int]) -> dict[str, int]:
    """How many calls ended so, of the ends after which somebody may be called again; the most frequent first."""
    kept = {word: number for word, number in outcomes.items() if word not in NOT_AGAIN}
    return dict(sorted(kept.items(), key=lambda item: -item[1]))
