"""What every page does first and last: who asks, whether a form is ours, the frame around it, and its errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TypeVar
from urllib.parse import urlsplit

import flask
import structlog
from flask import Response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from api import board_sessions, request_limit
from api.auth import OF_PAGE, SAFE_METHODS, Caller, caller_of_session, current_caller
from api.errors import ApiError
from api.services import services
from web.ask import Refused, ask
from web.blueprint import blp
from web.shared_parts import SharedParts

log = structlog.get_logger(__name__)

F = TypeVar("F", bound=Callable[..., object])

SHARED = "carillon_board_parts"
NOT_OURS = (
    "This form is not one that the board gave to this session. Load the page again, and repeat what you did."
)
TITLES = {
    400: "That cannot be done like this",
    403: "Not allowed",
    404: "Nothing here",
    409: "Not as things stand",
    429: "Too many requests",
    503: "Out of reach for the moment",
}


def page(role: str = "read", *, limited: bool = True) -> Callable[[F], F]:
    """A page for whoever is signed in with at least `role`; everybody else is asked to sign in.

    What changes something has to come from a form of ours. One that is not `limited` is never refused by the rate
    limit: what stops calls.
    """

    def decorator(view: F) -> F:
        @wraps(view)
        def wrapper(*args: object, **kwargs: object) -> object:
            token = request.cookies.get(board_sessions.cookie_name(secure=request.is_secure), "")
            request.environ[OF_PAGE] = {}
            try:
                caller = caller_of_session(token)
            except ApiError as error:
                if error.status != 401:
                    raise
                return _sign_in_first()
            flask.g.caller = caller
            if request.method not in SAFE_METHODS:
                _require_own_form(token)
            if not caller.may(role):
                raise ApiError(
                    403, f"This needs a key of role {role}; you are signed in with one of role {caller.role}."
                )
            limiter = services().request_limiter if limited else None
            with request_limit.slot(limiter, caller.tenant_id):
                return view(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    return decorator


def shown(template: str, values: Mapping[str, object] | None = None, status: int = 200) -> Response:
    """A page in its frame, which says who looks at it and whether calls are halted."""
    frame = _frame(current_caller()) | {"halt": ask("GET", "/halt")}
    return Response(render_template(f"board/{template}", **(frame | dict(values or {}))), status)


def fragment(template: str, values: Mapping[str, object]) -> Response:
    """A part of a page, to be put in the place of what it shows."""
    return Response(render_template(f"board/{template}", **(_frame(current_caller()) | dict(values))))


def shared(template: str, name: tuple[str, ...], values: Callable[[], Mapping[str, object]]) -> Response:
    """A part of a page that says nothing of who looks, made once for all who ask for it within a second; `name`
    tells it from the tenant's others. Who asks for it with `?now`, as a page that was just opened does, gets none
    that is older than his question: he may be back from having changed something."""
    parts = _shared_parts()
    whose = (current_caller().tenant_id, template, *name)
    after = parts.now() if "now" in request.args else None
    return Response(parts.get(whose, lambda: render_template(f"board/{template}", **values()), after=after))


def _shared_parts() -> SharedParts:
    found: SharedParts = flask.current_app.extensions.setdefault(SHARED, SharedParts())
    return found


def _frame(caller: Caller) -> dict[str, object]:
    token = request.cookies.get(board_sessions.cookie_name(secure=request.is_secure), "")
    return {"caller": caller, "csrf_token": board_sessions.csrf_token(token, pepper())}


def pepper() -> str:
    """SECRET_KEY."""
    return services().settings.secret_key or ""


def require_same_origin() -> None:
    """Refuse a form that a page of another origin sent. Raises ApiError 403."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    foreign = origin is not None and _host(origin) != request.host
    if foreign or site not in ("same-origin", "none"):
        raise ApiError(403, NOT_OURS)


def _host(origin: str) -> str | None:
    """Of what a browser, or whoever else, says of where it comes from; None where that is no URL."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _require_own_form(token: str) -> None:
    require_same_origin()
    # A script says it in a header: the body of what it sends may be a long list, which nobody reads here.
    shown = request.headers.get(board_sessions.CSRF_HEADER)
    if shown is None:
        shown = request.form.get("csrf_token", "")
    if not board_sessions.is_csrf_token(shown, token, pepper()):
        raise ApiError(403, NOT_OURS)


def _sign_in_first() -> AnyResponse:
    if request.method not in SAFE_METHODS or request.headers.get("Sec-Fetch-Mode") == "cors":
        return Response("The session is over.", 401, content_type="text/plain; charset=utf-8")
    after = request.full_path.rstrip("?")
    return redirect(url_for("board.sign_in", after=None if after == "/" else after), 303)


@blp.errorhandler(Exception)
def failed(error: Exception) -> Response:
    """A page that says in one sentence what went wrong, and what can be done."""
    if isinstance(error, Refused):
        status, sentence = error.status, error.sentence
    elif isinstance(error, ApiError):
        status, sentence = error.status, error.message
    elif isinstance(error, HTTPException):
        status, sentence = error.code or 500, error.description or ""
    else:
        log.error("page_failed", path=request.path, exc_info=error)
        status, sentence = 500, "Something went wrong here; the server's log says what."
    caller: Caller | None = flask.g.get("caller")
    frame = _frame(caller) if caller else {}
    title = TITLES.get(status, "Something went wrong")
    body = render_template("board/error.html", title=title, sentence=sentence, status=status, **frame)
    response = Response(body, status)
    if isinstance(error, ApiError):
        response.headers.extend(
            {name: value for name, value in error.headers.items() if name == "Retry-After"}
        )
    return response
