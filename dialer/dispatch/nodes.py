"""Which nodes are offered calls: those that are connected and have room, and are neither drained, deleted nor rested.
Their caps, load and links, which are opened and closed as the list of nodes changes.

Nodes come and go while calls are in progress, and no call pays for it: a node that is deleted or moved gets no new
call, and its connection stays until its last call is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from dialer.dispatch.node_choice import NodeLoad, sessions_now, weighted_order
from dialer.dispatch.node_entries import NodeEntry, of_environment, purge, with_table
from dialer.dispatch.node_health import REFUSES, NodeHealth, told
from dialer.dispatch.node_rests import NodeRests
from dialer.dispatch.rate_meter import RateMeter
from dialer.live_calls import LiveCalls
from freeswitch.cluster import Cluster, NodeConfig, NodeLink
from freeswitch.events import Heartbeat
from limits.caps import NodeCaps
from limits.rate_cuts import Kind
from models import db
from settings import NodeSettings

log = structlog.get_logger()

CpsNow = Callable[[Kind, str, int | None], int | None]
"""What back-pressure leaves of a configured rate."""


class Nodes:
    """The nodes by name, who of them may take a call, and what each looks like from here."""

    def __init__(
        self,
        environment: Sequence[NodeSettings],
        cluster: Cluster,
        live_calls: LiveCalls,
        cps_now: CpsNow,
        rests: NodeRests,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environment = of_environment(environment)
        self._listed: Mapping[str, NodeEntry] = {}
        self._cluster = cluster
        self._live_calls = live_calls
        self._cps_now = cps_now
        self._rests = rests
        self._now = now
        self._drained: frozenset[str] = frozenset()
        self._beats: dict[str, tuple[Heartbeat, int]] = {}
        self._meters: dict[str, RateMeter] = {}
        self.follow(self._environment)

    # What the scheduler asks.

    def offers(self) -> tuple[list[NodeCaps], Callable[[], Sequence[str]]]:
        """The caps of every node that can take a call now, and how to draw the order in which one call tries them.

        Last in that order come those whose channels this process has filled: who waits there for a permit holds one
        of them.
        """
        loads = {name: self._load(name) for name in self._open() if not self._rested(name)}
        loads = {name: load for name, load in loads.items() if not load.full}

        def order() -> Sequence[str]:
            return list(dict.fromkeys([*weighted_order(loads.values()), *loads]))

        return [self._caps_of(name) for name in loads], order

    def why_none(self) -> str:
        """The `blocked_reason` where no node can take a call."""
        if found := self._open():
            return REFUSES if all(self._rested(name) for name in found) else "node_channels"
        return "draining" if self._cluster.connected() else "no_node"

    def configured(self) -> Mapping[str, NodeSettings]:
        """How to reach each node that there is, and what it is asked for."""
        return {name: listed.node for name, listed in self._listed.items() if not listed.deleted}

    def core_uuid(self, name: str) -> str | None:
        """The Core-UUID of the node's present run, where it is known."""
        link = self._cluster.links.get(name)
        return link.core_uuid if link is not None else None

    def names(self) -> list[str]:
        """All nodes there are, whatever they can do now: what is divided among the nodes is divided among these."""
        return [name for name, listed in self._listed.items() if not listed.deleted]

    # What the process tells it.

    def on_order(self) -> None:
        """Only answers count."""

    def on_reply(self, node: str, sent_at: float, read_at: float) -> None:
        """The node has answered an order for a call."""
        self._meters.setdefault(node, RateMeter()).note(self._now())

    def learn(self, drained: Iterable[str], table: Iterable[Mapping[str, Any]]) -> None:
        """These nodes are being emptied, and these rows `node_entries.LISTED` shows; both as of one moment. Until it
        is called the nodes of the environment are known. Called every second: who is gone may have no call any more.
        """
        self._drained = frozenset(drained)
        self.follow(with_table(self._environment, table))

    def purge(self) -> None:
        """Forget nodes that were deleted. Raises what a database that is away raises."""
        with db.connection_context():
            purge()

    def follow(self, listed: Mapping[str, NodeEntry]) -> None:
        """Connect to what is new, go by what has changed, and leave what is gone and has no call of ours."""
        before, self._listed = self._listed, dict(listed)
        for name, one in listed.items():
            link, config = self._cluster.links.get(name), _config(one.node)
            if link is None:
                log.info("node_added", node=name, address=one.node.address)
                self._cluster.add(config)
            elif link.config != config:
                self._change(link, config)
        for name in self._cluster.links.keys() - listed.keys():
            if self._live_calls.count_on_node(name):
                self._listed = {**self._listed, name: replace(before[name], deleted=True)}
            else:
                log.info("node_removed", node=name)
                self._cluster.remove(name)
                self._beats.pop(name, None)
                self._meters.pop(name, None)

    def info(self, health: NodeHealth) -> list[dict[str, Any]]:
        """One entry for each node, as this process sees it, for the membership."""
        return [self._entry(name, listed, health) for name, listed in self._listed.items()]

    def _change(self, link: NodeLink, config: NodeConfig) -> None:
        same_place = _place(link.config) == _place(config)
        if same_place and link.config.password == config.password:
            link.configure(config)
            return
        # A connection that is cut off may miss how calls end, and at another address may be another switch.
        quiet = not self._live_calls.count_on_node(link.name)
        if quiet or (same_place and not link.connected):
            log.info("node_changed", node=link.name, host=config.host, port=config.port)
            link.reconnect(config)

    def _open(self) -> list[str]:
        """Nodes to which a new call may go."""
        found = []
        for name, link in self._cluster.links.items():
            listed = self._listed.get(name)
            if listed is None or listed.deleted or name in self._drained or not link.connected:
                continue
            if _place(link.config) == _place(listed.node):
                found.append(name)
        return found

    def _rested(self, name: str) -> bool:
        return self._rests.rests(name, self.core_uuid(name))

    def _load(self, name: str) -> NodeLoad:
        node, in_flight = self._listed[name].node, self._live_calls.count_on_node(name)
        heartbeat = self._cluster.links[name].heartbeat
        if heartbeat is None:
            return NodeLoad(name, node.weight, in_flight, node.channels, None, None)
        beat = self._beats.get(name)
        if beat is None or beat[0] is not heartbeat:
            beat = self._beats[name] = (heartbeat, in_flight)
        sessions = sessions_now(heartbeat.sessions, beat[1], in_flight)
        return NodeLoad(name, node.weight, in_flight, node.channels, sessions, heartbeat.max_sessions)

    def _caps_of(self, name: str) -> NodeCaps:
        node = self._listed[name].node
        # One call is to try a node that rested, and it is known to be up before the next second's.
        cps = 1 if self._rests.tries(name) else self._cps_now(Kind.NODE, name, node.cps)
        return NodeCaps(name, cps, node.channels)

    def _entry(self, name: str, listed: NodeEntry, health: NodeHealth) -> dict[str, Any]:
        link = self._cluster.links.get(name)
        heartbeat = link.heartbeat if link is not None else None
        meter = self._meters.get(name)
        connected = link is not None and link.connected
        trouble = health.trouble(name, connected, link.last_error if link is not None else None)
        return {
            "name": name,
            "source": listed.source,
            "address": listed.node.address,
            "connected": connected,
            "core_uuid": link.core_uuid if link is not None else None,
            "sessions": heartbeat.sessions if heartbeat else None,
            "max_sessions": heartbeat.max_sessions if heartbeat else None,
            "idle_cpu": heartbeat.idle_cpu if heartbeat else None,
            "calls": self._live_calls.count_on_node(name),
            "calls_per_second": meter.rate(self._now()) if meter else 0.0,
            "lag_ms": link.lag_ms if link is not None else None,
            "last_error": trouble.error,
            "error_since": None if trouble.since is None else told(trouble.since),
            "unanswered": trouble.unanswered,
        }


def _config(node: NodeSettings) -> NodeConfig:
    return NodeConfig(node.name, node.host, node.port, node.password, node.cps, node.channels)


def _place(node: NodeConfig | NodeSettings) -> tuple[str, int]:
    return node.host, node.port
