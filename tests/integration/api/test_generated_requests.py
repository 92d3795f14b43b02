"""Requests made up from the OpenAPI document, right and wrong: every answer is one that the document foretells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from api import database_probe
from tests.examples import examples, first
from tests.integration.api.resource_routes import create_one_of_each
from tests.integration.api.site import Site, key
from tests.integration.api.test_single_calls import limiter_state
from tests.waiting import HANG_SECONDS

EXAMPLES = 8
MANY = 5_000
ENDLESS = "/events"
AWAY = "Database unavailable"
TRIES = 10
LETS_NOBODY_IN_ANY_MORE = ("DELETE", "/api-keys/{api_key_id}")
FORETOLD = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance
]  # fmt: skip
PARAMETERS = {
    "agent_id": "agent",
    "phone_number_id": "number",
    "gateway_id": "spare",
    "tenant_id": "tenant",
    "api_key_id": "key",
    "call_id": "call",
    "campaign_id": "campaign",
    "node_name": "node",
    "suppression_id": "suppression",
    "erasure_id": "erasure",
    "contact_id": "contact",
}


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has much else to do is no database that is away."""
    monkeypatch.setattr(database_probe, "ANSWER_SECONDS", HANG_SECONDS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("there", first(True, False), ids=["what is there", "anything"])
def test_every_answer_is_foretold(site: Site, mode: GenerationMode, there: bool) -> None:
    # A path that names nothing would be asked for the very same either way.
    asked = sum(
        ask(operation, mode, ids_of(site, operation) if there else None, "platform", EXAMPLES)
        for operation in operations(site)
        if there or operation.path_parameters
    )
    assert asked > (100 if there else 50)


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("role", ["platform", "admin"])
def test_of_five_thousand_requests_with_a_key_none_is_an_error_of_ours(site: Site, role: str) -> None:
    limiter_state(site)
    found = operations(site)
    kinds = [
        (mode, there)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        for there in (True, False)
    ]
    # Of some operations nothing wrong can be made up.
    each = MANY // (len(found) * len(kinds)) + 1
    asked = 0
    for operation in found:
        for mode, there in kinds:
            asked += ask(operation, mode, ids_of(site, operation) if there else None, role, each)
    print(f"{asked} requests made up for {len(found)} operations with a key of role {role}")
    assert asked >= MANY


def operations(site: Site) -> list[Any]:
    """What the document has, but for the streams, which do not end, and what would close the door behind us."""
    found = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", site.app).get_all_operations()
    every = []
    for one in found:
        assert isinstance(one, Ok), one
        operation = one.ok()
        if (
            not operation.path.endswith(ENDLESS)
            and (
                operation.method.upper(),
                operation.path.removeprefix("/api/v1"),
            )
            != LETS_NOBODY_IN_ANY_MORE
        ):
            every.append(operation)
    return every


def ids_of(site: Site, operation: Any) -> dict[str, str]:
    """Ids of what is there, for the path of an operation."""
    names = [parameter.name for parameter in operation.path_parameters]
    if not names:
        return {}
    ids = create_one_of_each(site)
    ids["campaign"] = site.create(1)
    (contact,) = site.sql("SELECT id::text FROM contact WHERE campaign_id = %s", ids["campaign"])
    ids["contact"] = contact["id"]
    return {name: ids[PARAMETERS[name]] for name in names if name in PARAMETERS}


def answered(send: Callable[[], Any]) -> Any:
    """The answer, for which is asked again while the database is said to be away, as a client does: on a machine that
    has much else to do it may not answer in its time."""
    for _ in range(TRIES):
        answer = send()
        if answer.status_code != 503 or AWAY not in answer.text:
            break
    return answer


def ask(
    operation: Any, mode: GenerationMode, path_parameters: dict[str, str] | None, role: str, number: int
) -> int:
    """Send some requests of one operation with a key of this role, checking each answer; how many were sent."""
    sent = 0
    checks = FORETOLD + ([negative_data_rejection] if mode is GenerationMode.NEGATIVE else [])

    @settings(
        examples(number),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode, path_parameters=path_parameters))
    def send(case: Any) -> None:
        nonlocal sent
        sent += 1
        case.headers.pop("X-Tenant", None)
        headers = {"Authorization": f"Bearer {key(role)}"}
        case.validate_response(answered(lambda: case.call(headers=headers)), checks=checks)

    try:
        send()
    except Unsatisfiable:
        return 0
    return sent
