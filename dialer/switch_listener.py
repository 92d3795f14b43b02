"""Interfaces of those who listen to node events and link changes.

They are implemented by the recorder, the reconciler, the breakers and others; who hears what, and in which order, is
said in one place: `parts`, under `event_listeners` and `link_listeners`.
"""

from __future__ import annotations

from typing import Protocol

from freeswitch.cluster import LinkChange
from freeswitch.events import Event


class EventListener(Protocol):
    """Hears what every node says, in the order of its connection."""

    def on_event(self, node: str, event: Event) -> None:
        """Take one event of `node`. Called by the connection's reader: never waits."""


class LinkListener(Protocol):
    """Hears of the connections to the nodes."""

    def on_link(self, change: LinkChange) -> None:
        """The connection to a node came up, or was lost. Never waits."""
