"""Who is not to be called: found, entered, uploaded, downloaded and let go; and a person's data erased."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.blueprint import PREFIX
from api.routes.suppression_schemas import MOST_COUNTED
from api.times import utcnow
from web.ask import Refused, ask
from web.blueprint import blp
from web.campaign_settings import instant
from web.list_filters import e164, further
from web.pages import fragment, page, shown
from web.showing import moment

PER_PAGE: Final = 50
PREFIX_MARK: Final = "*"
SOURCE: Final = "board"
CAMPAIGNS: Final = 200
"""Campaigns that the form offers; for one that is older its id is given to the API."""


@blp.get("/suppressions")
@page()
def suppressions() -> Response:
    """The list, or what keeps one number from being called."""
    return _suppressions()


@blp.post("/suppressions")
@page("operate")
def suppress() -> AnyResponse:
    """Enter a number, or all that begin as one with a * behind."""
    form = request.form
    typed = form.get("number", "").strip()
    number = _given(typed.removesuffix(PREFIX_MARK))
    what = {"prefix": number} if typed.endswith(PREFIX_MARK) else {"number": number}
    body = what | {
        "source": SOURCE,
        "reason": form.get("reason", "").strip() or None,
        "campaign_id": form.get("campaign_id") or None,
        "expires_at": instant(form.get("expires_at", "")),
    }
    try:
        ask("POST", "/suppressions", body=body)
    except Refused as error:
        return _suppressions(error.sentence, error.status)
    return redirect(url_for("board.suppressions", done="suppressed"), 303)


@blp.get("/suppressions/<suppression_id>/remove")
@page("operate")
def confirm_let_go(suppression_id: str) -> Response:
    """The second step of a removal: the entry's number may be called afterwards."""
    return shown("let_go.html", {"entry": ask("GET", f"/suppressions/{quote(suppression_id, safe='')}")})


@blp.post("/suppressions/<suppression_id>/remove")
@page("operate")
def let_go(suppression_id: str) -> AnyResponse:
    """Remove an entry."""
    ask("DELETE", f"/suppressions/{quote(suppression_id, safe='')}")
    return redirect(url_for("board.suppressions", done="gone"), 303)


@blp.get("/privacy")
@page("admin")
def privacy() -> Response:
    """The form by which a person's data is erased."""
    return shown("privacy.html", {"fault": None, "typed": ""})


@blp.post("/privacy")
@page("admin")
def erase() -> AnyResponse:
    """Erase what is kept of whoever has a number: typed twice, because nothing brings it back."""
    typed, again = (request.form.get(name, "").strip() for name in ("number", "again"))
    if _plain(typed) != _plain(again):
        fault = "The two numbers are not the same. Nothing was erased."
        return shown("privacy.html", {"fault": fault, "typed": typed}, 400)
    try:
        asked = ask("POST", "/privacy/erase", body={"number": _given(typed)})
    except Refused as error:
        return shown("privacy.html", {"fault": error.sentence, "typed": typed}, error.status)
    return redirect(url_for("board.erasure", erasure_id=asked["id"], done="erasing"), 303)


@blp.get("/privacy/<erasure_id>")
@page("admin")
def erasure(erasure_id: str) -> Response:
    """Whether it is done."""
    return shown("erasure.html", {"erasure": _erasure(erasure_id)})


@blp.get("/privacy/<erasure_id>/part")
@page("admin")
def erasure_part(erasure_id: str) -> Response:
    """The part of it that is read again."""
    return fragment("erasure_now.html", {"erasure": _erasure(erasure_id)})


def _given(typed: str) -> str:
    """A number for the API to take or refuse. Its country is never guessed here, as for a search: the number would be
    somebody else's."""
    return re.sub(r"^00\s*", "+", typed)


def _plain(typed: str) -> str:
    """What two ways of typing a number have in common."""
    return re.sub(r"[^0-9+]", "", _given(typed))


def _erasure(erasure_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ask("GET", f"/privacy/erasures/{quote(erasure_id, safe='')}")
    return found


def holds(entry: Mapping[str, Any], now: datetime) -> bool:
    """Whether an entry keeps anybody from being called now: it stays when its time is over."""
    return entry["expires_at"] is None or moment(entry["expires_at"]) > now


def _suppressions(fault: str | None = None, status: int = 200) -> Response:
    looked_for = request.args.get("number", "").strip()[:40]
    asked: dict[str, object] = {
        # One more than is shown says whether there is a page behind this one.
        "limit": PER_PAGE + 1,
        "order": "newest",
        "starting_after": request.args.get("after") or None,
        "number": e164(looked_for) if looked_for else None,
    }
    wrong = None
    try:
        found = ask("GET", "/suppressions", asked)
    except Refused as error:
        # What was typed is no number: the page says so, and nothing is shown for it.
        wrong, found = error.sentence, {"suppressions": [], "total": 0}
    campaigns = ask("GET", "/campaigns", {"limit": CAMPAIGNS, "order": "newest"})["campaigns"]
    path, listed = url_for("board.suppressions"), found["suppressions"][:PER_PAGE]
    last = listed[-1]["id"] if listed else None
    now = utcnow()
    over = {entry["id"] for entry in listed if not holds(entry, now)}
    values = {
        "entries": listed,
        "over": over,
        "kept": len(listed) > len(over),
        "total": found["total"],
        "most": MOST_COUNTED,
        "names": {one["id"]: one["name"] for one in campaigns},
        "campaigns": [one for one in campaigns if one["end_reason"] is None],
        "looked_for": looked_for,
        "wrong": wrong,
        "at": further(path, {"number": looked_for}, last, more=len(found["suppressions"]) > PER_PAGE),
        "export": f"{PREFIX}/suppressions/export",
        "target": f"{PREFIX}/suppressions/import",
        "fault": fault,
        "typed": {
            name: request.form.get(name, "") for name in ("number", "reason", "campaign_id", "expires_at")
        },
    }
    return shown("suppressions.html", values, status)
