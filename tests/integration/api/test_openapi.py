"""The OpenAPI document: valid, public, complete, and true of what is served."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.dispositions import CONTACT_MEANINGS
from tests.integration.api.site import SharedSites, Site, csv_of

ERROR_FORMS = {"text/plain", "application/problem+json", "application/json"}


@pytest.fixture
def document(site: Site) -> Any:
    response = site.client().get("/api/v1/openapi.json")
    assert response.status_code == 200
    return response.json


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def test_the_document_is_valid_openapi_3_1(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_is_documented(site: Site, document: Any) -> None:
    routes = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in site.app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.rule != "/api/v1/openapi.json"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations(document)} == routes


def test_every_operation_has_its_key_its_errors_and_its_examples(document: Any) -> None:
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert {"key": []} in operation["security"], where
        assert operation["summary"], where
        assert {"400", "401", "403", "404", "500", "503"} <= set(operation["responses"]), where
        # What stops calls is never refused for the number of requests.
        stops = method == "post" and path.endswith(("/halt", "/pause", "/stop"))
        assert ("429" in operation["responses"]) != stops, where
        assert {"$ref": "#/components/parameters/XTenant"} in operation["parameters"], where
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                if int(status) >= 400:
                    assert set(response["content"]) == ERROR_FORMS, where
                elif operation["tags"] != ["events"]:
                    assert "example" in content or "examples" in content, (where, status)
        body = operation.get("requestBody", {"content": {}})
        for content in body["content"].values():
            assert "example" in content or "examples" in content, where


def test_every_example_keeps_its_own_schema(document: Any) -> None:
    for path, method, operation in operations(document):
        bodies = [response for status, response in operation["responses"].items() if int(status) < 400]
        for body in [*bodies, operation.get("requestBody", {})]:
            for media_type, content in body.get("content", {}).items():
                if media_type != "application/json" or "example" not in content:
                    continue
                schema = {**content["schema"], "components": document["components"]}
                errors = [error.message for error in OAS31Validator(schema).iter_errors(content["example"])]
                assert errors == [], (method, path)


def test_what_is_served_keeps_the_schema(site: Site, document: Any) -> None:
    campaign_id = site.create(2)
    asked: list[tuple[str, str, Any]] = [
        ("get", "/campaigns", {}),
        ("post", "/campaigns", {"data": site.form(csv_of(1))}),
        ("get", "/campaigns/{campaign_id}", {}),
        ("patch", "/campaigns/{campaign_id}", {"json": {"weight": 2, "slow_start": True}}),
        ("get", "/campaigns/{campaign_id}/pacing", {}),
        ("get", "/campaigns/{campaign_id}/log", {}),
        ("get", "/campaigns/{campaign_id}/contacts", {}),
        (
            "post",
            "/campaigns/{campaign_id}/contacts",
            {"json": {"contacts": [{"phone_number": "+14155559001"}]}},
        ),
        ("post", "/campaigns/{campaign_id}/start", {}),
        ("post", "/campaigns/{campaign_id}/stop", {}),
        ("post", "/campaigns/{campaign_id}/events/token", {}),
        ("post", "/halt", {}),
        ("get", "/halt", {}),
    ]
    for method, path, options in asked:
        response = site.request(method.upper(), path.format(campaign_id=campaign_id), **options)
        documented = document["paths"][f"/api/v1{path}"][method]["responses"][str(response.status_code)]
        schema = {**documented["content"]["application/json"]["schema"], "components": document["components"]}
        assert [error.message for error in OAS31Validator(schema).iter_errors(response.json)] == [], path
        problem = site.client().open(
            f"/api/v1{path}".format(campaign_id=campaign_id),
            method=method,
            headers={"Accept": "application/problem+json"},
        )
        schema = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
        assert [error.message for error in OAS31Validator(schema).iter_errors(problem.json)] == []


@pytest.mark.parametrize("most", [100, 2500])
def test_the_bound_of_a_campaigns_calls_is_the_platforms(
    sites: SharedSites, redis_url: str, most: int
) -> None:
    with sites.site(CARILLON_MAX_CONCURRENT_CALLS=str(most)) as site:
        document = site.client().get("/api/v1/openapi.json").json
    assert document is not None
    bounds = {
        name: field["maximum"]
        for name, schema in document["components"]["schemas"].items()
        if (field := schema.get("properties", {}).get("max_concurrent_calls", {})).get("minimum") == 1
    }
    bounded = ("CampaignBody", "CampaignForm", "CampaignPatch", "PreviewBody", "PreviewForm")
    assert bounds == dict.fromkeys(bounded, most)


def test_the_words_of_a_campaign_and_a_call_are_in_the_document_with_their_meaning(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    for name, field, meanings in (
        ("Campaign", "blocked_reason", BLOCKED_WORDS),
        ("PaceStep", "cap", BLOCKED_WORDS),
        ("SnapshotEvent", "blocked_reason", BLOCKED_WORDS),
        ("Call", "disposition", CONTACT_MEANINGS),
        ("Contact", "disposition", CONTACT_MEANINGS),
        ("ContactEvent", "disposition", CONTACT_MEANINGS),
    ):
        shown = schemas[name]["properties"][field]
        assert shown["enum"] == [*meanings, None], (name, field)
        for word, meaning in meanings.items():
            assert f"- `{word}`: {meaning}" in shown["description"]


def test_the_events_of_a_stream_are_what_the_document_says(site: Site, document: dict[str, Any]) -> None:
    campaign_id = site.create(2)
    assert site.post(f"/campaigns/{campaign_id}/start").status_code == 200
    assert site.post(f"/campaigns/{campaign_id}/stop").status_code == 200
    operation = document["paths"]["/api/v1/campaigns/{campaign_id}/events"]["get"]
    kinds = operation["responses"]["200"]["x-events"]
    path = f"/campaigns/{campaign_id}/events?close=true&last_event_id=0-0"
    stream = site.get(path).text
    seen = set()
    for block in stream.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        kind = lines.get("event", "message")
        if "data" in lines and kind in kinds:
            seen.add(kind)
            schema = {**kinds[kind], "components": document["components"]}
            data = json.loads(lines["data"])
            assert [error.message for error in OAS31Validator(schema).iter_errors(data)] == [], kind
    assert "message" in seen
