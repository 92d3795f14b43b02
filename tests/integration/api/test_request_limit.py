"""The API's rate limit: off by default, counted by Redis, and never in the way when Redis is not there."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import gevent.event
import pytest
from flask import Response

from api import request_limit
from api.json_rows import json_answer
from api.request_limit import LEASE_SECONDS
from tests.integration.api.site import TENANT, SharedSites, Site, lose_redis
from tests.waiting import wait_until

IN_FLIGHT = f"carillon:api_in_flight:{TENANT}"


@pytest.fixture
def limited(sites: SharedSites, redis_url: str) -> Iterator[Site]:
    with sites.site(CARILLON_API_RATE_LIMIT="true") as found:
        yield found


def test_nobody_is_limited_by_default(site: Site) -> None:
    assert site.services.request_limiter is None
    assert {site.get("/halt").status_code for _ in range(70)} == {200}


def full(site: Site, monkeypatch: pytest.MonkeyPatch, window: str) -> None:
    """Leave room for three requests in one window, and plenty in the others."""
    sizes = tuple((name, size, 3 if name == window else 1000) for name, size, _ in request_limit.WINDOWS)
    monkeypatch.setattr(request_limit, "WINDOWS", sizes)


@pytest.mark.parametrize(("window", "seconds"), [("minute", 60), ("hour", 3600), ("day", 86400)])
def test_each_window_is_counted_for_each_tenant(
    limited: Site, monkeypatch: pytest.MonkeyPatch, window: str, seconds: int
) -> None:
    full(limited, monkeypatch, window)
    # A window that turns while this runs starts anew; then the second round meets the limit.
    statuses = [limited.get("/halt").status_code for _ in range(8)]
    assert statuses.count(200) in (3, 6)
    refused = limited.get("/halt", headers={"Accept": "application/problem+json"})
    assert refused.status_code == 429
    assert refused.json["detail"] == f"rate_limited: per-{window} (3) exceeded"
    assert refused.json["code"] == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= seconds
    assert limited.get("/halt", tenant="other").status_code == 200


def test_the_usual_set_is_the_contracts() -> None:
    assert [(name, most) for name, _, most in request_limit.WINDOWS] == [
        ("minute", 60), ("hour", 1000), ("day", 10_000),
    ]  # fmt: skip
    assert request_limit.IN_FLIGHT == 20


def test_requests_in_flight_are_limited_until_they_end(
    limited: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_limit, "IN_FLIGHT", 2)
    release = gevent.event.Event()

    def slow(body: object) -> Response:
        release.wait()
        return json_answer(body)

    monkeypatch.setattr("api.routes.campaigns.json_answer", slow)
    slow_ones = [gevent.spawn(limited.get, "/campaigns") for _ in range(2)]
    wait_until(lambda: limited.services.redis.zcard(IN_FLIGHT) == 2, "two requests in flight")
    refused = limited.get("/halt")
    assert (refused.status_code, refused.text) == (429, "rate_limited: in-flight (2) exceeded")
    release.set()
    gevent.joinall(slow_ones, raise_error=True)
    assert [slow_one.get().status_code for slow_one in slow_ones] == [200, 200]
    assert limited.get("/halt").status_code == 200


def test_an_open_stream_is_not_in_flight(limited: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_limit, "IN_FLIGHT", 1)
    campaign_id = limited.create(1)
    stream = limited.get(f"/campaigns/{campaign_id}/events")
    assert stream.status_code == 200
    assert limited.get("/halt").status_code == 200
    stream.close()


def test_a_request_whose_process_died_is_forgotten(limited: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_limit, "IN_FLIGHT", 1)
    assert limited.services.request_limiter is not None
    redis = limited.services.redis
    before, _ = redis.time()
    request_id = limited.services.request_limiter.enter(TENANT)
    after, _ = redis.time()
    assert limited.get("/halt").status_code == 429
    assert redis.zcount(IN_FLIGHT, before + LEASE_SECONDS, after + LEASE_SECONDS) == 1
    assert request_id is not None
    redis.zadd(IN_FLIGHT, {request_id: after}, xx=True)
    assert limited.get("/halt").status_code == 200


def test_without_redis_nobody_is_limited(limited: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    full(limited, monkeypatch, "minute")
    lose_redis(limited)
    assert {limited.get("/halt").status_code for _ in range(10)} == {200}


PANIC = ("/halt", "/campaigns/{id}/pause", "/campaigns/{id}/stop", "/campaigns/{id}/stop?hangup=true")


@pytest.mark.parametrize("path", PANIC)
def test_what_stops_calls_is_never_refused_and_does_not_count(
    limited: Site, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    full(limited, monkeypatch, "hour")
    campaign_id = limited.in_state("running")
    for _ in range(8):
        assert limited.post(path.format(id=campaign_id)).status_code in (200, 409)
    # Two are left of the three: one created the campaign.
    assert [limited.get("/halt").status_code for _ in range(3)] == [200, 200, 429]
    assert limited.post(path.format(id=campaign_id)).status_code in (200, 409)


def test_what_stops_calls_waits_for_no_other_request(limited: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_limit, "IN_FLIGHT", 1)
    campaign_id = limited.in_state("running")
    assert limited.services.request_limiter is not None
    limited.services.request_limiter.enter("demo")
    assert limited.get("/halt").status_code == 429
    assert limited.delete("/halt").status_code == 429, "lifting a halt starts calls"
    for path in PANIC:
        assert limited.post(path.format(id=campaign_id)).status_code in (200, 409)


def test_the_document_says_who_is_never_refused(limited: Site) -> None:
    paths = limited.get("/openapi.json").json["paths"]
    free = {path for path, ways in paths.items() if "post" in ways and "429" not in ways["post"]["responses"]}
    assert {
        "/api/v1/halt",
        "/api/v1/campaigns/{campaign_id}/pause",
        "/api/v1/campaigns/{campaign_id}/stop",
    } <= free
    assert "429" in paths["/api/v1/halt"]["delete"]["responses"]
    assert "429" in paths["/api/v1/campaigns/{campaign_id}/start"]["post"]["responses"]
