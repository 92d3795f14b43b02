"""Idempotency-Key: a creating request that is sent again gets the first answer."""

from __future__ import annotations

import uuid
from typing import Any

import gevent
import gevent.event
import orjson
import pytest

from api import idempotency, times
from api.errors import PROBLEM
from campaigns import store
from live.tokens import StreamTokens
from tests.integration.api.site import PEPPER, TENANT, Site, SomebodyLives, csv_of
from tests.waiting import HANG_SECONDS


def create(site: Site, key: str, contacts: int = 2, **changes: Any) -> Any:
    return site.post(
        "/campaigns", data=site.form(csv_of(contacts), **changes), headers={"Idempotency-Key": key}
    )


def campaigns(site: Site) -> int:
    count: int = site.sql("SELECT count(*) AS n FROM campaign")[0]["n"]
    return count


def test_the_same_request_gets_the_first_answer_again(site: Site) -> None:
    first = create(site, "k1")
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    site.post(f"/campaigns/{first.json['id']}/start")
    again = create(site, "k1")
    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert campaigns(site) == 1
    assert site.bus.topics() == ["wake", "wake"]


@pytest.mark.parametrize("changes", [{"contacts": 3}, {"name": "Other"}, {"retries_per_contact": 1}])
def test_the_same_key_with_another_body_is_409(site: Site, changes: dict[str, Any]) -> None:
    create(site, "k1")
    response = create(site, "k1", **changes)
    assert response.status_code == 409
    assert response.text == "Idempotency-Key 'k1' was used for another request."
    assert campaigns(site) == 1


def test_json_bodies_are_told_apart_by_their_bytes(site: Site) -> None:
    body = site.fields() | {"contacts": [{"phone_number": "+14155550001"}]}
    headers = {"Idempotency-Key": "k1"}
    first = site.post("/campaigns", json=body, headers=headers)
    assert site.post("/campaigns", json=body, headers=headers).data == first.data
    other = site.post("/campaigns", json=body | {"name": "Other"}, headers=headers)
    assert other.status_code == 409


def test_keys_belong_to_their_tenant(site: Site) -> None:
    create(site, "k1")
    site.sql("UPDATE agent SET tenant_id = 'other'")
    site.sql("UPDATE phone_number SET tenant_id = 'other'")
    response = site.post(
        "/campaigns", data=site.form(csv_of(2)), headers={"Idempotency-Key": "k1"}, tenant="other"
    )
    assert response.status_code == 201
    assert "Idempotent-Replayed" not in response.headers


def test_a_refused_request_leaves_the_key_unused(site: Site) -> None:
    assert create(site, "k1", max_concurrent_calls=0).status_code == 400
    assert create(site, "k1", agent_id="nobody").status_code == 400
    assert create(site, "k1").status_code == 201


