"""Who listens to node events and link changes, and passes them on: to the recorder, the reconciler, the breakers and
others. Who hears what, and in which order, is said in one place: `parts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import structlog

from freeswitch.cluster import LinkChange
from freeswitch.events import Event

log = structlog.get_logger()


class EventListener(Protocol):
    """Hears what every node says, in the order of its connection."""

    def on_event(self, node: str, event: Event) -> None:
        """Take one event of `node`. Called by the connection's reader: never waits."""


class LinkListener(Protocol):
    """Hears of the connections to the nodes."""

    def on_link(self, change: LinkChange) -> None:
        """The connection to a node came up, or was lost. Never waits."""


@dataclass(slots=True)
class SwitchListeners:
    """What every node says, and that a link came up or was lost, is passed on to each of these in its turn."""

    events: tuple[EventListener, ...] = ()
    links: tuple[LinkListener, ...] = ()

    def on_event(self, node: str, event: Event) -> None:
        """A node said something."""
        for listener in self.events:
            listener.on_event(node, event)

    def on_link(self, change: LinkChange) -> None:
        """A link came up, or was lost."""
        log.info("node_link", node=change.node, up=change.up, error=change.error)
        for listener in self.links:
            listener.on_link(change)
