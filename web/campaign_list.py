"""The campaigns of a tenant: where each stands, why it is not dialling, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from web.ask import ask
from web.blueprint import blp
from web.nested_forms import window_sentence
from web.pages import fragment, page, shown
from web.showing import BarPart, address, bar_parts, page_number, paging, share
from web.why import Sentence, why

PER_PAGE: Final = 25
STATES: Final = (
    ("", "All"),
    ("running", "Running"),
    ("paused", "Paused"),
    ("scheduled", "Scheduled"),
    ("draft", "Drafts"),
    ("completed", "Over"),
    ("failed", "Failed"),
)
ORDERS: Final = (("newest", "Newest first"), ("oldest", "Oldest first"), ("name", "By name"))
ACTIONS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "draft": (("start", "Start"),),
    "scheduled": (("start", "Start now"),),
    "running": (("pause", "Pause"),),
    "paused": (("resume", "Resume"),),
}
"""What is offered first of a campaign in each state."""
DONE: Final = {"start": "started", "resume": "resumed", "pause": "paused", "stop": "stopped"}


@dataclass(frozen=True, slots=True)
class Line:
    """A campaign as the list shows it."""

    campaign: Mapping[str, Any]
    why: Sentence
    bar: list[BarPart]
    done: Markup
    answered: Markup
    actions: tuple[tuple[str, str], ...]
    window: Markup


@blp.get("/")
@page()
def campaigns() -> Response:
    """The list."""
    return shown("campaigns.html", _list())


@blp.get("/campaigns/part")
@page()
def campaigns_part() -> Response:
    """The part of it that is read again."""
    return fragment("campaign_lines.html", _list())


@blp.post("/campaigns/<campaign_id>/<any(start, resume):action>")
@page("operate")
def go_on(campaign_id: str, action: str) -> AnyResponse:
    """Start or resume a campaign."""
    return _acted(campaign_id, action)


@blp.post("/campaigns/<campaign_id>/<any(pause, stop):action>")
@page("operate", limited=False)
def hold(campaign_id: str, action: str) -> AnyResponse:
    """Pause or stop a campaign."""
    return _acted(campaign_id, action)


def _acted(campaign_id: str, action: str) -> AnyResponse:
    hangup = action == "stop" and request.form.get("hangup") == "true"
    path = f"/campaigns/{quote(campaign_id, safe='')}/{action}"
    ask("POST", path, {"hangup": "true"} if hangup else None)
    done = "stopped-hangup" if hangup else DONE[action]
    if request.form.get("back") == "list":
        return redirect(url_for("board.campaigns", done=done), 303)
    return redirect(url_for("board.campaign", campaign_id=campaign_id, done=done), 303)


def _list() -> dict[str, object]:
    """What the list shows, by the filters in its address; one that nobody offers is none."""
    status = _one_of(STATES, request.args.get("status", ""))
    order = _one_of(ORDERS, request.args.get("order", ""))
    name, number = request.args.get("name", "").strip()[:200], page_number(request.args.get("page"))
    query = {"status": status or None, "name": name or None, "order": order, "include": "figures"}
    found = ask("GET", "/campaigns", query | {"limit": PER_PAGE, "offset": number * PER_PAGE})
    filters = {"status": status, "name": name, "order": "" if order == "newest" else order}
    path = url_for("board.campaigns")
    return {
        "lines": [_line(campaign) for campaign in found["campaigns"]],
        "at": paging(path, filters, number, found["total"], PER_PAGE),
        "states": [(word, words, address(path, filters | {"status": word})) for word, words in STATES],
        "orders": ORDERS,
        "filters": {"status": status, "name": name, "order": order},
        "part": address(url_for("board.campaigns_part"), filters, number),
    }  # fmt: skip


def _line(campaign: Mapping[str, Any]) -> Line:
    counts, figures = campaign["counts"], campaign["figures"]
    over = counts["completed"] + counts["failed"] + counts["cancelled"]
    parts = [("", "good", counts["completed"]), ("", "bad", counts["failed"]),
             ("", "run", counts["originated"] + counts["connected"])]  # fmt: skip
    rest = counts["pending"] + counts["cancelled"]
    return Line(
        campaign,
        why(campaign),
        bar_parts([*parts, ("", "rest", rest)])[:3],
        share(over, counts["total"]),
        share(figures["picked_up"], figures["calls_ended"]),
        ACTIONS.get(campaign["status"], ()),
        window_sentence(campaign["windows"], campaign["holidays"]),
    )


def _one_of(offered: tuple[tuple[str, str], ...], word: str) -> str:
    return word if word in dict(offered) else offered[0][0]
