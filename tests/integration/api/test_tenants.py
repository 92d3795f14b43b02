"""Tenants, their limits and their keys."""

from __future__ import annotations

import time
from typing import Any

import gevent
import pytest

from api import auth
from campaigns import number_waits
from tests.integration.api.resource_routes import NOBODY
from tests.integration.api.site import Site
from tests.judging import Judge
from tests.waiting import wait_until

LIMITS = {"concurrent_max": 10, "calls_per_minute": 600, "daily_calls_max": 0, "daily_minutes_max": None}
NUMBER_CAPS = {"number_calls_24h": None, "number_calls_7d": None, "number_calls_30d": None}
LIST_RULES = {"allowed_countries": None, "premium_allowed": False}
UNLIMITED = (
    dict.fromkeys(LIMITS) | {"number_gap_seconds": 0, "reserved_concurrency": 0} | NUMBER_CAPS | LIST_RULES
)
SHOWN = UNLIMITED | LIMITS


def ask(site: Site, method: str, path: str, **options: Any) -> Any:
    return site.request(method, path, **({"role": "platform"} | options))


def with_key(site: Site, secret: str, path: str = "/campaigns") -> int:
    response = site.client().get(f"/api/v1{path}", headers={"Authorization": f"Bearer {secret}"})
    return response.status_code


def test_a_new_tenant_has_no_limits_and_works_with_a_key_of_its_own(site: Site) -> None:
    assert ask(site, "POST", "/tenants", json={"id": "acme", "name": "Acme"}).status_code == 201
    acting = {"headers": {"X-Tenant": "acme"}}
    assert ask(site, "GET", "/call-limits", **acting).json == UNLIMITED
    assert site.sql("SELECT 1 AS one FROM call_limits WHERE tenant_id = 'acme'") == [{"one": 1}]
    made = ask(site, "POST", "/api-keys", json={"name": "first", "role": "admin"}, **acting).json
    assert made["key"].startswith("sk_acme_")
    assert with_key(site, made["key"], "/agents") == 200
    assert with_key(site, made["key"], "/tenants") == 403


REFUSED: list[tuple[dict[str, Any], str | None]] = [
    ({"id": "Acme"}, "id is 'Acme'; it must be of a-z 0-9 and -, and begin with a letter or a digit."),
    ({"id": "a_b"}, None),
    ({"id": "-a"}, None),
    ({"id": "a\n"}, None),
    ({"id": "x" * 33}, "id is '" + "x" * 33 + "'; it must have 1 to 32 characters."),
    ({"name": ""}, "name is ''; it must have 1 to 200 characters."),
    ({"dialplan_context": "a b"}, "dialplan_context is 'a b'; it must be of 0-9 A-Z a-z _ . -."),
    ({"dialplan_context": ""}, None),
    ({"gateway_ids": [NOBODY]}, f"gateway_ids.0 is '{NOBODY}'; it must be the id of a gateway."),
    ({"gateway_ids": "x"}, "gateway_ids is 'x'; it must be a list."),
    ({"gateway_ids": None}, "gateway_ids is null; it must not be null."),
    ({"queues": ["a", "a"]}, "queues is ['a', 'a']; it must name each only once."),
    ({"weight": 0}, "weight is 0; it must be a whole number from 1 to 100."),
    ({"weight": 101}, "weight is 101; it must be a whole number from 1 to 100."),
    ({"weight": "2"}, "weight is '2'; it must be a whole number."),
    ({"retention_days": 1}, "retention_days is 1; it must be a whole number from 2 to 36500."),
    ({"retention_days": 0}, "retention_days is 0; it must be a whole number from 2 to 36500."),
    ({"retention_days": "30"}, "retention_days is '30'; it must be a whole number."),
    ({"queues": ["a b"]}, "queues.0 is 'a b'; it must be of 0-9 A-Z a-z _ . @ -."),
    ({"queues": [f"q{n}" for n in range(101)]}, None),
]


def test_a_field_that_breaks_its_rule_is_named(site: Site) -> None:
    for changes, text in REFUSED:
        response = ask(site, "POST", "/tenants", json={"id": "acme", "name": "Acme"} | changes)
        assert response.status_code == 400, changes
        assert text is None or response.text == text
        assert response.text.startswith(next(iter(changes)))
        if "id" not in changes:
            assert ask(site, "PATCH", "/tenants/demo", json=changes).text == response.text
        assert ask(site, "GET", "/tenants").json["total"] == 2


