"""Requests made up from the OpenAPI document, right and wrong: every answer is one that the document foretells."""

from __future__ import annotations

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

from tests.examples import examples
from tests.integration.api.resource_routes import create_one_of_each
from tests.integration.api.site import Site, key

EXAMPLES = 8
ENDLESS = "/events"
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
}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("there", [True, False], ids=["what is there", "anything"])
def test_every_answer_is_foretold(site: Site, mode: GenerationMode, there: bool) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", site.app)
    asked = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path.endswith(ENDLESS):
            continue
        ids = create_one_of_each(site)
        ids["campaign"] = site.create(1)
        names = [parameter.name for parameter in operation.path_parameters]
        given_ids = {name: ids[PARAMETERS[name]] for name in names if name in PARAMETERS} if there else None
        asked += ask(operation, mode, given_ids)
    assert asked > 100


def ask(operation: Any, mode: GenerationMode, path_parameters: dict[str, str] | None) -> int:
    """Send some requests of one operation, checking each answer; how many were sent."""
    sent = 0
    checks = FORETOLD + ([negative_data_rejection] if mode is GenerationMode.NEGATIVE else [])

    @settings(
        examples(EXAMPLES),
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
        headers = {"Authorization": f"Bearer {key('platform')}"}
        case.validate_response(case.call(headers=headers), checks=checks)

    try:
        send()
    except Unsatisfiable:
        return 0
    return sent
