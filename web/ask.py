"""Asks the API, within this process, for what a page shows and does: so a page and the API never disagree.

Each question is a request of its own to the application, without a socket, under the session of whoever looks at the
page: what the API refuses him, the page cannot show or do.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from flask import request
from flask.globals import app_ctx
from werkzeug.test import EnvironBuilder

from api import board_sessions
from api.auth import IN_PROCESS, OF_PAGE
from api.blueprint import PREFIX
from api.request_ids import ENVIRON
from api.services import services
from web.words import refusal


class Refused(Exception):  # noqa: N818  as the API said it
    """The API refused: its `status`, its sentence in the words of a form, and its stable `code`."""

    def __init__(self, status: int, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = refusal(sentence)
        self.code = code


IF_MATCH: Final = "If-Match"
ONCE: Final = "Idempotency-Key"
USED: Final = "idempotency_mismatch"
"""The code of a refusal: another request was done `once` under that word."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered: its JSON, None where it is nothing, and the `etag` of what may be changed; else ""."""

    data: Any
    etag: str


def ask(
    method: str,
    path: str,
    query: Mapping[str, object] | None = None,
    body: Mapping[str, object] | None = None,
    **headers: str,
) -> Any:
    """What the API answers, read from its JSON; None where it answers with nothing. As `answer`."""
    return answer(method, path, query, body, **headers).data


def answer(
    method: str,
    path: str,
    query: Mapping[str, object] | None = None,
    body: Mapping[str, object] | None = None,
    *,
    if_match: str = "",
    once: str = "",
) -> Answer:
    """What the API answers.

    `path` begins below /api/v1. A value of None in `query` is left out. `if_match` is the ETag of what is changed;
    what is asked `once`, under a random word that a form carries, is not done again. Raises Refused.
    """
    headers = [(name, value) for name, value in ((IF_MATCH, if_match), (ONCE, once)) if value]
    return _answered(_environ(method, path, query, body, headers))


def forwarded(path: str) -> Any:
    """What the API answers to this request's own body, which is passed on as it streams in, under its own cookie and
    its header of `board_sessions.CSRF_HEADER`. Raises Refused."""
    asked = {
        "PATH_INFO": PREFIX + path,
        "QUERY_STRING": "",
        "HTTP_ACCEPT": "application/json",
        IN_PROCESS: True,
    }
    kept = {name: value for name, value in request.environ.items() if not name.startswith("werkzeug.")}
    return _answered(kept | asked).data


def _answered(environ: dict[str, Any]) -> Answer:
    app = app_ctx.app
    with app.app_context(), app.request_context(environ):
        response = app.full_dispatch_request()
        data = response.get_data()
    if response.status_code >= 400:
        problem = orjson.loads(data)
        raise Refused(response.status_code, problem["detail"], problem["code"])
    return Answer(orjson.loads(data) if data else None, response.headers.get("ETag", ""))


def _environ(
    method: str,
    path: str,
    query: Mapping[str, object] | None,
    body: Mapping[str, object] | None,
    more: list[tuple[str, str]],
) -> dict[str, Any]:
    token = request.cookies.get(board_sessions.cookie_name(secure=request.is_secure), "")
    pepper = services().settings.secret_key or ""
    headers = [
        *more,
        ("Accept", "application/json"),
        ("Cookie", f"{board_sessions.COOKIE}={token}"),
        (board_sessions.CSRF_HEADER, board_sessions.csrf_token(token, pepper)),
    ]
    builder = EnvironBuilder(
        path=PREFIX + path,
        method=method,
        query_string={name: str(value) for name, value in given(query).items()},
        headers=headers,
        input_stream=None if body is None else io.BytesIO(_json(body)),
        content_type=None if body is None else "application/json",
    )
    environ = builder.get_environ()
    if body is not None:
        environ["CONTENT_LENGTH"] = str(environ["wsgi.input"].getbuffer().nbytes)
    return environ | {
        IN_PROCESS: True,
        OF_PAGE: request.environ.get(OF_PAGE, {}),
        ENVIRON: request.environ.get(ENVIRON),
        "REMOTE_ADDR": request.environ.get("REMOTE_ADDR", ""),
    }


def _json(body: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:
        # A number of more than 64 bits, which the API refuses with its field.
        return json.dumps(body).encode()


def given(values: Mapping[str, object] | None) -> dict[str, object]:
    """Without those that are None."""
    return {name: value for name, value in (values or {}).items() if value is not None}
