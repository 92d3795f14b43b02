"""Whether this process lives (`/healthz`), and whether the service can work (`/readyz`)."""

from __future__ import annotations

from typing import TypedDict

import orjson
from flask import Blueprint, Response

from api.errors import ApiError
from api.routes.dialer_reports import Dialers, living_dialers
from api.services import services
from api.transactions import transaction
from coordination.errors import CoordinationError
from limits.eviction import evicting, evicts
from models import rows

blp = Blueprint("health", __name__)

REDIS_AWAY = "Redis unavailable."


class NodeState(TypedDict):
    """Whether every living dialer is connected to a node."""

    name: str
    connected: bool


class Readiness(TypedDict):
    """The body of /readyz."""

    ready: bool
    reasons: list[str]
    database: str
    redis: str
    dialers: list[str]
    nodes: list[NodeState]


@blp.get("/healthz")
def healthz() -> Response:
    """This process answers."""
    return Response("ok", content_type="text/plain; charset=utf-8")


@blp.get("/readyz")
def readyz() -> Response:
    """Database, Redis, dialers and nodes; 503 with the reasons until all are there."""
    state = _state()
    return Response(orjson.dumps(state), 503 if state["reasons"] else 200, content_type="application/json")


def _state() -> Readiness:
    database = _database()
    dialers, redis_reason = _redis()
    nodes = _nodes(dialers)
    reasons = [reason for reason in (database, redis_reason) if reason]
    if redis_reason != REDIS_AWAY and not dialers:
        reasons.append("No dialer is alive.")
    if dialers and not nodes:
        reasons.append("No dialer is connected to a node.")
    reasons += [f"Node {node['name']} is not connected." for node in nodes if not node["connected"]]
    return {
        "ready": not reasons,
        "reasons": reasons,
        "database": "ok" if not database else "unavailable",
        "redis": "ok" if not redis_reason else "unavailable",
        "dialers": sorted(dialers),
        "nodes": nodes,
    }


def _database() -> str | None:
    try:
        with transaction(2.0):
            rows("SELECT 1 AS one")
    except ApiError as error:
        return f"{error.message}."
    return None


def _redis() -> tuple[Dialers, str | None]:
    """The living dialers, and why nobody may dial on this Redis."""
    try:
        dialers, policy = living_dialers(), evicting(services().redis)
    except CoordinationError:
        return {}, REDIS_AWAY
    return dialers, None if policy is None else evicts(policy)


def _nodes(dialers: Dialers) -> list[NodeState]:
    """Each node by name; connected when every living dialer is connected to it."""
    nodes: dict[str, bool] = {}
    for info in dialers.values():
        for node in info.get("nodes", ()):
            connected = bool(node.get("connected"))
            nodes[node["name"]] = nodes.get(node["name"], True) and connected
    return [NodeState(name=name, connected=connected) for name, connected in sorted(nodes.items())]
