"""Signing in to the board with an API key, or by a link that does it once; who is signed in, and signing out."""

from __future__ import annotations

import ipaddress
import uuid

import structlog
from flask import Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api import board_sessions
from api.auth import caller_of, current_caller
from api.errors import ApiError, not_found
from api.schemas import identifier
from api.transactions import transaction
from web.ask import ask
from web.blueprint import blp
from web.pages import page, pepper, require_same_origin, shown

log = structlog.get_logger(__name__)

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
NO_KEY = "Paste an API key: it begins with sk_."
NO_LINK = "This link was followed already, or is older than ten minutes. Sign in with an API key."


@blp.get("/sign-in")
def sign_in() -> Response:
    """The form that asks for a key."""
    return _form()


@blp.post("/sign-in")
def signed_in() -> AnyResponse:
    """Open a session for whoever shows a key."""
    require_same_origin()
    key = request.form.get("key", "").strip()
    if not key:
        return _form(NO_KEY, 400)
    try:
        caller = caller_of(key)
    except ApiError as error:
        if error.status != 401:
            raise
        return _form("No key is like this one, or it was taken away.", 403)
    response = redirect(_own_path(request.form.get("after", "")), 303)
    return _with_session(response, caller.key_id)


@blp.post("/sign-in/link")
def make_link() -> Response:
    """A link that signs in once with the key that asks for it, within ten minutes; only on this machine."""
    _require_loopback()
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise ApiError(401, "This needs the header Authorization: Bearer <key>.")
    caller = caller_of(key.strip())
    with transaction():
        token = board_sessions.make_link(caller.key_id, pepper())
    return Response(
        url_for("board.follow_link", token=token, _external=True),
        201,
        content_type="text/plain; charset=utf-8",
    )


@blp.get("/sign-in/link/<token>")
def follow_link(token: str) -> AnyResponse:
    """Sign in by such a link, and lead on by a page: a redirect from elsewhere would not carry the new cookie."""
    _require_loopback()
    with transaction():
        key_id = board_sessions.follow_link(token, pepper())
    if key_id is None:
        return _form(NO_LINK, 403)
    return _with_session(Response(render_template("board/signed_in.html")), key_id)


@blp.post("/sign-out")
@page(limited=False)
def sign_out() -> AnyResponse:
    """End this session."""
    caller = current_caller()
    if caller.session_id is not None:
        _end(caller.session_id)
    response = redirect(url_for("board.sign_in"), 303)
    name = board_sessions.cookie_name(secure=request.is_secure)
    # A browser keeps a __Host- cookie that is taken away without Secure.
    response.delete_cookie(name, path="/", secure=request.is_secure)
    return response


@blp.get("/sessions")
@page()
def sessions() -> Response:
    """Who is signed in: with one's own key, and for an admin with any of the tenant's."""
    caller = current_caller()
    with transaction(writes=False):
        found = board_sessions.listed(caller.key_id, everybodys=caller.may("admin"))
    tenants = ask("GET", "/tenants", {"limit": 1000})["tenants"] if caller.may("platform") else []
    return shown("sessions.html", {"sessions": found, "tenants": tenants})


@blp.post("/sessions/<session_id>/end")
@page(limited=False)
def end_session(session_id: str) -> AnyResponse:
    """End a session, wherever its browser is."""
    found = identifier(session_id)
    if found is None or not _end(found):
        raise not_found("Session")
    return redirect(url_for("board.sessions"), 303)


@blp.post("/sessions/tenant")
@page("platform")
def act_for_tenant() -> AnyResponse:
    """Act for another tenant from now on: in a session of its own, so that no process takes it for the old one.

    `after` is the path that is wanted of it."""
    caller, tenant_id = current_caller(), request.form.get("tenant", "")
    if "\0" in tenant_id:
        # Which PostgreSQL does not even compare.
        raise not_found("Tenant")
    response = redirect(_own_path(request.form.get("after", "")), 303)
    return _with_session(response, caller.key_id, tenant_id)


def _form(fault: str | None = None, status: int = 200) -> Response:
    after = request.values.get("after", "")
    return Response(render_template("board/sign_in.html", fault=fault, after=after), status)


def _own_path(after: str) -> str:
    """Where to go on: a path of ours, whatever a link to the form said."""
    own = after.startswith("/") and not after.startswith(("//", "/\\")) and after.isprintable()
    return after if own else url_for("board.campaigns")


def _with_session(response: AnyResponse, key_id: uuid.UUID, tenant_id: str | None = None) -> AnyResponse:
    with transaction():
        agent = request.headers.get("User-Agent", "")
        instead_of = request.cookies.get(board_sessions.cookie_name(secure=request.is_secure), "")
        token = board_sessions.open_session(key_id, agent, pepper(), tenant_id, instead_of)
    if token is None:
        raise ApiError(404, "The key was taken away." if tenant_id is None else "Tenant not found")
    response.set_cookie(
        board_sessions.cookie_name(secure=request.is_secure),
        token,
        max_age=board_sessions.LIFETIME_SECONDS,
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


def _end(session_id: uuid.UUID) -> bool:
    caller = current_caller()
    with transaction():
        return board_sessions.end(session_id, caller.key_id, everybodys=caller.may("admin"))


def _require_loopback() -> None:
    """Refuse whoever is not on this machine, or comes through a proxy that is. Raises ApiError 403."""
    try:
        near = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        near = False
    name = (
        request.host.rpartition(":")[0]
        if not request.host.endswith("]") and ":" in request.host
        else request.host
    )
    if not near or name not in LOOPBACK_NAMES or any(header in request.headers for header in FORWARDED):
        raise ApiError(403, "Links that sign in are made and followed on the server's own machine only.")
