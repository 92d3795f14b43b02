"""The OpenAPI document at /api/v1/openapi.json, made when it is first asked for.

Making it takes some 150 ms of a processor: a process that nobody asks for it starts without, and one that is asked
goes on with its other requests meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import flask
import flask_smorest
from apispec import APISpec
from gevent.lock import BoundedSemaphore

from api import schemas
from api.blueprint import PREFIX, error_document
from cooperative import let_others_run

X_TENANT = {
    "name": "X-Tenant",
    "description": "For keys of role platform: the tenant to act for. Without it, the key's own.",
    "schema": {"type": "string", "maxLength": 32},
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "description": "The same key and body within 24 h get the first answer again, marked Idempotent-Replayed.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


class ProblemSchema(schemas.Schema):
    """RFC 9457, for clients that ask for it."""

    type = schemas.Text(required=True)
    title = schemas.Text(required=True)
    status = schemas.Integer(400, 599, required=True)
    detail = schemas.Text(required=True)
    code = schemas.Text(required=True, metadata={"description": "Stable; for programs."})
    request_id = schemas.Text(
        required=True,
        allow_none=True,
        metadata={"description": "As in X-Request-Id and in the server's log."},
    )


class Api(flask_smorest.Api):  # type: ignore[misc]
    """Collects the blueprints into one OpenAPI document; errors are ours (`api.errors`)."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: flask.Flask, spec_kwargs: dict[str, Any]) -> None:
        self._to_describe: list[Callable[[], object]] = []
        self._describing = BoundedSemaphore()
        self._document: str | None = None
        super().__init__(app, spec_kwargs=spec_kwargs)

    def register_blueprint(self, blp: flask_smorest.Blueprint, **options: object) -> None:
        """Its routes at once, what the document says of them later."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp, **options)
        self._to_describe.append(
            partial(blp.register_views_in_doc, self, self._app, self.spec, name=blp.name, parameters=None)
        )
        self.describe(lambda spec: spec.tag({"name": blp.name, "description": blp.description}))

    def describe(self, say: Callable[[APISpec], object]) -> None:
        """Let `say` add to the document, after all that was registered before."""
        self._to_describe.append(partial(say, self.spec))

    def document(self) -> str:
        """The document as JSON."""
        with self._describing:
            while self._to_describe:
                self._to_describe[0]()
                del self._to_describe[0]
                let_others_run()
            if self._document is None:
                self._document = flask.json.dumps(self.spec.to_dict(), indent=2, sort_keys=False)
            return self._document

    def _openapi_json(self) -> flask.Response:
        return flask.Response(self.document(), mimetype="application/json")

    def _register_error_handlers(self) -> None:
        """None: `api.errors` answers for the whole application."""

    def _register_responses(self) -> None:
        for status in HTTPStatus:
            self.spec.components.response(status.name, error_document(status.phrase), lazy=True)


def make_api(app: flask.Flask, version: str) -> Api:
    """The Api of `app`, with its document at /api/v1/openapi.json."""
    app.config.update(OPENAPI_URL_PREFIX=PREFIX, OPENAPI_JSON_PATH="openapi.json")
    api = Api(
        app,
        spec_kwargs={
            "title": "Carillon",
            "version": version,
            "openapi_version": "3.1.0",
            "info": {
                "description": "Campaigns of outbound calls, and what they need around them. Every answer has an"
                " X-Request-Id, the client's own where it sent one (up to 64 letters, digits, '.', '_' or '-')."
            },
            "servers": [{"url": "/"}],
        },
    )
    api.spec.components.schema("Problem", schema=ProblemSchema)
    api.spec.components.security_scheme(
        "key", {"type": "http", "scheme": "bearer", "description": "sk_<tenant>_<random>"}
    )
    api.spec.components.security_scheme(
        "stream_token",
        {"type": "apiKey", "in": "query", "name": "token", "description": "From POST …/events/token."},
    )
    api.spec.components.parameter("XTenant", "header", X_TENANT)
    api.spec.components.parameter("IdempotencyKey", "header", IDEMPOTENCY_KEY)
    return api
