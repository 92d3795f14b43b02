"""The nodes over HTTP: as configured, as the dialers in the roster report them, and without Redis."""

from __future__ import annotations

from dataclasses import replace

from limits.errors import RosterUnavailable
from limits.pressure import Kind, Pressure
from limits.roster import Roster
from tests.integration.api.resource_routes import NODES
from tests.integration.api.site import Site

REPORT = {
    "name": "fs1",
    "address": "127.0.0.1:8021",
    "connected": True,
    "core_uuid": "c0ffee",
    "sessions": 7,
    "max_sessions": 1000,
    "idle_cpu": 97.5,
    "calls": 6,
    "last_error": None,
}


def test_nodes_are_told_with_what_living_dialers_report(site: Site) -> None:
    site.use(settings=replace(site.services.settings, nodes=NODES))
    unknown = site.get("/nodes", role="platform").json
    assert (unknown["total"], unknown["nodes"][0]["state"]) == (1, "unknown")
    roster = Roster(site.services.redis, site.services.settings.redis_prefix)
    roster.register("d0192f3a4b5c6", {"nodes": [REPORT]})
    node = site.get("/nodes/fs1", role="platform")
    assert node.json == {
        "name": "fs1",
        "address": "127.0.0.1:8021",
        "state": "up",
        "draining": False,
        "cps": 20,
        "rate_now": 20,
        "channels": 500,
        "calls": 6,
        "sessions": 7,
        "max_sessions": 1000,
        "idle_cpu": 97.5,
        "last_error": None,
        "connections": [
            {
                "dialer_id": "d0192f3a4b5c6",
                "connected": True,
                "core_uuid": "c0ffee",
                "calls": 6,
                "last_error": None,
            }
        ],
    }
    assert site.get("/nodes", role="platform").json["nodes"] == [node.json]
    assert "s3cret" not in node.text
    roster.retire("d0192f3a4b5c6")
    assert site.get("/nodes/fs1", role="platform").json["state"] == "unknown"


def test_without_redis_the_nodes_are_unknown(site: Site) -> None:
    class Away:
        def alive(self) -> dict[str, dict[str, object]]:
            raise RosterUnavailable("reading the roster", "connection refused")

        def fence(self, dialer_id: str, /) -> float:
            raise RosterUnavailable("fencing", "connection refused")

    site.use(roster=Away(), settings=replace(site.services.settings, nodes=NODES))
    response = site.get("/nodes/fs1", role="platform")
    assert (response.status_code, response.json["state"], response.json["connections"]) == (
        200,
        "unknown",
        [],
    )


def test_a_node_and_a_gateway_that_refused_show_what_is_left_of_their_rates(site: Site) -> None:
    site.use(settings=replace(site.services.settings, nodes=NODES))
    body = {"name": "slow", "dial_string": "sofia/gateway/slow/{number}", "cps": 8}
    made = site.post("/gateways", role="platform", json=body)
    assert made.status_code == 201, made.text
    trunk = made.json
    assert (trunk["cps"], trunk["rate_now"]) == (8, 8)
    pressure = Pressure(site.services.redis, site.services.settings.redis_prefix)
    pressure.refuse(Kind.NODE, "fs1", 20)
    pressure.refuse(Kind.GATEWAY, trunk["id"], 8)
    node = site.get("/nodes/fs1", role="platform").json
    assert (node["cps"], node["rate_now"]) == (20, 10)
    assert site.get(f"/gateways/{trunk['id']}", role="platform").json["rate_now"] == 4
    assert site.get("/gateways", role="platform").json["gateways"][-1]["rate_now"] == 4


def test_a_node_is_drained_and_undrained(site: Site) -> None:
    site.use(settings=replace(site.services.settings, nodes=NODES))
    for _ in range(2):
        drained = site.post("/nodes/fs1/drain", role="platform")
        assert (drained.status_code, drained.json["draining"]) == (200, True)
    assert site.ears.topics() == ["wake", "wake"]
    assert site.get("/nodes/fs1", role="platform").json["draining"]
    assert site.sql("SELECT name FROM node_drain") == [{"name": "fs1"}]
    assert site.post("/nodes/fs9/drain", role="platform").status_code == 404
    assert site.post("/nodes/fs1/undrain", role="admin").status_code == 403
    assert not site.post("/nodes/fs1/undrain", role="platform").json["draining"]
    assert not site.get("/nodes/fs1", role="platform").json["draining"]
