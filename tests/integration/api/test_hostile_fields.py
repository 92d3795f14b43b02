"""JSON that is deep, huge, or no value of any schema, in each field of each body of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import orjson
import pytest

from tests.integration.api.resource_routes import create_one_of_each
from tests.integration.api.site import Site
from tests.integration.api.test_generated_requests import answered, patience  # noqa: F401 - a fixture
from tests.integration.api.test_single_calls import limiter_state

DEEP = [
    b"[" * 100_000,
    b"[" * 5_000 + b"]" * 5_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b"[" * 200 + b"]" * 200,
]
HOSTILE = [
    *DEEP,
    b"9" * 4_301,
    b"-" + b"9" * 4_301,
    b"1" + b"0" * 30,
    b"1e400",
    b"-0.0",
    b"NaN",
    b'"\\ud800"',
    b'"\\u0000"',
    b'"\xff"',
    b'"' + b"x" * 200_000 + b'"',
    b"[" + b"1," * 20_000 + b"1]",
    b"[" + b"{}," * 20_000 + b"{}]",
    b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(10_000)) + b"}",
    b'{"a":1,"a":2}',
    b'[{"\\u0000":"\\ud800"}]',
    b"null",
]
PREVIEW = "/campaigns/preview"
LONGEST_REFUSAL = 2_000
PLACES = {"agent_id": "agent", "phone_number_id": "number", "campaign_id": "campaign", "gateway_id": "spare"}


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("role", ["platform", "admin"])
def test_no_field_of_any_body_makes_an_error_of_ours(site: Site, role: str) -> None:
    sent = 0
    for method, path, example, fields in bodies(site):
        # Its dialer's lease is shorter than all of this may take.
        limiter_state(site)
        ids = create_one_of_each(site) | {"campaign": site.create(1)}
        (contact,) = site.sql("SELECT id::text FROM contact WHERE campaign_id = %s", ids["campaign"])
        where = path.format(
            agent_id=ids["agent"],
            campaign_id=ids["campaign"],
            contact_id=contact["id"],
            gateway_id=ids["spare"],
            node_name=ids["node"],
            phone_number_id=ids["number"],
            tenant_id=ids["tenant"],
        )
        good = example | {name: ids[place] for name, place in PLACES.items() if name in example}
        for body in hostile(good, fields):
            answer = answered(
                partial(site.request, method, where, role=role, data=body, content_type="application/json")
            )
            sent += 1
            assert answer.status_code < 500, (method, where, body[:200], answer.text)
            assert answer.status_code < 400 or len(answer.text) < LONGEST_REFUSAL, (method, where, body[:200])
            assert refused(answer, where) or not any(deep in body for deep in DEEP), (
                method,
                where,
                body[:80],
            )
    print(f"{sent} hostile bodies with a key of role {role}")
    assert sent > 2_000


def refused(answer: Any, where: str) -> bool:
    """Whether nothing was taken; a preview says so of each row."""
    if where == PREVIEW and answer.status_code == 200:
        return bool(answer.json["accepted"] == 0)
    return bool(400 <= answer.status_code < 500)


def hostile(good: Mapping[str, Any], fields: list[str]) -> Iterator[bytes]:
    """Each hostile value as the whole body, and in each field of one that is good but for it."""
    yield from HOSTILE
    for name in fields:
        rest = orjson.dumps({key: value for key, value in good.items() if key != name})[1:]
        comma = b"" if rest == b"}" else b","
        for value in HOSTILE:
            yield b"{" + orjson.dumps(name) + b":" + value + comma + rest


def bodies(site: Site) -> list[tuple[str, str, dict[str, Any], list[str]]]:
    """Method, path, example and fields of every operation that takes JSON."""
    document: Any = site.client().get("/api/v1/openapi.json").json
    found = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            body = (
                operation.get("requestBody", {}).get("content", {}).get("application/json")
                if method != "parameters"
                else None
            )
            if body is not None:
                fields = sorted(fields_of(document, body["schema"]))
                found.append((method.upper(), path.removeprefix("/api/v1"), dict(body["example"]), fields))
    return found


def fields_of(document: Mapping[str, Any], schema: Mapping[str, Any]) -> set[str]:
    """The names of the fields of an object, wherever its schema is written."""
    if "$ref" in schema:
        return fields_of(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    found = set(schema.get("properties", {}))
    for key in ("allOf", "oneOf", "anyOf"):
        for part in schema.get(key, []):
            found |= fields_of(document, part)
    return found
