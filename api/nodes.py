"""Nodes: the FreeSWITCH nodes as configured, with what every living dialer reports of them. The operator's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from marshmallow import fields

from api import schemas, signals
from api.auth import current, requires
from api.blueprint import Blueprint
from api.database import unit
from api.errors import not_found
from api.paging import Page, PageQuery, list_schema
from api.rates import rates_now
from api.services import services
from limits.errors import LimitsError
from limits.pressure import Kind
from models import rows
from settings import NodeSettings

log = structlog.get_logger(__name__)

blp = Blueprint("nodes", description="The FreeSWITCH nodes")

DRAIN = "INSERT INTO node_drain (name, by) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING"
STATES = ("up", "down", "unknown")
NOT_FOUND = "Node not found"
EXAMPLE: dict[str, Any] = {
    "name": "fs1",
    "address": "fs1:8021",
    "state": "up",
    "draining": False,
    "cps": 20,
    "rate_now": 20,
    "channels": 500,
    "calls": 12,
    "sessions": 14,
    "max_sessions": 1000,
    "idle_cpu": 93.5,
    "last_error": None,
    "connections": [
        {
            "dialer_id": "d0192f3a4b5c6",
            "connected": True,
            "core_uuid": "0f1d2c3b-7d2e-4b10-9c55-2f0f4b1a6a01",
            "calls": 12,
            "last_error": None,
        }
    ],
}
EXAMPLE_LIST = {"nodes": [EXAMPLE], "total": 1, "limit": 100, "offset": 0}


class ConnectionSchema(schemas.Schema):
    """A node as one dialer sees it."""

    dialer_id = schemas.Id(required=True)
    connected = schemas.Boolean(required=True)
    core_uuid = schemas.Text(
        required=True, allow_none=True, metadata={"description": "Changes when the node restarts."}
    )
    calls = schemas.Integer(required=True, metadata={"description": "This dialer's, in flight there."})
    last_error = schemas.Text(required=True, allow_none=True)


class NodeSchema(schemas.Schema):
    """A node."""

    name = schemas.Id(required=True)
    address = schemas.Text(required=True, metadata={"description": "host:port of its event socket."})
    state = schemas.Choice(
        STATES,
        required=True,
        metadata={
            "description": "up when a dialer is connected, down when none is, unknown when no dialer can be asked."
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
    calls = schemas.Integer(required=True, metadata={"description": "In flight there, of every dialer."})
    sessions = schemas.Integer(
        required=True, allow_none=True, metadata={"description": "As the node last counted them, every 20 s."}
    )
    max_sessions = schemas.Integer(required=True, allow_none=True)
    idle_cpu = fields.Float(required=True, allow_none=True, metadata={"description": "Per cent."})
    last_error = schemas.Text(required=True, allow_none=True)
    connections = schemas.Items(schemas.Nested(ConnectionSchema), required=True)


@blp.route("/nodes")
@requires("platform")
@blp.arguments(PageQuery, location="query")
@blp.response(200, list_schema("nodes", NodeSchema), example=EXAMPLE_LIST)
def list_nodes(query: dict[str, Any]) -> dict[str, Any]:
    """List nodes

    By name.
    """
    page = Page.of(query)
    found = _nodes()
    return page.body("nodes", found[page.offset : page.offset + page.limit], len(found))


@blp.route("/nodes/<node_name>/drain", methods=["POST"])
@requires("platform", errors={404: NOT_FOUND})
@blp.response(200, NodeSchema, example=EXAMPLE | {"draining": True})
def drain_node(node_name: str) -> dict[str, Any]:
    """Drain a node

    Within a second no dialer starts a call there any more; calls in progress go on, and `calls` says how many are
    left. It stays so, restarts included, until it is undrained.
    """
    known = _named(node_name)
    with unit():
        rows(DRAIN, known["name"], current().key_name)
    signals.ring(services(), "wake", {})
    return known | {"draining": True}


@blp.route("/nodes/<node_name>/undrain", methods=["POST"])
@requires("platform", errors={404: NOT_FOUND})
@blp.response(200, NodeSchema, example=EXAMPLE)
def undrain_node(node_name: str) -> dict[str, Any]:
    """Undrain a node

    Calls go there again.
    """
    known = _named(node_name)
    with unit():
        rows("DELETE FROM node_drain WHERE name = %s", known["name"])
    signals.ring(services(), "wake", {})
    return known | {"draining": False}


@blp.route("/nodes/<node_name>")
@requires("platform", errors={404: NOT_FOUND})
@blp.response(200, NodeSchema, example=EXAMPLE)
def get_node(node_name: str) -> dict[str, Any]:
    """Get a node"""
    return _named(node_name)


def _named(node_name: str) -> dict[str, Any]:
    for node in _nodes():
        if node["name"] == node_name:
            return node
    raise not_found("Node")


def _nodes() -> list[dict[str, Any]]:
    try:
        dialers = services().roster.alive()
    except LimitsError as error:
        log.warning("roster_unavailable", reason=str(error))
        dialers = {}
    found = merged(services().settings.nodes, dialers)
    rates = rates_now(Kind.NODE, {node["name"]: node["cps"] for node in found if node["cps"] is not None})
    with unit():
        drained = {row["name"] for row in rows("SELECT name FROM node_drain")}
    return [
        node | {"rate_now": rates.get(node["name"]), "draining": node["name"] in drained} for node in found
    ]


def merged(
    configured: tuple[NodeSettings, ...], dialers: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The nodes by name: those this process is configured with, and any other that a dialer reports."""
    reports: dict[str, list[tuple[str, Mapping[str, Any]]]] = {node.name: [] for node in configured}
    for dialer_id, info in sorted(dialers.items()):
        for report in info.get("nodes", ()):
            reports.setdefault(report["name"], []).append((dialer_id, report))
    settings = {node.name: node for node in configured}
    return [_node(name, settings.get(name), reports[name], bool(dialers)) for name in sorted(reports)]


def _node(
    name: str, node: NodeSettings | None, reports: list[tuple[str, Mapping[str, Any]]], dialers: bool
) -> dict[str, Any]:
    connections = [
        {
            "dialer_id": dialer_id,
            "connected": bool(report.get("connected")),
            "core_uuid": report.get("core_uuid"),
            "calls": report.get("calls", 0),
            "last_error": report.get("last_error"),
        }
        for dialer_id, report in reports
    ]
    # What a dialer that is connected says of the node's health comes before what another remembers of it.
    told = sorted((report for _, report in reports), key=lambda report: not report.get("connected"))
    up = any(connection["connected"] for connection in connections)
    return {
        "name": name,
        "address": f"{node.host}:{node.port}" if node else _first(told, "address"),
        "state": "up" if up else "down" if dialers else "unknown",
        "cps": node.cps if node else None,
        "channels": node.channels if node else None,
        "calls": sum(connection["calls"] for connection in connections),
        "sessions": _first(told, "sessions"),
        "max_sessions": _first(told, "max_sessions"),
        "idle_cpu": _first(told, "idle_cpu"),
        "last_error": _first(told, "last_error"),
        "connections": connections,
    }


def _first(reports: list[Mapping[str, Any]], name: str) -> Any:
    """What the first of `reports` that says anything of `name` says."""
    return next((report[name] for report in reports if report.get(name) is not None), None)
