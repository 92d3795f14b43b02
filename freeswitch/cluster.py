"""The links to the nodes of a cluster, which come and go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import gevent

from freeswitch.events import Event
from freeswitch.link import LinkChange, NodeConfig, NodeLink

__all__ = ["Cluster", "LinkChange", "NodeConfig", "NodeLink"]


class Cluster:
    """All nodes a dialer may use; they come and go. Callbacks come from the links' greenlets and must not wait.

    `links` is never changed in place, so that whoever walks over it may wait.
    """

    def __init__(
        self,
        nodes: Sequence[NodeConfig],
        dialer_id: str,
        on_event: Callable[[str, Event], None],
        on_link: Callable[[LinkChange], None],
    ) -> None:
        self.links: Mapping[str, NodeLink] = {}
        self._dialer_id = dialer_id
        self._on_event = on_event
        self._on_link = on_link
        self._adopted: list[str] = []
        self._started = self._stopped = False
        for node in nodes:
            self.add(node)

    def start(self) -> None:
        """Begin connecting to every node; returns at once."""
        self._started = True
        for link in self.links.values():
            link.start()

    def stop(self) -> None:
        """Disconnect from every node, and wait for it."""
        self._stopped = True
        stops = [gevent.spawn(link.stop) for link in self.links.values()]
        gevent.joinall(stops)

    def add(self, node: NodeConfig) -> None:
        """One more node, to which it begins to connect where the others have begun. Raises ValueError for a name
        that another has."""
        if node.name in self.links:
            raise ValueError("two nodes of one name")
        if self._stopped:
            return
        link = NodeLink(node, self._dialer_id, self._on_event, self._on_link)
        for dialer_id in self._adopted:
            link.adopt(dialer_id)
        self.links = {**self.links, node.name: link}
        if self._started:
            link.start()

    def remove(self, name: str) -> None:
        """Know this node no longer, and disconnect from it; never waits. Calls in progress there go unheard."""
        link = self.links[name]
        self.links = {other: kept for other, kept in self.links.items() if other != name}
        gevent.spawn(link.stop)

    def adopt(self, dialer_id: str) -> None:
        """Receive another dialer's events from every node, from those that are added later too."""
        if dialer_id not in self._adopted:
            self._adopted.append(dialer_id)
        for link in self.links.values():
            link.adopt(dialer_id)

    @property
    def adopted(self) -> list[str]:
        """The other dialers whose events are received."""
        return list(self._adopted)

    def release(self, dialer_id: str) -> None:
        """Receive an adopted dialer's events no longer, from any node: none of its calls is left."""
        self._adopted = [other for other in self._adopted if other != dialer_id]
        for link in self.links.values():
            link.release(dialer_id)

    def connected_core(self, name: str) -> str | None:
        """The run of FreeSWITCH that a node's link is up to; None where it is not."""
        link = self.links.get(name)
        return link.core_uuid if link is not None and link.connected else None

    def connected(self) -> list[NodeLink]:
        """The links that can take commands now."""
        return [link for link in self.links.values() if link.connected]
