"""Which pages in a browser may use the API, and what they may send and read: those of the setting, and no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.api.site import SharedSites, Site

BOARD = "https://board.example.com"
OTHER = "https://other.example.com"


@pytest.fixture
def open_to_board(sites: SharedSites, redis_url: str) -> Iterator[Site]:
    with sites.site(CARILLON_CORS_ORIGINS=f"{BOARD},http://localhost:5173") as found:
        yield found


@pytest.fixture
def open_to_all(sites: SharedSites, redis_url: str) -> Iterator[Site]:
    with sites.site(CARILLON_CORS_ORIGINS="*") as found:
        yield found


def test_a_page_of_the_setting_reads_answers_and_refusals(open_to_board: Site) -> None:
    for path in ("/campaigns", "/campaigns/none", "/nowhere"):
        response = open_to_board.get(path, headers={"Origin": BOARD})
        assert response.headers["Access-Control-Allow-Origin"] == BOARD
        assert "Origin" in response.headers["Vary"]
        assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in response.headers


def test_a_page_of_the_setting_reads_the_stream(open_to_board: Site) -> None:
    campaign_id = open_to_board.create(1)
    response = open_to_board.get(
        f"/campaigns/{campaign_id}/events", headers={"Origin": BOARD}, buffered=False
    )
    assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (200, BOARD)
    response.close()


def test_another_page_is_let_nothing(open_to_board: Site) -> None:
    for origin in (OTHER, f"{BOARD}.evil.example", "null", BOARD.upper()):
        response = open_to_board.get("/campaigns", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["Vary"] == "Origin"


def preflight(site: Site, origin: str) -> dict[str, str]:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    response = site.client().open("/api/v1/campaigns", method="OPTIONS", headers=headers)
    return {name.lower(): value for name, value in response.headers.items()} | {
        "status": str(response.status_code)
    }


def test_a_page_of_the_setting_may_send_what_the_api_takes_without_showing_a_key_first(
    open_to_board: Site,
) -> None:
    said = preflight(open_to_board, BOARD)
    assert (said["status"], said["access-control-allow-origin"]) == ("204", BOARD)
    for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
        assert method in said["access-control-allow-methods"]
    for header in ("Authorization", "Content-Type", "Idempotency-Key", "X-Tenant", "Last-Event-ID"):
        assert header in said["access-control-allow-headers"]


def test_a_page_of_anybody_where_the_setting_says_so(open_to_all: Site) -> None:
    assert preflight(open_to_all, OTHER)["access-control-allow-origin"] == "*"


def test_another_page_is_not_answered_before_it_sends(open_to_board: Site) -> None:
    assert "access-control-allow-origin" not in preflight(open_to_board, OTHER)


def test_without_the_setting_nothing_is_said_of_it(site: Site) -> None:
    response = site.get("/campaigns", headers={"Origin": BOARD})
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
