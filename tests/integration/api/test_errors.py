"""What goes wrong is told in one sentence, in either form, and gives nothing away."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.examples import some
from tests.integration.api.resource_routes import ROUTES, create_one_of_each, with_ids
from tests.integration.api.site import Site

PROBLEM = "application/problem+json"
ROOT = str(Path(__file__).resolve().parents[3])
SECRETS = re.compile(
    rf"Traceback|SELECT|psycopg|peewee|{re.escape(ROOT)}|\.py|relation|pg_|Error:", re.IGNORECASE
)
FAILING = [
    ("GET", "/campaigns", ["campaign"]),
    ("POST", "/campaigns", ["contact", "campaign", "agent", "import_reject", "campaign_count"]),
    ("POST", "/campaigns/preview", ["contact", "agent", "call_limits", "suppression"]),
    ("GET", "/campaigns/{id}", ["campaign"]),
    ("PATCH", "/campaigns/{id}", ["campaign"]),
    ("DELETE", "/campaigns/{id}", ["campaign", "call"]),
    ("DELETE", "/campaigns/{id}/breaker", ["campaign", "breaker_tally"]),
    ("GET", "/campaigns/{id}/pacing", ["campaign", "campaign_pace"]),
    ("GET", "/campaigns/{id}/contacts", ["campaign", "contact"]),
    ("GET", "/campaigns/{id}/contacts/{contact}", ["campaign", "contact"]),
    ("GET", "/campaigns/{id}/contacts/{contact}/decisions", ["campaign", "contact", "transition"]),
    ("PATCH", "/campaigns/{id}/contacts/{contact}", ["campaign", "contact"]),
    ("POST", "/campaigns/{id}/contacts", ["campaign", "contact"]),
    ("GET", "/contacts?phone_number=%2B14155550123", ["campaign", "contact"]),
    ("POST", "/campaigns/{id}/retry", ["campaign", "contact"]),
    ("POST", "/campaigns/{id}/clone", ["campaign", "contact"]),
    ("GET", "/campaigns/{id}/log", ["campaign", "campaign_log"]),
    ("GET", "/campaigns/{id}/rejects", ["campaign", "import_reject"]),
    ("POST", "/campaigns/{id}/start", ["campaign", "call_limits", "transition"]),
    ("POST", "/campaigns/{id}/pause", ["campaign"]),
    ("POST", "/campaigns/{id}/resume", ["campaign"]),
    ("POST", "/campaigns/{id}/stop", ["campaign", "campaign_count"]),
    ("POST", "/campaigns/{id}/preflight", ["campaign", "contact", "call", "gateway", "call_limits"]),
    ("POST", "/campaigns/{id}/test-call", ["campaign", "contact", "agent", "phone_number", "dialer", "halt"]),
    ("POST", "/calls/originate", ["agent", "phone_number", "dialer", "halt"]),
    ("GET", "/campaigns/{id}/events", ["campaign"]),
    ("POST", "/campaigns/{id}/events/token", ["campaign"]),
    ("GET", "/suppressions/export", ["suppression"]),
    ("POST", "/suppressions/import", ["suppression"]),
    ("GET", "/halt", ["halt"]),
    ("POST", "/halt", ["halt"]),
    ("DELETE", "/halt", ["halt"]),
]
"""The routes that the table of the resources lacks, and the tables that each reads or writes."""


@pytest.mark.parametrize(
    ("route", "status", "code", "message"),
    [
        (("GET", "/api/v1/nothing"), 404, "not_found", "/api/v1/nothing is not a path of this service."),
        (
            ("GET", "/api/v1/campaigns/"),
            404,
            "not_found",
            "/api/v1/campaigns/ is not a path of this service.",
        ),
        (("GET", "//api/v1/campaigns"), 404, "not_found", None),
        (("PUT", "/api/v1/campaigns"), 405, "method_not_allowed", None),
        (
            ("GET", "/api/v1/campaigns"),
            401,
            "unauthorized",
            "This needs the header Authorization: Bearer <key>.",
        ),
    ],
)
def test_each_error_has_both_forms(
    site: Site, route: tuple[str, str], status: int, code: str, message: str | None
) -> None:
    method, path = route
    client: FlaskClient = site.client()
    plain = client.open(path, method=method)
    assert (plain.status_code, plain.content_type) == (status, "text/plain; charset=utf-8")
    assert message is None or plain.text == message
    problem = client.open(path, method=method, headers={"Accept": f"{PROBLEM}, text/plain;q=0.5"})
    assert (problem.status_code, problem.content_type) == (status, PROBLEM)
    assert problem.json is not None
    assert problem.json == {
        "type": "about:blank",
        "title": problem.json["title"],
        "status": status,
        "detail": plain.text,
        "code": code,
        "request_id": problem.headers["X-Request-Id"],
    }


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json;q=0", "text/html", "text/plain", f"{PROBLEM};q=0", "x"]
)
def test_plain_text_is_the_default(site: Site, accept: str) -> None:
    response = site.client().get("/api/v1/campaigns", headers={"Accept": accept})
    assert response.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/plain, application/json;q=0.9", "text/plain; charset=utf-8"),
        (f"application/json, {PROBLEM}", PROBLEM),
    ],
)
def test_who_asks_for_json_by_name_gets_the_problem(site: Site, accept: str, content_type: str) -> None:
    response = site.client().get("/api/v1/campaigns", headers={"Accept": accept})
    assert response.content_type == content_type
    if "json" in content_type:
        assert response.json is not None
        assert (response.json["status"], response.json["code"]) == (401, "unauthorized")


def test_a_wrong_method_says_which_are_right(site: Site) -> None:
    response = site.client().put("/api/v1/campaigns")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    assert response.text == "PUT is not allowed here; allowed are GET, HEAD, OPTIONS, POST."


@pytest.mark.parametrize(("method", "path", "tables"), some(FAILING))
def test_a_failed_query_is_500_database_error(site: Site, method: str, path: str, tables: list[str]) -> None:
    campaign_id = site.create(2)
    (contact,) = site.sql("SELECT id::text FROM contact WHERE campaign_id = %s AND position = 1", campaign_id)
    bodies: dict[str, dict[str, Any]] = {
        "/campaigns/{id}": {"weight": 2},
        "/campaigns/{id}/contacts/{contact}": {"status": "cancelled"},
        "/campaigns/{id}/contacts": {"contacts": [{"phone_number": "+14155550001"}]},
        "/campaigns/{id}/retry": {"dispositions": ["busy"]},
        "/campaigns/{id}/test-call": {"to_number": "+14155550001"},
        "/calls/originate": {
            "agent_id": site.agent_id,
            "from_number": "+14155550100",
            "to_number": "+14155550001",
        },
    }
    site.sql("UPDATE tenant SET test_numbers = '[\"+14155550001\"]'")
    for table in tables:
        site.sql(f"ALTER TABLE {table} RENAME TO away")
        given: dict[str, Any] = {}
        if (method, path) in (("POST", "/campaigns"), ("POST", "/campaigns/preview")):
            given["data"] = site.form("phone_number\n+14155550001\nbad\n")
        if path == "/suppressions/import":
            given["data"] = {"source": "s", "entries": (io.BytesIO(b"phone_number\n+14155550001\n"), "l.csv")}
        if method in ("PATCH", "POST") and path in bodies:
            given["json"] = bodies[path]
        response = site.request(method, path.format(id=campaign_id, contact=contact["id"]), **given)
        assert (response.status_code, response.text) == (500, "Database error"), table
        site.sql(f"ALTER TABLE away RENAME TO {table}")
    assert site.get(f"/campaigns/{campaign_id}").json["status"] == "draft"


def test_no_route_is_without_a_test_of_its_failed_queries(site: Site) -> None:
    ids = create_one_of_each(site)
    tested = [(route.method, with_ids(route, ids)[0]) for route in ROUTES if route.tables]
    tested += [(method, path.format(id="x", contact="y").partition("?")[0]) for method, path, _ in FAILING]
    urls = site.app.url_map.bind("")
    rules = {urls.match(f"/api/v1{path}", method, return_rule=True)[0].endpoint for method, path in tested}
    every = {rule.endpoint for rule in site.app.url_map.iter_rules() if rule.rule.startswith("/api/v1/")} - {
        "api-docs.openapi_json",
        # The packs are data of the release.
        "policy-packs.list_policy_packs",
    }
    assert rules == every


def test_a_failed_query_has_a_code_of_its_own(site: Site) -> None:
    site.sql("ALTER TABLE campaign RENAME TO away")
    response = site.get("/campaigns", headers={"Accept": PROBLEM})
    assert (response.json["code"], response.json["detail"]) == ("database_error", "Database error")


def test_a_bug_of_ours_says_nothing_but_that(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError(f"SELECT secret FROM {ROOT}")

    monkeypatch.setattr("api.routes.campaigns.queries.campaigns", broken)
    response = site.get("/campaigns")
    assert (response.status_code, response.text) == (500, "Internal error")


@pytest.mark.parametrize(
    "path",
    ["/campaigns?limit=" + "9" * 5000, "/campaigns?offset=-1", "/campaigns?page=x", "/campaigns?%00=1",
     "/campaigns?limit=1&limit=2", "/campaigns/%ff", "/campaigns/..%2f..%2fetc", "/campaigns?x=" + "%F0%9F" * 3],
)  # fmt: skip
def test_hostile_paths_and_queries_are_refused_politely(site: Site, path: str) -> None:
    response = site.get(path)
    assert response.status_code in (400, 404)
    assert len(response.text) < 300
    assert response.text.isprintable()
    assert not SECRETS.search(response.text)


def test_a_body_past_the_ordinary_limit_is_413(site: Site) -> None:
    response = site.post("/halt", data=b"x" * 300_000, content_type="application/json")
    assert (response.status_code, response.text) == (413, "The request is larger than this route allows.")
