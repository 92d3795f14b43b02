"""A number, wherever it is: whether it may be called, in which campaigns it is, and every call that it had."""

from __future__ import annotations

from typing import Final

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.times import utcnow
from web.ask import Refused, ask
from web.blueprint import blp
from web.list_filters import e164
from web.pages import page, shown
from web.suppression_pages import holds
from web.words import call_chip, contact_chip

CALLS: Final = 20
CAMPAIGNS: Final = 100
SOURCE: Final = "board"


@blp.get("/people")
@page()
def people() -> Response:
    """The search, and what is found."""
    return _people(request.args.get("number", "").strip()[:40])


@blp.post("/people/suppress")
@page("operate")
def suppress_person() -> AnyResponse:
    """Take a number out of every list, now and for good: it is typed or found, never guessed."""
    number = request.form.get("number", "").strip()
    body = {"number": number, "source": SOURCE, "reason": request.form.get("reason", "").strip() or None}
    try:
        ask("POST", "/suppressions", body=body)
    except Refused as error:
        return _people(number, error.sentence, error.status)
    return redirect(url_for("board.people", number=number, done="suppressed"), 303)


def _people(typed: str, fault: str | None = None, status: int = 200) -> Response:
    values: dict[str, object] = {"typed": typed, "fault": fault, "number": None}
    if typed:
        number = e164(typed)
        try:
            entries = [
                entry
                for entry in ask("GET", "/suppressions", {"number": number})["suppressions"]
                if holds(entry, utcnow())
            ]
        except Refused as error:
            return shown("number.html", values | {"fault": fault or error.sentence}, status)
        found = ask("GET", "/contacts", {"phone_number": number, "limit": CAMPAIGNS})["contacts"]
        asked = {"phone_number": number, "order": "newest", "limit": CALLS}
        calls = ask("GET", "/calls", asked)
        names = {one["campaign_id"]: one["campaign_name"] for one in found}
        values |= {
            "number": number,
            "entries": entries,
            "everywhere": any(entry["campaign_id"] is None for entry in entries),
            "found": [(one, contact_chip(one["contact"])) for one in found],
            "calls": [(call, call_chip(call)) for call in calls["calls"]],
            "total": calls["total"],
            "names": names,
        }
    return shown("number.html", values, status)
