"""What holds on every route of the platform's and tenants' resources, walked by one table."""

from __future__ import annotations

import re
from typing import Any

import pytest
from peewee import OperationalError

from api import auth
from models import db
from tests.integration.api.resource_routes import (
    NOBODY,
    ROUTES,
    Route,
    create_one_of_each,
    of_a_tenant,
    with_ids,
)
from tests.integration.api.site import ROLES, Site

PROBLEM = "application/problem+json"
SENTENCE = re.compile(r"[^\n]{5,300}\.|[A-Za-z ]+ not found")
WITH_BODY = [route for route in ROUTES if route.body is not None]
WITHOUT_BODY = [route for route in ROUTES if route.body is None]
WHOLE = ("/call-limits", "/defaults", "/test-numbers", "/policy-packs", "/reports/", "/usage", "/dialers")
"""What is not asked for by page, or has nobody in it here."""
LISTS = [
    route for route in ROUTES if route.method == "GET" and not route.what and not route.path.startswith(WHOLE)
]
NAMED = [route for route in ROUTES if route.what]


def ask(site: Site, route: Route, ids: dict[str, str], **options: Any) -> Any:
    path, body = with_ids(route, ids)
    options = {"role": route.role} | options
    if body is not None and not options.keys() & {"json", "data"}:
        options["json"] = body
    path += options.pop("query", "")
    return site.request(route.method, path, **options)


def refusal(site: Site, route: Route, ids: dict[str, str], status: int, **options: Any) -> str:
    """The sentence with which a request is refused, the same in both forms."""
    plain = ask(site, route, ids, **options)
    assert (plain.status_code, plain.content_type) == (status, "text/plain; charset=utf-8"), route.name
    assert SENTENCE.fullmatch(plain.text), (route.name, plain.text)
    headers = options.pop("headers", {}) | {"Accept": PROBLEM}
    problem = ask(site, route, ids, headers=headers, **options)
    assert (problem.status_code, problem.content_type) == (status, PROBLEM)
    assert (problem.json["status"], problem.json["detail"]) == (status, plain.text)
    text: str = plain.text
    return text


def test_a_good_request_is_answered(site: Site) -> None:
    for route in ROUTES:
        response = ask(site, route, create_one_of_each(site))
        assert response.status_code == route.status, (route.name, response.text)
        if route.status != 204:
            assert response.content_type == "application/json", route.name
        else:
            assert not response.data, route.name


def test_without_a_key_it_is_401(site: Site) -> None:
    ids = create_one_of_each(site)
    for route in ROUTES:
        text = refusal(site, route, ids, 401, headers={"Authorization": ""})
        assert text == "This needs the header Authorization: Bearer <key>."


def test_a_lesser_role_is_403(site: Site) -> None:
    ids = create_one_of_each(site)
    for route in ROUTES:
        for role in ROLES[: ROLES.index(route.role)]:
            text = refusal(site, route, ids, 403, role=role)
            assert text == f"The key's role is {role}; this needs {route.role}.", route.name


def test_what_is_another_tenants_is_404(site: Site) -> None:
    ids = create_one_of_each(site)
    found = [route for route in ROUTES if of_a_tenant(route)]
    assert len(found) == 11
    for route in found:
        assert refusal(site, route, ids, 404, tenant="other") == f"{route.what} not found"
        acting = {"X-Tenant": "other"}
        assert ask(site, route, ids, role="platform", headers=acting).status_code == 404, route.name
    for route in found:
        assert ask(site, route, create_one_of_each(site)).status_code == route.status, route.name


@pytest.mark.parametrize("name", [NOBODY, NOBODY.upper(), "x", "%00", "a'b", "%ff", "1" * 300])
def test_what_is_not_there_is_404(site: Site, name: str) -> None:
    ids = create_one_of_each(site)
    for route in NAMED:
        parts = route.path.split("/")
        at = next((place for place, part in enumerate(parts) if part.startswith("{")), 2)
        path = "/".join([*parts[:at], name, *parts[at + 1 :]])
        _, body = with_ids(route, ids)
        response = site.request(route.method, path, role=route.role, json=body)
        assert (response.status_code, response.text) == (404, f"{route.what} not found"), route.name


def test_an_unknown_query_parameter_is_400(site: Site) -> None:
    ids = create_one_of_each(site)
    for route in ROUTES:
        text = refusal(site, route, ids, 400, query="?colour=red")
        assert re.match(r"'?colour'? is not known here", text), (route.name, text)


def test_a_list_is_asked_for_by_page(site: Site) -> None:
    ids = create_one_of_each(site)
    refused = {
        "?limit=0": "limit is 0; it must be a whole number from 1 to 1000.",
        "?limit=1001": "limit is 1001; it must be a whole number from 1 to 1000.",
        "?limit=x": "limit is 'x'; it must be a whole number.",
        f"?limit={'0' * 40}": "limit is 0; it must be a whole number from 1 to 1000.",
        f"?limit={'0' * 23}5000": "limit is 5000; it must be a whole number from 1 to 1000.",
        f"?limit={'9' * 5000}": f"limit is {'9' * 59}…; it must be a whole number from 1 to 1000.",
        "?offset=-1": "offset is -1; it must be a whole number from 0 to 1000000000.",
    }
    for route in LISTS:
        for query, text in refused.items():
            assert refusal(site, route, ids, 400, query=query) == text
        body = ask(site, route, ids, query="?limit=1&offset=0").json
        name = route.path.strip("/").replace("-", "_")
        assert list(body) == [name, "total", "limit", "offset"]
        assert (len(body[name]), body["limit"], body["offset"]) == (1, 1, 0)
        assert ask(site, route, ids, query=f"?offset={body['total']}").json[name] == []
        assert ask(site, route, ids, query="?page=1").json["offset"] == 100
        assert ask(site, route, ids, query=f"?limit={'0' * 24}50").json["limit"] == 50


