"""The people of a campaign, found by number and state, those who are added to them, and the story of each."""

from __future__ import annotations

import secrets
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.blueprint import PREFIX
from api.times import utcnow
from web.ask import USED, Refused, ask
from web.blueprint import blp
from web.campaign_settings import instant
from web.gateway_names import gateway_names
from web.list_filters import ENDS, chosen, e164, further, span
from web.pages import page, shown
from web.showing import address
from web.story import decision, story
from web.words import contact_chip, refusal

PER_PAGE: Final = 50
CALLS: Final = 100
COLUMN: Final = "column."
"""Before the name of a list's column, in the name of a form's field."""
THERE_ALREADY: Final = "This number is on the list already."
NO_GOOD_ROW: Final = "no_good_row"
ADDED_ALREADY: Final = "This form has added somebody already. Send it again to add another person."
CALLBACK: Final = ("callback", "Call at this time")
STATES: Final = (
    ("", "All"),
    ("pending", "To be called"),
    ("originated", "Being called"),
    ("connected", "Talking"),
    ("completed", "Reached"),
    ("failed", "Not reached"),
    ("cancelled", "Cancelled"),
)


@blp.get("/campaigns/<campaign_id>/contacts")
@page()
def contacts(campaign_id: str) -> Response:
    """The list, or whoever has the number that is looked for."""
    return _contacts(campaign_id)


@blp.post("/campaigns/<campaign_id>/contacts")
@page("operate")
def add_contact(campaign_id: str) -> AnyResponse:
    """Add somebody to the list."""
    form = request.form
    columns = {name.removeprefix(COLUMN): value for name, value in form.items() if name.startswith(COLUMN)}
    contact = {name: value for name, value in columns.items() if value} | {
        "phone_number": form.get("phone_number", "").strip()
    }
    path = f"/campaigns/{quote(campaign_id, safe='')}/contacts"
    try:
        (told,) = ask("POST", path, body={"contacts": [contact]}, once=form.get("once", ""))["results"]
    except Refused as error:
        if error.status == 404:
            raise
        return _contacts(campaign_id, _not_added(error), error.status)
    if told["result"] == "duplicate":
        return _contacts(campaign_id, THERE_ALREADY, 409)
    if told["result"] == "rejected":
        return _contacts(campaign_id, f"Not added: {refusal(told['reason'])}.", 400)
    if told["result"] == "cancelled":
        return _contacts(campaign_id, f"Added, and cancelled at once: {told['reason']}.")
    where = url_for("board.contacts", campaign_id=campaign_id, order="newest", done="person-added")
    return redirect(where, 303)


@blp.get("/campaigns/<campaign_id>/contacts/<contact_id>")
@page()
def contact(campaign_id: str, contact_id: str) -> Response:
    """One contact's story."""
    return _contact(campaign_id, contact_id)


@blp.post("/campaigns/<campaign_id>/contacts/<contact_id>/<any(retry, out, back, callback):action>")
@page("operate")
def change_contact(campaign_id: str, contact_id: str, action: str) -> AnyResponse:
    """Call somebody again, take him out or back in, or have him called at a time."""
    path = f"/campaigns/{quote(campaign_id, safe='')}/contacts/{quote(contact_id, safe='')}"
    body: dict[str, object] = {"status": "cancelled"} if action == "out" else {"status": "pending"}
    if action == "retry":
        body["next_attempt_at"] = None
    if action == "callback":
        at = instant(request.form.get("at", ""))
        if at is None:
            return _contact(campaign_id, contact_id, "Say when to call: a day and a time.", 400)
        body = {"next_attempt_at": at}
    try:
        ask("PATCH", path, body=body)
    except Refused as error:
        if error.status == 404:
            raise
        return _contact(campaign_id, contact_id, error.sentence, error.status)
    where = url_for("board.contact", campaign_id=campaign_id, contact_id=contact_id, done=f"person-{action}")
    return redirect(where, 303)


