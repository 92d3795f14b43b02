"""An id for every request: the client's own where it sent one, in the answer, in what is logged meanwhile, and in a
problem."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog

HEADER: Final = "X-Request-Id"
ENVIRON: Final = "carillon.request_id"
SHAPE: Final = re.compile(r"[0-9A-Za-z._-]{1,64}", re.ASCII)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def request_id(sent: str | None) -> str:
    """What the client sent, where that is of the shape of an id; else a new one."""
    return sent if sent is not None and SHAPE.fullmatch(sent) else secrets.token_hex(16)


class RequestIds:
    """The application, each of whose answers has an X-Request-Id."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        found = environ[ENVIRON] = request_id(environ.get("HTTP_X_REQUEST_ID"))
        # One greenlet serves one request after another.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=found)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, (HEADER, found)], *rest)

        return self._application(environ, start)
