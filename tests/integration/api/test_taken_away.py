"""Whatever is taken from running campaigns is answered once no call leaves any more as before."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from campaigns import taken_away
from campaigns.taken_away import Held
from models import new_id
from tests.integration.api.site import TENANT, Site, SomebodyLives

CHANGES: list[tuple[str, Mapping[str, Any]]] = [
    ("/phone-numbers/{number}", {"outbound_enabled": False}),
    ("/phone-numbers/{number}", {"gateway_id": "{gateway}"}),
    (f"/tenants/{TENANT}", {"queues": []}),
    (f"/tenants/{TENANT}", {"gateway_ids": []}),
    (f"/tenants/{TENANT}", {"dialplan_context": None}),
    ("/gateways/{gateway}", {"prefixes": ["+49"]}),
    ("/gateways/{gateway}", {"failover": []}),
    ("/gateways/{gateway}", {"outbound_enabled": False}),
]
HARMLESS: list[tuple[str, Mapping[str, Any]]] = [
    ("/phone-numbers/{number}", {"outbound_enabled": True}),
    (f"/tenants/{TENANT}", {"name": "another"}),
    ("/gateways/{gateway}", {"cps": 3}),
    ("/gateways/{gateway}", {"outbound_enabled": True}),
]


def patched(site: Site, path: str, body: Mapping[str, Any]) -> None:
    response = answered(site, path, body)
    assert response.status_code == 200, response.text


def answered(site: Site, path: str, body: Mapping[str, Any]) -> Any:
    (row,) = site.sql(
        "SELECT id::text AS number, gateway_id::text AS gateway FROM phone_number WHERE tenant_id = %s",
        TENANT,
    )
    site.bus.messages.clear()
    site.bus.awaited.clear()
    filled = {name: value.format(**row) if isinstance(value, str) else value for name, value in body.items()}
    return site.request("PATCH", path.format(**row), json=filled, role="platform")


@pytest.mark.parametrize(("path", "body"), CHANGES)
def test_every_dialer_has_held_back_what_was_claimed_before(
    site: Site, path: str, body: Mapping[str, Any]
) -> None:
    running = {site.in_state("running") for _ in range(2)}
    draft, paused = site.create(), site.in_state("paused")
    before = {row["id"]: row["generation"] for row in site.sql("SELECT id::text, generation FROM campaign")}
    patched(site, path, body)
    after = {row["id"]: row["generation"] for row in site.sql("SELECT id::text, generation FROM campaign")}
    assert {name for name in after if after[name] == before[name] + 1} == running
    assert (after[draft], after[paused]) == (before[draft], before[paused])
    held = [
        (payload["campaign_id"], payload["generation"])
        for topic, payload in site.bus.messages
        if topic == "hold"
    ]
    assert sorted(held) == sorted((name, after[name]) for name in running)
    assert site.bus.awaited == ["hold", "hold"]


@pytest.mark.parametrize(("path", "body"), CHANGES)
def test_while_no_dialer_can_be_told_the_answer_says_that_calls_may_leave(
    site: Site, path: str, body: Mapping[str, Any]
) -> None:
    campaign_id = site.in_state("running")
    site.use(dialers=SomebodyLives(redis_is_away=True))
    response = answered(site, path, body)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert response.text == (
        "The change stands, but Redis is unavailable: calls may leave for up to 5 s. Calls in progress finish."
    )
    (row,) = site.sql("SELECT generation FROM campaign WHERE id = %s", campaign_id)
    site.use(dialers=SomebodyLives())
    patched(site, path, body)
    assert site.bus.awaited == ["hold"], "asked again it is answered once no call leaves"
    assert (
        site.sql("SELECT generation FROM campaign WHERE id = %s", campaign_id)[0]["generation"]
        > row["generation"]
    )


def test_a_narrower_window_that_nobody_can_be_told_stands_and_says_so(site: Site) -> None:
    campaign_id = site.in_state("running")
    site.use(dialers=SomebodyLives(redis_is_away=True))
    windows = [{"days": ["mon"], "from": "09:00", "to": "10:00"}]
    response = site.request(
        "PATCH", f"/campaigns/{campaign_id}", json={"windows": windows, "time_zone": "UTC"}
    )
    assert response.status_code == 503, response.text
    assert response.text.startswith("The change stands, but Redis is unavailable")
    assert site.get(f"/campaigns/{campaign_id}").json["windows"] == windows


@pytest.mark.parametrize(("path", "body"), HARMLESS)
def test_what_takes_nothing_away_holds_nothing_back(site: Site, path: str, body: Mapping[str, Any]) -> None:
    site.in_state("running")
    patched(site, path, body)
    assert site.bus.topics() == ["wake"]


def test_a_gateway_that_calls_fail_over_to_is_theirs_too(site: Site) -> None:
    campaign = site.in_state("running")
    other = str(new_id())
    site.sql(
        "INSERT INTO gateway (id, name, dial_string) VALUES (%s, 'other', 'sofia/gateway/o/{number}')", other
    )
    site.sql("UPDATE gateway SET failover = jsonb_build_array(%s::text) WHERE name <> 'other'", other)
    site.bus.messages.clear()
    assert (
        site.request("PATCH", f"/gateways/{other}", json={"prefixes": ["+49"]}, role="platform").status_code
        == 200
    )
    assert [payload["campaign_id"] for topic, payload in site.bus.messages if topic == "hold"] == [campaign]


def test_a_gateway_that_calls_are_bridged_by_is_theirs_too(site: Site) -> None:
    campaign = site.in_state("running")
    other = str(new_id())
    site.sql(
        "INSERT INTO gateway (id, name, dial_string) VALUES (%s, 'other', 'sofia/gateway/o/{number}')", other
    )
    site.sql("UPDATE tenant SET gateway_ids = jsonb_build_array(%s::text) WHERE id = %s", other, TENANT)
    site.bus.messages.clear()
    assert (
        site.request("PATCH", f"/gateways/{other}", json={"prefixes": ["+49"]}, role="platform").status_code
        == 200
    )
    assert [payload["campaign_id"] for topic, payload in site.bus.messages if topic == "hold"] == [campaign]


@pytest.mark.parametrize("body", [{"outbound_enabled": False}, {"prefixes": ["+49"]}])
def test_a_gateways_change_stands_before_it_is_asked_who_runs(
    site: Site, monkeypatch: pytest.MonkeyPatch, body: Mapping[str, Any]
) -> None:
    """A start that was under way waits for no gateway: its campaign would leave as before, and be held back by
    nobody."""
    campaign = site.in_state("running")
    asked = taken_away.from_gateway
    stood: list[object] = []
    (name,) = body

    def from_gateway(gateway_id: uuid.UUID) -> list[Held]:
        with psycopg.connect(site.database_url) as other:
            found = other.execute(
                "SELECT to_jsonb(gateway) FROM gateway WHERE id = %s", [gateway_id]
            ).fetchone()
        stood.append(found[0][name] if found else None)
        return asked(gateway_id)

    monkeypatch.setattr(taken_away, "from_gateway", from_gateway)
    patched(site, "/gateways/{gateway}", body)
    assert stood == [body[name]]
    assert [payload["campaign_id"] for topic, payload in site.bus.messages if topic == "hold"] == [campaign]
