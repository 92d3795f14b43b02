"""One log line for each request, where CARILLON_REQUEST_LOG asks for it: nothing in it was written by a client."""

from __future__ import annotations

import time
import uuid

import flask
import structlog
from flask import Flask, Response, request

from api.request_ids import ENVIRON

log = structlog.get_logger(__name__)


def register(app: Flask) -> None:
    """Log every request of `app` when its answer begins; a stream's, that is, when it opens."""

    def begin() -> None:
        flask.g.request_began = time.monotonic()

    def end(response: Response) -> Response:
        caller = flask.g.get("caller")
        log.info(
            "request",
            method=request.method,
            route=request.url_rule.rule if request.url_rule is not None else None,
            id=_id(),
            status=response.status_code,
            milliseconds=round((time.monotonic() - flask.g.get("request_began", time.monotonic())) * 1000, 1),
            tenant=caller.tenant_id if caller is not None else None,
            request_id=request.environ.get(ENVIRON),
        )
        return response

    app.before_request(begin)
    app.after_request(end)


def _id() -> str | None:
    """The id in the path, of whatever it is; what is no id may be anything, and is not logged."""
    for value in (request.view_args or {}).values():
        try:
            return str(uuid.UUID(str(value)))
        except ValueError:
            continue
    return None
