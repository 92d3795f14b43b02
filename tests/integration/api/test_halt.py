"""The panic switch."""

from __future__ import annotations

from typing import Any

import pytest

from api.times import from_rfc3339
from tests.integration.api.site import Site

NOTHING: dict[str, Any] = {"halted": False, "tenant": None, "platform": None, "all": None, "still_up": []}


def test_a_halt_stands_until_it_is_deleted(site: Site) -> None:
    assert site.get("/halt").json == NOTHING
    response = site.post("/halt")
    assert response.status_code == 200
    assert response.json["halted"] is True
    assert response.json["tenant"]["by"] == "operate key"
    assert from_rfc3339(response.json["tenant"]["at"])
    assert site.post("/halt", json={}).json == response.json
    assert site.get("/halt", role="read").json == response.json
    assert site.get("/halt", tenant="other").json == NOTHING
    assert site.delete("/halt").status_code == 204
    assert site.delete("/halt").status_code == 204
    assert site.get("/halt").json == NOTHING
    assert site.bus.messages == [("halt", {"scope": "demo"})] * 2 + [("unhalt", {"scope": "demo"})] * 2


def test_the_platform_halts_everything(site: Site) -> None:
    everything = {"json": {"all": True}, "role": "platform"}
    assert site.post("/halt", **everything).json["all"]["by"] == "platform key"
    seen = site.get("/halt", tenant="other").json
    assert (seen["halted"], seen["tenant"], seen["all"]["by"]) == (True, None, "platform")
    site.delete("/halt", tenant="other")
    assert site.get("/halt", tenant="other").json["halted"] is True
    assert site.delete("/halt", **everything).status_code == 204
    assert site.get("/halt", tenant="other").json == NOTHING
    assert [payload["scope"] for _, payload in site.bus.messages] == ["*", "other", "*"]


@pytest.mark.parametrize("role", ["operate", "admin"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_only_the_platform_speaks_for_everyone(site: Site, role: str, method: str) -> None:
    response = site.request(method, "/halt", json={"all": True}, role=role)
    assert response.status_code == 403
    assert site.get("/halt").json == NOTHING
    assert site.bus.messages == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"all": "yes"}, "all is 'yes'; it must be true or false."),
        ({"al": True}, "al is not known here; known are all."),
        ([], "The body is not valid; it must be an object."),
    ],
)
def test_a_wrong_body_is_refused(site: Site, body: object, message: str) -> None:
    response = site.post("/halt", json=body, role="platform")
    assert (response.status_code, response.text) == (400, message)


def test_other_content_types_and_broken_json_are_refused(site: Site) -> None:
    assert site.post("/halt", data="all=true", content_type="text/plain").status_code == 415
    broken = site.post("/halt", data="{", content_type="application/json")
    assert (broken.status_code, broken.text) == (400, "The body is not JSON.")


def lift(site: Site, role: str, **body: bool) -> int:
    status: int = site.delete("/halt", role=role, json=body).status_code
    return status


@pytest.mark.parametrize("role", ["operate", "admin"])
def test_a_tenants_keys_lift_what_the_tenant_set_and_nothing_of_the_platforms(site: Site, role: str) -> None:
    assert site.post("/halt", role="platform").json["platform"]["by"] == "platform key"
    both = site.post("/halt").json
    assert (both["tenant"]["by"], both["platform"]["by"]) == ("operate key", "platform")
    site.bus.messages.clear()
    assert lift(site, role) == 204
    left = site.get("/halt", role=role).json
    assert (left["halted"], left["tenant"], left["platform"]["by"]) == (True, None, "platform")
    assert lift(site, role) == 204
    assert site.get("/halt").json == left
    assert site.bus.messages == [], "no dialer is told to go on"
    assert [row["scope"] for row in site.sql("SELECT scope FROM halt")] == ["demo"], (
        "what every dialer goes by"
    )
    assert lift(site, "platform") == 204
    assert site.get("/halt").json == NOTHING
    assert site.bus.messages == [("unhalt", {"scope": "demo"})]


def test_the_platform_lifts_its_own_and_the_tenants_only_by_name(site: Site) -> None:
    site.post("/halt")
    first = site.get("/halt").json["tenant"]
    site.post("/halt", role="platform", headers={"X-Tenant": "demo"})
    assert lift(site, "platform") == 204
    assert site.get("/halt").json["tenant"] == first
    assert lift(site, "operate", tenant=True) == 403
    assert lift(site, "platform", tenant=True, all=True) == 400
    assert site.get("/halt").json["halted"] is True
    assert lift(site, "platform", tenant=True) == 204
    assert site.get("/halt").json == NOTHING


def test_a_mark_keeps_the_time_and_the_key_that_set_it_first(site: Site) -> None:
    for role, name in (("operate", "tenant"), ("platform", "platform")):
        first = site.post("/halt", role=role).json[name]
        assert site.post("/halt", role=role).json[name] == first
    site.sql("UPDATE halt SET own = false, at = at - interval '1 hour', by = 'gone'")
    assert site.post("/halt", role="admin").json["tenant"]["by"] == "admin key"


def test_a_halt_of_an_older_process_is_the_tenants(site: Site) -> None:
    site.sql("INSERT INTO halt (scope, by) VALUES ('demo', 'crm') ON CONFLICT (scope) DO NOTHING")
    assert site.get("/halt").json["tenant"]["by"] == "crm"
    assert lift(site, "operate") == 204
    assert site.get("/halt").json == NOTHING


def test_a_halt_is_set_each_time_whatever_its_idempotency_key(site: Site) -> None:
    for given in ("k1", "k1", "not a key at all \u00e9"):
        again = site.post("/halt", headers={"Idempotency-Key": given.encode().decode("latin-1")})
        assert (again.status_code, again.json["halted"]) == (200, True)
        assert "Idempotent-Replayed" not in again.headers
        site.delete("/halt", headers={"Idempotency-Key": "k1"})
        assert site.get("/halt").json == NOTHING
    assert [topic for topic, _ in site.bus.messages] == ["halt", "unhalt"] * 3
