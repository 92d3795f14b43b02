"""Whether this process lives, and whether it can serve."""

from __future__ import annotations

from typing import Any

import pytest

import models
from coordination.membership import Membership
from tests.integration.api.site import Site, key, lose_redis


def ready(site: Site, *, with_key: bool = True, role: str = "read") -> Any:
    headers = {"Authorization": f"Bearer {key(role)}"} if with_key else {}
    return site.client().get("/readyz", headers=headers)


def node(name: str, *, connected: bool) -> dict[str, Any]:
    return {
        "name": name,
        "address": "127.0.0.1:8021",
        "connected": connected,
        "sessions": 0,
        "last_error": None,
    }


def test_a_living_process_says_so_without_asking_anyone(site: Site) -> None:
    lose_redis(site)
    models.db.obj.connect_params["port"] = 1
    response = site.client().get("/healthz")
    assert (response.status_code, response.text) == (200, "ok")


ABLE = {"ready": True, "reasons": [], "database": "ok", "redis": "ok"}


def test_it_can_serve_without_a_dialer_and_says_so_to_a_key(site: Site) -> None:
    response = ready(site)
    assert response.status_code == 200
    assert response.json == ABLE | {"warnings": ["No dialer is alive."], "dialers": [], "nodes": []}


def test_a_key_is_told_of_dialers_and_nodes(site: Site) -> None:
    membership = Membership(site.services.redis, "carillon:")
    membership.register(
        "d000000000001", {"nodes": [node("fs1", connected=True), node("fs2", connected=False)]}
    )
    membership.register(
        "d000000000002", {"nodes": [node("fs1", connected=True), node("fs2", connected=True)]}
    )
    response = ready(site)
    assert (response.status_code, response.json["warnings"]) == (200, ["Node fs2 is not connected."])
    membership.renew("d000000000001", {"nodes": [node("fs1", connected=True), node("fs2", connected=True)]})
    assert ready(site).json == ABLE | {
        "warnings": [],
        "dialers": ["d000000000001", "d000000000002"],
        "nodes": [{"name": "fs1", "connected": True}, {"name": "fs2", "connected": True}],
    }


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk_demo_wrong"}])
def test_who_has_no_key_is_told_nothing_of_them(site: Site, headers: dict[str, str]) -> None:
    Membership(site.services.redis, "carillon:").register("d000000000001", {"nodes": []})
    response = site.client().get("/readyz", headers=headers)
    assert (response.status_code, response.json) == (200, ABLE)


def test_the_platform_alone_is_told_what_a_dialer_is_not_set_up_for(site: Site) -> None:
    report = {"nodes": [node("fs1", connected=True)], "cannot_run": {"c1": "action.file is not allowed"}}
    Membership(site.services.redis, "carillon:").register("d000000000001", report)
    assert ready(site).json["warnings"] == []
    assert ready(site, role="platform").json["warnings"] == [
        "Dialer d000000000001 cannot run campaign c1: action.file is not allowed."
    ]


def test_a_key_is_told_of_a_dialer_that_has_no_node(site: Site) -> None:
    Membership(site.services.redis, "carillon:").register("d000000000001", {"nodes": []})
    assert ready(site).json["warnings"] == ["No dialer is connected to a node."]


def test_not_ready_with_a_redis_that_may_drop_keys(site: Site) -> None:
    redis = site.services.redis
    Membership(redis, "carillon:").register("d000000000001", {"nodes": [node("fs1", connected=True)]})
    redis.config_set("maxmemory", "1gb")
    redis.config_set("maxmemory-policy", "volatile-lru")
    try:
        response = ready(site)
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", 0)
    assert (response.status_code, response.json["reasons"]) == (
        503,
        ["Redis may drop keys: its maxmemory-policy is volatile-lru; set it to noeviction."],
    )
    assert (response.json["redis"], response.json["dialers"]) == ("unavailable", ["d000000000001"])
    assert ready(site).status_code == 200


def test_not_ready_without_redis_or_database(site: Site) -> None:
    lose_redis(site)
    response = ready(site)
    assert (response.status_code, response.json["reasons"]) == (503, ["Redis unavailable."])
    models.db.obj.close_all()
    models.db.obj.init("postgresql://nobody@127.0.0.1:1/nothing")
    response = ready(site)
    assert response.json["reasons"] == ["Database unavailable.", "Redis unavailable."]
    assert response.json["database"] == "unavailable"


def test_not_ready_with_a_schema_that_is_behind_or_not_there(site: Site) -> None:
    with models.db.connection_context():
        models.db.execute_sql(
            "DELETE FROM schema_migration WHERE name = (SELECT max(name) FROM schema_migration)"
        )
    needed = f"{models.SCHEMA_VERSION:04}"
    (newest,) = site.sql("SELECT left(max(name), 4) AS number FROM schema_migration")
    found = newest["number"]
    response = ready(site)
    assert (response.status_code, response.json["reasons"]) == (
        503,
        [f"The database's schema is {found}, and this release needs {needed}: run python -m migrations."],
    )
    with models.db.connection_context():
        models.db.execute_sql("DROP SCHEMA public CASCADE")
        models.db.execute_sql("CREATE SCHEMA public")
    response = ready(site, with_key=False)
    assert (response.status_code, response.json["reasons"]) == (
        503,
        ["The database has no schema yet: run python -m migrations."],
    )


def test_a_schema_that_is_ahead_serves(site: Site) -> None:
    """The release process comes before the new web processes: the old ones go on meanwhile."""
    with models.db.connection_context():
        models.db.execute_sql("UPDATE schema_migration SET name = '9999_later' WHERE name LIKE '0001%%'")
    assert ready(site).status_code == 200
