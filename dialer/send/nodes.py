"""What the dispatchers and the roster want to know of the nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dialer.book import Book
from freeswitch.cluster import Cluster
from limits.caps import NodeCaps
from limits.pressure import Kind
from models import db, rows
from settings import NodeSettings

CpsNow = Callable[[Kind, str, int | None], int | None]
"""What back-pressure leaves of a configured rate."""


class Nodes:
    """The connected nodes, least loaded first, and what each looks like from here."""

    def __init__(
        self, settings: Sequence[NodeSettings], cluster: Cluster, book: Book, cps_now: CpsNow
    ) -> None:
        self._settings: Mapping[str, NodeSettings] = {node.name: node for node in settings}
        self._cluster = cluster
        self._book = book
        self._cps_now = cps_now
        self._drained: frozenset[str] = frozenset()

    def caps(self) -> list[NodeCaps]:
        """The caps of every node that can take a call now, the one with the most room first.

        The node's own count of sessions is up to 20 s old; what this process has in flight there is not.
        """
        found: list[tuple[float, NodeCaps]] = []
        for name, link in self._cluster.links.items():
            if not link.connected or name in self._drained:
                continue
            node = self._settings[name]
            limit = node.channels or (link.heartbeat.max_sessions if link.heartbeat else 0) or 1000
            in_flight = self._book.count_on_node(name)
            reported = link.heartbeat.sessions if link.heartbeat else 0
            found.append((max(in_flight, reported) / limit, self._caps_of(node)))
        return [caps for _, caps in sorted(found, key=lambda item: item[0])]

    def read_drained(self) -> None:
        """Learn which nodes are being emptied. Raises what a database that is away raises; what is known stands."""
        with db.connection_context():
            self._drained = frozenset(row["name"] for row in rows("SELECT name FROM node_drain"))

    def why_none(self) -> str:
        """The `blocked_reason` where no node can take a call."""
        draining = any(link.connected for link in self._cluster.links.values())
        return "draining" if draining else "no_node"

    def _caps_of(self, node: NodeSettings) -> NodeCaps:
        return NodeCaps(node.name, self._cps_now(Kind.NODE, node.name, node.cps), node.channels)

    def core_uuid(self, name: str) -> str | None:
        """The Core-UUID of the node's present run, where it is known."""
        link = self._cluster.links.get(name)
        return link.core_uuid if link is not None else None

    def info(self) -> list[dict[str, Any]]:
        """One entry for each node, as this process sees it, for the roster."""
        return [self._entry(name) for name in self._settings]

    def _entry(self, name: str) -> dict[str, Any]:
        node = self._settings[name]
        link = self._cluster.links.get(name)
        heartbeat = link.heartbeat if link is not None else None
        return {
            "name": name,
            "address": f"{node.host}:{node.port}",
            "connected": link is not None and link.connected,
            "core_uuid": link.core_uuid if link is not None else None,
            "sessions": heartbeat.sessions if heartbeat else None,
            "max_sessions": heartbeat.max_sessions if heartbeat else None,
            "idle_cpu": heartbeat.idle_cpu if heartbeat else None,
            "calls": self._book.count_on_node(name),
            "last_error": link.last_error if link is not None else None,
        }