def test_an_id_cannot_be_changed_or_used_again(site: Site) -> None:
    assert ask(site, "PATCH", "/tenants/other", json={"id": "new"}).status_code == 400
    assert ask(site, "DELETE", "/tenants/other").status_code == 204
    response = ask(site, "POST", "/tenants", json={"id": "other", "name": "Other"})
    assert (response.status_code, response.text) == (
        409,
        "The tenant 'other' exists, or did: an id is not used again.",
    )


def test_a_deleted_tenant_lets_go_of_its_numbers_and_its_keys_stop_working(site: Site) -> None:
    number = {"e164": "+14155550123", "gateway_id": _gateway(site)}
    acting = {"headers": {"X-Tenant": "other"}}
    assert ask(site, "POST", "/phone-numbers", json=number, **acting).status_code == 201
    assert site.get("/campaigns", role="read", tenant="other").status_code == 200
    assert ask(site, "DELETE", "/tenants/other").status_code == 204
    wait_until(
        lambda: site.get("/campaigns", role="read", tenant="other").status_code == 401,
        "the key refused",
    )
    wait_until(lambda: ask(site, "GET", "/agents", **acting).status_code == 404, "the tenant gone")
    assert ask(site, "GET", "/tenants/other").status_code == 404
    assert [tenant["id"] for tenant in ask(site, "GET", "/tenants").json["tenants"]] == ["demo"]
    assert ask(site, "POST", "/phone-numbers", json=number).status_code == 201


@pytest.mark.parametrize("state", ["draft", "scheduled", "running", "paused", "completed", "failed"])
def test_a_tenant_with_an_unfinished_campaign_is_not_deleted(site: Site, state: str) -> None:
    campaign_id = site.in_state(state)
    response = ask(site, "DELETE", "/tenants/demo", tenant="other")
    if state in ("completed", "failed"):
        assert response.status_code == 204
    else:
        assert response.status_code == 409
        assert response.text == (
            f"Tenant has campaign 'Reminders' ({campaign_id}, {state}); it cannot be deleted."
        )
        assert site.get(f"/agents/{site.agent_id}").status_code == 200


def test_the_operator_cannot_saw_off_the_branch_it_sits_on(site: Site) -> None:
    response = ask(site, "DELETE", "/tenants/demo")
    assert (response.status_code, response.text) == (
        409,
        "The key in use is this tenant's; it cannot be deleted with it.",
    )
    assert site.get("/campaigns").status_code == 200


def test_limits_are_replaced_as_a_whole_and_the_dialers_told(site: Site) -> None:
    acting = {"headers": {"X-Tenant": "other"}}
    assert ask(site, "PUT", "/call-limits", json=LIMITS, **acting).json == SHOWN
    assert site.bus.topics() == ["wake"]
    assert site.get("/call-limits", role="read", tenant="other").json == SHOWN
    assert site.get("/call-limits", role="read").json == UNLIMITED
    assert ask(site, "PUT", "/call-limits", json=UNLIMITED, **acting).json == UNLIMITED
    assert site.get("/call-limits", role="read", tenant="other").json == UNLIMITED


def test_who_waits_for_a_cap_on_its_number_is_judged_anew_when_caps_change(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_waits, "SLICE", 2)
    campaign_id = site.in_state("running", contacts=5)
    site.sql(
        "UPDATE contact SET next_attempt_at = now() + interval '9 h',"
        " wait_reason = CASE WHEN position < 4 THEN 'number_cap' END WHERE campaign_id = %s",
        campaign_id,
    )
    site.bus.messages.clear()
    assert ask(site, "PUT", "/call-limits", json=LIMITS).status_code == 200
    due = site.sql(
        "SELECT position, wait_reason FROM contact WHERE next_attempt_at <= now() ORDER BY position"
    )
    assert [row["wait_reason"] for row in due] == [None] * len(due)
    waiting = site.sql("SELECT position FROM contact WHERE next_attempt_at > now()")
    assert (len(due) + len(waiting), min(row["position"] for row in waiting)) == (5, 4)
    assert site.bus.topics() == ["wake", "wake"], "the second for those who are due now"


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_is_required_and_a_whole_number(site: Site, name: str) -> None:
    without = {other: value for other, value in LIMITS.items() if other != name}
    response = ask(site, "PUT", "/call-limits", json=without)
    assert (response.status_code, response.text) == (400, f"{name} is required.")
    for wrong, shown in ((-1, "-1"), (2**31, "2147483648"), (10**30, str(10**30))):
        response = ask(site, "PUT", "/call-limits", json=LIMITS | {name: wrong})
        assert response.status_code == 400
        assert response.text.startswith(f"{name} is {shown}; it must be a whole number")
    assert site.get("/call-limits").json == UNLIMITED


