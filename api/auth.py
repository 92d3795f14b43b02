"""API key authentication and roles; a browser that is signed in to the board shows its session's cookie instead.

A key is looked up by the HMAC of it. What was found is believed for CACHE_SECONDS, so a revoked key is refused
within a second in every process. 401 without a valid key, 403 where its role may not, 404 for anything of
another tenant (the queries see to that: they always name the tenant).
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import wraps
from typing import Final, TypeVar

import flask
from flask import request

from api import board_sessions, request_limit
from api.blueprint import OpenApi, error_document, json_value
from api.board_sessions import SessionRow
from api.errors import ApiError
from api.key_digest import ROLES, digest
from api.key_lookup import KeyLookup
from api.schemas import quoted
from api.services import services
from api.transactions import transaction
from live.admission import Admission
from models import rows_as

CACHE_SECONDS = 0.5
CACHE_SIZE = 1000
TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)

FIND_KEYS = """
    SELECT k.digest, k.id, k.tenant_id, k.name, k.role FROM api_key k JOIN tenant t ON t.id = k.tenant_id
    WHERE k.digest = ANY(%s) AND t.deleted_at IS NULL"""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
IN_PROCESS: Final = "carillon.board"
"""In the WSGI environ of what a page of the board asks the API for itself: the page was counted already."""
OF_PAGE: Final = "carillon.page"
"""In the WSGI environ of a page, and of what it asks: whose session its cookie is, once that was looked up."""
FIND_TENANT = "SELECT id FROM tenant WHERE id = %s AND deleted_at IS NULL"

F = TypeVar("F", bound=Callable[..., object])
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What FIND_KEYS finds."""

    digest: str
    id: uuid.UUID
    tenant_id: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class TenantRow:
    """What FIND_TENANT finds."""

    id: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: `tenant_id` is the tenant acted for, which only role `platform` can choose; `session_id` is set for a
    browser that is signed in to the board."""

    tenant_id: str
    role: str
    key_name: str
    key_id: uuid.UUID
    session_id: uuid.UUID | None = None

    def may(self, role: str) -> bool:
        """Whether this caller's role includes `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def admission(self) -> Admission:
        """By what this caller is let in to a stream."""
        session_id = None if self.session_id is None else str(self.session_id)
        return Admission(self.tenant_id, str(self.key_id), session_id)


def current_caller() -> Caller:
    """The caller of this request. Only within a view that `requires` a role."""
    caller: Caller = flask.g.caller
    return caller


def requires(
    role: str, *, errors: Mapping[int, str] | None = None, once: bool = False, limited: bool = True
) -> Callable[[F], F]:
    """A view that only callers with at least `role` reach; put it right below `route`.

    Documents the key, the statuses every such route can have, and `errors` besides; `once` says that the view
    honours Idempotency-Key (see `api.idempotency`). One that is not `limited` is never refused by the rate
    limit, and does not count: what stops calls. Refuses query parameters and bodies where the view declares none.
    """

    def decorator(view: F) -> F:
        declared = getattr(view, "_apidoc", {})
        locations = {
            part["in"] for part in declared.get("arguments", {}).get("parameters", ()) if "in" in part
        }
        body = "requestBody" in declared.get("manual_doc", {}) or bool(locations & {"json", "form", "files"})

        @wraps(view)
        def wrapper(*args: object, **kwargs: object) -> object:
            with authorized(role, limited=limited):
                if "query" not in locations:
                    _refuse_query()
                if not body:
                    _refuse_body()
                return view(*args, **kwargs)

        documented = _documented(declared, role, errors or {}, once, body, limited=limited)
        # Where flask-smorest's own decorators put it, too: it asks nowhere else.
        wrapper._apidoc = documented  # type: ignore[attr-defined]  # noqa: SLF001
        return wrapper  # type: ignore[return-value]

    return decorator


@contextmanager
def authorized(role: str, *, limited: bool = True) -> Iterator[Caller]:
    """Find out who asks, refuse whoever lacks `role`, and count the request, where it is `limited`, against the
    tenant's rate.

    Raises ApiError: 401, 403, 404 (X-Tenant), 429, 503.
    """
    caller = authenticate()
    if not caller.may(role):
        raise ApiError(403, f"The key's role is {caller.role}; this needs {role}.")
    flask.g.caller = caller
    limited = limited and IN_PROCESS not in request.environ
    limiter = services().request_limiter if limited else None
    with request_limit.slot(limiter, caller.tenant_id):
        yield caller


def authenticate() -> Caller:
    """The caller of this request, whatever its role.

    Raises ApiError: 401 without a valid key, 403 for an X-Tenant that is not the key's to name, 404 for one
    that is no tenant.
    """
    token = request.cookies.get(board_sessions.cookie_name(secure=request.is_secure))
    if token is not None and "Authorization" not in request.headers:
        return _acting_for(_by_session(token), request.headers.get("X-Tenant"))
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise _unauthorized("This needs the header Authorization: Bearer <key>.")
    return _acting_for(caller_of(key.strip()), request.headers.get("X-Tenant"))


def caller_of(key: str) -> Caller:
    """Whom an API key is of. Raises ApiError: 401, 503."""
    found = _cached(KeyRow, digest(key, _pepper()), _lookup().get)
    if found is None:
        raise _unauthorized("The key is not valid.")
    return Caller(found.tenant_id, found.role, found.name, found.id)


