"""One gateway: whether it is on, how many calls it may have, and what was done with it. The operator's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from web.ask import Refused, ask
from web.blueprint import blp
from web.campaign_settings import whole
from web.log_words import Told
from web.pages import page, shown
from web.sentences import figure
from web.showing import page_number, paging

PER_PAGE: Final = 50
ACTIONS: Final[Mapping[str, str]] = {
    "created": "made the gateway",
    "changed": "changed it",
    "resumed": "resumed it",
    "deleted": "deleted it",
}
"""What somebody did, behind his name."""
SETTINGS: Final[Mapping[str, str]] = {
    "outbound_enabled": "its switch",
    "cps": "calls a second",
    "channels": "calls at once",
    "prefixes": "what its numbers start with",
    "cost": "what a minute costs",
    "failover": "which gateways take its calls over",
    "caller_id_header": "where the caller’s number stands",
    "caller_id_format": "how the caller’s number is written",
}
SECRET: Final = "dial_string"
CAPS: Final = ("cps", "channels")
"""What the form is of."""


@blp.get("/cluster/gateways/<gateway_id>")
@page("platform")
def gateway(gateway_id: str) -> Response:
    """The page."""
    return _gateway(gateway_id)


@blp.post("/cluster/gateways/<gateway_id>")
@page("platform")
def change_gateway(gateway_id: str) -> AnyResponse:
    """Save how many calls it may have."""
    caps = {name: whole(text) if (text := request.form.get(name, "").strip()) else None for name in CAPS}
    try:
        ask("PATCH", f"/gateways/{quote(gateway_id, safe='')}", body=caps)
    except Refused as error:
        if error.status == 404:
            raise
        return _gateway(gateway_id, error.sentence, error.status)
    return redirect(url_for("board.gateway", gateway_id=gateway_id, done="saved"), 303)


@blp.post("/cluster/gateways/<gateway_id>/<any(on, off):switch>")
@page("platform", limited=False)
def switch_gateway(gateway_id: str, switch: str) -> AnyResponse:
    """Let no call leave by it, or let calls leave again."""
    try:
        ask("PATCH", f"/gateways/{quote(gateway_id, safe='')}", body={"outbound_enabled": switch == "on"})
    except Refused as error:
        if error.status == 404:
            raise
        return _gateway(gateway_id, error.sentence, error.status)
    return redirect(url_for("board.gateway", gateway_id=gateway_id), 303)


def _gateway(gateway_id: str, fault: str | None = None, status: int = 200) -> Response:
    path, number = f"/gateways/{quote(gateway_id, safe='')}", page_number(request.args.get("page"))
    found = ask("GET", path)
    log = ask("GET", f"{path}/log", {"limit": PER_PAGE, "offset": number * PER_PAGE})
    typed = {name: request.form.get(name, found[name]) for name in CAPS}
    values = {
        "gateway": found,
        "typed": typed,
        "fault": fault,
        "log": [told(entry) for entry in log["gateway_log"]],
        "at": paging(url_for("board.gateway", gateway_id=gateway_id), {}, number, log["total"], PER_PAGE),
    }
    return shown("gateway.html", values, status)


def told(entry: Mapping[str, Any]) -> Told:
    """Of an entry as the API tells it, or one of a newer release."""
    changes = [
        (SETTINGS.get(name, name.replace("_", " ")), _shown(name, before), _shown(name, now))
        for name, (before, now) in entry["changes"].items()
        if name != SECRET
    ]
    words = ACTIONS.get(entry["action"], entry["action"].replace("_", " "))
    # What it was, and is, the API tells nobody.
    words += " and where its calls go" if SECRET in entry["changes"] else ""
    return Told(entry["at"], entry["by"], f"{words}.", changes)


def _shown(name: str, value: object) -> str | Markup:
    if value is None or value == []:
        return "no limit" if name in CAPS else "none"
    if name == "failover" and isinstance(value, list):
        return figure(len(value))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "on" if value else "off"
    return figure(value) if isinstance(value, int | float) else str(value)
