"""What is shown of a node: how it is configured, put together with what every living dialer reports of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NotRequired, TypedDict, TypeVar

from marshmallow import fields

from api import schemas
from api.routes import node_findings
from api.routes.dialer_reports import Dialers, NodeReport
from api.routes.node_findings import Finding, FindingSchema
from api.times import from_rfc3339
from models import NodeSource
from settings import NodeSettings, address_of

V = TypeVar("V")
STATES = ("up", "down", "unknown")
EXAMPLE: dict[str, object] = {
    "name": "fs1",
    "source": "environment",
    "host": "fs1",
    "port": 8021,
    "address": "fs1:8021",
    "state": "up",
    "draining": False,
    "cps": 20,
    "rate_now": 20,
    "channels": 500,
    "weight": 1,
    "calls": 12,
    "calls_per_second": 4.2,
    "sessions": 14,
    "max_sessions": 1000,
    "idle_cpu": 93.5,
    "lag_ms": 2,
    "last_error": None,
    "error_since": None,
    "unanswered": 0,
    "created_at": None,
    "connections": [
        {
            "dialer_id": "d0192f3a4b5c6",
            "connected": True,
            "core_uuid": "0f1d2c3b-7d2e-4b10-9c55-2f0f4b1a6a01",
            "calls": 12,
            "calls_per_second": 4.2,
            "lag_ms": 2,
            "last_error": None,
            "error_since": None,
            "unanswered": 0,
        }
    ],
    "examined_at": "2026-01-31T09:00:00.000Z",
    "findings": [node_findings.EXAMPLE],
}


class ConnectionSchema(schemas.Schema):
    """A node as one dialer sees it."""

    dialer_id = schemas.Id(required=True)
    connected = schemas.Boolean(required=True)
    core_uuid = schemas.Text(
        required=True, allow_none=True, metadata={"description": "Changes when the node restarts."}
    )
    calls = schemas.Integer(required=True, metadata={"description": "This dialer's, in flight there."})
    calls_per_second = fields.Float(
        required=True, metadata={"description": "This dialer's, started there in the last 5 s."}
    )
    lag_ms = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "By how much the newest event came later than this connection's best."},
    )
    last_error = schemas.Text(
        required=True,
        allow_none=True,
        metadata={
            "description": "What is wrong with it: why it is not connected, orders that it leaves unanswered, or why "
            "it refuses every call."
        },
    )
    error_since = schemas.Time(required=True, allow_none=True)
    unanswered = schemas.Integer(
        required=True, metadata={"description": "Orders for calls that it has not answered yet."}
    )


class NodeSchema(schemas.Schema):
    """A node."""

    name = schemas.Id(required=True)
    source = schemas.Choice(
        NodeSource,
        required=True,
        metadata={
            "description": "environment: FREESWITCH_URLS, which this API cannot change; api: POST /nodes."
        },
    )
    host = schemas.Text(
        required=True, allow_none=True, metadata={"description": "Null where only dialers know the node."}
    )
    port = schemas.Integer(required=True, allow_none=True)
    address = schemas.Text(required=True, metadata={"description": "host:port of its event socket."})
    state = schemas.Choice(
        STATES,
        required=True,
        metadata={
            "description": "up when a dialer is connected, down when none is, unknown while no dialer tells of it."
        },
    )
    draining = schemas.Boolean(required=True, metadata={"description": "No new call goes there."})
    cps = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Calls started per second; null where only dialers know the node."},
    )
    rate_now = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "What is left of cps: halved when the node refuses or lags, then raised again."
        },
    )
    channels = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Calls at once; null is the node's own limit."},
    )
    weight = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "A node of weight 2 gets twice the calls of one of weight 1 with as much room."
        },
    )
    calls = schemas.Integer(required=True, metadata={"description": "In flight there, of every dialer."})
    calls_per_second = fields.Float(
        required=True, metadata={"description": "Started there in the last 5 s, by every dialer."}
    )
    sessions = schemas.Integer(
        required=True, allow_none=True, metadata={"description": "As the node last counted them, every 20 s."}
    )
    max_sessions = schemas.Integer(required=True, allow_none=True)
    idle_cpu = fields.Float(required=True, allow_none=True, metadata={"description": "Per cent."})
    lag_ms = schemas.Integer(
        required=True, allow_none=True, metadata={"description": "The most of its connections'."}
    )
    last_error = schemas.Text(
        required=True,
        allow_none=True,
        metadata={
            "description": "What is wrong with it: why it is not connected, orders that it leaves unanswered, or why "
            "it refuses every call."
        },
    )
    error_since = schemas.Time(required=True, allow_none=True)
    unanswered = schemas.Integer(
        required=True, metadata={"description": "Orders for calls that it has not answered yet."}
    )
    created_at = schemas.Time(
        required=True, allow_none=True, metadata={"description": "Null for a node of the environment."}
    )
    connections = schemas.Items(schemas.Nested(ConnectionSchema), required=True)
    examined_at = schemas.Time(
        required=True,
        allow_none=True,
        metadata={
            "description": "When a dialer last looked for what is wrong with it, as one does every five minutes and "
            "once it came up; null until then, and to a key that is not of role platform."
        },
    )
    findings = schemas.Items(
        schemas.Nested(FindingSchema),
        required=True,
        allow_none=True,
        metadata={
            "description": "What was found wrong with it, the oldest first, as `python -m dialer doctor` says it. "
            "Null to a key that is not of role platform."
        },
    )


class Connection(TypedDict):
    """A node as one dialer sees it; see ConnectionSchema."""

    dialer_id: str
    connected: bool
    core_uuid: str | None
    calls: int
    calls_per_second: float
    lag_ms: int | None
    last_error: str | None
    error_since: dt.datetime | None
    unanswered: int


class NodeView(TypedDict):
    """A node as it is shown; see NodeSchema."""

    name: str
    source: NodeSource
    host: str | None
    port: int | None
    address: str | None
    state: str
    draining: NotRequired[bool]
    cps: int | None
    rate_now: NotRequired[int | None]
    channels: int | None
    weight: int | None
    calls: int
    calls_per_second: float
    sessions: int | None
    max_sessions: int | None
    idle_cpu: float | None
    lag_ms: int | None
    last_error: str | None
    error_since: dt.datetime | None
    unanswered: int
    created_at: dt.datetime | None
    connections: list[Connection]
    examined_at: NotRequired[dt.datetime | None]
    findings: NotRequired[list[Finding] | None]


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """A node as it is configured, but for its password."""

    name: str
    source: NodeSource
    host: str
    port: int
    cps: int
    channels: int | None
    weight: int
    created_at: dt.datetime | None = None

    @classmethod
    def of_environment(cls, node: NodeSettings) -> NodeConfig:
        """One of FREESWITCH_URLS."""
        source = NodeSource.ENVIRONMENT
        return cls(node.name, source, node.host, node.port, node.cps, node.channels, node.weight)


def merge_reports(configured: Iterable[NodeConfig], dialers: Dialers) -> list[NodeView]:
    """The nodes by name: the `configured` ones, and any other that a dialer has in its own environment.

    Of two with one name, the first of `configured` counts. What is missing is `draining`, `rate_now`, and what
    the doctor found.
    """
    by_name: dict[str, NodeConfig] = {}
    for node in configured:
        by_name.setdefault(node.name, node)
    reports: dict[str, list[tuple[str, NodeReport]]] = {name: [] for name in by_name}
    for dialer_id, info in sorted(dialers.items()):
        for report in info.get("nodes", ()):
            # One that was deleted stays with a dialer until its last call is over.
            if report["name"] in by_name or report.get("source") != NodeSource.API:
                reports.setdefault(report["name"], []).append((dialer_id, report))
    return [_node(name, by_name.get(name), reports[name]) for name in sorted(reports)]


def _node(name: str, node: NodeConfig | None, reports: list[tuple[str, NodeReport]]) -> NodeView:
    connections = [_connection(dialer_id, report) for dialer_id, report in reports]
    # What a dialer that is connected says of the node's health comes before what another remembers of it.
    connected_first = sorted(
        (report for _, report in reports), key=lambda report: not report.get("connected")
    )
    reported_address = _first_known(report.get("address") for report in connected_first)
    up = any(connection["connected"] for connection in connections)
    nobody: NodeReport = {}
    troubled = next((report for report in connected_first if report.get("last_error")), nobody)
    lags = [connection["lag_ms"] for connection in connections if connection["lag_ms"] is not None]
    return {
        "name": name,
        "source": node.source if node else NodeSource.ENVIRONMENT,
        "host": node.host if node else None,
        "port": node.port if node else None,
        "address": address_of(node.host, node.port) if node else reported_address,
        "state": "up" if up else "down" if connections else "unknown",
        "cps": node.cps if node else None,
        "channels": node.channels if node else None,
        "weight": node.weight if node else None,
        "calls": sum(connection["calls"] for connection in connections),
        "calls_per_second": round(sum(connection["calls_per_second"] for connection in connections), 1),
        "sessions": _first_known(report.get("sessions") for report in connected_first),
        "max_sessions": _first_known(report.get("max_sessions") for report in connected_first),
        "idle_cpu": _first_known(report.get("idle_cpu") for report in connected_first),
        "lag_ms": max(lags, default=None),
        "last_error": troubled.get("last_error"),
        "error_since": None if (since := troubled.get("error_since")) is None else from_rfc3339(since),
        "unanswered": sum(connection["unanswered"] for connection in connections),
        "created_at": node.created_at if node else None,
        "connections": connections,
    }


def _connection(dialer_id: str, report: NodeReport) -> Connection:
    return {
        "dialer_id": dialer_id,
        "connected": bool(report.get("connected")),
        "core_uuid": report.get("core_uuid"),
        "calls": report.get("calls", 0),
        "calls_per_second": report.get("calls_per_second", 0.0),
        "lag_ms": report.get("lag_ms"),
        "last_error": report.get("last_error"),
        "error_since": None if (since := report.get("error_since")) is None else from_rfc3339(since),
        "unanswered": report.get("unanswered", 0),
    }


def _first_known(values: Iterable[V | None]) -> V | None:
    """The first of them that says anything."""
    return next((value for value in values if value is not None), None)
