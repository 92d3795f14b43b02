"""Keys, roles and tenants: 401, 403 and 404, and how soon a revoked key is refused."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import gevent
import pytest

from api import auth
from api.errors import DatabaseUnavailable
from api.key_lookup import KeyLookup
from tests.integration.api.site import Site, key
from tests.judging import Judge
from tests.waiting import wait_until

NEEDS = [
    ("GET", "/campaigns", "read"),
    ("POST", "/campaigns", "operate"),
    ("GET", "/campaigns/{id}", "read"),
    ("PATCH", "/campaigns/{id}", "operate"),
    ("DELETE", "/campaigns/{id}", "operate"),
    ("GET", "/campaigns/{id}/pacing", "read"),
    ("DELETE", "/campaigns/{id}/breaker", "operate"),
    ("GET", "/campaigns/{id}/contacts", "read"),
    ("PATCH", "/campaigns/{id}/contacts/{id}", "operate"),
    ("GET", "/campaigns/{id}/contacts/{id}/decisions", "read"),
    ("POST", "/campaigns/{id}/retry", "operate"),
    ("GET", "/campaigns/{id}/rejects", "read"),
    ("GET", "/campaigns/{id}/events", "read"),
    ("POST", "/campaigns/{id}/events/token", "read"),
    ("POST", "/campaigns/{id}/start", "operate"),
    ("POST", "/campaigns/{id}/pause", "operate"),
    ("POST", "/campaigns/{id}/resume", "operate"),
    ("POST", "/campaigns/{id}/stop", "operate"),
    ("POST", "/campaigns/{id}/test-call", "operate"),
    ("POST", "/campaigns/{id}/preflight", "read"),
    ("POST", "/calls/originate", "operate"),
    ("GET", "/halt", "read"),
    ("POST", "/halt", "operate"),
    ("DELETE", "/halt", "operate"),
]
NOBODY = "019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01"


@pytest.mark.parametrize(("method", "path", "role"), NEEDS)
def test_every_route_asks_for_a_key_and_its_role(site: Site, method: str, path: str, role: str) -> None:
    path = path.format(id=NOBODY)
    for header in (
        None, "", "Bearer", "Bearer ", "Bearer sk_demo_nonsense", "Basic a2V5", key("operate"), "Bearer \xff\xfe",
    ):  # fmt: skip
        headers = {"Authorization": header} if header is not None else {}
        response = site.client().open(f"/api/v1{path}", method=method, headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
    if role == "operate":
        response = site.request(method, path, role="read")
        assert (response.status_code, response.text) == (403, "The key's role is read; this needs operate.")
    assert site.request(method, path, role=role).status_code not in (401, 403)


def test_the_scheme_is_read_without_regard_to_case(site: Site) -> None:
    for scheme in ("bearer", "BEARER"):
        response = site.get("/campaigns", headers={"Authorization": f"{scheme} {key('read')}"})
        assert response.status_code == 200


def test_the_platform_acts_for_the_tenant_it_names(site: Site) -> None:
    campaign_id = site.create(1)
    as_other = {"headers": {"X-Tenant": "demo"}, "tenant": "other"}
    assert site.get(f"/campaigns/{campaign_id}", role="platform", tenant="other").status_code == 404
    assert site.get(f"/campaigns/{campaign_id}", role="platform", **as_other).json["id"] == campaign_id
    assert site.get(f"/campaigns/{campaign_id}", role="platform").json["id"] == campaign_id


@pytest.mark.parametrize("name", ["nobody", "", "DEMO", "a'b", "x" * 40, "\xff"])
def test_a_tenant_that_is_none_is_404(site: Site, name: str) -> None:
    response = site.get("/campaigns", role="platform", headers={"X-Tenant": name})
    assert response.status_code == 404
    assert response.text.startswith("Tenant ")


def test_a_tenants_key_cannot_name_another(site: Site) -> None:
    for role in ("read", "operate", "admin"):
        response = site.get("/campaigns", role=role, headers={"X-Tenant": "other"})
        assert response.status_code == 403
        assert site.get("/campaigns", role=role, headers={"X-Tenant": "demo"}).status_code == 200


def test_a_revoked_key_and_a_deleted_tenants_are_refused_within_a_second(site: Site, judge: Judge) -> None:
    assert site.get("/campaigns", role="read").status_code == 200
    site.sql("DELETE FROM api_key WHERE role = 'read' AND tenant_id = 'demo'")
    revoked = time.monotonic()
    wait_until(lambda: site.get("/campaigns", role="read").status_code == 401, "the key refused")
    judge.at_most(time.monotonic() - revoked, 1.0, "seconds until a revoked key was refused")
    assert site.get("/campaigns", role="admin").status_code == 200
    site.sql("UPDATE tenant SET deleted_at = now() WHERE id = 'demo'")
    deleted = time.monotonic()
    wait_until(lambda: site.get("/campaigns", role="admin").status_code == 401, "the tenant refused")
    judge.at_most(time.monotonic() - deleted, 1.0, "seconds until a deleted tenant's key was refused")


def test_a_key_stored_under_another_pepper_opens_nothing(site: Site) -> None:
    site.sql("UPDATE api_key SET digest = 'x' || digest")
    assert site.get("/campaigns").status_code == 401


def test_bad_keys_do_not_cost_a_query_each(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = auth.find_keys

    def counted(digests: Sequence[str]) -> Mapping[str, auth.KeyRow]:
        asked.append(len(digests))
        return real(digests)

    site.app.extensions["carillon-keys"] = KeyLookup(counted)

    def guess(number: int) -> int:
        headers = {"Authorization": f"Bearer sk_demo_guess-{number}"}
        status: int = site.client().get("/api/v1/campaigns", headers=headers).status_code
        return status

    guesses = [gevent.spawn(guess, number) for number in range(200)]
    good = [gevent.spawn(site.get, "/campaigns", role=role) for role in ("read", "operate")]
    gevent.joinall(guesses, raise_error=True)
    gevent.joinall(good, raise_error=True)
    assert {guess.get() for guess in guesses} == {401}
    assert [one.get().status_code for one in good] == [200, 200]
    assert sum(asked) == 202
    assert len(asked) <= 20


def test_who_asks_for_a_key_while_the_database_is_away_hears_so(site: Site) -> None:
    def away(_: Sequence[str]) -> Mapping[str, auth.KeyRow]:
        raise DatabaseUnavailable

    site.app.extensions["carillon-keys"] = KeyLookup(away)
    asked = [gevent.spawn(site.get, "/campaigns", role=role) for role in ("read", "operate", "admin")]
    gevent.joinall(asked, raise_error=True)
    assert [one.get().status_code for one in asked] == [503] * 3
    site.app.extensions["carillon-keys"] = KeyLookup(auth.find_keys)
    assert site.get("/campaigns").status_code == 200
