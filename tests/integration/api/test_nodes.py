"""The nodes over HTTP: as configured, as the dialers in the membership report them, and without Redis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coordination.errors import MembershipUnavailable
from coordination.membership import Membership
from limits.rate_cuts import Kind, RateCuts
from tests.integration.api.resource_routes import NODES, call_of
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
    "calls_per_second": 1.2,
    "lag_ms": 3,
    "last_error": "7 orders unanswered",
    "error_since": "2026-01-31T12:00:00.000000Z",
    "unanswered": 7,
}


def test_nodes_are_told_with_what_living_dialers_report(site: Site) -> None:
    site.use(settings=replace(site.services.settings, nodes=NODES))
    unknown = site.get("/nodes", role="platform").json
    assert (unknown["total"], unknown["nodes"][0]["state"]) == (1, "unknown")
    membership = Membership(site.services.redis, site.services.settings.redis_prefix)
    membership.register("d0192f3a4b5c6", {"nodes": [REPORT]})
    node = site.get("/nodes/fs1", role="platform")
    assert node.json == {
        "name": "fs1",
        "source": "environment",
        "host": "127.0.0.1",
        "port": 8021,
        "address": "127.0.0.1:8021",
        "state": "up",
        "draining": False,
        "cps": 20,
        "rate_now": 20,
        "channels": 500,
        "weight": 1,
        "calls": 6,
        "calls_per_second": 1.2,
        "sessions": 7,
        "max_sessions": 1000,
        "idle_cpu": 97.5,
        "lag_ms": 3,
        "last_error": "7 orders unanswered",
        "error_since": "2026-01-31T12:00:00.000Z",
        "unanswered": 7,
        "created_at": None,
        "connections": [
            {
                "dialer_id": "d0192f3a4b5c6",
                "connected": True,
                "core_uuid": "c0ffee",
                "calls": 6,
                "calls_per_second": 1.2,
                "lag_ms": 3,
                "last_error": "7 orders unanswered",
                "error_since": "2026-01-31T12:00:00.000Z",
                "unanswered": 7,
            }
        ],
        "examined_at": None,
        "findings": [],
    }
    assert site.get("/nodes", role="platform").json["nodes"] == [node.json]
    assert "s3cret" not in node.text
    membership.leave("d0192f3a4b5c6")
    assert site.get("/nodes/fs1", role="platform").json["state"] == "unknown"


def test_without_redis_the_nodes_are_unknown(site: Site) -> None:
    class Away:
        def alive(self) -> dict[str, dict[str, object]]:
            raise MembershipUnavailable("reading the membership", "connection refused")

        def fence(self, dialer_id: str, /) -> float:
            raise MembershipUnavailable("fencing", "connection refused")

    site.use(membership=Away(), settings=replace(site.services.settings, nodes=NODES))
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
    gateway_row = made.json
    assert (gateway_row["cps"], gateway_row["rate_now"]) == (8, 8)
    pressure = RateCuts(site.services.redis, site.services.settings.redis_prefix)
    pressure.record_refusal(Kind.NODE, "fs1", 20)
    pressure.record_refusal(Kind.GATEWAY, gateway_row["id"], 8)
    node = site.get("/nodes/fs1", role="platform").json
    assert (node["cps"], node["rate_now"]) == (20, 10)
    assert site.get(f"/gateways/{gateway_row['id']}", role="platform").json["rate_now"] == 4
    assert site.get("/gateways", role="platform").json["gateways"][-1]["rate_now"] == 4


def examined(site: Site, node: str, *codes: str) -> None:
    site.sql(
        "INSERT INTO node_examination (node, dialer_id, ended_at) VALUES (%s, 'd1', '2026-01-31T09:00:00Z')",
        node,
    )
    for hour, code in enumerate(codes, 7):
        site.sql(
            "INSERT INTO node_finding (node, code, subject, sentence, since, seen_at) VALUES"
            " (%s, %s, 'carrier', %s, %s, '2026-01-31T09:00:00Z')",
            node,
            code,
            f"it is {code}",
            f"2026-01-31T{hour:02}:00:00Z",
        )


def test_what_the_doctor_found_is_told_to_the_operator_alone(site: Site) -> None:
    site.use(settings=replace(site.services.settings, nodes=NODES))
    examined(site, "fs1", "gateway_down", "clock")
    examined(site, "gone", "clock")
    node = site.get("/nodes/fs1", role="platform").json
    assert node["examined_at"] == "2026-01-31T09:00:00.000Z"
    assert [one["code"] for one in node["findings"]] == ["gateway_down", "clock"]
    assert node["findings"][0] == {
        "code": "gateway_down", "subject": "carrier", "sentence": "it is gateway_down",
        "since": "2026-01-31T07:00:00.000Z", "seen_at": "2026-01-31T09:00:00.000Z",
    }  # fmt: skip
    assert site.get("/nodes", role="platform").json["nodes"] == [node]
    (told,) = site.get("/nodes", role="admin").json["nodes"]
    assert (told["examined_at"], told["findings"]) == (None, None)


@pytest.mark.parametrize("moved", [True, False])
def test_another_switch_of_the_same_name_has_none_of_its_findings(site: Site, moved: bool) -> None:
    body = {"name": "fs3", "host": "10.0.0.6", "password": "a password", "cps": 29}
    made = site.post("/nodes", role="platform", json=body)
    assert (made.status_code, made.json["findings"]) == (201, []), made.text
    examined(site, "fs3", "clock")
    kept = site.request("PATCH", "/nodes/fs3", role="platform", json={"cps": 20}).json
    assert [one["code"] for one in kept["findings"]] == ["clock"]
    if moved:
        now = site.request("PATCH", "/nodes/fs3", role="platform", json={"host": "10.0.0.7"}).json
    else:
        assert site.delete("/nodes/fs3", role="platform").status_code == 204
        now = site.post("/nodes", role="platform", json=body).json
    assert (now["examined_at"], now["findings"]) == (None, [])


def test_a_node_is_drained_and_undrained(site: Site) -> None:
    site.use(settings=replace(site.services.settings, nodes=NODES))
    for _ in range(2):
        drained = site.post("/nodes/fs1/drain", role="platform")
        assert (drained.status_code, drained.json["draining"]) == (200, True)
    assert site.bus.topics() == ["wake", "wake"]
    assert site.get("/nodes/fs1", role="platform").json["draining"]
    assert site.sql("SELECT name FROM node_drain") == [{"name": "fs1"}]
    assert site.post("/nodes/fs9/drain", role="platform").status_code == 404
    assert site.post("/nodes/fs1/undrain", role="admin").status_code == 403
    assert not site.post("/nodes/fs1/undrain", role="platform").json["draining"]
    assert not site.get("/nodes/fs1", role="platform").json["draining"]


BODY = {"name": "fs3", "host": "FS3.example.com", "password": "s3cret of fs3"}
ENVIRONMENT = "Node 'fs1' is configured by FREESWITCH_URLS; here it can only be drained and undrained."


def add(site: Site, **changes: object) -> Any:
    return site.post("/nodes", role="platform", json=BODY | changes)


def test_a_node_is_added_and_shown_without_its_password(site: Site) -> None:
    site.use(settings=replace(site.services.settings, nodes=NODES))
    made = add(site)
    assert made.status_code == 201, made.text
    node = made.json
    assert (node["source"], node["state"], node["draining"]) == ("api", "unknown", False)
    assert (node["address"], node["cps"], node["channels"], node["weight"]) == (
        "fs3.example.com:8021",
        10,
        None,
        1,
    )
    assert node["created_at"].endswith("Z")
    listed = site.get("/nodes", role="platform")
    assert [one["name"] for one in listed.json["nodes"]] == ["fs1", "fs3"]
    assert site.get("/nodes/fs3", role="platform").json == node
    assert "s3cret" not in made.text + listed.text
    assert site.sql("SELECT password FROM node") == [{"password": "s3cret of fs3"}]
    assert site.bus.topics() == ["wake"]


@pytest.mark.parametrize(
    "taken",
    [
        {},
        {"name": "fs1"},
        {"name": "fs4"},
        {"name": "fs5", "host": "127.0.0.1"},
        {"name": "fs9", "host": "x"},
    ],
    ids=[
        "name",
        "name in the environment",
        "address",
        "address in the environment",
        "name of a dialer's environment",
    ],
)
def test_a_name_or_an_address_that_is_taken_is_409(site: Site, taken: dict[str, str]) -> None:
    site.use(settings=replace(site.services.settings, nodes=NODES))
    membership = Membership(site.services.redis, site.services.settings.redis_prefix)
    membership.register("d0192f3a4b5c6", {"nodes": [REPORT, REPORT | {"name": "fs9"}]})
    assert add(site).status_code == 201
    refused = add(site, **taken)
    assert refused.status_code == 409
    body = BODY | taken
    assert refused.text == f"A node named '{body['name']}' or one at {body['host'].lower()}:8021 exists."


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            {"name": "a b"},
            "name is 'a b'; it must be letters, digits, '_', '.' or '-', the first a letter or a digit.",
        ),
        (
            {"name": ".."},
            "name is '..'; it must be letters, digits, '_', '.' or '-', the first a letter or a digit.",
        ),
        ({"name": "fs3\n"}, "name is 'fs3\\n'; it must be letters,"),
        ({"host": "fs3 -x"}, "host is 'fs3 -x'; it must be a host name or an IP address."),
        ({"host": "::1%\r\n"}, "host is '::1%\\r\\n'; it must be a host name or an IP address."),
        ({"host": "-fs3"}, "host is '-fs3'; it must be a host name or an IP address."),
        ({"port": 0}, "port is 0; it must be a whole number from 1 to 65535."),
        ({"cps": 0}, "cps is 0; it must be a whole number from 1 to 100000."),
        ({"channels": 0}, "channels is 0; it must be a whole number from 1 to 100000."),
        ({"weight": 0}, "weight is 0; it must be a whole number from 1 to 100."),
        ({"weight": 101}, "weight is 101; it must be a whole number from 1 to 100."),
        ({"password": "s3cret\nexit"}, "password is '***'; it must be printable ASCII characters."),
        ({"password": "s3cret" * 22}, "password is '***'; it must have 1 to 128 characters."),
        ({"password": ["s3cret"]}, "password is '***'; it must be text."),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_a_node_cannot_be_is_told_without_its_password(
    site: Site, wrong: dict[str, Any], told: str
) -> None:
    refused = add(site, **wrong)
    assert refused.status_code == 400
    assert refused.text.startswith(told)
    assert "s3cret" not in refused.text
    assert site.sql("SELECT name FROM node") == []


def test_a_host_may_be_any_address(site: Site) -> None:
    for number, (host, address) in enumerate(
        {
            "10.0.0.7": "10.0.0.7:8021",
            "FE80:0::1": "[fe80::1]:8021",
            "fs_3.example": "fs_3.example:8021",
        }.items()
    ):
        assert add(site, name=f"n{number}", host=host).json["address"] == address


def test_a_node_is_changed_and_what_is_left_out_stays(site: Site) -> None:
    add(site, channels=500)
    changed = site.request("PATCH", "/nodes/fs3", role="platform", json={"weight": 3, "password": "another"})
    assert (changed.status_code, changed.json["weight"], changed.json["channels"]) == (200, 3, 500)
    assert "another" not in changed.text
    assert site.sql("SELECT password, cps, weight FROM node") == [
        {"password": "another", "cps": 10, "weight": 3}
    ]
    moved = site.request("PATCH", "/nodes/fs3", role="platform", json={"host": "fs4", "channels": None})
    assert (moved.json["address"], moved.json["channels"]) == ("fs4:8021", None)
    assert site.bus.topics() == ["wake"] * 3
    add(site, name="other", host="other")
    taken = site.request("PATCH", "/nodes/fs3", role="platform", json={"host": "other"})
    assert (taken.status_code, taken.text) == (409, "A node at other:8021 exists.")
    renamed = site.request("PATCH", "/nodes/fs3", role="platform", json={"name": "x"})
    assert (renamed.status_code, renamed.text.split(";")[0]) == (400, "name is not known here")


def test_a_node_of_the_environment_is_neither_changed_nor_removed(site: Site) -> None:
    site.use(settings=replace(site.services.settings, nodes=NODES))
    # Nor is one of the table that has its name, and so counts for nothing.
    site.sql(
        "INSERT INTO node (id, name, host, port, password, cps, weight)"
        " VALUES (gen_random_uuid(), 'fs1', 'elsewhere', 8021, 'x', 99, 1)"
    )
    for refused in (
        site.request("PATCH", "/nodes/fs1", role="platform", json={"cps": 5}),
        site.delete("/nodes/fs1", role="platform"),
    ):
        assert (refused.status_code, refused.text) == (409, ENVIRONMENT)
    (node,) = site.get("/nodes", role="platform").json["nodes"]
    assert (node["source"], node["address"], node["cps"]) == ("environment", "127.0.0.1:8021", 20)


def test_a_node_with_calls_in_progress_is_neither_moved_nor_removed(site: Site) -> None:
    add(site)
    site.post("/nodes/fs3/drain", role="platform")
    call_id = call_of(site, site.create(1), node="fs3")
    moved = site.request("PATCH", "/nodes/fs3", role="platform", json={"port": 8022})
    assert (moved.status_code, moved.text) == (
        409,
        "Node 'fs3' has 1 call in progress; drain it, and move it when they are over.",
    )
    assert site.request("PATCH", "/nodes/fs3", role="platform", json={"port": 8021}).status_code == 200
    removed = site.delete("/nodes/fs3", role="platform")
    assert (removed.status_code, removed.text) == (
        409,
        "Node 'fs3' has 1 call in progress; drain it, and delete it when they are over.",
    )
    site.sql("UPDATE call SET state = 'ended', ended_at = now() WHERE id = %s", call_id)
    assert site.delete("/nodes/fs3", role="platform").status_code == 204
    assert site.get("/nodes/fs3", role="platform").status_code == 404
    assert site.delete("/nodes/fs3", role="platform").status_code == 404
    # Its name is free again, and nothing of the old one clings to it.
    assert add(site, host="fs3b").status_code == 201
    again = site.get("/nodes/fs3", role="platform").json
    assert (again["address"], again["draining"]) == ("fs3b:8021", False)


def test_a_removed_node_is_not_told_of_while_a_dialer_still_has_its_last_calls(site: Site) -> None:
    add(site)
    membership = Membership(site.services.redis, site.services.settings.redis_prefix)
    membership.register("d0192f3a4b5c6", {"nodes": [REPORT | {"name": "fs3", "source": "api"}]})
    assert site.get("/nodes/fs3", role="platform").json["state"] == "up"
    assert site.delete("/nodes/fs3", role="platform").status_code == 204
    assert site.get("/nodes", role="platform").json["total"] == 0


def test_the_name_of_a_removed_node_is_not_given_to_another_switch_before_its_last_call_is_over(
    site: Site,
) -> None:
    """A call was claimed at the very moment of the removal."""
    add(site)
    assert site.delete("/nodes/fs3", role="platform").status_code == 204
    call_id = call_of(site, site.create(1), node="fs3")
    refused = add(site, host="fs3b")
    assert (refused.status_code, refused.text) == (
        409,
        "The node 'fs3' that was removed has 1 call in progress; use its name again when they are over.",
    )
    site.sql("UPDATE call SET state = 'ended', ended_at = now() WHERE id = %s", call_id)
    assert add(site, host="fs3b").status_code == 201


def test_a_node_that_was_removed_by_mistake_can_be_added_again_with_a_call_in_progress(site: Site) -> None:
    add(site)
    assert site.delete("/nodes/fs3", role="platform").status_code == 204
    call_of(site, site.create(1), node="fs3")
    assert add(site).status_code == 201
