"""Who is let in to a stream, what is refused, and what the document says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from redis import Redis

from live.admission import Admission
from live.hub import Hub
from live.publisher import Publisher
from live.stream_events import StreamEvent
from live.tokens import StreamTokens
from tests.integration.live.conftest import PREFIX
from tests.integration.live.stream_server import KEY, OTHER_KEY, Campaigns, StreamServer, make_app

URL = "/api/v1/campaigns/c1/events"
MINE = {"Authorization": f"Bearer {KEY}"}
OTHERS = {"Authorization": f"Bearer {OTHER_KEY}"}


@pytest.fixture
def app(client: Redis) -> Iterator[Flask]:
    campaigns = Campaigns()
    campaigns.status.update(c1="running", c2="running")
    hub = Hub(client, PREFIX, campaigns.snapshot)
    yield make_app(hub, campaigns)
    hub.stop()


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    return app.test_client()


def status(http: FlaskClient, url: str, **options: Any) -> int:
    """The status alone: the body of a stream never ends."""
    with http.get(url, buffered=False, **options) as response:
        return int(response.status_code)


def test_only_a_key_of_the_tenant_opens_the_stream(http: FlaskClient) -> None:
    assert status(http, URL, headers=MINE) == 200
    assert status(http, URL) == 401
    assert status(http, URL, headers={"Authorization": "Bearer sk_wrong"}) == 401
    assert status(http, URL, headers=OTHERS) == 404
    assert status(http, "/api/v1/campaigns/nowhere/events", headers=MINE) == 404


def test_a_key_is_never_taken_from_the_query(http: FlaskClient) -> None:
    assert status(http, f"{URL}?token={KEY}") == 401
    for name in ("key", "api_key", "access_token", "authorization"):
        response = http.get(f"{URL}?{name}={KEY}", headers=MINE)
        assert response.status_code == 400
        assert name in response.text
        assert KEY not in response.text


def test_a_channel_cannot_be_named(http: FlaskClient) -> None:
    response = http.get(f"{URL}?channel=c2", headers=MINE)
    assert response.status_code == 400
    assert "channel" in response.text


def test_a_token_opens_one_stream_of_one_tenant(http: FlaskClient) -> None:
    made = http.post(f"{URL}/token", headers=MINE)
    assert made.status_code == 201
    assert made.json is not None
    token = made.json["token"]
    assert KEY not in token
    with http.get(f"{URL}?token={token}", buffered=False) as response:
        assert response.status_code == 200
        assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert status(http, f"/api/v1/campaigns/c2/events?token={token}") == 401
    assert status(http, f"{URL}?token={token}x") == 401
    assert status(http, f"{URL}?token=") == 401
    assert status(http, f"{URL}?token={token}&token={token}") == 400
    with http.get(URL, headers=MINE, buffered=False) as response:
        assert "Access-Control-Allow-Origin" not in response.headers


def test_a_token_is_made_only_for_who_may_listen(http: FlaskClient) -> None:
    assert http.post(f"{URL}/token").status_code == 401
    assert http.post(f"{URL}/token", headers=OTHERS).status_code == 404
    refused = http.post(f"{URL}/token", headers=MINE, json={"minutes": 60})
    assert refused.status_code == 400
    assert "minutes" in refused.text
    assert http.post(f"{URL}/token?minutes=60", headers=MINE).status_code == 400
    assert http.post(f"{URL}/token", headers=MINE, json={}).status_code == 201


def test_a_token_whose_campaign_is_gone_opens_nothing(client: Redis) -> None:
    campaigns = Campaigns()
    campaigns.status["c1"] = "draft"
    signer = StreamTokens("secret")
    http = make_app(Hub(client, PREFIX, campaigns.snapshot), campaigns, signer=signer).test_client()
    token = signer.issue(Admission("demo", KEY), "c1")
    assert status(http, f"{URL}?token={token}") == 200
    assert status(http, f"{URL}?token={signer.issue(Admission('other', KEY), 'c1')}") == 404
    del campaigns.status["c1"]
    assert status(http, f"{URL}?token={token}") == 404


@pytest.mark.parametrize(
    "wrong", ["abc", "1", "1-", "-1", "1-2-3", "1-x", "٣-٤", f"{2**64}-0", "1 -2", "9" * 500]
)
def test_an_id_that_is_none_is_refused_by_name(http: FlaskClient, wrong: str) -> None:
    response = http.get(URL, headers=MINE, query_string={"last_event_id": wrong})
    assert response.status_code == 400
    assert response.text.startswith("Last-Event-ID ")
    assert wrong[:32] in response.text
    assert len(response.text) < 300


@pytest.mark.parametrize("right", ["", "0-0", "1767258000000-0", f"{2**64 - 1}-{2**64 - 1}"])
def test_an_id_that_could_be_one_is_taken(http: FlaskClient, right: str) -> None:
    assert status(http, URL, headers={**MINE, "Last-Event-ID": right}) == 200


def test_a_head_request_starts_no_stream(http: FlaskClient, client: Redis) -> None:
    response = http.head(URL, headers=MINE)
    assert response.status_code == 200
    assert response.mimetype == "text/event-stream"
    assert client.keys() == []


def test_no_request_context_is_kept_while_streaming(client: Redis) -> None:
    """The teardown, which gives a database connection back, has run before the first byte is asked for."""
    campaigns = Campaigns()
    campaigns.status["c1"] = "running"
    app = make_app(Hub(client, PREFIX, campaigns.snapshot), campaigns)
    torn_down: list[str] = []
    app.teardown_request(lambda _error: torn_down.append("request"))
    app.teardown_appcontext(lambda _error: torn_down.append("app"))
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": URL,
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "HTTP_AUTHORIZATION": f"Bearer {KEY}",
    }
    pieces = iter(app(environ, lambda *_: lambda _body: None))
    assert torn_down == ["request", "app"]
    assert next(pieces)


def test_publishing_through_many_publishers_shares_the_apps_connections(client: Redis) -> None:
    before = len(client.client_list())
    for n in range(20):
        Publisher(client, PREFIX).publish([StreamEvent("c", f"p{n}", 1, {})])
    assert len(client.client_list()) == before


def test_the_document_describes_both_routes(http: FlaskClient) -> None:
    document = http.get("/api/v1/openapi.json").json
    assert document is not None
    OpenAPIV31SpecValidator(document).validate()
    stream = document["paths"]["/api/v1/campaigns/{campaign_id}/events"]["get"]
    assert list(stream["responses"]["200"]["content"]) == ["text/event-stream"]
    named = {(p["in"], p["name"]) for p in stream["parameters"] if "in" in p}
    assert named == {
        ("header", "Last-Event-ID"),
        ("query", "last_event_id"),
        ("query", "token"),
        ("query", "close"),
    }
    assert {"400", "401", "404", "503"} <= set(stream["responses"])
    token = document["paths"]["/api/v1/campaigns/{campaign_id}/events/token"]["post"]
    assert "201" in token["responses"]


def test_a_browser_opens_the_stream_with_its_token_and_nothing_else(streams: StreamServer) -> None:
    streams.campaign()
    token = StreamTokens("secret").issue(Admission("demo", KEY), "c1")
    reader = streams.listen(query=f"?token={token}", key=None)
    reader.wait_for(None)
    streams.publish(streams.transition())
    assert reader.wait_for("contact")


def test_a_stream_is_closed_after_its_end_where_that_is_asked_for(client: Redis) -> None:
    campaigns = Campaigns()
    campaigns.status["c1"] = "completed"
    hub = Hub(client, PREFIX, campaigns.snapshot)
    http = make_app(hub, campaigns).test_client()
    for text in ("yes", "1", ""):
        response = http.get(f"{URL}?close={text}", headers=MINE)
        assert (response.status_code, response.text) == (400, f"close is {text!r}; it must be true or false.")
    body = http.get(f"{URL}?close=true", headers=MINE).text
    assert body.count("event: end") == 1
    assert "event: end" in body.strip().split("\n\n")[-2]
    hub.stop()