def test_a_replay_is_given_though_its_time_has_come(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first = create(site, "k1", scheduled_at="2099-01-01T00:00:00Z")
    monkeypatch.setattr(times, "utcnow", lambda: times.from_rfc3339("2100-01-01T00:00:00Z"))
    assert create(site, "k1", scheduled_at="2099-01-01T00:00:00Z").data == first.data


def test_a_key_is_forgotten_after_a_day(site: Site) -> None:
    create(site, "k1")
    create(site, "k2")
    site.sql("UPDATE idempotency SET created_at = now() - interval '24 hours 1 second'")
    again = create(site, "k1", contacts=3)
    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again.headers
    assert [row["key"] for row in site.sql("SELECT key FROM idempotency")] == ["k1"]


@pytest.mark.parametrize("key", ["", " ", "a b", "\x7f", "é", "x" * 256])
def test_a_malformed_key_is_400(site: Site, key: str) -> None:
    response = create(site, key)
    assert response.status_code == 400
    assert response.text.startswith("Idempotency-Key is ")
    assert campaigns(site) == 0


def test_a_concurrent_duplicate_waits_for_the_first_without_a_connection(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    working, finish = gevent.event.Event(), gevent.event.Event()
    real = store.create

    def slow(*given: Any) -> uuid.UUID:
        working.set()
        finish.wait()
        return real(*given)

    monkeypatch.setattr(store, "create", slow)
    first = gevent.spawn(create, site, "k1")
    working.wait(timeout=HANG_SECONDS)
    others = [gevent.spawn(create, site, "k1") for _ in range(20)]
    gevent.sleep(0.3)
    assert site.get("/campaigns").status_code == 200
    finish.set()
    gevent.joinall([first, *others], raise_error=True)
    assert first.get().status_code == 201
    assert {other.get().data for other in others} == {first.get().data}
    assert campaigns(site) == 1


def test_a_duplicate_of_one_that_takes_too_long_is_409(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.3)
    working, finish = gevent.event.Event(), gevent.event.Event()
    real = store.create

    def slow(*given: Any) -> uuid.UUID:
        working.set()
        finish.wait()
        return real(*given)

    monkeypatch.setattr(store, "create", slow)
    first = gevent.spawn(create, site, "k1")
    working.wait(timeout=HANG_SECONDS)
    response = create(site, "k1")
    assert (response.status_code, response.text) == (
        409,
        "The first request with Idempotency-Key 'k1' is still at work.",
    )
    finish.set()
    assert first.get().status_code == 201


def test_a_stream_token_is_made_once_for_a_key_and_never_stored(site: Site) -> None:
    campaigns = [site.create(1, name=name) for name in ("First", "Second")]
    first, second = (f"/campaigns/{campaign}/events/token" for campaign in campaigns)
    headers = {"Idempotency-Key": "k1"}
    token = site.post(first, headers=headers)
    assert token.status_code == 201
    assert "Idempotent-Replayed" not in token.headers
    kept = site.sql("SELECT body FROM idempotency WHERE key = 'k1'")
    assert token.json["token"] not in str(kept)
    # As if it had been made 100 s ago.
    aged = int(orjson.loads(kept[0]["body"])["issued_at"]) - 100
    site.sql(f"UPDATE idempotency SET body = '{{\"issued_at\":{aged}}}' WHERE key = 'k1'")
    replay, again = site.post(first, headers=headers), site.post(first, headers=headers)
    assert (replay.status_code, replay.headers["Idempotent-Replayed"]) == (201, "true")
    assert replay.data == again.data
    assert replay.json["token"] != token.json["token"]
    assert replay.json["expires_at"] < token.json["expires_at"]
    assert StreamTokens(PEPPER).admission(replay.json["token"], campaigns[0]).tenant_id == TENANT
    assert site.post(second, headers=headers).status_code == 409


@pytest.mark.parametrize(
    ("action", "state", "query"),
    [
        ("start", "draft", ""),
        ("pause", "running", ""),
        ("resume", "paused", ""),
        ("stop", "running", ""),
        ("stop", "running", "?hangup=true"),
    ],
)
def test_an_action_under_a_key_gets_its_first_answer_again(
    site: Site, action: str, state: str, query: str
) -> None:
    path = f"/campaigns/{site.in_state(state)}"
    once = {"headers": {"Idempotency-Key": "k1"}}
    first, again = (site.post(f"{path}/{action}{query}", **once) for _ in range(2))
    assert (first.status_code, again.status_code, again.json) == (200, 200, first.json)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert ("still_up" in first.json) is bool(query)
    if action == "stop":
        other = site.post(f"{path}/stop?hangup={'false' if query else 'true'}", **once)
    else:
        other = site.post(f"/campaigns/{site.in_state(state)}/{action}", **once)
    assert (other.status_code, other.text) == (409, "Idempotency-Key 'k1' was used for another request.")


def test_a_refused_action_leaves_the_key_unused(site: Site) -> None:
    campaign_id = site.create()
    once = {"headers": {"Idempotency-Key": "k1"}}
    assert site.post(f"/campaigns/{campaign_id}/pause", **once).status_code == 409
    assert site.post(f"/campaigns/{campaign_id}/start").status_code == 200
    assert site.post(f"/campaigns/{campaign_id}/pause", **once).status_code == 200


def test_a_deletion_under_a_key_gets_its_first_answer_again(site: Site) -> None:
    path, once = f"/campaigns/{site.create()}", {"headers": {"Idempotency-Key": "k1"}}
    first, again = (site.delete(path, **once) for _ in range(2))
    assert [(answer.status_code, answer.data) for answer in (first, again)] == [(204, b"")] * 2
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert site.delete(path).status_code == 404


@pytest.mark.parametrize("keyed", [True, False], ids=["key", "no key"])
def test_a_pause_that_nobody_was_told_is_asked_again_until_it_holds(site: Site, keyed: bool) -> None:
    campaign_id = site.in_state("running")
    once = {"headers": {"Accept": PROBLEM} | ({"Idempotency-Key": "k1"} if keyed else {})}
    site.use(dialers=SomebodyLives(redis_is_away=True))
    for _ in range(2):
        answer = site.post(f"/campaigns/{campaign_id}/pause", **once)
        assert (answer.status_code, answer.json["code"]) == (503, "redis_unavailable")
    site.use(dialers=SomebodyLives())
    answer = site.post(f"/campaigns/{campaign_id}/pause", **once)
    if keyed:
        assert (answer.status_code, answer.json["status"]) == (200, "paused")
    else:
        assert (answer.status_code, answer.json["code"]) == (409, "already_paused")
    (generation,) = site.sql("SELECT generation FROM campaign WHERE id = %s", campaign_id)
    assert site.bus.messages[-1] == ("hold", {"campaign_id": campaign_id} | generation)
    assert site.bus.awaited == ["hold"]


@pytest.mark.parametrize("keyed", [True, False], ids=["key", "no key"])
def test_a_stop_that_nobody_was_told_is_asked_again_until_it_holds(site: Site, keyed: bool) -> None:
    campaign_id = site.in_state("running")
    once = {"headers": {"Idempotency-Key": "k1"} if keyed else {}}
    site.use(dialers=SomebodyLives(redis_is_away=True))
    for _ in range(2):
        assert site.post(f"/campaigns/{campaign_id}/stop", **once).status_code == 503
    site.use(dialers=SomebodyLives())
    assert site.post(f"/campaigns/{campaign_id}/stop", **once).status_code == 200
    assert site.bus.awaited == ["hold"]


def test_a_replayed_pause_holds_back_nothing_that_was_resumed_since(site: Site) -> None:
    campaign_id = site.in_state("running")
    once = {"headers": {"Idempotency-Key": "k1"}}
    assert site.post(f"/campaigns/{campaign_id}/pause", **once).status_code == 200
    assert site.post(f"/campaigns/{campaign_id}/resume").status_code == 200
    again = site.post(f"/campaigns/{campaign_id}/pause", **once)
    assert (again.status_code, again.json["status"]) == (200, "paused")
    assert site.bus.awaited == ["hold"]
    assert site.get(f"/campaigns/{campaign_id}").json["status"] == "running"


@pytest.mark.parametrize("action", ["start", "resume"])
def test_what_runs_already_is_said_so(site: Site, action: str) -> None:
    campaign_id = site.in_state("running")
    answer = site.post(f"/campaigns/{campaign_id}/{action}", headers={"Accept": PROBLEM})
    assert (answer.status_code, answer.json["code"]) == (409, "already_running")
