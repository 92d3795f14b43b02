"""One campaign, live."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response

from web.ask import ask
from web.blueprint import blp
from web.pages import page, shown
from web.why import why


@blp.get("/campaigns/<campaign_id>")
@page()
def campaign(campaign_id: str) -> Response:
    """The page."""
    found = ask("GET", f"/campaigns/{quote(campaign_id, safe='')}")
    return shown("campaign.html", {"campaign": found, "why": why(found)})
