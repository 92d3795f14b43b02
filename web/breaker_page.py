"""What a breaker holds of a campaign's calls, and in two steps that they are made all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from web.ask import Refused, ask
from web.blueprint import blp
from web.pages import page, shown

UNNAMED: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Held:
    """Calls that are held: which, since when, when one of them is tried again, and how most of them ended."""

    which: str
    held_at: str
    probe_at: str
    top_causes: list[Mapping[str, Any]]


@blp.get("/campaigns/<campaign_id>/breaker")
@page("operate")
def confirm_exempt(campaign_id: str) -> Response:
    """The second step: what is held, and what letting it go means."""
    return _confirm(campaign_id)


@blp.post("/campaigns/<campaign_id>/breaker")
@page("operate")
def exempt(campaign_id: str) -> AnyResponse:
    """From now on no breaker holds the campaign."""
    try:
        ask("DELETE", f"/campaigns/{quote(campaign_id, safe='')}/breaker")
    except Refused as error:
        if error.status == 404:
            raise
        return _confirm(campaign_id, error.sentence, error.status)
    return redirect(url_for("board.campaign", campaign_id=campaign_id, done="exempt"), 303)


def held_of(campaign: Mapping[str, Any], gateways: Mapping[str, str] = UNNAMED) -> list[Held]:
    """What is held of a campaign as the API tells it; with the names of `gateways` by their ids, as far as known."""
    found = campaign.get("breaker", {}).get("held", [])
    return [Held(_which(one, gateways), one["held_at"], one["probe_at"], one["top_causes"]) for one in found]


def _which(held: Mapping[str, Any], gateways: Mapping[str, str]) -> str:
    where = f" to {held['prefix']}…" if held["prefix"] else ""
    if held["gateway_id"] is None:
        return f"Calls from {held['caller_id']}{where}"
    name = gateways.get(held["gateway_id"])
    return f"Calls{where} by {f'the gateway {name}' if name else 'one gateway'}"


def _confirm(campaign_id: str, fault: str | None = None, status: int = 200) -> Response:
    campaign = ask("GET", f"/campaigns/{quote(campaign_id, safe='')}")
    gateways = {one["id"]: one["name"] for one in ask("GET", "/gateways", {"limit": 1000})["gateways"]}
    values = {
        "campaign": campaign,
        "held": held_of(campaign, gateways),
        "may_exempt": campaign["end_reason"] is None,
        "fault": fault,
    }
    return shown("exempt.html", values, status)
