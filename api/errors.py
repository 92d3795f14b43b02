"""The API's errors: one plain sentence, or RFC 9457 where the client asks for it.

Whatever goes wrong inside, no stack trace, SQL or path leaves through here; the log has them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from http import HTTPStatus

import orjson
import peewee
import psycopg
import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

import outages
from api.request_ids import ENVIRON
from server_faults import DISK_FULL, state_of

log = structlog.get_logger(__name__)

PROBLEM = "application/problem+json"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
RETRY_AFTER_SECONDS = 2

NO_SUCH = frozenset({"42P01", "42703"})
"""The SQLSTATE where a table or a column is not there."""

CODES: Mapping[int, str] = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    409: "conflict",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}


UNUSABLE: Mapping[str, tuple[str, str]] = {
    DISK_FULL: ("The database's disk is full", "database_full"),
    "25006": ("The database takes no writes now", "database_read_only"),
}
"""What a client is told, and the code, where PostgreSQL's error says that nobody can be served, by its SQLSTATE."""


class ApiError(Exception):
    """A refusal: `status` and one sentence for the client; `code` is stable and for programs."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or CODES.get(status, "error")
        self.headers = dict(headers or {})


class DatabaseUnavailable(ApiError):  # noqa: N818  a state of the world
    """The database cannot be reached, or no connection came free in time."""

    def __init__(self) -> None:
        super().__init__(
            503,
            "Database unavailable",
            code="database_unavailable",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )


def not_found(what: str) -> ApiError:
    """The 404 of a thing that is not there, or is another tenant's: the two look the same."""
    return ApiError(404, f"{what} not found")


def conflict(message: str, code: str = "conflict") -> ApiError:
    """A 409: the request is fine, the state of things is not."""
    return ApiError(409, message, code=code)


def rendered(error: ApiError) -> Response:
    """The answer for `error`, in the form that this client asked for."""
    content_type = _problem_type()
    if content_type is not None:
        title = HTTPStatus(error.status).phrase
        problem = {
            "type": "about:blank",
            "title": title,
            "status": error.status,
            "detail": error.message,
            "code": error.code,
            "request_id": request.environ.get(ENVIRON),
        }
        response = Response(orjson.dumps(problem), error.status, content_type=content_type)
    else:
        response = Response(error.message, error.status, content_type=TEXT)
    response.headers.extend(error.headers)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def register(app: Flask, schema_fault: Callable[[], str | None] = lambda: None) -> None:
    """Answer every exception that leaves a view of `app`. `schema_fault` says whether the database is of another
    release, where one could be due to that."""

    def database_error(error: Exception) -> Response:
        fault = schema_fault() if state_of(error) in NO_SUCH else None
        if fault is None:
            return _database_error(error)
        log.error("schema_not_current", path=request.path, reason=fault)
        return rendered(_come_back(fault, "database_not_migrated"))

    app.register_error_handler(ApiError, rendered)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(peewee.PeeweeException, database_error)
    app.register_error_handler(psycopg.Error, database_error)
    app.register_error_handler(Exception, _internal_error)


def _come_back(message: str, code: str) -> ApiError:
    """A 503 that may be over soon."""
    return ApiError(503, message, code=code, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def _problem_type() -> str | None:
    """The content type of a problem for a client that asks for JSON by name; None for one that gets the sentence."""
    asked = {mimetype.lower(): quality for mimetype, quality in request.accept_mimetypes}
    text = asked.get("text/plain", 0)
    for kind in (PROBLEM, JSON):
        if asked.get(kind, 0) > 0 and asked.get(kind, 0) >= text:
            return kind
    return None


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    headers = {}
    if status == 404:
        message = f"{request.path} is not a path of this service."
    elif status == 405:
        allowed = sorted(getattr(error, "valid_methods", None) or [])
        headers["Allow"] = ", ".join(allowed)
        message = f"{request.method} is not allowed here; allowed are {', '.join(allowed)}."
    elif status == 413:
        message = "The request is larger than this route allows."
    elif status in (400, 415):
        message = "The request could not be read."
    else:
        message = f"{HTTPStatus(status).phrase}."
    return rendered(ApiError(status, message, headers=headers))


def _database_error(error: Exception) -> Response:
    known = UNUSABLE.get(state_of(error))
    if known is not None:
        outages.struck(outages.DATABASE, error)
        return rendered(_come_back(*known))
    log.error("database_error", path=request.path, exc_info=error)
    return rendered(ApiError(500, "Database error", code="database_error"))


def _internal_error(error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        log.error("disk_full", path=request.path, reason=str(error))
        return rendered(_come_back("This server's disk is full", "disk_full"))
    log.error("internal_error", path=request.path, exc_info=error)
    return rendered(ApiError(500, "Internal error"))
