"""A call of a campaign to one of the tenant's own test numbers, and what became of it."""

from __future__ import annotations

import secrets
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from web.ask import USED, Refused, ask
from web.blueprint import blp
from web.gateway_names import gateway_names
from web.pages import fragment, page, shown
from web.story import told
from web.words import call_chip, meaning

QUEUED: Final = "queued"
CALLED_ALREADY: Final = "This form has called a number already. Send it again to call once more."


@blp.get("/campaigns/<campaign_id>/test-call")
@page("operate")
def call_a_test_number(campaign_id: str) -> Response:
    """The form: which number."""
    return _form(campaign_id)


@blp.post("/campaigns/<campaign_id>/test-call")
@page("operate")
def test_call(campaign_id: str) -> AnyResponse:
    """Place the call, and lead to what becomes of it."""
    path = f"/campaigns/{quote(campaign_id, safe='')}/test-call"
    body = {"to_number": request.form.get("to_number", "").strip()}
    try:
        taken = ask("POST", path, body=body, once=request.form.get("once", ""))
    except Refused as error:
        if error.status == 404:
            raise
        return _form(campaign_id, CALLED_ALREADY if error.code == USED else error.sentence, error.status)
    return redirect(url_for("board.tested_call", campaign_id=campaign_id, call_id=taken["id"]), 303)


@blp.get("/campaigns/<campaign_id>/test-calls/<call_id>")
@page()
def tested_call(campaign_id: str, call_id: str) -> Response:
    """How far it is."""
    campaign = ask("GET", f"/campaigns/{quote(campaign_id, safe='')}")
    return shown("test_call_told.html", {"campaign": campaign, "call_id": call_id} | _call(call_id))


@blp.get("/campaigns/<campaign_id>/test-calls/<call_id>/part")
@page()
def tested_call_part(campaign_id: str, call_id: str) -> Response:
    """The part of it that is read again."""
    ask("GET", f"/campaigns/{quote(campaign_id, safe='')}")
    return fragment("test_call_now.html", _call(call_id))


def _call(call_id: str) -> dict[str, Any]:
    call = ask("GET", f"/calls/{quote(call_id, safe='')}")
    return {
        "call": call,
        "chip": call_chip(call),
        "waits": call["state"] == QUEUED,
        # What used up no attempt may be sent again.
        "over": call["state"] == "ended" and (call["attempt"] is not None or not call["node"]),
        # Of one that no dialer placed there is nothing to tell but why.
        "story": told(call, gateway_names()) if call["node"] else None,
        "meaning": meaning(call["disposition"]),
    }


def _form(campaign_id: str, fault: str | None = None, status: int = 200) -> Response:
    """The page; with a fault it has the number that was chosen."""
    values = {
        "campaign": ask("GET", f"/campaigns/{quote(campaign_id, safe='')}"),
        "numbers": ask("GET", "/test-numbers")["test_numbers"],
        "chosen": request.form.get("to_number", ""),
        # What was refused is another request from now on.
        "once": secrets.token_hex(16),
        "fault": fault,
    }
    return shown("test_call.html", values, status)
