"""The log of requests: a line each where it is asked for, and nothing of what a client wrote in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.integration.api.site import TENANT, SharedSites, Site, key


@pytest.fixture
def logging(sites: SharedSites, redis_url: str) -> Iterator[Site]:
    with sites.site(CARILLON_REQUEST_LOG="true") as found:
        yield found


def test_each_request_is_a_line(logging: Site) -> None:
    campaign_id = logging.create(1)
    with structlog.testing.capture_logs() as logged:
        assert logging.get(f"/campaigns/{campaign_id}?x=+14155550100").status_code == 400
        assert logging.get(f"/campaigns/{campaign_id}").status_code == 200
        assert logging.client().get("/nowhere/+14155550100/%1b[31m").status_code == 404
    lines = [
        {name: line[name] for name in ("event", "method", "route", "id", "status", "tenant")}
        for line in logged
    ]
    route = "/api/v1/campaigns/<campaign_id>"
    assert lines == [
        {
            "event": "request",
            "method": "GET",
            "route": route,
            "id": campaign_id,
            "status": status,
            "tenant": TENANT,
        }
        for status in (400, 200)
    ] + [{"event": "request", "method": "GET", "route": None, "id": None, "status": 404, "tenant": None}]
    assert all(line["milliseconds"] >= 0 for line in logged)
    for secret in ("14155550100", "\x1b", key("operate")):
        assert secret not in str(logged)


def test_none_is_where_it_is_not_asked_for(site: Site) -> None:
    with structlog.testing.capture_logs() as logged:
        assert site.get("/campaigns").status_code == 200
    assert not [line for line in logged if line["event"] == "request"]