def actions_of(contact: dict[str, Any], campaign: dict[str, Any]) -> list[tuple[str, str]]:
    """What may be done with somebody as he is now: the word of each, and what its button says."""
    if campaign["end_reason"] is not None:
        return []
    if contact["status"] == "pending":
        waits = [("retry", "Call as soon as may be")] if contact["next_attempt_at"] else []
        return [*waits, ("out", "Take out"), CALLBACK]
    if contact["status"] in ("failed", "cancelled"):
        return [("back", "Call again"), CALLBACK]
    return [CALLBACK] if contact["status"] == "completed" else []


def _not_added(error: Refused) -> str:
    if error.code == USED:
        return ADDED_ALREADY
    # Of a list of one row the API says so, and then what is wrong with that.
    return (
        f"Not added: {error.sentence.partition(' because ')[2]}"
        if error.code == NO_GOOD_ROW
        else error.sentence
    )


def _contacts(campaign_id: str, fault: str | None = None, status: int = 200) -> Response:
    """The page; with a fault it shows who was to be added."""
    campaign = _campaign(campaign_id)
    typed = request.args.get("number", "").strip()[:40]
    state, ended, times = chosen("status", dict(STATES)), chosen("disposition", dict(ENDS)), span()
    # Who was called at a time is found by the calls, which know no status.
    state = "" if times else state
    order = chosen("order", {"newest": ""})
    kept = {"status": state, "disposition": ended, "order": order, **times}
    timeless = {"disposition": ended, "order": order}
    asked: dict[str, object] = {"limit": PER_PAGE, "starting_after": request.args.get("after") or None}
    asked |= {name: value or None for name, value in kept.items()}
    if typed:
        asked = {"phone_number": e164(typed)}
    found = ask("GET", f"/campaigns/{campaign['id']}/contacts", asked)
    path, listed = url_for("board.contacts", campaign_id=campaign["id"]), found["contacts"]
    last = listed[-1]["id"] if listed else None
    values = {
        "campaign": campaign,
        "contacts": [(contact, contact_chip(contact)) for contact in listed],
        "columns": _columns(listed),
        "states": [(word, words, address(path, timeless | {"status": word})) for word, words in STATES],
        "ends": ENDS,
        "chosen": kept,
        "filtered": bool(state or ended or times),
        "typed": typed,
        "total": found["total"],
        "looked_on": found["looked_to"] is not None,
        "at": further(
            path, kept, found["looked_to"] or last, more=bool(found["looked_to"]) or len(listed) == PER_PAGE
        ),
        "fault": fault,
        "given": request.form,
        "own_columns": [(COLUMN + one["column"], one["column"]) for one in campaign["import"]["columns"]],
        # What was refused is another request from now on.
        "once": secrets.token_hex(16),
        "target": f"{PREFIX}/campaigns/{campaign['id']}/contacts",
        "newest": address(path, {"order": "newest"}),
    }
    return shown("contacts.html", values, status)


def _contact(campaign_id: str, contact_id: str, fault: str | None = None, status: int = 200) -> Response:
    campaign = _campaign(campaign_id)
    found = ask("GET", f"/campaigns/{campaign['id']}/contacts/{quote(contact_id, safe='')}")
    path = f"/campaigns/{campaign['id']}/contacts/{found['id']}/decisions"
    decisions = ask("GET", path, {"order": "newest", "limit": CALLS})["decisions"][::-1]
    calls = ask("GET", "/calls", {"contact_id": found["id"], "limit": CALLS})["calls"]
    now = utcnow()
    sentence, at = decision(found, campaign, decisions, now)
    values = {
        "campaign": campaign,
        "contact": found,
        "name": next(iter(found["custom_fields"].values()), "")[:60],
        "chip": contact_chip(found),
        "story": story(found, calls, decisions, campaign, gateway_names()),
        "called": bool(calls),
        "now": now,
        "sentence": sentence,
        "at": at,
        "actions": actions_of(found, campaign),
        "fault": fault,
        "typed_at": (instant(request.form.get("at", "")) or "")[:16],
    }
    return shown("contact.html", values, status)


def _campaign(campaign_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ask("GET", f"/campaigns/{quote(campaign_id, safe='')}")
    return found


def _columns(found: list[dict[str, Any]]) -> list[str]:
    """The first two columns of the list, by which somebody knows a person."""
    return list(dict.fromkeys(name for contact in found for name in contact["custom_fields"]))[:2]
