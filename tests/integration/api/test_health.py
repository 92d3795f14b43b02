"""Whether this process lives, and whether the service can work."""

from __future__ import annotations

from typing import Any

import models
from coordination.membership import Membership
from tests.integration.api.site import Site, lose_redis


def ready(site: Site) -> Any:
    return site.client().get("/readyz")


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


def test_not_ready_without_a_dialer(site: Site) -> None:
    response = ready(site)
    assert response.status_code == 503
    assert response.json == {
        "ready": False,
        "reasons": ["No dialer is alive."],
        "database": "ok",
        "redis": "ok",
        "dialers": [],
        "nodes": [],
    }


def test_ready_once_every_dialer_is_connected_to_every_node(site: Site) -> None:
    membership = Membership(site.services.redis, "carillon:")
    membership.register(
        "d000000000001", {"nodes": [node("fs1", connected=True), node("fs2", connected=False)]}
    )
    membership.register(
        "d000000000002", {"nodes": [node("fs1", connected=True), node("fs2", connected=True)]}
    )
    response = ready(site)
    assert (response.status_code, response.json["reasons"]) == (503, ["Node fs2 is not connected."])
    membership.renew("d000000000001", {"nodes": [node("fs1", connected=True), node("fs2", connected=True)]})
    response = ready(site)
    assert response.status_code == 200
    assert response.json == {
        "ready": True,
        "reasons": [],
        "database": "ok",
        "redis": "ok",
        "dialers": ["d000000000001", "d000000000002"],
        "nodes": [{"name": "fs1", "connected": True}, {"name": "fs2", "connected": True}],
    }


def test_not_ready_with_a_dialer_that_has_no_node(site: Site) -> None:
    Membership(site.services.redis, "carillon:").register("d000000000001", {"nodes": []})
    assert ready(site).json["reasons"] == ["No dialer is connected to a node."]


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
