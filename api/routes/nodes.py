"""Nodes: the FreeSWITCH nodes of FREESWITCH_URLS, and those that come and go here, live. The operator's."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Response

from api import idempotency, notify
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import ApiError, conflict, not_found
from api.paging import Page, PageQuery, PageValues, list_schema
from api.resources import LOCK, insert, unique, update
from api.routes import node_findings
from api.routes.dialer_reports import Dialers, living_dialers
from api.routes.node_body import EXAMPLE_BODY, NodeBody, NodeChanges, NodePatch, NodeValues
from api.routes.node_views import EXAMPLE, NodeConfig, NodeSchema, NodeView, merge_reports
from api.routes.reduced_rates import rates_now
from api.schemas import quoted
from api.services import services
from api.transactions import transaction
from coordination.errors import CoordinationError
from coordination.topics import Topic
from limits.rate_cuts import Kind
from models import Node, NodeSource, rows
from settings import NODE_NAME, address_of

log = structlog.get_logger(__name__)

blp = Blueprint("nodes", description="The FreeSWITCH nodes")

DRAIN = "INSERT INTO node_drain (name, by) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING"
ADDED_AND_DRAINED = """
    SELECT node.name, host, port, cps, channels, weight, created_at, node_drain.name AS drained
    FROM (SELECT * FROM node WHERE deleted_at IS NULL) AS node FULL JOIN node_drain ON node_drain.name = node.name"""
IN_PROGRESS = "SELECT count(*) AS calls FROM call WHERE node = %s AND ended_at IS NULL"
# Its successor would ask the node of that name about them: another switch, which never had them.
CALLS_AT_PREVIOUS_ADDRESS = """
    SELECT count(*) AS calls FROM call WHERE node = %s AND ended_at IS NULL AND EXISTS (
        SELECT 1 FROM node WHERE name = %s AND deleted_at IS NOT NULL AND (host, port) <> (%s, %s))"""
DELETE = "UPDATE node SET deleted_at = now() WHERE id = %s"
NOT_FOUND = "Node not found"
EXISTS = "A node named 'fs3' or one at fs3.example.com:8021 exists."
BUSY = "Node 'fs3' has 12 calls in progress; drain it, and delete it when they are over."
EXAMPLE_ADDED: dict[str, object] = EXAMPLE | {
    "name": "fs3",
    "source": "api",
    "host": "fs3.example.com",
    "address": "fs3.example.com:8021",
    "weight": 2,
    "created_at": "2026-01-31T08:00:00.000Z",
}
EXAMPLE_NEW: dict[str, object] = EXAMPLE_ADDED | {
    "state": "unknown",
    "calls": 0,
    "calls_per_second": 0.0,
    "sessions": None,
    "max_sessions": None,
    "idle_cpu": None,
    "lag_ms": None,
    "connections": [],
    "examined_at": None,
    "findings": [],
}
EXAMPLE_LIST = {"nodes": [EXAMPLE, EXAMPLE_ADDED], "total": 2, "limit": 100, "offset": 0}


@blp.route("/nodes")
@requires("operate")
@blp.arguments(PageQuery, location="query")
@blp.response(200, list_schema("nodes", NodeSchema), example=EXAMPLE_LIST)
def list_nodes(query: PageValues) -> dict[str, object]:
    """List nodes

    By name.
    """
    page = Page.of(query)
    found = _examined(every_node())
    return page.body("nodes", found[page.offset : page.offset + page.limit], len(found))


@blp.route("/nodes", methods=["POST"])
@requires("platform", errors={409: EXISTS}, once=True)
@blp.arguments(NodeBody, example=EXAMPLE_BODY)
@blp.response(201, NodeSchema, example=EXAMPLE_NEW)
def create_node(body: NodeValues) -> Response:
    """Add a node

    Within a second every dialer connects to it; calls go there as soon as it is up. The name of a node that was
    removed can be used for another switch once the last call there is over.
    """
    name, host, port = body["name"], body["host"], body["port"]
    exists = f"A node named {quoted(name)} or one at {address_of(host, port)} exists."
    dialers = _dialers()
    rates = rates_now(Kind.NODE, {name: body["cps"]})

    def work() -> object:
        if name in _in_environment(dialers) or _is_environment_address(host, port):
            raise conflict(exists, "already_exists")
        _refuse_leftover_calls(name, host, port)
        with unique(exists):
            row = insert(Node, **body)
        (node,) = merge_reports([_config_of(row)], {})
        node |= {"draining": False, "rate_now": rates[name], "examined_at": None, "findings": []}
        return NodeSchema().dump(node)

    answer = idempotency.once(work, idempotency.body_hash(body))
    notify.dialers(services(), Topic.WAKE, {})
    return answer.response()


@blp.route("/nodes/<node_name>")
@requires("operate", errors={404: NOT_FOUND})
@blp.response(200, NodeSchema, example=EXAMPLE)
def get_node(node_name: str) -> NodeView:
    """Get a node"""
    return _node_or_404(node_name)


@blp.route("/nodes/<node_name>", methods=["PATCH"])
@requires("platform", errors={404: NOT_FOUND, 409: "Node 'fs1' is configured by FREESWITCH_URLS; …"})
@blp.arguments(NodePatch, required=False, example={"cps": 10, "weight": 1})
@blp.response(200, NodeSchema, example=EXAMPLE_ADDED | {"cps": 10, "rate_now": 10, "weight": 1})
def patch_node(body: NodeChanges, node_name: str) -> NodeView:
    """Change a node

    What is left out stays as it is. Rates, channels and weight hold for the next call. A new password is used from
    the next connection on, which is made at once where the node has no calls. Host and port can only be changed while
    it has no calls in progress: drain it first. Nodes of FREESWITCH_URLS cannot be changed here.
    """
    dialers = _dialers()
    with transaction():
        node = _changeable(node_name, dialers)
        host, port = body.get("host", node.host), body.get("port", node.port)
        exists = f"A node at {address_of(host, port)} exists."
        if (host, port) != (node.host, node.port):
            _refuse_busy(node, "move")
            if _is_environment_address(host, port):
                raise conflict(exists, "already_exists")
            node_findings.forget(node.name)
        with unique(exists):
            update(node, body)
    notify.dialers(services(), Topic.WAKE, {})
    return _node_or_404(node_name)


@blp.route("/nodes/<node_name>", methods=["DELETE"])
@requires("platform", errors={404: NOT_FOUND, 409: BUSY}, once=True)
@blp.response(204)
def delete_node(node_name: str) -> Response:
    """Remove a node

    Refuses while calls are in progress there: drain it first. A call that leaves for it at this very moment is not
    lost: each dialer stays connected until its last call there is over. Nodes of FREESWITCH_URLS cannot be removed.
    """
    dialers = _dialers()

    def work() -> None:
        node = _changeable(node_name, dialers)
        _refuse_busy(node, "delete")
        rows(DELETE, node.id)
        rows("DELETE FROM node_drain WHERE name = %s", node.name)
        node_findings.forget(node.name)

    answer = idempotency.deleted(work)
    notify.dialers(services(), Topic.WAKE, {})
    return answer


@blp.route("/nodes/<node_name>/drain", methods=["POST"])
@requires("platform", errors={404: NOT_FOUND})
@blp.response(200, NodeSchema, example=EXAMPLE | {"draining": True})
def drain_node(node_name: str) -> NodeView:
    """Drain a node

    Within a second no dialer starts a call there any more; calls in progress go on, and `calls` says how many are
    left. It stays so, restarts included, until it is undrained.
    """
    node = _node_or_404(node_name)
    with transaction():
        rows(DRAIN, node["name"], current_caller().key_name)
    notify.dialers(services(), Topic.WAKE, {})
    return node | {"draining": True}


@blp.route("/nodes/<node_name>/undrain", methods=["POST"])
@requires("platform", errors={404: NOT_FOUND})
@blp.response(200, NodeSchema, example=EXAMPLE)
def undrain_node(node_name: str) -> NodeView:
    """Undrain a node

    Calls go there again.
    """
    node = _node_or_404(node_name)
    with transaction():
        rows("DELETE FROM node_drain WHERE name = %s", node["name"])
    notify.dialers(services(), Topic.WAKE, {})
    return node | {"draining": False}


def _node_or_404(node_name: str) -> NodeView:
    found = [node for node in every_node() if node["name"] == node_name]
    if not found:
        raise not_found("Node")
    return _examined(found)[0]


def _examined(nodes: list[NodeView]) -> list[NodeView]:
    """Each with what the doctor found, for whom that is."""
    if not current_caller().may("platform"):
        return [node | {"examined_at": None, "findings": None} for node in nodes]
    with transaction(writes=False):
        kept = node_findings.of_nodes()
    found = [kept.get(node["name"], node_findings.Examined()) for node in nodes]
    return [
        node | {"examined_at": one.at, "findings": one.findings}
        for node, one in zip(nodes, found, strict=True)
    ]


def every_node() -> list[NodeView]:
    """Each node by name, as it is configured and as the living dialers tell of it."""
    dialers = _dialers()
    with transaction():
        kept = rows(ADDED_AND_DRAINED)
    drained = {row.pop("drained") for row in kept}
    added = [NodeConfig(source=NodeSource.API, **row) for row in kept if row["name"] is not None]
    environment = [NodeConfig.of_environment(node) for node in services().settings.nodes]
    found = merge_reports([*environment, *added], dialers)
    rates = rates_now(Kind.NODE, {node["name"]: node["cps"] for node in found if node["cps"] is not None})
    return [
        node | {"rate_now": rates.get(node["name"]), "draining": node["name"] in drained} for node in found
    ]


def nodes_taking_calls() -> list[NodeView]:
    """Those that are up, as the living dialers tell, and not drained."""
    return [node for node in every_node() if node["state"] == "up" and not node["draining"]]


def _dialers() -> Dialers:
    try:
        return living_dialers()
    except CoordinationError as error:
        log.warning("membership_unavailable", reason=str(error))
        return {}


def _config_of(node: Node) -> NodeConfig:
    columns: dict[str, Any] = node.__data__
    names = ("name", "host", "port", "cps", "channels", "weight", "created_at")
    return NodeConfig(source=NodeSource.API, **{name: columns[name] for name in names})


def _in_environment(dialers: Dialers) -> set[str]:
    """The names of the nodes in our environment, and in that of any living dialer."""
    reports = [report for info in dialers.values() for report in info.get("nodes", ())]
    theirs = {report["name"] for report in reports if report.get("source") != NodeSource.API}
    return theirs | {node.name for node in services().settings.nodes}


def _is_environment_address(host: str, port: int) -> bool:
    """Whether a node of our environment is there: one switch under two names would be asked for twice its rate."""
    return (host, port) in {(node.host, node.port) for node in services().settings.nodes}


def _changeable(node_name: str, dialers: Dialers) -> Node:
    """The node that a path names, locked. Raises ApiError: 404, and 409 for one of the environment."""
    if node_name in _in_environment(dialers):
        raise _of_environment(node_name)
    # What cannot be a name need not be one that PostgreSQL can read.
    valid = NODE_NAME.fullmatch(node_name)
    query: Any = Node.select().where(Node.name == node_name, Node.deleted_at.is_null())
    node: Node | None = query.for_update(LOCK).first() if valid else None
    if node is None:
        raise not_found("Node")
    return node


def _of_environment(node_name: str) -> ApiError:
    return conflict(
        f"Node {quoted(node_name)} is configured by FREESWITCH_URLS; here it can only be drained and undrained.",
        "configured_by_environment",
    )


def _refuse_busy(node: Node, what: str) -> None:
    (row,) = rows(IN_PROGRESS, node.name)
    if calls := row["calls"]:
        raise conflict(
            f"Node {quoted(node.name)} has {_in_progress(calls)}; drain it, and {what} it when they are over.",
            "in_use",
        )


def _refuse_leftover_calls(name: str, host: str, port: int) -> None:
    (row,) = rows(CALLS_AT_PREVIOUS_ADDRESS, name, name, host, port)
    if calls := row["calls"]:
        left = f"The node {quoted(name)} that was removed has {_in_progress(calls)}"
        raise conflict(f"{left}; use its name again when they are over.", "in_use")


def _in_progress(calls: int) -> str:
    return "1 call in progress" if calls == 1 else f"{calls} calls in progress"
