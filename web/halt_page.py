"""The panic button: one page away from everywhere, one press there, and then what is still up until it is nobody."""

from __future__ import annotations

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.auth import current_caller
from web.ask import Refused, ask
from web.blueprint import blp
from web.pages import fragment, page, shown


@blp.get("/halt")
@page("operate", limited=False)
def halt() -> Response:
    """The second step, or what is halted and who is still up."""
    return shown("halt.html")


@blp.get("/halt/now")
@page("operate", limited=False)
def halt_now() -> Response:
    """Who is still up: the part of that page which is read again."""
    return fragment("halt_now.html", {"halt": ask("GET", "/halt")})


@blp.post("/halt")
@page("operate", limited=False)
def do_halt() -> AnyResponse:
    """Halt: every call of the tenant ends, or with `all` everybody's, and none starts."""
    everybody = request.form.get("all") == "true" and current_caller().may("platform")
    try:
        ask("POST", "/halt", body={"all": everybody})
    except Refused as error:
        # The halt stands, and somebody could not be told yet: the page says which, and shows it standing.
        if error.status != 503:
            raise
        return shown("halt.html", {"fault": error.sentence}, 503)
    return redirect(url_for("board.halt"), 303)


@blp.post("/halt/lift")
@page("operate", limited=False)
def lift_halt() -> AnyResponse:
    """Lift one mark: the tenant's own, the platform's on the tenant, or the one over everybody."""
    which = request.form.get("which")
    body = {"all": which == "all"}
    if which == "tenant" and current_caller().may("platform"):
        body["tenant"] = True
    ask("DELETE", "/halt", body=body)
    return redirect(url_for("board.halt"), 303)
