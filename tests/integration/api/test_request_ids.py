"""Every answer says which request it is to, and so do the log and the problem."""

from __future__ import annotations

import re

import pytest
import structlog

from tests.integration.api.site import Site

NEW = re.compile(r"[0-9a-f]{32}")
PROBLEM = {"Accept": "application/problem+json"}
PATHS = [
    "/healthz",
    "/readyz",
    "/docs",
    "/nothing",
    "/api/v1/campaigns",
    "/api/v1/openapi.json",
    "/freeswitch/cdr",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_clients_id_or_a_new_one(site: Site, path: str) -> None:
    for sent in ("a", "A.b_c-9", "x" * 64):
        assert site.client().get(path, headers={"X-Request-Id": sent}).headers.getlist("X-Request-Id") == [
            sent
        ]
    for wrong in ("", "x" * 65, "a b", "é", "a,b", "a\tb"):
        (given,) = site.client().get(path, headers={"X-Request-Id": wrong}).headers.getlist("X-Request-Id")
        assert NEW.fullmatch(given)
    first, second = (site.client().get(path).headers["X-Request-Id"] for _ in range(2))
    assert first != second


def test_a_problem_has_it(site: Site) -> None:
    answer = site.get("/campaigns/x", headers=PROBLEM | {"X-Request-Id": "r-1"})
    assert (answer.status_code, answer.json["request_id"]) == (404, "r-1")
    answer = site.get("/campaigns/x", headers=PROBLEM)
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_what_is_logged_of_a_request_has_it_and_no_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("api.routes.campaigns.queries.campaigns", broken)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        for sent in ("r-1", "r-2"):
            assert site.get("/campaigns", headers={"X-Request-Id": sent}).status_code == 500
    told = [(line["event"], line["request_id"]) for line in lines if line["event"] == "internal_error"]
    assert told == [("internal_error", "r-1"), ("internal_error", "r-2")]
