"""Answers straight from rows: orjson writes what the schemas say, without going through them field by field.

Of an answer with a hundred rows, marshmallow took a third of the worker's time. Where PostgreSQL wrote the JSON, as
of contacts, it passes through as it is. The schemas stay what they are: the document, and in
`tests/integration/api/test_json_rows.py` the measure of every answer that is written here.
"""

from __future__ import annotations

from datetime import datetime

import orjson
from flask import Response

from api.times import to_rfc3339


def json_answer(body: object) -> Response:
    """A 200 with `body`, whose ids and times may be as the database has them."""
    data = orjson.dumps(body, default=_time, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return Response(data, content_type="application/json")


def stored_json(text: str) -> orjson.Fragment:
    """JSON that the database wrote, as it is."""
    return orjson.Fragment(text)


def _time(value: object) -> str:
    if isinstance(value, datetime):
        return to_rfc3339(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON here")
