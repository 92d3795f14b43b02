"""The nodes as they are configured, put together with what each dialer reports of them."""

from __future__ import annotations

from typing import Any

from api.routes.dialer_reports import NodeReport
from api.routes.node_findings import MEANINGS
from api.routes.node_views import NodeConfig, NodeSchema, merge_reports
from models import FindingCode
from settings import nodes_from

URLS = "esl://:s3cret@10.0.0.1:8021?name=fs1&cps=20&channels=500&weight=3,esl://:s3cret@fs2:8022"
CONFIGURED = [NodeConfig.of_environment(node) for node in nodes_from(URLS)]


def report(name: str, /, **changes: Any) -> NodeReport:
    given = {
        "name": name,
        "address": f"{name}:8021",
        "connected": True,
        "core_uuid": "c0ffee",
        "sessions": 3,
        "max_sessions": 1000,
        "idle_cpu": 91.25,
        "calls": 2,
        "calls_per_second": 0.4,
        "lag_ms": 1,
        "last_error": None,
    }
    found: Any = given | changes
    made: NodeReport = found
    return made


def by_name(dialers: dict[str, Any]) -> dict[str, Any]:
    return {node["name"]: node for node in merge_reports(CONFIGURED, dialers)}


def test_without_dialers_every_node_is_unknown() -> None:
    nodes = by_name({})
    assert list(nodes) == ["fs1", "fs2"]
    assert {node["state"] for node in nodes.values()} == {"unknown"}
    assert nodes["fs1"]["address"] == "10.0.0.1:8021"
    assert (nodes["fs1"]["cps"], nodes["fs1"]["channels"]) == (20, 500)
    assert (nodes["fs2"]["cps"], nodes["fs2"]["channels"]) == (10, None)
    assert (nodes["fs1"]["weight"], nodes["fs2"]["weight"]) == (3, 1)
    assert {node["source"] for node in nodes.values()} == {"environment"}
    assert (nodes["fs1"]["calls"], nodes["fs1"]["sessions"], nodes["fs1"]["connections"]) == (0, None, [])


def test_a_node_is_up_when_any_dialer_is_connected_and_down_when_none_is() -> None:
    lost = {"connected": False, "last_error": "connection refused", "calls": 0}
    nodes = by_name(
        {
            "d2": {"nodes": [report("fs1", calls=5), report("fs2", **lost)]},
            "d1": {"nodes": [report("fs1", **lost), report("fs2", **lost)]},
        }
    )
    assert (nodes["fs1"]["state"], nodes["fs2"]["state"]) == ("up", "down")
    assert nodes["fs1"]["calls"] == 5
    assert [(c["dialer_id"], c["connected"]) for c in nodes["fs1"]["connections"]] == [
        ("d1", False),
        ("d2", True),
    ]
    assert nodes["fs2"]["last_error"] == "connection refused"


def test_calls_are_summed_and_sessions_are_those_a_connected_dialer_saw() -> None:
    stale = report("fs1", connected=False, sessions=99, calls=1)
    nodes = by_name({"d1": {"nodes": [stale]}, "d2": {"nodes": [report("fs1", calls=4)]}})
    assert (nodes["fs1"]["calls"], nodes["fs1"]["sessions"]) == (5, 3)


def test_rates_are_summed_and_the_worst_lag_is_told() -> None:
    away = report("fs1", connected=False, lag_ms=None, calls_per_second=0.0)
    slow = report("fs1", lag_ms=40, calls_per_second=1.2)
    (node, other) = merge_reports(
        CONFIGURED, {d: {"nodes": [one]} for d, one in zip("123", (away, slow, report("fs1")), strict=True)}
    )
    assert (node["calls_per_second"], node["lag_ms"]) == (1.6, 40)
    assert [connection["lag_ms"] for connection in node["connections"]] == [None, 40, 1]
    assert (other["calls_per_second"], other["lag_ms"]) == (0.0, None)


def test_a_dialer_that_has_not_told_of_a_node_leaves_it_unknown() -> None:
    nodes = by_name({"d1": {}})
    assert (nodes["fs1"]["state"], nodes["fs1"]["connections"]) == ("unknown", [])


def test_a_report_of_the_last_release_is_understood() -> None:
    old = {key: value for key, value in report("fs9").items() if key not in ("calls_per_second", "lag_ms")}
    node = by_name({"d1": {"nodes": [old]}})["fs9"]
    assert (node["state"], node["source"], node["calls_per_second"], node["lag_ms"]) == (
        "up",
        "environment",
        0.0,
        None,
    )


def test_a_node_only_a_dialer_knows_is_told_too() -> None:
    nodes = by_name({"d1": {"nodes": [report("fs9")]}})
    assert (nodes["fs9"]["address"], nodes["fs9"]["cps"], nodes["fs9"]["state"]) == ("fs9:8021", None, "up")


def test_everything_that_a_dialer_finds_has_a_meaning() -> None:
    # How long an answer takes, a dialer that is busy itself cannot tell.
    assert MEANINGS.keys() == set(FindingCode) - {FindingCode.SLOW}


def test_no_password_is_in_what_is_shown() -> None:
    shown = [
        NodeSchema().dump(node) for node in merge_reports(CONFIGURED, {"d1": {"nodes": [report("fs1")]}})
    ]
    assert "s3cret" not in str(shown)
    assert shown[0]["idle_cpu"] == 91.25