def caller_of_session(token: str) -> Caller:
    """Who is signed in to the board by this cookie. Raises ApiError: 401, 503."""
    # One page asks many things: whose session it is, is looked up once for all of them, however long they take.
    of_page: dict[str, SessionRow] = request.environ.get(OF_PAGE, {})
    found = of_page.get(token) or _cached(SessionRow, digest(token, _pepper()), _session_lookup().get)
    if found is None:
        raise _unauthorized("The session is over.")
    of_page[token] = found
    return Caller(found.tenant_id, found.role, found.key_name, found.key_id, found.session_id)


def _by_session(token: str) -> Caller:
    """Likewise; whoever changes something also shows what only the board's pages know. Raises ApiError 403 too."""
    caller = caller_of_session(token)
    shown = request.headers.get(board_sessions.CSRF_HEADER, "")
    if request.method not in SAFE_METHODS and not board_sessions.is_csrf_token(shown, token, _pepper()):
        raise ApiError(403, f"The header {board_sessions.CSRF_HEADER} is not this session's.")
    return caller


def _pepper() -> str:
    return services().settings.secret_key or ""


def _acting_for(caller: Caller, tenant_id: str | None) -> Caller:
    if tenant_id is None or tenant_id == caller.tenant_id:
        return caller
    if caller.role != "platform":
        raise ApiError(403, "The header X-Tenant is for keys of role platform.")
    if not TENANT.fullmatch(tenant_id) or _cached(TenantRow, tenant_id, _find_tenant) is None:
        raise ApiError(404, f"Tenant {quoted(tenant_id)} not found")
    return replace(caller, tenant_id=tenant_id)


def _lookup() -> KeyLookup[KeyRow]:
    """The one of this application."""
    found: KeyLookup[KeyRow] = flask.current_app.extensions.setdefault("carillon-keys", KeyLookup(find_keys))
    return found


def _session_lookup() -> KeyLookup[SessionRow]:
    """Likewise, of sessions."""
    found: KeyLookup[SessionRow] = flask.current_app.extensions.setdefault(
        "carillon-board-sessions", KeyLookup(_find_sessions)
    )
    return found


def _find_sessions(digests: Sequence[str]) -> Mapping[str, SessionRow]:
    with transaction(writes=False):
        return board_sessions.find(digests)


def find_keys(digests: Sequence[str]) -> Mapping[str, KeyRow]:
    """The keys of these digests, as far as there are any, asked of the database at once. Raises ApiError 503."""
    with transaction(writes=False):
        return {row.digest: row for row in rows_as(KeyRow, FIND_KEYS, [*digests])}


def _find_tenant(tenant_id: str) -> TenantRow | None:
    with transaction(writes=False):
        found = rows_as(TenantRow, FIND_TENANT, tenant_id)
    return found[0] if found else None


def _cached(kind: type[R], wanted: str, find: Callable[[str], R | None]) -> R | None:
    cache: dict[tuple[type[object], str], tuple[float, object]]
    cache = flask.current_app.extensions.setdefault("carillon-callers", {})
    now, key = time.monotonic(), (kind, wanted)
    expires, row = cache.get(key, (0.0, None))
    if expires > now and isinstance(row, kind):
        return row
    found = find(wanted)
    cache.pop(key, None)
    if found is None:
        return None
    if len(cache) >= CACHE_SIZE:
        cache.clear()
    cache[key] = (now + CACHE_SECONDS, found)
    return found


def _unauthorized(message: str) -> ApiError:
    return ApiError(401, message, headers={"WWW-Authenticate": "Bearer"})


def _refuse_query() -> None:
    for name in request.args:
        raise ApiError(400, f"{quoted(name)} is not known here; this takes no query parameters.")


def _refuse_body() -> None:
    """Refuse a body where none is wanted; an empty one, or an empty object, is none."""
    if not request.content_length and "chunked" not in request.headers.get("Transfer-Encoding", ""):
        return
    if not request.get_data():
        return
    given = json_value(request) if request.mimetype == "application/json" else None
    if given == {}:
        return
    if isinstance(given, dict):
        raise ApiError(400, f"{quoted(next(iter(given)))} is not known here; this takes no body.")
    raise ApiError(400, "This takes no body.")


def _documented(
    declared: OpenApi, role: str, errors: Mapping[int, str], once: bool, body: bool, *, limited: bool
) -> OpenApi:
    """The view's documentation with the key and the statuses that any of these routes can have."""
    document = deepcopy(declared)
    manual = document.setdefault("manual_doc", {})
    manual["security"] = [{"key": []}]
    common = {
        400: "A field, JSON key or query parameter is unknown or wrong.",
        401: "The key is not valid.",
        403: f"The key's role is not enough; this needs {role}.",
        404: "X-Tenant names no tenant.",
        429: "rate_limited: per-minute (60) exceeded",
        500: "Database error",
        503: "Database unavailable",
    }
    if not limited:
        del common[429]
    if once:
        common[409] = "Idempotency-Key 'k1' was used for another request."
    if body:
        common[408] = "The body comes in at less than 1000 bytes a second; it was given up after 10 s."
        common[413] = "The request is larger than this route allows."
        common[415] = "The content type is text/csv; it must be application/json."
    responses = {str(s): error_document(text) for s, text in sorted((common | dict(errors)).items())}
    manual["responses"] = responses | manual.get("responses", {})
    names = ["XTenant", "IdempotencyKey"] if once else ["XTenant"]
    # The schemas' own parameters stand in "arguments"; a list written by hand would replace them.
    place = manual if "parameters" in manual else document.setdefault("arguments", {})
    place["parameters"] = [*place.get("parameters", ()), *names]
    return document