def test_an_unknown_key_is_400(site: Site) -> None:
    ids = create_one_of_each(site)
    for route in WITH_BODY:
        _, body = with_ids(route, ids)
        text = refusal(site, route, ids, 400, json=body | {"colour": "red"})
        assert text.startswith("colour is not known here; known are "), (route.name, text)


@pytest.mark.parametrize("wrong", ["[]", '"text"', "1", "null"])
def test_a_body_that_is_no_object_is_400(site: Site, wrong: str) -> None:
    ids = create_one_of_each(site)
    for route in WITH_BODY:
        text = refusal(site, route, ids, 400, data=wrong, content_type="application/json")
        assert text == "The body is not valid; it must be an object.", route.name


def test_each_field_of_a_wrong_type_is_named(site: Site) -> None:
    ids = create_one_of_each(site)
    for route in WITH_BODY:
        _, body = with_ids(route, ids)
        wrongs: tuple[object, ...] = ({"a": 1}, [[]], 1.5)
        for name in body:
            for wrong in wrongs:
                text = refusal(site, route, ids, 400, json=body | {name: wrong})
                assert re.match(rf"{name}(\.\w+)? is .+; it must be ", text), (route.name, text)


def test_a_body_that_is_not_json_is_refused(site: Site) -> None:
    ids = create_one_of_each(site)
    for route in WITH_BODY:
        text = refusal(site, route, ids, 400, data=b"{", content_type="application/json")
        assert text == "The body is not JSON."
        text = refusal(site, route, ids, 415, data=b"name=x", content_type="text/csv")
        assert text == "The content type is text/csv; it must be application/json."
        text = refusal(site, route, ids, 413, data=b" " * 300_000, content_type="application/json")
        assert text == "The request is larger than this route allows."


def test_a_body_where_none_is_wanted_is_400(site: Site) -> None:
    ids = create_one_of_each(site)
    for route in WITHOUT_BODY:
        text = refusal(site, route, ids, 400, json={"colour": "red"})
        assert text == "'colour' is not known here; this takes no body.", route.name


def test_a_patch_of_nothing_changes_nothing(site: Site) -> None:
    ids = create_one_of_each(site)
    for route in WITH_BODY:
        if route.method != "PATCH":
            continue
        path, _ = with_ids(route, ids)
        before = site.get(path, role=route.role).json
        nothings: tuple[dict[str, Any], ...] = ({"json": {}}, {})
        for nothing in nothings:
            response = site.request("PATCH", path, role=route.role, **nothing)
            assert (response.status_code, response.json) == (200, before), route.name


def test_a_failed_query_is_500(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    # Who asks is known from before, so that it is the route's own query that fails.
    monkeypatch.setattr(auth, "CACHE_SECONDS", 600.0)
    for role in ROLES:
        assert site.get("/agents", role=role).status_code == 200
    for route in ROUTES:
        ids = create_one_of_each(site)
        for table in route.tables:
            site.sql(f"ALTER TABLE {table} RENAME TO away")
            response = ask(site, route, ids)
            assert (response.status_code, response.text) == (500, "Database error"), (route.name, table)
            site.sql(f"ALTER TABLE away RENAME TO {table}")
        assert ask(site, route, ids).status_code == route.status, route.name


def test_a_creating_request_is_done_once(site: Site) -> None:
    for route in [route for route in ROUTES if route.creates]:
        ids = create_one_of_each(site)
        once = {"Idempotency-Key": route.name.replace(" ", "")}
        first, again = (ask(site, route, ids, headers=once) for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 201), route.name
        assert again.data == first.data
        assert again.headers["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first.headers
        _, body = with_ids(route, ids)
        changed = body | {"name": "Another"} if "name" in body else body | {"outbound_enabled": False}
        other = ask(site, route, ids, headers=once, json=changed)
        assert other.status_code == 409, route.name
        assert other.text.endswith(" was used for another request.")


def test_a_deletion_is_done_once(site: Site) -> None:
    for route in [route for route in ROUTES if route.method == "DELETE" and "{key}" not in route.path]:
        ids = create_one_of_each(site)
        once = {"Idempotency-Key": route.path.replace("/", "")}
        first, again, other = (ask(site, route, ids, headers=headers) for headers in (once, once, {}))
        assert (first.status_code, again.status_code, other.status_code) == (204, 204, 404), route.name
        assert again.headers["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first.headers


def test_an_unreachable_database_is_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = create_one_of_each(site)

    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("connection refused")

    with monkeypatch.context() as patched:
        patched.setattr(db.obj, "connect", refuse)
        for route in ROUTES:
            response = ask(site, route, ids)
            assert (response.status_code, response.text) == (503, "Database unavailable"), route.name
            assert int(response.headers["Retry-After"]) >= 1
    assert all(ask(site, route, create_one_of_each(site)).status_code == route.status for route in ROUTES)
