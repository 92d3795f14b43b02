"""flask-smorest's Blueprint with our error format and strict input.

A resource module makes a `Blueprint`, decorates plain functions, and is listed in `api.routes.registry`:

    blp = Blueprint("agents", description="What an answered call is connected to")

    @blp.route("/agents/<agent_id>")
    @requires("read", errors={404: "Agent not found"})
    @blp.response(200, AgentSchema, example=EXAMPLE)
    def get_agent(agent_id: str) -> dict[str, object]: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

import flask
import flask_smorest
import marshmallow as ma
from webargs.core import missing
from webargs.flaskparser import FlaskParser

from api import json_body, schemas
from api.errors import JSON, PROBLEM, ApiError

F = TypeVar("F", bound=Callable[..., object])
OpenApi = dict[str, Any]
"""A piece of an OpenAPI document: JSON of any shape."""
PREFIX = "/api/v1"
TEXT_BODY = "text/plain"
CSV_BODY = {"type": "string"}


class Parser(FlaskParser):
    """Reads a request's parts, and refuses them in one sentence."""

    DEFAULT_VALIDATION_STATUS = 400
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = dict.fromkeys(
        FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, ma.RAISE
    )

    def use_args(self, argmap: Any, *args: Any, **kwargs: Any) -> Any:
        """Likewise, with one schema for all requests of a view: making one costs as much as reading a query."""
        made = argmap() if isinstance(argmap, type) and issubclass(argmap, ma.Schema) else argmap
        return super().use_args(made, *args, **kwargs)

    def load_querystring(self, req: flask.Request, schema: ma.Schema) -> dict[str, object]:
        """The query's parameters, with numbers and truth values read from their text."""
        return typed(req.args.lists(), schema)

    def load_json(self, req: flask.Request, schema: ma.Schema) -> object:
        """The JSON body; any other content type is 415."""
        if not req.content_length and "Transfer-Encoding" not in req.headers:
            return missing
        if req.mimetype != "application/json":
            raise ApiError(
                415, f"The content type is {req.mimetype or 'not given'}; it must be application/json."
            )
        return _known_first(json_value(req), schema)

    def handle_error(
        self, error: ma.ValidationError, req: object, schema: ma.Schema, **kwargs: object
    ) -> NoReturn:
        """Refuse what the schema refused."""
        raise refusal(error, schema)


def json_value(req: flask.Request) -> Any:
    """What the JSON body of a small request says. Raises ApiError: 400 for one that cannot be read, 413."""
    try:
        return json_body.decode(req.get_data())
    except json_body.JsonRefused as error:
        raise ApiError(400, str(error), code="invalid_json") from error


def _known_first(body: Any, schema: ma.Schema) -> Any:
    """`body` with the first only of its unknown keys, which it is refused for: of thousands each would cost time."""
    if not isinstance(body, dict):
        return body
    known = {field.data_key or name for name, field in schema.load_fields.items()}
    unknown = next((name for name in body if name not in known), None)
    return {name: value for name, value in body.items() if name in known or name == unknown}


def refusal(error: ma.ValidationError, schema: ma.Schema, also: tuple[str, ...] = ()) -> ApiError:
    """The 400 for what `schema` found wrong; `also` are names that are known besides its own."""
    messages: object = error.messages
    if isinstance(messages, Mapping) and len(messages) == 1:
        (inner,) = messages.values()
        if isinstance(inner, Mapping) and next(iter(messages)) in FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION:
            messages = inner
    known = [field.data_key or name for name, field in schema.fields.items() if not field.dump_only]
    known += also
    return ApiError(400, schemas.sentence(messages, _without_secrets(error.data, schema), known))


def _without_secrets(data: object, schema: ma.Schema) -> object:
    if not isinstance(data, Mapping):
        return data
    secret = {name for name, field in schema.fields.items() if isinstance(field, schemas.Secret)}
    return {name: "***" if name in secret else value for name, value in data.items()}


def typed(pairs: Iterable[tuple[str, list[str]]], schema: ma.Schema) -> dict[str, object]:
    """Form fields or query parameters as a dict, whole numbers and truth values read from their text.

    Raises ApiError 400 for a name that is given twice.
    """
    values: dict[str, object] = {}
    for name, given in pairs:
        if len(given) > 1:
            raise ApiError(400, f"{schemas.quoted(name)} is given {len(given)} times; once is the rule.")
        field = schema.fields.get(name)
        text = given[0]
        if isinstance(field, schemas.Integer) and text.isascii() and text.removeprefix("-").isdigit():
            values[name] = json_body.whole(text)
        elif isinstance(field, schemas.Boolean) and text in ("true", "false"):
            values[name] = text == "true"
        elif isinstance(field, schemas.Nested):
            values[name] = _json_of(name, text, "an object")
        elif isinstance(field, schemas.Items):
            values[name] = _json_of(name, text, "a list")
        else:
            values[name] = text
    return values


def _json_of(name: str, text: str, what: str) -> object:
    """What the JSON in a form says, which is to be `what`. Raises ApiError 400."""
    try:
        return json_body.decode(text.encode())
    except json_body.JsonRefused as error:
        raise ApiError(400, f"{name} is {schemas.quoted(text)}; it must be JSON of {what}.") from error


def refuse_unknown(known: set[str]) -> None:
    """Refuse query parameters that a route without a schema for them does not have, and one that is given twice."""
    for name, values in flask.request.args.lists():
        if name not in known:
            allowed = ", ".join(sorted(known)) or "none"
            raise ApiError(400, f"{schemas.quoted(name)} is not known here; query parameters are: {allowed}.")
        if len(values) > 1:
            raise ApiError(400, f"{schemas.quoted(name)} is given {len(values)} times; once is the rule.")


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """One resource of the contract, below /api/v1."""

    ARGUMENTS_PARSER = Parser()

    def __init__(self, name: str, *, description: str) -> None:
        super().__init__(name, name, url_prefix=PREFIX, description=description)

    def route(self, rule: str, **options: object) -> Callable[[F], F]:
        """As Flask's own: `methods=["POST"]`."""
        decorator: Callable[[F], F] = super().route(rule, **options)
        return decorator

    def arguments(self, schema: object, **options: object) -> Callable[[F], F]:
        """Pass what `schema` makes of the body (or, with location="query", the query) to the view."""
        decorator: Callable[[F], F] = super().arguments(schema, **options)
        return decorator

    def response(self, status_code: int, schema: object = None, **options: object) -> Callable[[F], F]:
        """Dump what the view returns through `schema`; a view may return a Response itself."""
        decorator: Callable[[F], F] = super().response(status_code, schema, **options)
        return decorator

    def also_csv(self, example: str) -> Callable[[F], F]:
        """Document that the 200 of a view may be a table, too."""
        decorator: Callable[[F], F] = super().alt_response(
            200, schema=CSV_BODY, content_type="text/csv", example=example, success=True
        )
        return decorator

    def doc(self, **options: object) -> Callable[[F], F]:
        """Add to the operation's documentation by hand."""
        decorator: Callable[[F], F] = super().doc(**options)
        return decorator


def error_document(description: str) -> OpenApi:
    """One error response of an operation, in each of its forms."""
    return {
        "description": description,
        "content": {
            TEXT_BODY: {"schema": {"type": "string"}, "example": description},
            PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}},
            JSON: {"schema": {"$ref": "#/components/schemas/Problem"}},
        },
    }