def test_a_tenant_whose_limits_were_never_set_gets_them(site: Site) -> None:
    site.sql("DELETE FROM call_limits WHERE tenant_id = 'demo'")
    assert site.get("/call-limits").json == UNLIMITED
    assert ask(site, "PUT", "/call-limits", json=LIMITS).status_code == 200
    assert site.get("/call-limits").json == SHOWN


def test_a_key_is_shown_once_and_stored_as_its_hmac_only(site: Site) -> None:
    response = site.post("/api-keys", role="admin", json={"name": "crm", "role": "operate"})
    made = response.json
    assert response.headers["Cache-Control"] == "no-store"
    assert made["prefix"] == made["key"][: len("sk_demo_") + 4]
    assert with_key(site, made["key"]) == 200
    listed = site.get("/api-keys", role="admin").json["api_keys"]
    assert listed[-1] == {name: value for name, value in made.items() if name != "key"}
    stored = site.sql("SELECT * FROM api_key WHERE id = %s", made["id"])
    assert made["key"] not in str(stored)
    assert made["key"].split("_", 2)[2] not in str(stored)
    assert site.sql("SELECT * FROM idempotency") == []


def test_a_key_is_not_replayed(site: Site) -> None:
    once = {"headers": {"Idempotency-Key": "k1"}, "role": "admin", "json": {"name": "crm", "role": "read"}}
    first, second = (site.post("/api-keys", **once) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["key"] != second.json["key"]
    assert site.sql("SELECT * FROM idempotency") == []


REFUSED_KEYS: list[tuple[dict[str, Any], str]] = [
    ({"name": "crm"}, "role is required."),
    ({"role": "read"}, "name is required."),
    (
        {"name": "crm", "role": "root"},
        "role is 'root'; it must be one of read, operate, admin, platform.",
    ),
    ({"name": "", "role": "read"}, "name is ''; it must have 1 to 200 characters."),
]


def test_a_key_has_a_name_and_a_role(site: Site) -> None:
    for body, text in REFUSED_KEYS:
        response = site.post("/api-keys", role="admin", json=body)
        assert (response.status_code, response.text) == (400, text)


def test_only_the_platform_makes_and_revokes_platform_keys(site: Site) -> None:
    body = {"name": "ops", "role": "platform"}
    refused = "The key's role is admin; a key of role platform needs platform."
    response = site.post("/api-keys", role="admin", json=body)
    assert (response.status_code, response.text) == (403, refused)
    made = ask(site, "POST", "/api-keys", json=body).json
    assert with_key(site, made["key"], "/tenants") == 200
    response = site.delete(f"/api-keys/{made['id']}", role="admin")
    assert (response.status_code, response.text) == (403, refused)
    assert ask(site, "DELETE", f"/api-keys/{made['id']}").status_code == 204


def test_a_revoked_key_is_refused_within_a_second(site: Site, judge: Judge) -> None:
    made = site.post("/api-keys", role="admin", json={"name": "crm", "role": "admin"}).json
    assert with_key(site, made["key"]) == 200
    itself = {"Authorization": f"Bearer {made['key']}"}
    response = site.client().delete(f"/api/v1/api-keys/{made['id']}", headers=itself)
    assert response.status_code == 204
    revoked = time.monotonic()
    wait_until(lambda: with_key(site, made["key"]) == 401, "the key refused")
    judge.at_most(time.monotonic() - revoked, 1.0, "seconds until a revoked key was refused")
    assert site.delete(f"/api-keys/{made['id']}", role="admin").status_code == 404


def _gateway(site: Site) -> str:
    body = {"name": "carrier", "dial_string": "sofia/gateway/carrier/{number}"}
    found: str = ask(site, "POST", "/gateways", json=body).json["id"]
    return found


def test_the_last_platform_key_cannot_be_deleted(site: Site) -> None:
    ids = {
        row["tenant_id"]: str(row["id"])
        for row in site.sql("SELECT id, tenant_id FROM api_key WHERE role = 'platform'")
    }
    last = "The key is the last one of role platform; it cannot be deleted before another has been made."
    path = f"/api-keys/{ids['demo']}"
    assert site.delete(f"/api-keys/{ids['other']}", role="platform", tenant="other").status_code == 204
    refused = site.delete(path, role="platform", headers={"Accept": "application/problem+json"})
    assert (refused.status_code, refused.json["code"], refused.json["detail"]) == (
        409,
        "last_platform_key",
        last,
    )
    assert site.get("/tenants", role="platform").status_code == 200
    made = site.post("/api-keys", role="platform", json={"name": "spare", "role": "platform"})
    assert site.delete(path, role="platform").status_code == 204
    headers = {"Authorization": f"Bearer {made.json['key']}"}
    refused = site.request("DELETE", f"/api-keys/{made.json['id']}", headers=headers)
    assert (refused.status_code, refused.text) == (409, last)


def test_the_tenant_of_the_last_platform_key_cannot_be_deleted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a key that somebody else deletes at that moment, and that is known here for half a second more."""
    monkeypatch.setattr(auth, "CACHE_SECONDS", 3600.0)
    assert site.get("/tenants", role="platform").status_code == 200
    site.sql("DELETE FROM api_key WHERE role = 'platform' AND tenant_id = 'demo'")
    refused = site.delete("/tenants/other", role="platform")
    assert (refused.status_code, refused.text) == (
        409,
        "The tenant has the last key of role platform; it cannot be deleted before there is another.",
    )
    assert site.sql("SELECT 1 FROM tenant WHERE id = 'other' AND deleted_at IS NULL")


def test_a_platform_key_of_a_deleted_tenant_is_not_another_one(site: Site) -> None:
    site.sql("UPDATE tenant SET deleted_at = now() WHERE id = 'other'")
    (own,) = site.sql("SELECT id FROM api_key WHERE role = 'platform' AND tenant_id = 'demo'")
    assert site.delete(f"/api-keys/{own['id']}", role="platform").status_code == 409


def test_of_two_that_delete_the_last_two_platform_keys_at_once_one_is_refused(site: Site) -> None:
    ids = [row["id"] for row in site.sql("SELECT id FROM api_key WHERE role = 'platform' ORDER BY tenant_id")]
    asked = [
        gevent.spawn(site.delete, f"/api-keys/{key_id}", role="platform", tenant=tenant)
        for key_id, tenant in zip(ids, ("demo", "other"), strict=True)
    ]
    gevent.joinall(asked, raise_error=True)
    assert sorted(one.get().status_code for one in asked) == [204, 409]


def test_retention_is_off_until_it_is_asked_for_and_can_be_taken_back(site: Site) -> None:
    made = ask(site, "POST", "/tenants", json={"id": "acme", "name": "Acme"})
    assert made.json["retention_days"] is None
    for days in (30, None):
        changed = ask(site, "PATCH", "/tenants/acme", json={"retention_days": days})
        assert (changed.status_code, changed.json["retention_days"]) == (200, days)


def test_caps_on_numbers_stay_where_they_are_left_out(site: Site) -> None:
    caps = {"number_gap_seconds": 600, "number_calls_24h": 3, "number_calls_7d": 7, "number_calls_30d": None}
    assert ask(site, "PUT", "/call-limits", json=LIMITS | caps).json == SHOWN | caps
    assert ask(site, "PUT", "/call-limits", json=LIMITS).json == SHOWN | caps
    assert ask(site, "PUT", "/call-limits", json=UNLIMITED).json == UNLIMITED
    for name, wrong in (("number_gap_seconds", -1), ("number_calls_24h", 0), ("number_calls_7d", 1001)):
        response = ask(site, "PUT", "/call-limits", json=LIMITS | {name: wrong})
        assert response.status_code == 400
        assert response.text.startswith(f"{name} is {wrong}; it must be a whole number from")


def test_a_cap_on_numbers_is_not_set_while_a_dialer_would_not_heed_it(site: Site) -> None:
    site.sql("INSERT INTO dialer (id, knows) VALUES ('d1', 33)")
    response = ask(site, "PUT", "/call-limits", json=LIMITS | {"number_calls_24h": 3})
    assert (response.status_code, response.text) == (
        409,
        "A dialer of an older release runs; caps on numbers can be set when it has ended.",
    )
    assert ask(site, "PUT", "/call-limits", json=UNLIMITED).status_code == 200
    site.sql("UPDATE dialer SET settled_at = now()")
    assert ask(site, "PUT", "/call-limits", json=LIMITS | {"number_calls_24h": 3}).status_code == 200
