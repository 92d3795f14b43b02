"""Whether this process lives (`/healthz`), and whether it can serve (`/readyz`)."""

from __future__ import annotations

from typing import TypedDict

import orjson
from flask import Blueprint, Response

from api.auth import Caller, authenticate
from api.errors import ApiError
from api.routes.dialer_reports import Dialers, living_dialers
from api.schema_check import schema_fault
from api.services import services
from api.transactions import transaction
from coordination.errors import CoordinationError
from limits.eviction import evicting, evicts

blp = Blueprint("health", __name__)

REDIS_AWAY = "Redis unavailable."


class NodeState(TypedDict):
    """Whether every living dialer is connected to a node."""

    name: str
    connected: bool


class Readiness(TypedDict):
    """The body of /readyz: whether this process can serve, and why not."""

    ready: bool
    reasons: list[str]
    database: str
    redis: str


class Dialling(TypedDict):
    """Who dials, and why nobody may: what only a key is shown."""

    warnings: list[str]
    dialers: list[str]
    nodes: list[NodeState]


@blp.get("/healthz")
def healthz() -> Response:
    """This process answers."""
    return Response("ok", content_type="text/plain; charset=utf-8")


@blp.get("/readyz")
def readyz() -> Response:
    """Whether this process can serve: 503 with the reasons while it cannot. With a key, the dialers and nodes too:
    calls that nobody places are no reason to send requests elsewhere."""
    database = _database()
    dialers, redis_reason = _redis()
    reasons = [reason for reason in (database, redis_reason) if reason]
    body: Readiness = {
        "ready": not reasons,
        "reasons": reasons,
        "database": "ok" if not database else "unavailable",
        "redis": "ok" if not redis_reason else "unavailable",
    }
    caller = _whoever_asks()
    shown: dict[str, object] = {**body}
    if caller is not None:
        shown |= _dialling(dialers, redis_reason, everybodys=caller.may("platform"))
    return Response(orjson.dumps(shown), 503 if reasons else 200, content_type="application/json")


def _whoever_asks() -> Caller | None:
    try:
        return authenticate()
    except ApiError:
        return None


def _dialling(dialers: Dialers, redis_reason: str | None, *, everybodys: bool) -> Dialling:
    """`everybodys`: whether the caller may see the campaigns of every tenant."""
    nodes = _nodes(dialers)
    warnings = [f"Node {node['name']} is not connected." for node in nodes if not node["connected"]]
    if dialers and not nodes:
        warnings.append("No dialer is connected to a node.")
    if redis_reason != REDIS_AWAY and not dialers:
        warnings.append("No dialer is alive.")
    for dialer_id, info in sorted(dialers.items()):
        for campaign_id, rule in sorted(info.get("cannot_run", {}).items()) if everybodys else ():
            warnings.append(f"Dialer {dialer_id} cannot run campaign {campaign_id}: {rule}.")
    return {"warnings": warnings, "dialers": sorted(dialers), "nodes": nodes}


def _database() -> str | None:
    try:
        with transaction(2.0):
            return schema_fault()
    except ApiError as error:
        return f"{error.message}."


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
