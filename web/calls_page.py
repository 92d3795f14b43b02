"""The calls of a campaign, the newest first: by how they ended, by time and by number."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from flask import Response, request, url_for

from web.ask import ask
from web.blueprint import blp
from web.list_filters import CALL_ENDS, chosen, e164, further, span
from web.pages import page, shown
from web.words import call_chip

PER_PAGE: Final = 50


@blp.get("/campaigns/<campaign_id>/calls")
@page()
def calls(campaign_id: str) -> Response:
    """The list."""
    campaign = ask("GET", f"/campaigns/{quote(campaign_id, safe='')}")
    ended, times = chosen("disposition", dict(CALL_ENDS)), span()
    typed = request.args.get("number", "").strip()[:40]
    asked: dict[str, object] = {"campaign_id": campaign["id"], "order": "newest", "limit": PER_PAGE, **times}
    asked |= {"disposition": ended or None, "phone_number": e164(typed) if typed else None}
    found = ask("GET", "/calls", asked | {"starting_after": request.args.get("after") or None})
    kept = {"disposition": ended, "number": typed, **times}
    path, listed = url_for("board.calls", campaign_id=campaign["id"]), found["calls"]
    values = {
        "campaign": campaign,
        "calls": [(call, call_chip(call)) for call in listed],
        "total": found["total"],
        "ends": CALL_ENDS,
        "chosen": kept,
        "at": further(path, kept, listed[-1]["id"] if listed else None, more=len(listed) == PER_PAGE),
    }
    return shown("calls.html", values)
