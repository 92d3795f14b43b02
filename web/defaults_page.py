"""What a tenant's campaigns have that say nothing of it: when they call, how many calls at once, by which rules."""

from __future__ import annotations

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from web.ask import Refused, ask
from web.blueprint import blp
from web.campaign_settings import whole
from web.nested_forms import DAYS, FieldError, hours_of, spans_shown, window_sentence
from web.pages import page, shown
from web.policy_words import PURPOSES, usual
from web.tenant_pages import typed_hours, usual_hours, usual_rules

CALLS = "default_max_concurrent_calls"


@blp.get("/defaults")
@page()
def defaults() -> Response:
    """What they are, and for an admin a form."""
    return _defaults()


@blp.post("/defaults")
@page("admin")
def change_defaults() -> AnyResponse:
    """Save what differs."""
    found = ask("GET", "/defaults")
    try:
        said = _calls() | usual_hours() | usual_rules()
        wanted = {name: value for name, value in said.items() if value != found[name]}
        if wanted:
            ask("PATCH", "/defaults", body=wanted)
    except FieldError as error:
        return _defaults(str(error), 400)
    except Refused as error:
        return _defaults(error.sentence, error.status)
    return redirect(url_for("board.defaults", done="saved"), 303)


def _calls() -> dict[str, object]:
    typed = request.form.get(CALLS, "").strip()
    return {CALLS: whole(typed) if typed else None}


def _defaults(fault: str | None = None, status: int = 200) -> Response:
    """The page; with a fault it shows what was typed."""
    values = ask("GET", "/defaults")
    hours, rules = window_sentence(values["default_windows"], values["default_holidays"]), usual(values)
    if fault is not None:
        values |= _calls() | usual_rules() | typed_hours()
    return shown(
        "defaults.html",
        {
            "defaults": values,
            "usual_hours": hours,
            "usual": rules,
            "purposes": PURPOSES.items(),
            "hours": request.form.get("hours") or hours_of(values["default_windows"]),
            "spans": spans_shown(values["default_windows"]),
            "days": DAYS,
            "fault": fault,
        },
        status,
    )
